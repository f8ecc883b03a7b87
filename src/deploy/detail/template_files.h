// The text of each file of deploy/cloudformation, which the build makes a source file of
// (CMakeLists.txt).
#pragma once

#include <span>
#include <string_view>

namespace ebbgate::deploy::detail {

struct TemplateFile {
  std::string_view name;  // "vpc"
  std::string_view text;
};

// In the order of their names.
[[nodiscard]] std::span<const TemplateFile> template_files();

}  // namespace ebbgate::deploy::detail
