#include "config/duration.h"

#include "config/detail/values.h"

namespace ebbgate::config {

std::expected<Duration, std::string> read_duration(std::string_view text) {
  auto parsed = detail::parse_duration(text);
  if (parsed) return *parsed;
  return std::unexpected(parsed.error().message + "; " + parsed.error().fix);
}

}  // namespace ebbgate::config
