#include "policy/suffix.h"

#include <libpsl.h>

#include <string>

#include "policy/detail/public_suffix.h"

namespace ebbgate::policy {

std::string_view registrable_domain(std::string_view name) {
  const std::string terminated(name);
  const char* found = psl_registrable_domain(psl_builtin(), terminated.c_str());
  if (found == nullptr) return {};
  return name.substr(static_cast<std::size_t>(found - terminated.c_str()));
}

bool is_shared(std::string_view name) {
  return registrable_domain(name).empty() || detail::strangers_below(name).has_value();
}

}  // namespace ebbgate::policy
