#include "kube/gateways.h"

#include <algorithm>
#include <utility>

#include "kube/detail/hash.h"
#include "kube/detail/scan.h"

namespace ebbgate::kube {
namespace {

constexpr std::string_view kPrefix = "ebbgate-";
constexpr std::size_t kLongestName = 253;  // RFC 1123 subdomain, as the API has it
constexpr unsigned kHashDigits = 8;

}  // namespace

std::string lease_name_of(std::string_view gateway) {
  std::string out(kPrefix);
  for (const char c : gateway) {
    const bool is_upper = c >= 'A' && c <= 'Z';
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.';
    const char lower = static_cast<char>(is_upper ? c - 'A' + 'a' : c);
    const char mapped = is_upper || is_plain ? lower : '-';
    // A label neither begins nor ends with a hyphen, nor is it empty.
    if (mapped == '.' && (out.back() == '-' || out.back() == '.')) continue;
    if (mapped == '-' && out.back() == '.') continue;
    out.push_back(mapped);
  }
  const auto trim = [&out] {
    while (out.back() == '-' || out.back() == '.') out.pop_back();
  };
  trim();
  if (out.size() <= kLongestName && out.substr(std::min(out.size(), kPrefix.size())) == gateway) {
    return out;
  }
  detail::Hash hash;
  hash.add(gateway);
  out.resize(std::min(out.size(), kLongestName - kHashDigits - 1));
  trim();
  return out + '-' + hash.hex(kHashDigits);
}

std::vector<Gateway> GatewaySet::live() const {
  std::vector<Gateway> out;
  if (is_lost_) return out;
  const MonotonicTime now = heard_now();
  for (const auto& [name, seen] : seen_) {
    if (now - seen.changed < times_.duration) out.push_back(seen.gateway);
  }
  return out;
}

std::vector<std::string> GatewaySet::gone() const {
  std::vector<std::string> out;
  if (is_lost_) return out;
  const MonotonicTime now = heard_now();
  for (const auto& [name, seen] : seen_) {
    if (now - seen.changed >= times_.removal) out.push_back(name);
  }
  return out;
}

const Gateway* GatewaySet::find(std::string_view lease) const {
  const auto found = seen_.find(lease);
  return found == seen_.end() ? nullptr : &found->second.gateway;
}

std::string GatewaySet::version_of(std::string_view lease) const {
  const auto found = seen_.find(lease);
  return found == seen_.end() ? std::string() : found->second.version;
}

void GatewaySet::begin_list() {
  listed_.clear();
  is_listing_ = true;
}

void GatewaySet::take(Change change, std::string_view object) {
  Seen seen{.gateway = {}, .version = {}, .changed = heard_now()};
  const bool is_json = detail::scan(object, [&](detail::Path path, const detail::Scalar& value) {
    if (!value.text) return;
    if (detail::is_at(path, {"metadata", "name"})) seen.gateway.lease = *value.text;
    if (detail::is_at(path, {"metadata", "resourceVersion"})) seen.version = *value.text;
    if (detail::is_at(path, {"metadata", "annotations", kPolicyAnnotation})) {
      seen.gateway.digest = *value.text;
    }
    if (detail::is_at(path, {"metadata", "annotations", kInvalidAnnotation})) {
      seen.gateway.invalid = *value.text;
    }
    if (detail::is_at(path, {"spec", "holderIdentity"})) seen.gateway.holder = *value.text;
  });
  const std::string name = seen.gateway.lease;
  // What has the labels and is not named as ours are is somebody else's.
  if (!is_json || !name.starts_with(kPrefix)) return;
  const auto known = seen_.find(name);
  if (change == Change::kRemoved) {
    if (known != seen_.end()) seen_.erase(known);
    has_changed_ = true;
    return;
  }
  const bool is_same = known != seen_.end() && known->second.version == seen.version;
  if (is_same) seen.changed = known->second.changed;
  if (known == seen_.end() || known->second.gateway != seen.gateway) has_changed_ = true;
  (is_listing_ ? listed_ : seen_).insert_or_assign(name, std::move(seen));
}

void GatewaySet::end_list() {
  if (listed_.size() != seen_.size()) has_changed_ = true;
  seen_ = std::exchange(listed_, {});
  is_listing_ = false;
}

void GatewaySet::settle() {
  if (std::exchange(has_changed_, false) && on_change_) on_change_();
}

void GatewaySet::on_freshness() {
  const bool is_lost = watch_ != nullptr && watch_->is_lost();
  if (is_lost && !is_lost_) lost_at_ = watch_->lost_since.value_or(now_());
  if (!is_lost && is_lost_) unheard_ += now_() - lost_at_;
  is_lost_ = is_lost;
  if (on_change_) on_change_();
}

}  // namespace ebbgate::kube
