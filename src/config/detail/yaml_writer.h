// JSON values as YAML in block style, for files that people read.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace ebbgate::config::detail {

[[nodiscard]] std::string to_yaml(const nlohmann::ordered_json& value);

}  // namespace ebbgate::config::detail
