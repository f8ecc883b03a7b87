// Credentials are secrets; base/secret.h has the type.
#pragma once

#include "base/secret.h"

namespace ebbgate::aws {

using ebbgate::Secret;

}  // namespace ebbgate::aws
