// The objects of a kind that are few and small, such as policies: all of them, as the API has them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "kube/watch.h"

namespace ebbgate::kube {

// What every object says of itself.
struct ObjectId {
  std::string in_namespace = {};  // empty: a kind that has none
  std::string name = {};
  auto operator<=>(const ObjectId&) const = default;
};
// Nothing where it is not JSON, or has no name.
[[nodiscard]] std::optional<ObjectId> identify(std::string_view object);

// What tells one state of an object from another one.
struct ObjectState {
  ObjectId id = {};
  std::string uid = {};         // another one where it was deleted and made anew
  std::int64_t generation = 0;  // grows with each change of its spec; 0: nobody counts them
};
[[nodiscard]] std::optional<ObjectState> state_of(std::string_view object);

class ObjectSet final : public Watcher {
 public:
  // `on_change`: the set is another one. `on_freshness`: WatchState is.
  explicit ObjectSet(std::function<void()> on_change, std::function<void()> on_freshness = {})
      : on_change_(std::move(on_change)), on_freshness_(std::move(on_freshness)) {}

  // The JSON texts. A list that is under way counts when it has ended.
  [[nodiscard]] const std::map<ObjectId, std::string>& objects() const { return objects_; }

  void begin_list() override;
  void take(Change change, std::string_view object) override;
  void end_list() override;
  void settle() override;
  void on_freshness() override;

 private:
  std::function<void()> on_change_;
  std::function<void()> on_freshness_;
  std::map<ObjectId, std::string> objects_;
  std::map<ObjectId, std::string> listed_;
  bool is_listing_ = false;
  bool has_changed_ = false;
};

}  // namespace ebbgate::kube
