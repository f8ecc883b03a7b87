// The request target as logs may show it.
#pragma once

#include <string>

#include "observe/detail/text.h"
#include "observe/record.h"

namespace ebbgate::observe {

// Appends it without what may hold a secret: its query and its userinfo. The question mark stays,
// as Squid's strip_query_terms leaves it: it tells that there was a query.
void append_target(std::string& out, const Record& record, TextKind kind);

}  // namespace ebbgate::observe
