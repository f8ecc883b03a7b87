// What is wrong with a configuration: the same type as for a policy. What comes from the command
// line has the flag (`--listen`) in place of a file.
#pragma once

#include "policy/problem.h"

namespace ebbgate::config {

using Problem = policy::PolicyProblem;

}  // namespace ebbgate::config
