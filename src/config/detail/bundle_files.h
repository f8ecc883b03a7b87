// The text of each file of bundles/, which the build makes a source file of (CMakeLists.txt).
#pragma once

#include <span>
#include <string_view>

namespace ebbgate::config::detail {

struct BundleFile {
  std::string_view name;  // "docker-hub.yaml"
  std::string_view text;
};

// In the order of their names.
[[nodiscard]] std::span<const BundleFile> bundle_files();

}  // namespace ebbgate::config::detail
