#include "deploy/stack.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/escape.h"

namespace ebbgate::deploy {
namespace {

using aws::Failure;
using aws::cloudformation::Change;
using aws::cloudformation::Pairs;
using aws::cloudformation::StackEvent;

struct State {
  std::string_view status;
  Need need;
};

// docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
constexpr auto kStates = std::to_array<State>({
    {"REVIEW_IN_PROGRESS", Need::kCreate},
    {"CREATE_COMPLETE", Need::kUpdate},
    {"UPDATE_COMPLETE", Need::kUpdate},
    {"UPDATE_ROLLBACK_COMPLETE", Need::kUpdate},
    {"IMPORT_COMPLETE", Need::kUpdate},
    {"IMPORT_ROLLBACK_COMPLETE", Need::kUpdate},
    {"CREATE_IN_PROGRESS", Need::kWait},
    {"UPDATE_IN_PROGRESS", Need::kWait},
    {"UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Need::kWait},
    {"UPDATE_ROLLBACK_IN_PROGRESS", Need::kWait},
    {"UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", Need::kWait},
    {"ROLLBACK_IN_PROGRESS", Need::kWait},
    {"DELETE_IN_PROGRESS", Need::kWait},
    {"IMPORT_IN_PROGRESS", Need::kWait},
    {"IMPORT_ROLLBACK_IN_PROGRESS", Need::kWait},
    {"ROLLBACK_COMPLETE", Need::kRebuild},
    {"CREATE_FAILED", Need::kRebuild},
    {"ROLLBACK_FAILED", Need::kRebuild},
    {"DELETE_FAILED", Need::kRebuild},
    {"DELETE_COMPLETE", Need::kCreate},
});

class Fnv {  // FNV-1a: enough to tell two orders of one stack apart
 public:
  void add(std::string_view text) {
    for (const char c : text) add_byte(static_cast<unsigned char>(c));
    add_byte(0);
  }
  void add(const Pairs& pairs) {
    for (const auto& [key, value] : pairs) {
      add(key);
      add(value);
    }
  }
  [[nodiscard]] std::string hex() const {
    std::string out;
    for (int shift = 60; shift >= 0; shift -= 4) out += "0123456789abcdef"[(hash_ >> shift) & 15];
    return out;
  }

 private:
  void add_byte(unsigned char byte) { hash_ = (hash_ ^ byte) * 0x100000001b3ULL; }
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

std::string_view without_end(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

const std::string* value_of(const Pairs& pairs, std::string_view key) {
  const auto found = std::ranges::find(pairs, key, &Pairs::value_type::first);
  return found == pairs.end() ? nullptr : &found->second;
}

std::string shown(const std::string& value) {
  return value.empty() ? "nothing" : escaped_prose(value, 200);
}

void compare(std::vector<std::string>& out, std::string_view what, const Pairs& before,
             const Pairs& after) {
  for (const auto& [key, value] : after) {
    const std::string* old = value_of(before, key);
    if (old != nullptr && *old == value) continue;
    out.push_back(std::string(what) + " " + key + ": " + (old ? shown(*old) : "absent") + " -> " +
                  shown(value));
  }
}

}  // namespace

Need need_of(const std::optional<std::string>& status) {
  if (!status) return Need::kCreate;
  const auto found = std::ranges::find(kStates, *status, &State::status);
  return found == kStates.end() ? Need::kPerson : found->need;
}

bool has_succeeded(std::string_view status) {
  return status == "CREATE_COMPLETE" || status == "UPDATE_COMPLETE" || status == "IMPORT_COMPLETE";
}

std::string next_step(std::string_view status, const std::string& stack,
                      const std::string& region) {
  const std::string flags = " --stack-name " + stack + " --region " + region;
  if (status == "UPDATE_ROLLBACK_FAILED") {
    return "correct what the event says, run `aws cloudformation continue-update-rollback" + flags +
           "`, then `ebbgate eks apply` again";
  }
  if (status == "ROLLBACK_COMPLETE") {
    return "correct what the event says and run `ebbgate eks apply` again: it removes the empty "
           "stack and starts it anew";
  }
  if (status == "UPDATE_ROLLBACK_COMPLETE") {
    return "everything is as it was before; correct what the event says and run `ebbgate eks "
           "apply` again";
  }
  if (status == "CREATE_FAILED" || status == "ROLLBACK_FAILED" || status == "DELETE_FAILED") {
    return "look at what is left (`aws cloudformation describe-stack-resources" + flags +
           "`), then run `ebbgate eks apply --yes` to delete it and start the stack anew";
  }
  return "look at the stack (`aws cloudformation describe-stacks" + flags +
         "`) and run `ebbgate eks apply` again once it is at rest";
}

std::string next_step(const Failure& failure) {
  switch (failure.kind) {
    case Failure::Kind::kCredentials:
      return "sign in (for example `aws sso login`, or set AWS_PROFILE) and run the same command "
             "again; what is done already stays";
    case Failure::Kind::kNetwork:
      if (failure.reason == Reason::kDraining) {
        return "run the same command again: it goes on where AWS is by then";
      }
      return "check the way to AWS (names, proxy, --ca-file) and run the same command again: it "
             "goes on where it stopped";
    case Failure::Kind::kUnreadable:
      return "run the same command again; where it stays so, something between here and AWS "
             "changes the answers";
    case Failure::Kind::kInvalid:
      return "correct what the message names and run the same command again";
    case Failure::Kind::kService:
      break;
  }
  const std::string_view code = failure.code;
  if (code.starts_with("AccessDenied") || code == "UnauthorizedOperation" ||
      code == "AccessDeniedException") {
    return "let whoever runs this have the permission that the message names (docs/eks.md lists "
           "them all), and run the same command again";
  }
  if (code.starts_with("ExpiredToken") || code == "InvalidClientTokenId" ||
      code == "UnrecognizedClientException" || code == "SignatureDoesNotMatch" ||
      code == "RequestExpired") {
    return "sign in again (and check this machine's clock), then run the same command again";
  }
  if (code.starts_with("LimitExceeded") || code.ends_with("LimitExceeded")) {
    return "ask for a higher quota in the Service Quotas console, then run the same command again";
  }
  if (failure.is_throttling || failure.is_retryable || failure.status >= 500) {
    return "AWS is busy: run the same command again in a few minutes; it goes on where it stopped";
  }
  return "correct what the message names and run the same command again: it goes on where it "
         "stopped";
}

std::string first_failure(std::span<const StackEvent> events) {
  const StackEvent* first = nullptr;
  for (const StackEvent& event : events) {  // back to where the operation began
    const bool is_stack = event.type == "AWS::CloudFormation::Stack";
    if (event.status.ends_with("_FAILED") && !is_stack &&
        event.reason.find("cancelled") == std::string::npos) {
      first = &event;
    }
    const bool is_start = event.status == "CREATE_IN_PROGRESS" ||
                          event.status == "UPDATE_IN_PROGRESS" ||
                          event.status == "DELETE_IN_PROGRESS";
    if (is_stack && is_start) break;
  }
  if (first == nullptr) return {};
  return first->logical_id + " (" + first->type +
         "): " + (first->reason.empty() ? first->status : escaped_prose(first->reason, 600));
}

bool takes_away(const Change& change) {
  return change.action == "Remove" || change.replacement == "True";
}

std::string describe(const Change& change) {
  std::string text = change.action == "Add"         ? "add "
                     : change.action == "Remove"    ? "REMOVE "
                     : change.replacement == "True" ? "REPLACE "
                     : change.action == "Modify"    ? "modify "
                                                    : change.action + " ";
  text += change.logical_id + " (" + change.type + ")";
  for (const std::string& target : change.targets) {
    text += (&target == &change.targets.front() ? ": " : ", ") + target;
  }
  if (change.replacement == "Conditional") text += " (may be made anew)";
  return text;
}

std::string change_set_name(const StackOrder& order) {
  Fnv hash;
  hash.add(order.template_body);
  hash.add(order.parameters);
  hash.add(order.tags);
  return "ebbgate-" + hash.hex();
}

std::vector<std::string> differences(const aws::cloudformation::Stack& stack,
                                     std::string_view template_body, const StackOrder& order) {
  std::vector<std::string> out;
  if (without_end(template_body) != without_end(order.template_body)) {
    out.push_back("template: another version");
  }
  compare(out, "parameter", stack.parameters, order.parameters);
  compare(out, "tag", stack.tags, order.tags);
  return out;
}

}  // namespace ebbgate::deploy
