#include "kube/object_set.h"

#include <optional>

#include "kube/detail/scan.h"

namespace ebbgate::kube {

std::optional<ObjectState> state_of(std::string_view object) {
  ObjectState state;
  const bool is_json = detail::scan(object, [&](detail::Path path, const detail::Scalar& value) {
    if (path.size() != 2 || path[0] != "metadata") return;
    if (value.integer && path[1] == "generation") state.generation = *value.integer;
    if (!value.text) return;
    if (path[1] == "name") state.id.name = *value.text;
    if (path[1] == "namespace") state.id.in_namespace = *value.text;
    if (path[1] == "uid") state.uid = *value.text;
  });
  if (!is_json || state.id.name.empty()) return std::nullopt;
  return state;
}

std::optional<ObjectId> identify(std::string_view object) {
  auto state = state_of(object);
  if (!state) return std::nullopt;
  return std::move(state->id);
}

void ObjectSet::begin_list() {
  listed_.clear();
  is_listing_ = true;
}

void ObjectSet::take(Change change, std::string_view object) {
  auto id = identify(object);
  if (!id) return;
  if (is_listing_) {
    listed_.insert_or_assign(*std::move(id), std::string(object));
  } else if (change == Change::kRemoved) {
    has_changed_ |= objects_.erase(*id) > 0;
  } else {
    std::string& text = objects_[*std::move(id)];
    has_changed_ |= text != object;
    text = object;
  }
}

void ObjectSet::end_list() {
  has_changed_ |= objects_ != listed_;
  objects_ = std::exchange(listed_, {});
  is_listing_ = false;
}

void ObjectSet::settle() {
  if (std::exchange(has_changed_, false) && on_change_) on_change_();
}

void ObjectSet::on_freshness() {
  if (on_freshness_) on_freshness_();
}

}  // namespace ebbgate::kube
