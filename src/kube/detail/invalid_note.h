// What a gateway's Lease says of the resources that are invalid, beside the digest: which
// generation of each it keeps, or none. A gateway that started later never knew the good form that
// others keep, and whoever reports has to know it of all. One text: the digest of what is valid,
// and ` <key>:<generation>` for each of the others.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kube/policy_status.h"

namespace ebbgate::kube::detail {

struct InvalidNote {
  std::string valid_digest = {};
  std::map<std::string, std::int64_t, std::less<>> kept = {};  // by key_of(); 0: none ever was good
  bool is_whole = true;  // what it does not name is valid, or not there
  bool operator==(const InvalidNote&) const = default;
};

// 12 hexadecimal digits, for this resource and none of its name that comes after it.
[[nodiscard]] std::string key_of(const ResourceReport& report);
// Empty where nothing is invalid.
[[nodiscard]] std::string invalid_note(std::span<const ResourceReport> reports);
// Nothing where it is none.
[[nodiscard]] std::optional<InvalidNote> read_note(std::string_view text);

}  // namespace ebbgate::kube::detail
