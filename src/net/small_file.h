// A small file, whole: a token, a certificate, a configuration that a client of some service is
// told to read.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace ebbgate::net {

// At most `max` octets. Errors: kInternal, with the path and what the system says.
[[nodiscard]] Result<std::string> read_small_file(const std::string& path,
                                                  std::size_t max = std::size_t{1} << 20);

}  // namespace ebbgate::net
