#include "app/checklist.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/escape.h"

namespace ebbgate::app {

void print_check(const deploy::Check& check) {
  std::printf("%-14s  %s: %s\n", std::string(deploy::word(check.finding)).c_str(),
              check.name.c_str(), check.proof.c_str());
  if (!check.detail.empty())
    std::printf("                %s\n", escaped_prose(check.detail).c_str());
  if (!check.next.empty())
    std::printf("                next: %s\n", escaped_prose(check.next).c_str());
  (void)std::fflush(stdout);
}

std::string checklist_json(const std::vector<std::pair<std::string, std::string>>& about,
                           const std::vector<deploy::Check>& checks) {
  using Json = nlohmann::ordered_json;
  Json out;
  for (const auto& [key, value] : about) out[key] = value;
  out["failed"] = deploy::has_failed(checks);
  Json& all = out["checks"] = Json::array();
  for (const deploy::Check& each : checks) {
    Json check{{"name", each.name},
               {"proof", each.proof},
               {"finding", deploy::word(each.finding)},
               {"detail", each.detail}};
    if (!each.next.empty()) check["next"] = each.next;
    all.push_back(std::move(check));
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string fault_of_skip(const std::vector<std::string>& skip,
                          const std::vector<std::string>& known) {
  const auto wrong = std::ranges::find_if(
      skip, [&](const std::string& each) { return std::ranges::find(known, each) == known.end(); });
  if (wrong == skip.end()) return {};
  std::string names;
  for (const std::string& name : known) names += " " + name;
  return "--skip: there is no check \"" + *wrong + "\"; there are" + names;
}

}  // namespace ebbgate::app
