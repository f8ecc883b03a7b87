// From the API's pods to the index that says who asks (identity/pod_index.h): each object is read
// for the few fields that matter, as it comes.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "identity/pod_index.h"
#include "kube/watch.h"

namespace ebbgate::kube {

// Out: the pod. Errors: kOriginInvalid for what is not JSON, or has no name and namespace. An
// address that cannot be read is left out, and so is what else is of another type than it should.
[[nodiscard]] Result<identity::PodState> parse_pod(std::string_view json);

inline Resource all_pods() {
  return {.plural = "pods"};
}

// Feeds the index. The index outlives it.
class PodFeed final : public Watcher {
 public:
  explicit PodFeed(identity::PodIndex& index) : index_(&index) {}
  // Whose state is told to the index; to be set before the watch starts.
  void follow(const ListWatch& watch) { watch_ = &watch; }

  void begin_list() override { index_->begin_list(); }
  void take(Change change, std::string_view object) override;
  void end_list() override;
  void settle() override { index_->publish(); }
  void on_freshness() override;

  [[nodiscard]] std::uint64_t unreadable() const { return unreadable_; }  // objects passed over

 private:
  identity::PodIndex* index_;
  const ListWatch* watch_ = nullptr;
  std::uint64_t unreadable_ = 0;
};

}  // namespace ebbgate::kube
