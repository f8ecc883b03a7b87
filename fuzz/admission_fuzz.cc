// fuzz-deps: webhook
// A review of anything: both webhooks answer without falling over; an answer is of the review's
// uid; a patch applies to the pod, takes nothing of it away, and asked again of what it made, there
// is nothing more to do.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/base64.h"
#include "webhook/inject.h"
#include "webhook/judge.h"

namespace {

using namespace ebbgate;
using Json = nlohmann::ordered_json;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

Json response_of(const webhook::Reply& reply) {
  const Json whole = Json::parse(reply.body);
  require(whole["response"]["uid"] == reply.uid, "the answer is another review's");
  return whole["response"];
}

// What stands in `before` stands in `after`, in lists in the same order.
bool holds(const Json& after, const Json& before) {
  if (before.is_null()) return true;
  if (before.is_object()) {
    if (!after.is_object()) return false;
    for (const auto& [key, value] : before.items()) {
      // Options of Java become longer, and the mark of an injection may be corrected.
      const bool may_change =
          (key == "value" && value.is_string()) || key == "ebbgate.dev/injected";
      if (may_change && after.contains(key)) continue;
      if (!after.contains(key) || !holds(after[key], value)) return false;
    }
    return true;
  }
  if (!before.is_array()) return after == before;
  if (!after.is_array()) return false;
  std::size_t at = 0;
  for (const Json& each : before) {
    while (at < after.size() && !holds(after[at], each)) ++at;
    if (at++ == after.size()) return false;
  }
  return true;
}

void check_injection(const std::string& body, const webhook::Injection& injection) {
  const webhook::Reply reply = webhook::inject(body, injection);
  if (reply.status != 200) {
    require(reply.status == 400, "it is refused in an unknown way");
    return;
  }
  const Json response = response_of(reply);
  require(response["allowed"] == true, "a pod is blocked");
  if (!response.contains("patch")) return;
  const auto patch = base64_decoded(response["patch"].get<std::string>());
  require(patch.has_value(), "the patch is not base64");
  Json review = Json::parse(body);
  const Json before = review["request"]["object"];
  const Json after = before.patch(Json::parse(*patch));
  require(holds(after, before), "something of the pod is gone");
  review["request"]["object"] = after;
  const webhook::Reply again = webhook::inject(review.dump(), injection);
  require(again.outcome == webhook::Outcome::kUnchanged, "it is not done with one time");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string body(reinterpret_cast<const char*>(data), size);
  check_injection(body, {.proxy_url = "http://proxy.test:3128",
                         .no_proxy = "localhost,10.0.0.0/8,.svc",
                         .ca_config_map = "ca"});
  check_injection(body, {.proxy_url = "http://proxy.test:3128", .config_map = "environment"});
  const webhook::Reply judged = webhook::judge(body, WallTime{});
  if (judged.status == 200) response_of(judged);
  return 0;
}
