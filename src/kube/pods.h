// From the API's pods to the index that says who asks (identity/pod_index.h): each object is read
// for the few fields that matter, as it comes.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "identity/pod_index.h"
#include "kube/watch.h"

namespace ebbgate::kube {

// Out: the pod. Errors: kOriginInvalid for what is not JSON, or has no name, namespace and uid. An
// address that cannot be read is left out, and so is what else is of another type than it should.
[[nodiscard]] Result<identity::PodState> parse_pod(std::string_view json);

inline Resource all_pods() {
  return {.plural = "pods"};
}

// Feeds the index. The index outlives it.
class PodFeed final : public Watcher {
 public:
  // `on_published`: readers see other pods than before. `on_freshness`: the watch is lost, or back.
  explicit PodFeed(identity::PodIndex& index, std::function<void()> on_published = {},
                   std::function<void()> on_freshness = {})
      : index_(&index),
        on_published_(std::move(on_published)),
        on_freshness_(std::move(on_freshness)) {}
  // Whose state is told to the index; to be set before the watch starts.
  void follow(const ListWatch& watch) { watch_ = &watch; }

  void begin_list() override { index_->begin_list(); }
  void take(Change change, std::string_view object) override;
  void end_list() override;
  void settle() override;
  void on_freshness() override;

  [[nodiscard]] std::uint64_t unreadable() const { return unreadable_; }  // objects passed over

 private:
  identity::PodIndex* index_;
  std::function<void()> on_published_;
  std::function<void()> on_freshness_;
  const ListWatch* watch_ = nullptr;
  std::uint64_t unreadable_ = 0;
};

}  // namespace ebbgate::kube
