#include "deploy/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace ebbgate::deploy {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr MonotonicTime kStart{};

Note event(const char* logical, const char* status, const char* reason = "") {
  Note note{.kind = Note::Kind::kEvent, .stack = "a-vpc", .text = {}};
  note.event.logical_id = logical;
  note.event.type = "AWS::EC2::VPC";
  note.event.status = status;
  note.event.reason = reason;
  return note;
}

std::string shown(bool is_terminal) {
  std::string out;
  Progress progress(is_terminal, [&](std::string_view text) { out += text; });
  progress.begin("vpc", "a-vpc", 1, 6, "3", kStart);
  progress.take(event("Vpc", "CREATE_IN_PROGRESS"), kStart + std::chrono::seconds(61));
  progress.take(event("Vpc", "CREATE_FAILED", "no\x1b[2J room"), kStart + std::chrono::seconds(62));
  StackResult result;
  result.why = "the stack could not be made";
  result.next = "make room";
  progress.end(result, kStart + std::chrono::seconds(65));
  return out;
}

TEST(Progress, IsALinePerEventWhereItIsKept) {
  const std::string out = shown(false);
  EXPECT_THAT(out, HasSubstr("[1/6] vpc: stack a-vpc, about 3 min where it has to be made\n"));
  EXPECT_THAT(out, HasSubstr("1:01 CREATE_IN_PROGRESS Vpc (AWS::EC2::VPC)\n"));
  EXPECT_THAT(out, HasSubstr("[1/6] vpc: failed, 1:05\n"));
  EXPECT_THAT(out, HasSubstr("\nnext: make room\n"));
  EXPECT_THAT(out, Not(HasSubstr("\x1b")));
}

TEST(Progress, IsOneLineThatIsRewrittenOnATerminal) {
  const std::string out = shown(true);
  EXPECT_THAT(out, HasSubstr("\r\x1b[K[1/6] vpc  1:01  0 of 1 resources  Vpc"));
  EXPECT_THAT(out, Not(HasSubstr("CREATE_IN_PROGRESS")));
  EXPECT_THAT(out, HasSubstr("CREATE_FAILED Vpc"));
}

TEST(Progress, ShowsNoControlCharactersOfOthers) {
  EXPECT_THAT(shown(false), HasSubstr("no%1B[2J room"));
}

}  // namespace
}  // namespace ebbgate::deploy
