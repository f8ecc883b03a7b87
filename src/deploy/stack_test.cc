#include "deploy/stack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ebbgate::deploy {
namespace {

namespace cfn = aws::cloudformation;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Need, FollowsFromTheState) {
  const std::vector<std::pair<const char*, Need>> rows{
      {"REVIEW_IN_PROGRESS", Need::kCreate},
      {"DELETE_COMPLETE", Need::kCreate},
      {"CREATE_IN_PROGRESS", Need::kWait},
      {"ROLLBACK_IN_PROGRESS", Need::kWait},
      {"DELETE_IN_PROGRESS", Need::kWait},
      {"UPDATE_IN_PROGRESS", Need::kWait},
      {"UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Need::kWait},
      {"UPDATE_ROLLBACK_IN_PROGRESS", Need::kWait},
      {"UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", Need::kWait},
      {"CREATE_COMPLETE", Need::kUpdate},
      {"UPDATE_COMPLETE", Need::kUpdate},
      {"UPDATE_ROLLBACK_COMPLETE", Need::kUpdate},
      {"CREATE_FAILED", Need::kRebuild},
      {"ROLLBACK_COMPLETE", Need::kRebuild},
      {"ROLLBACK_FAILED", Need::kRebuild},
      {"DELETE_FAILED", Need::kRebuild},
      {"UPDATE_FAILED", Need::kPerson},
      {"UPDATE_ROLLBACK_FAILED", Need::kPerson},
      {"SOMETHING_NEW", Need::kPerson},
  };
  for (const auto& [status, need] : rows) EXPECT_EQ(need_of(status), need) << status;
  EXPECT_EQ(need_of(std::nullopt), Need::kCreate);
}

TEST(NextStep, OfAStackSaysWhatToRun) {
  EXPECT_THAT(next_step("UPDATE_ROLLBACK_FAILED", "a-vpc", "eu-west-2"),
              HasSubstr("continue-update-rollback --stack-name a-vpc --region eu-west-2"));
  EXPECT_THAT(next_step("ROLLBACK_COMPLETE", "a", "b"), HasSubstr("`ebbgate eks apply` again"));
  EXPECT_THAT(next_step("DELETE_FAILED", "a", "b"), HasSubstr("`ebbgate eks apply --yes`"));
  EXPECT_THAT(next_step("SOMETHING_NEW", "a", "b"), HasSubstr("describe-stacks"));
}

TEST(NextStep, OfAFailureSaysWhoseTurnItIs) {
  using Kind = aws::Failure::Kind;
  const auto of = [](Kind kind, const char* code = "", int status = 400,
                     Reason reason = Reason::kInternal) {
    aws::Failure failure;
    failure.kind = kind;
    failure.code = code;
    failure.status = status;
    failure.reason = reason;
    return next_step(failure);
  };
  EXPECT_THAT(of(Kind::kCredentials), HasSubstr("sign in"));
  EXPECT_THAT(of(Kind::kNetwork), HasSubstr("check the way to AWS"));
  EXPECT_THAT(of(Kind::kNetwork, "", 0, Reason::kDraining), HasSubstr("goes on where AWS is"));
  EXPECT_THAT(of(Kind::kUnreadable), HasSubstr("changes the answers"));
  EXPECT_THAT(of(Kind::kInvalid), HasSubstr("correct what the message names"));
  EXPECT_THAT(of(Kind::kService, "AccessDenied", 403), HasSubstr("permission"));
  EXPECT_THAT(of(Kind::kService, "UnauthorizedOperation", 403), HasSubstr("permission"));
  EXPECT_THAT(of(Kind::kService, "ExpiredToken", 403), HasSubstr("sign in again"));
  EXPECT_THAT(of(Kind::kService, "LimitExceededException"), HasSubstr("quota"));
  EXPECT_THAT(of(Kind::kService, "InternalFailure", 500), HasSubstr("busy"));
  EXPECT_THAT(of(Kind::kService, "ValidationError"), HasSubstr("correct what the message names"));
}

cfn::StackEvent event(const char* logical, const char* type, const char* status,
                      const char* reason = "") {
  cfn::StackEvent made;
  made.logical_id = logical;
  made.type = type;
  made.status = status;
  made.reason = reason;
  return made;
}

TEST(FirstFailure, IsTheCauseAndNotWhatFollowedFromIt) {
  constexpr const char* kStack = "AWS::CloudFormation::Stack";
  const std::vector<cfn::StackEvent> newest_first{
      event("a-vpc", kStack, "ROLLBACK_COMPLETE"),
      event("a-vpc", kStack, "ROLLBACK_IN_PROGRESS", "The following resource(s) failed"),
      event("Other", "AWS::EC2::Subnet", "CREATE_FAILED", "Resource creation cancelled"),
      event("Cause", "AWS::EC2::VPC", "CREATE_FAILED", "the quota is used up"),
      event("a-vpc", kStack, "CREATE_IN_PROGRESS"),
      event("Earlier", "AWS::EC2::VPC", "CREATE_FAILED", "of another run"),
  };
  EXPECT_EQ(first_failure(newest_first), "Cause (AWS::EC2::VPC): the quota is used up");
  EXPECT_EQ(first_failure({}), "");
}

cfn::Change change(const char* action, const char* replacement) {
  cfn::Change made;
  made.action = action;
  made.logical_id = "Fleet";
  made.type = "AWS::AutoScaling::AutoScalingGroup";
  made.replacement = replacement;
  made.targets = {"MinSize", "MaxSize"};
  return made;
}

TEST(Changes, ThatTakeSomethingAwayAreTold) {
  EXPECT_TRUE(takes_away(change("Remove", "")));
  EXPECT_TRUE(takes_away(change("Modify", "True")));
  EXPECT_FALSE(takes_away(change("Modify", "False")));
  EXPECT_FALSE(takes_away(change("Modify", "Conditional")));
  EXPECT_FALSE(takes_away(change("Add", "")));
  EXPECT_EQ(describe(change("Modify", "True")),
            "REPLACE Fleet (AWS::AutoScaling::AutoScalingGroup): MinSize, MaxSize");
  EXPECT_THAT(describe(change("Modify", "Conditional")), HasSubstr("may be made anew"));
}

StackOrder order() {
  return {.step = "vpc",
          .name = "a-vpc",
          .template_body = "Resources: {}\n",
          .parameters = {{"VpcCidr", "10.64.0.0/16"}},
          .tags = {{"team", "platform"}}};
}

TEST(ChangeSetName, IsTheSameForTheSameOrderAndAnotherForAnyOther) {
  const std::string name = change_set_name(order());
  EXPECT_EQ(name, change_set_name(order()));
  EXPECT_THAT(name, testing::MatchesRegex("[a-zA-Z][-a-zA-Z0-9]{0,127}"));
  StackOrder other = order();
  other.parameters.front().second = "10.65.0.0/16";
  EXPECT_NE(name, change_set_name(other));
  other = order();
  other.template_body += "#";
  EXPECT_NE(name, change_set_name(other));
  other = order();
  other.tags.front() = {"tea", "mplatform"};  // the same letters in a row
  EXPECT_NE(name, change_set_name(other));
}

TEST(Differences, AreOfTemplateParametersAndTags) {
  cfn::Stack stack;
  stack.parameters = {{"VpcCidr", "10.64.0.0/16"}, {"FlowLogs", "true"}};  // a default of its own
  stack.tags = {{"team", "platform"}};
  EXPECT_THAT(differences(stack, "Resources: {}", order()), IsEmpty());
  stack.parameters.front().second = "10.0.0.0/16";
  stack.tags.clear();
  EXPECT_THAT(
      differences(stack, "Resources: {A: 1}", order()),
      ElementsAre("template: another version", "parameter VpcCidr: 10.0.0.0/16 -> 10.64.0.0/16",
                  "tag team: absent -> platform"));
}

}  // namespace
}  // namespace ebbgate::deploy
