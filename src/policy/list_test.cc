#include "policy/list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/policy.h"

namespace ebbgate::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> hosts_of(const ParsedList& list) {
  std::vector<std::string> hosts;
  const PatternList& patterns = list.document.allow.at(0).hosts;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    hosts.push_back(patterns[i].str() + "@" + str("", patterns.position(i)));
  }
  return hosts;
}

TEST(List, HasEntriesOnLinesOrBetweenCommasAndComments) {
  const ParsedList list = parse_list(
      "\xef\xbb\xbf# the build\r\n"
      "example.com\r\n"
      "\n"
      "  .a.example , *.b.example:443,, 203.0.113.7 # not c.example\n"
      "\td.example",
      "allow.txt");
  EXPECT_TRUE(list.problems.empty()) << str(list.problems.front());
  EXPECT_THAT(hosts_of(list),
              ElementsAre("example.com@:2:1", ".a.example@:4:3", "*.b.example:443@:4:16",
                          "203.0.113.7@:4:34", "d.example@:5:2"));
  EXPECT_EQ(list.document.name, "allow.txt");
  EXPECT_TRUE(list.document.subjects.empty());
  EXPECT_EQ(list.document.mode, Mode::kEnforce);
}

TEST(List, ReportsEveryProblemWithItsPlaceAndFix) {
  const ParsedList list = parse_list("example.com\nhttps://x.com/, *.ok.com\n a b\n", "allow.txt");
  ASSERT_EQ(list.problems.size(), 2U);
  EXPECT_EQ(str(list.problems[0]),
            "allow.txt:2:1: error: \"https://x.com/\" has a scheme; write x.com");
  EXPECT_THAT(str(list.problems[1]), HasSubstr("allow.txt:3:2: error: \"a b\" has a blank"));
  EXPECT_TRUE(has_errors(list.problems));
}

TEST(List, WithoutAnEntryIsAnError) {
  for (const std::string_view text : {"", "\n\n", "# nothing\n", " , ,\n"}) {
    const ParsedList list = parse_list(text, "allow.txt");
    ASSERT_EQ(list.problems.size(), 1U);
    EXPECT_THAT(list.problems[0].message, HasSubstr("no entry"));
  }
}

TEST(List, OfGarbageNamesAHundredProblemsAndCountsTheRest) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "?\n";
  const ParsedList list = parse_list(text, "allow.txt");
  ASSERT_EQ(list.problems.size(), 101U);
  EXPECT_EQ(list.problems.back().message, "4900 more entries are wrong");
}

TEST(List, OfTheOriginalTemplateLoadsWithAWarningOfWhomItLetsIn) {
  ParsedList list = parse_list(".amazonaws.com, registry.hub.docker.io", "allow.txt");
  ASSERT_TRUE(list.problems.empty());
  const auto compiled = Policy::compile({std::move(list.document)});
  ASSERT_TRUE(compiled.policy);
  ASSERT_EQ(compiled.problems.size(), 1U);
  EXPECT_EQ(compiled.problems[0].severity, Severity::kWarning);
  EXPECT_THAT(str(compiled.problems[0]),
              HasSubstr("allow.txt:1:1: warning: .amazonaws.com lets in every S3 bucket"));
}

}  // namespace
}  // namespace ebbgate::policy
