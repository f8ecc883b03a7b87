#include "kube/policy_status.h"

#include <gtest/gtest.h>

#include <string>

#include "base/utf8.h"
#include "kube/detail/scan.h"
#include "kube/detail/stamp.h"

namespace ebbgate::kube {
namespace {

using State = ResourceState;

WallTime at(std::int64_t seconds) {
  return WallTime(std::chrono::seconds(seconds));
}

ResourceReport report(State state, std::int64_t generation = 4, std::int64_t in_force = 4) {
  return {.id = {"shop", "web"},
          .uid = "u-1",
          .generation = generation,
          .generation_in_force = in_force,
          .state = state,
          .allow = 2,
          .deny = 1};
}
ResourceProblem error(std::string message, std::string where = "spec.allow[0].hosts[1]") {
  return {.where = std::move(where), .message = std::move(message), .fix = "write a name"};
}
// The object as the API has it after the patch was applied.
std::string applied(const std::string& patch) {
  return patch;  // its `status` stands where the object's does
}
// The raw text of a member within members.
std::string at(std::string_view json, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) json = detail::member(json, key);
  return std::string(json);
}
bool has(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}
std::string condition(const std::string& patch, const std::string& type) {
  const std::string all = at(patch, {"status", "conditions"});
  const std::size_t end = all.find("\"type\":\"" + type + "\"");
  if (end == all.npos) return "";
  const std::size_t begin = all.rfind('{', end);
  return all.substr(begin, all.find('}', end) - begin + 1);
}

TEST(Stamp, WritesTimesAsTheApiReadsThem) {
  EXPECT_EQ(detail::time(at(0)), "1970-01-01T00:00:00Z");
  const WallTime late = at(1'795'473'030) + std::chrono::nanoseconds(4'005'999);
  EXPECT_EQ(detail::time(late), "2026-11-23T22:30:30Z");
  EXPECT_EQ(detail::micro_time(late), "2026-11-23T22:30:30.004005Z");
  EXPECT_EQ(detail::micro_time(at(-1)), "1969-12-31T23:59:59.000000Z");
}

TEST(PolicyStatus, SaysInPlainWordsWhatBecameOfIt) {
  struct Case {
    ResourceReport report;
    Coverage coverage;
    std::string accepted;  // status, reason
    std::string programmed;
    std::string message;  // of Programmed
    std::string gateways;
  };
  ResourceReport of_cluster = report(State::kNeverGood, 1, 0);
  of_cluster.id = {"", "all"};
  const std::vector<Case> cases = {
      {report(State::kAccepted),
       {3, 3},
       "True Accepted",
       "True Programmed",
       "in force on 3 of 3 gateways",
       "3"},
      {report(State::kAccepted),
       {2, 3},
       "True Accepted",
       "False Pending",
       "in force on 2 of 3 gateways",
       "2"},
      {report(State::kAccepted),
       {0, 0},
       "True Accepted",
       "False Pending",
       "in force on 0 of 0 gateways",
       "0"},
      {report(State::kAccepted, 5, 4),
       {3, 3},
       "True Accepted",
       "False Pending",
       "generation 4 stays in force on 3 of 3 gateways",
       "3"},
      {report(State::kAccepted, 1, 0),
       {0, 3},
       "True Accepted",
       "False Pending",
       "it is not in force yet",
       "0"},
      {report(State::kPartlyDelegated),
       {3, 3},
       "True PartlyDelegated",
       "True Programmed",
       "in force on 3 of 3 gateways",
       "3"},
      {report(State::kNotDelegated),
       {3, 3},
       "False NotDelegated",
       "True Programmed",
       "in force on 3 of 3 gateways",
       "3"},
      {report(State::kLastGoodKept, 5, 4),
       {2, 3},
       "False Invalid",
       "False LastGoodKept",
       "generation 4 stays in force on 2 of 3 gateways",
       "2"},
      {report(State::kNeverGood, 1, 0),
       {3, 3},
       "False Invalid",
       "False NamespaceClosed",
       "whatever pods of its namespace ask for is refused",
       "0"},
      // Others keep what the reporter never knew, and the other way round.
      {report(State::kNeverGood, 5, 0),
       {2, 3, 1, 4},
       "False Invalid",
       "False KeptInPart",
       "generation 4 stays in force on 2 of 3 gateways, and on 1, which never knew a valid form of "
       "it, whatever pods of its namespace ask for is refused, until it is corrected or deleted",
       "2"},
      {report(State::kLastGoodKept, 5, 4),
       {1, 3, 2, 4},
       "False Invalid",
       "False KeptInPart",
       "generation 4 stays in force on 1 of 3 gateways, and on 2,",
       "1"},
      {report(State::kNeverGood, 5, 0),
       {2, 2, 0, 4},
       "False Invalid",
       "False LastGoodKept",
       "generation 4 stays in force on 2 of 2 gateways",
       "2"},
      {of_cluster,
       {3, 3},
       "False Invalid",
       "False Pending",
       "no gateway takes any new policy until it is corrected or deleted",
       "0"},
  };
  for (const Case& each : cases) {
    const std::string patch = status_patch(each.report, each.coverage, "", at(60));
    for (const auto& [type, expected] :
         {std::pair("Accepted", each.accepted), std::pair("Programmed", each.programmed)}) {
      const std::string found = condition(patch, type);
      const std::size_t space = expected.find(' ');
      EXPECT_EQ(at(found, {"status"}), '"' + expected.substr(0, space) + '"') << patch;
      EXPECT_EQ(at(found, {"reason"}), '"' + expected.substr(space + 1) + '"') << patch;
      EXPECT_EQ(at(found, {"lastTransitionTime"}), "\"1970-01-01T00:01:00Z\"");
      EXPECT_EQ(at(found, {"observedGeneration"}), std::to_string(each.report.generation));
    }
    EXPECT_TRUE(has(condition(patch, "Programmed"), each.message)) << patch;
    EXPECT_EQ(at(patch, {"status", "gateways"}), each.gateways) << patch;
    EXPECT_EQ(at(patch, {"status", "allow"}), "2");
    EXPECT_EQ(at(patch, {"status", "deny"}), "1");
    EXPECT_EQ(at(patch, {"metadata", "uid"}), "\"u-1\"");
    EXPECT_EQ(at(patch, {"kind"}),
              each.report.id.in_namespace.empty() ? "\"ClusterEgressPolicy\"" : "\"EgressPolicy\"");
    EXPECT_EQ(at(patch, {"metadata", "namespace"}),
              each.report.id.in_namespace.empty() ? "" : "\"shop\"");
    EXPECT_EQ(at(patch, {"status", "problems"}), "");
    // What the API has already is not written.
    EXPECT_EQ(status_patch(each.report, each.coverage, applied(patch), at(99)), "");
  }
}

TEST(PolicyStatus, WhatOthersKeepIsNotCountedByOneThatNeverKnewIt) {
  ResourceReport fresh = report(State::kNeverGood, 5, 0);
  fresh.allow = fresh.deny = 0;
  const std::string kept =
      applied(status_patch(report(State::kLastGoodKept, 5, 4), {2, 2}, "", at(0)));
  const std::string patch = status_patch(fresh, {2, 3, 1, 4}, kept, at(1));
  EXPECT_EQ(at(patch, {"status", "allow"}), "2");
  EXPECT_EQ(at(patch, {"status", "deny"}), "1");
  EXPECT_EQ(at(status_patch(fresh, {0, 3, 3}, kept, at(1)), {"status", "allow"}), "0");
}

TEST(PolicyStatus, AConditionKeepsItsTimeWhileItsStatusStays) {
  const std::string first = status_patch(report(State::kAccepted), {2, 3}, "", at(60));
  const std::string second =
      status_patch(report(State::kAccepted), {3, 3}, applied(first), at(120));
  EXPECT_EQ(at(condition(second, "Accepted"), {"lastTransitionTime"}), "\"1970-01-01T00:01:00Z\"");
  EXPECT_EQ(at(condition(second, "Programmed"), {"lastTransitionTime"}),
            "\"1970-01-01T00:02:00Z\"");
  // Another reason with the same status, even by a clock that goes backwards.
  const std::string third =
      status_patch(report(State::kPartlyDelegated), {3, 3}, applied(second), at(1));
  EXPECT_EQ(at(condition(third, "Accepted"), {"lastTransitionTime"}), "\"1970-01-01T00:01:00Z\"");
}

TEST(PolicyStatus, IsWrittenWhereAnythingElseStandsThere) {
  const std::string right = applied(status_patch(report(State::kAccepted), {3, 3}, "", at(60)));
  ASSERT_EQ(status_patch(report(State::kAccepted), {3, 3}, right, at(61)), "");
  const auto with = [&](std::string_view what, std::string_view by) {
    std::string out = right;
    const std::size_t begin = out.find(what);
    if (begin == out.npos) ADD_FAILURE() << what << " in " << right;
    return out.replace(begin, what.size(), by);
  };
  for (const std::string& present :
       {with("\"allow\":2", "\"allow\":3"), with("\"deny\":1", "\"deny\":1,\"problems\":[]"),
        with("\"gateways\":3", "\"gateways\":\"3\""), with("\"status\":{", "\"state\":{"),
        with("Programmed", "Programed"), with("\"conditions\":[", "\"conditions\":[],\"other\":["),
        with("1970-01-01", "1971-01-01").replace(0, 1, "["), std::string("[]"), std::string("{"),
        std::string(R"({"status":{"conditions":{"type":"Accepted"},"problems":7}})"),
        std::string(R"({"status":{"conditions":[7,null,{"type":7,"status":{}}]}})")}) {
    EXPECT_NE(status_patch(report(State::kAccepted), {3, 3}, present, at(60)), "") << present;
  }
  // What others say in it is theirs.
  EXPECT_EQ(status_patch(report(State::kAccepted), {3, 3},
                         with("\"conditions\":[", R"("note":"x","conditions":[{"type":"Other"},)"),
                         at(60)),
            "");
}

TEST(PolicyStatus, ProblemsKeepToTheLimitsOfTheType) {
  ResourceReport bad = report(State::kLastGoodKept, 5, 4);
  for (int i = 0; i < 99; ++i) {
    bad.problems.push_back({.severity = policy::Severity::kWarning, .message = "w"});
  }
  bad.problems.push_back(error("a\tb\xff" + std::string(2000, 'c'), std::string(500, 'd')));
  std::string patch = status_patch(bad, {1, 1}, "", at(0));
  const auto count = [](std::string_view text) {
    std::size_t out = 0;
    for (std::size_t i = 0; (i = text.find("\"message\"", i)) != text.npos; ++i) ++out;
    return out;
  };
  EXPECT_EQ(count(at(patch, {"status", "problems"})), 100U);
  bad.problems.push_back(error("last"));
  patch = status_patch(bad, {1, 1}, "", at(0));
  const std::string problems = at(patch, {"status", "problems"});
  EXPECT_EQ(count(problems), 100U);
  EXPECT_TRUE(has(problems, "and 2 more")) << problems;
  // Errors first, with their place and their cure; cut, and escaped.
  EXPECT_TRUE(problems.starts_with(R"([{"fix":"write a name","message":"a%09b%FFccc)")) << problems;
  EXPECT_TRUE(has(problems, std::string(253, 'd') + "\u2026\"")) << problems;
  EXPECT_TRUE(has(problems, "ccc\u2026\"")) << problems;
  EXPECT_TRUE(has(condition(patch, "Accepted"), "and 100 more")) << patch;
  // The most that 101 problems can come to still is a small object.
  for (ResourceProblem& each : bad.problems) {
    each.message = each.fix = each.where = std::string(5000, '"');
  }
  EXPECT_LT(status_patch(bad, {1, 1}, "", at(0)).size(), std::size_t{1} << 19U);
}

TEST(PlainText, IsValidAndShortAndShowsWhatHides) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"plain \u00e9 \u4e2d \U0001f600", "plain \u00e9 \u4e2d \U0001f600"},
      {std::string("a\0b\n\x7f", 5), "a%00b%0A%7F"},
      {"\u0085\u00a0", "%C2%85\u00a0"},
      {"\u202egnp.exe\u2066", "%E2%80%AEgnp.exe%E2%81%A6"},
      {"\xc3(\xed\xa0\x80\xf4\x90\x80\x80", "%C3(%ED%A0%80%F4%90%80%80"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(plain_text(text, 100), expected);
  EXPECT_EQ(plain_text("12345678", 8), "12345678");
  EXPECT_EQ(plain_text("123456789", 8), "12345\u2026");
  EXPECT_EQ(plain_text("1234\u4e2d\u4e2d", 8), "1234\u2026");
  EXPECT_EQ(plain_text("\n\n\n", 8), "%0A\u2026");
  EXPECT_EQ(plain_text("12345", 2), "");
  for (std::size_t max = 0; max < 40; ++max) {
    const std::string cut =
        plain_text("x\u00e9\n\u4e2d\xff\U0001f600yyyyyyyyyyyyyyyyyyyyyyyy", max);
    EXPECT_LE(cut.size(), max);
    for (std::string_view rest = cut; !rest.empty();) {
      ASSERT_NE(utf8_length(rest), 0U) << max;
      rest.remove_prefix(utf8_length(rest));
    }
  }
}

TEST(PolicyEvent, TellsEachOutcomeOfAGenerationOnce) {
  const auto status_of = [](const ResourceReport& of) {
    return applied(status_patch(of, {3, 3}, "", at(0)));
  };
  const ResourceReport good = report(State::kAccepted);
  const ResourceReport bad = report(State::kLastGoodKept, 5, 4);
  const ResourceReport closed = report(State::kNeverGood, 5, 0);
  struct Case {
    ResourceReport report;
    std::string object;
    std::string outcome;  // type and reason; empty: no event
  };
  const std::vector<Case> cases = {
      {good, "{}", ""},  // all was well from the start
      {good, status_of(good), ""},
      {bad, "{}", "Warning LastGoodKept"},
      {bad, status_of(good), "Warning LastGoodKept"},
      {bad, status_of(bad), ""},
      {report(State::kLastGoodKept, 6, 4), status_of(bad), "Warning LastGoodKept"},
      {closed, status_of(bad), "Warning NamespaceClosed"},
      {closed, status_of(closed), ""},
      {report(State::kAccepted, 6, 6), status_of(bad), "Normal Accepted"},
      {report(State::kPartlyDelegated), status_of(good), "Warning PartlyDelegated"},
      {report(State::kNotDelegated), status_of(good), "Warning NotDelegated"},
      {report(State::kNotDelegated), status_of(report(State::kNotDelegated)), ""},
      // That only some of them keep it comes and goes with gateways, and is told by the status
      // only.
      {bad, applied(status_patch(closed, {2, 3, 1, 4}, "", at(0))), ""},
  };
  EXPECT_EQ(outcome_of(closed, {2, 3, 1, 4}), (Told{"LastGoodKept", 5}));
  EXPECT_TRUE(has(event_for(closed, {2, 3, 1, 4}, {}, "gw", at(0)),
                  "generation 4 stays in force, as it is invalid"));
  for (const Case& each : cases) {
    const std::string event = event_for(each.report, {}, told_by(each.object), "gw-1", at(60));
    if (each.outcome.empty()) {
      EXPECT_EQ(event, "") << each.object;
      continue;
    }
    const std::size_t space = each.outcome.find(' ');
    EXPECT_EQ(at(event, {"type"}), '"' + each.outcome.substr(0, space) + '"') << event;
    EXPECT_EQ(at(event, {"reason"}), '"' + each.outcome.substr(space + 1) + '"') << event;
    EXPECT_EQ(at(event, {"eventTime"}), "\"1970-01-01T00:01:00.000000Z\"");
    EXPECT_EQ(at(event, {"regarding", "uid"}), "\"u-1\"");
    EXPECT_EQ(at(event, {"metadata", "namespace"}), "\"shop\"");
    // By whoever and whenever it is told: the same name.
    EXPECT_EQ(
        at(event, {"metadata", "name"}),
        at(event_for(each.report, {}, told_by(each.object), "gw-2", at(99)), {"metadata", "name"}));
  }
}

TEST(PolicyEvent, IsWithinTheLimitsOfAnEvent) {
  ResourceReport bad = report(State::kNeverGood, 1, 0);
  bad.id = {"", std::string(234, 'a') + "-." + std::string(17, 'b')};
  bad.problems = {error(std::string(3000, 'c'))};
  const std::string event = event_for(bad, {}, {}, std::string(300, 'g'), at(0));
  EXPECT_EQ(at(event, {"metadata", "namespace"}), "\"default\"");
  EXPECT_EQ(at(event, {"regarding", "namespace"}), "");
  EXPECT_EQ(at(event, {"reason"}), "\"Invalid\"");
  EXPECT_LE(at(event, {"note"}).size(), 1024U + 2);
  EXPECT_LE(at(event, {"reportingInstance"}).size(), 128U + 2);
  const std::string name = at(event, {"metadata", "name"});
  EXPECT_LE(name.size(), 253U + 2);
  EXPECT_TRUE(has(name, "aaa.")) << name;  // no label ends with a hyphen
}

TEST(Digest, IsOfWhatIsInForceInAnyOrder) {
  ResourceReport one = report(State::kAccepted);
  ResourceReport two = report(State::kAccepted);
  two.id.name = "other";
  const std::string both = digest_of(std::vector{one, two});
  EXPECT_EQ(both.size(), 16U);
  EXPECT_EQ(digest_of(std::vector{two, one}), both);
  EXPECT_NE(digest_of(std::vector{one}), both);
  one.problems.push_back(error("x"));
  one.generation = 9;  // refused: what is in force stays
  one.state = State::kLastGoodKept;
  EXPECT_EQ(digest_of(std::vector{one, two}), both);
  one.generation_in_force = 9;
  EXPECT_NE(digest_of(std::vector{one, two}), both);
  two.uid = "u-2";
  EXPECT_NE(digest_of(std::vector{report(State::kAccepted), two}), both);
}

}  // namespace
}  // namespace ebbgate::kube
