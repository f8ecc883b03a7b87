// What the gateway says of itself, to the person or the journal that reads standard error: a line
// each, beginning with the program's name.
#pragma once

#include <string_view>

namespace ebbgate::app {

// Any thread.
void say(std::string_view line);

}  // namespace ebbgate::app
