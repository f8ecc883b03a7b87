// Small files, read whole.
#pragma once

#include <string>

#include "base/result.h"

namespace ebbgate::kube::detail {

// Errors: kInternal, with the path; for more than 1 MiB, too.
[[nodiscard]] Result<std::string> read_file(const std::string& path);

}  // namespace ebbgate::kube::detail
