// What the parts of a fleet's member tell the operator: one line each, on standard error. Handed
// in, since only the program knows where that goes.
#pragma once

#include <functional>
#include <string_view>

namespace ebbgate::fleet {

using Say = std::function<void(std::string_view line)>;

}  // namespace ebbgate::fleet
