// Smokescreen's access control list (pkg/smokescreen/acl/v1), read for `ebbgate import`: text in,
// values out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.h"

namespace ebbgate::config {

enum class SmokescreenAction : std::uint8_t { kOpen, kReport, kEnforce };

struct SmokescreenDomain {
  std::string glob;
  policy::Position position = {};
};

struct SmokescreenService {
  std::string name;  // of the role; empty for the default
  SmokescreenAction action = SmokescreenAction::kEnforce;
  std::vector<SmokescreenDomain> allowed;
  std::vector<std::string> other_keys;  // that it has, and that have no counterpart
  policy::Position position = {};
};

struct SmokescreenAcl {
  std::vector<SmokescreenService> services;
  std::optional<SmokescreenService> fallback;  // `default`
  std::vector<SmokescreenDomain> global_allow;
  std::vector<SmokescreenDomain> global_deny;
  std::vector<Problem> problems;
};

[[nodiscard]] SmokescreenAcl parse_smokescreen(std::string_view text, const std::string& file);

}  // namespace ebbgate::config
