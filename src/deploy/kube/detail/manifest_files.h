// The text of each file of deploy/kubernetes, which the build makes a source file of
// (CMakeLists.txt).
#pragma once

#include <span>
#include <string_view>

namespace ebbgate::deploy::detail {

struct ManifestFile {
  std::string_view path;  // below deploy/kubernetes
  std::string_view text;
};

// In the order of their paths.
[[nodiscard]] std::span<const ManifestFile> manifest_files();

}  // namespace ebbgate::deploy::detail
