#include "app/diagnostics.h"

#include <unistd.h>

#include <string>

namespace ebbgate::app {

void say(std::string_view line) {
  std::string text = "ebbgate: ";
  text += line;
  text += '\n';
  // One write, so that lines of several threads do not mix. Nothing helps where it fails.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace ebbgate::app
