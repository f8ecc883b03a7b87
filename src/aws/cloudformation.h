// CloudFormation: stacks, change sets and events, as the driver of `ebbgate eks` uses them.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aws/client.h"

namespace ebbgate::aws::cloudformation {

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct Stack {
  std::string name;
  std::string id;  // an ARN, which also finds a stack that is deleted
  std::string status;
  std::string status_reason;
  std::string created;  // ISO 8601
  std::string updated;
  Pairs parameters;
  Pairs outputs;
  Pairs tags;
  bool is_protected = false;  // against deletion
};
// By name or id. Nothing: there is none.
[[nodiscard]] net::Task<Outcome<std::optional<Stack>>> describe_stack(Client& client,
                                                                      std::string name,
                                                                      Deadline deadline);
// All of the account and region that are not deleted.
[[nodiscard]] net::Task<Outcome<std::vector<Stack>>> describe_stacks(Client& client,
                                                                     Deadline deadline);

struct StackEvent {
  std::string id;
  std::string time;  // ISO 8601, UTC: sorts as text
  std::string logical_id;
  std::string physical_id;
  std::string type;
  std::string status;
  std::string reason;
  std::string client_token;
};
// Newest first, up to and without the one whose id is `after` (empty: all, at most 5,000).
[[nodiscard]] net::Task<Outcome<std::vector<StackEvent>>> describe_stack_events(Client& client,
                                                                                std::string stack,
                                                                                std::string after,
                                                                                Deadline deadline);

struct StackResource {
  std::string logical_id;
  std::string physical_id;
  std::string type;
  std::string status;
  std::string reason;
};
[[nodiscard]] net::Task<Outcome<std::vector<StackResource>>> describe_stack_resources(
    Client& client, std::string stack, Deadline deadline);

[[nodiscard]] net::Task<Outcome<std::string>> get_template(Client& client, std::string stack,
                                                           Deadline deadline);

struct NewChangeSet {
  std::string stack;
  std::string name;
  bool is_create = false;          // the stack does not exist yet (or only in REVIEW_IN_PROGRESS)
  std::string template_body = {};  // at most 51,200 octets; else:
  std::string template_url = {};   // of an S3 object
  Pairs parameters = {};
  std::vector<std::string> kept_parameters = {};  // UsePreviousValue
  Pairs tags = {};
  std::vector<std::string> capabilities = {};  // CAPABILITY_NAMED_IAM, …
  std::string role_arn = {};
  std::string description = {};
  std::string client_token = {};  // makes repeating the call harmless
};
struct ChangeSetIds {
  std::string id;
  std::string stack_id;
};
[[nodiscard]] net::Task<Outcome<ChangeSetIds>> create_change_set(Client& client, NewChangeSet set,
                                                                 Deadline deadline);

struct Change {
  std::string action;  // Add, Modify, Remove, Import, Dynamic
  std::string logical_id;
  std::string physical_id;
  std::string type;
  std::string replacement;           // True, False, Conditional; empty unless Modify
  std::vector<std::string> scope;    // Properties, Tags, …
  std::vector<std::string> targets;  // the properties that change, each once
};
struct ChangeSet {
  std::string id;
  std::string name;
  std::string stack_id;
  std::string status;  // CREATE_PENDING, CREATE_IN_PROGRESS, CREATE_COMPLETE, FAILED, …
  std::string status_reason;
  std::string execution_status;  // AVAILABLE, UNAVAILABLE, …
  std::vector<Change> changes;
  std::string next_page;  // empty in a whole one

  // It FAILED for no other reason than that there is nothing to change.
  [[nodiscard]] bool is_empty() const;
};
[[nodiscard]] net::Task<Outcome<ChangeSet>> describe_change_set(Client& client, std::string stack,
                                                                std::string name,
                                                                Deadline deadline);
[[nodiscard]] net::Task<Outcome<void>> execute_change_set(Client& client, std::string stack,
                                                          std::string name,
                                                          std::string client_token,
                                                          Deadline deadline);
// A change set that is not there is a success.
[[nodiscard]] net::Task<Outcome<void>> delete_change_set(Client& client, std::string stack,
                                                         std::string name, Deadline deadline);
[[nodiscard]] net::Task<Outcome<void>> delete_stack(Client& client, std::string stack,
                                                    std::string client_token, Deadline deadline);

enum class Signal : std::uint8_t { kSuccess, kFailure };
// What cfn-signal does: tells the stack that this instance is up, or is not.
[[nodiscard]] net::Task<Outcome<void>> signal_resource(Client& client, std::string stack,
                                                       std::string logical_id,
                                                       std::string unique_id, Signal signal,
                                                       Deadline deadline);

// The service's own check of a template's form. Code: ValidationError. Out: the capabilities that
// it wants.
[[nodiscard]] net::Task<Outcome<std::vector<std::string>>> validate_template(
    Client& client, std::string template_body, Deadline deadline);

}  // namespace ebbgate::aws::cloudformation
