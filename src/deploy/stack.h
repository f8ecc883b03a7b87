// What a stack's state asks for, as plain functions: the state that AWS keeps is the only memory of
// `ebbgate eks`, so that whatever was interrupted goes on from here.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aws/cloudformation.h"

namespace ebbgate::deploy {

enum class Need : std::uint8_t {
  kCreate,   // there is none, or one that waits for its first change set
  kUpdate,   // it stands; a change set says whether anything has changed
  kWait,     // something is under way
  kRebuild,  // a creation failed: what is left of it has to go first
  kPerson,   // somebody has to decide
};

// `status`: of CloudFormation; nothing: there is no such stack. A status that is not known here is
// for a person.
[[nodiscard]] Need need_of(const std::optional<std::string>& status);
// Whether the last operation on it succeeded.
[[nodiscard]] bool has_succeeded(std::string_view status);

// What a person does about a stack in that state, for kRebuild and kPerson; an imperative.
[[nodiscard]] std::string next_step(std::string_view status, const std::string& stack,
                                    const std::string& region);
// What a person does about a call that failed.
[[nodiscard]] std::string next_step(const aws::Failure& failure);

// Why the latest operation failed: the first resource that did, "ProxyGroup
// (AWS::AutoScaling::AutoScalingGroup): …". In: events, newest first. Empty: no event says.
[[nodiscard]] std::string first_failure(std::span<const aws::cloudformation::StackEvent> events);

// A change that takes something away: what is removed, and what is made anew in another's place.
[[nodiscard]] bool takes_away(const aws::cloudformation::Change& change);
// "modify Fleet (AWS::AutoScaling::AutoScalingGroup): MaxSize"
[[nodiscard]] std::string describe(const aws::cloudformation::Change& change);

// What a stack should be.
struct StackOrder {
  std::string step;  // `vpc`
  std::string name;  // `EKSdemo-vpc`
  std::string template_body;
  aws::cloudformation::Pairs parameters;
  aws::cloudformation::Pairs tags;
};

// The name of the change set that brings the stack there: equal for equal orders, so that one that
// was interrupted is found again.
[[nodiscard]] std::string change_set_name(const StackOrder& order);

// What differs between the stack and the order, a line each; empty: nothing, as far as its
// template, parameters and tags say.
[[nodiscard]] std::vector<std::string> differences(const aws::cloudformation::Stack& stack,
                                                   std::string_view template_body,
                                                   const StackOrder& order);

}  // namespace ebbgate::deploy
