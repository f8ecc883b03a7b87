#include "kube/object_set.h"

#include <optional>

#include "kube/detail/scan.h"

namespace ebbgate::kube {

std::optional<ObjectId> identify(std::string_view object) {
  ObjectId id;
  const bool is_json = detail::scan(object, [&](detail::Path path, const detail::Scalar& value) {
    if (!value.text) return;
    if (detail::is_at(path, {"metadata", "name"})) id.name = *value.text;
    if (detail::is_at(path, {"metadata", "namespace"})) id.in_namespace = *value.text;
  });
  if (!is_json || id.name.empty()) return std::nullopt;
  return id;
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
