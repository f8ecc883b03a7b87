// The checklists of `ebbgate eks verify` and `ebbgate kube verify`, as people and programs read
// them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "deploy/verify.h"

namespace ebbgate::app {

// Two or three lines on standard output.
void print_check(const deploy::Check& check);

// An object of JSON: `about`, whether any has failed, and the checks.
[[nodiscard]] std::string checklist_json(
    const std::vector<std::pair<std::string, std::string>>& about,
    const std::vector<deploy::Check>& checks);

// What is wrong with the names of --skip; empty: nothing.
[[nodiscard]] std::string fault_of_skip(const std::vector<std::string>& skip,
                                        const std::vector<std::string>& known);

}  // namespace ebbgate::app
