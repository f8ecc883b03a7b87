// From lines of the log to what people are told: what counts as an attempt, what is told at once,
// what later, and in which words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "alert/attempt.h"
#include "alert/dispatcher.h"
#include "alert/groups.h"
#include "alert/message.h"
#include "net/testing.h"

namespace ebbgate::alert {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr MonotonicTime kStart{};

TEST(ReadAttempt, TakesWhoWhatAndWhy) {
  const auto attempt = read_attempt(
      R"({"time":"2026-07-31T12:00:00.000Z","id":"abc","count":3,"client":"10.64.8.9",)"
      R"("subject":{"kind":"pod","name":"builder-1","namespace":"ci"},"method":"CONNECT",)"
      R"("host":"gist.github.com","port":443,"verdict":"DENY","reason":"not-allowed","policy":"p"})");
  EXPECT_EQ(attempt, (Attempt{"2026-07-31T12:00:00.000Z", "abc", 3, "pod", "ci/builder-1",
                              "10.64.8.9", "CONNECT", "gist.github.com", 443, "not-allowed", "p"}));
}

TEST(ReadAttempt, NamesTheClientByWhatIsKnownOfIt) {
  const auto subject = [](const std::string& members) {
    const auto attempt = read_attempt(
        R"({"client":"10.1.1.1","verdict":"DENY","reason":"not-allowed")" + members + "}");
    return attempt ? attempt->subject_kind + " " + attempt->subject : "";
  };
  EXPECT_EQ(subject(""), "address 10.1.1.1");
  EXPECT_EQ(subject(R"(,"user":"ci")"), "user ci");
  EXPECT_EQ(subject(R"(,"subject":{"kind":"certificate","name":"CN=ci"},"user":"x")"),
            "certificate CN=ci");
}

TEST(ReadAttempt, IsNothingForWhatIsNoAttempt) {
  for (const char* line : {
           R"({"verdict":"ALLOW","reason":"allowed"})",
           R"({"verdict":"DENY","reason":"draining"})",
           R"({"verdict":"DENY","reason":"over-capacity"})",
           R"({"verdict":"DENY","reason":"no-policy"})",
           R"({"client":"10.1.1.1","host":"a.test","verdict":"DENY","reason":"policy-too-old"})",
           R"({"verdict":)",
           "",
           "[]",
       }) {
    EXPECT_EQ(read_attempt(line), std::nullopt) << line;
  }
}

TEST(GroupOf, IsTheRegistrableDomainOrTheAddress) {
  const auto group = [](std::string host) {
    Attempt attempt;
    attempt.host = std::move(host);
    return group_of(attempt);
  };
  EXPECT_EQ(group("a.b.example.co.uk"), "example.co.uk");
  EXPECT_EQ(group("example.com"), "example.com");
  EXPECT_EQ(group("com"), "com");
  EXPECT_EQ(group("intranet"), "intranet");
  EXPECT_EQ(group("203.0.113.7"), "203.0.113.7");
  EXPECT_EQ(group("2001:db8::1"), "2001:db8::1");
  EXPECT_EQ(group(""), "(none)");
}

Attempt attempt_of(std::string subject, std::string host, std::uint64_t count = 1) {
  return {.time = "2026-07-31T12:00:00.000Z",
          .id = "id-" + host,
          .count = count,
          .subject_kind = "pod",
          .subject = std::move(subject),
          .client = "10.64.8.9",
          .method = "CONNECT",
          .host = std::move(host),
          .port = 443,
          .reason = "not-allowed",
          .policy = {}};
}

std::string domain(int number) {
  return "n" + std::to_string(number) + ".example";
}

class GroupsTest : public testing::Test {
 protected:
  std::vector<Alert> add(const Attempt& attempt, Duration after) {
    std::vector<Alert> out;
    groups_.add(attempt, kStart + after, out);
    return out;
  }
  std::vector<Alert> expire(Duration after) {
    std::vector<Alert> out;
    groups_.expire(kStart + after, out);
    return out;
  }
  Groups groups_;
};

TEST_F(GroupsTest, TellsTheFirstOfAGroupAtOnceAndSumsUpTheRest) {
  const auto first = add(attempt_of("ci/a", "x.example.com"), 0s);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].kind, Alert::Kind::kFirst);
  EXPECT_EQ(first[0].tallies[0].name, "example.com");
  EXPECT_THAT(add(attempt_of("ci/a", "y.example.com", 5), 1s), IsEmpty());
  EXPECT_EQ(add(attempt_of("ci/b", "y.example.com"), 1s).size(), 1U);  // another subject
  EXPECT_EQ(add(attempt_of("ci/a", "example.net"), 2s).size(), 1U);    // another domain
  EXPECT_THAT(expire(59min), IsEmpty());
  const auto summary = expire(60min);
  ASSERT_EQ(summary.size(), 1U);  // nothing of ci/b was left untold
  EXPECT_EQ(summary[0].kind, Alert::Kind::kSummary);
  EXPECT_EQ(summary[0].subject, "ci/a");
  ASSERT_EQ(summary[0].tallies.size(), 1U);
  EXPECT_EQ(summary[0].tallies[0].count, 5U);
  EXPECT_EQ(summary[0].tallies[0].last.host, "y.example.com");
}

TEST_F(GroupsTest, TellsOfTwentyGroupsOfASubjectAnHourAtMost) {
  std::size_t told = 0;
  for (int i = 0; i < 1000; ++i) told += add(attempt_of("ci/a", domain(i)), 1s * i).size();
  EXPECT_EQ(told, 20U);
  const auto summary = expire(61min);
  ASSERT_EQ(summary.size(), 1U);
  EXPECT_EQ(summary[0].tallies.size(), 30U);
  std::uint64_t sum = summary[0].beyond;
  for (const Tally& tally : summary[0].tallies) sum += tally.count;
  EXPECT_EQ(sum, 980U);  // with the 20 that were told, all of them
  // In the next hour there is room again.
  EXPECT_EQ(add(attempt_of("ci/a", "new.example"), 62min).size(), 0U);  // 50 groups are known
  EXPECT_EQ(add(attempt_of("ci/b", "new.example"), 62min).size(), 1U);
}

TEST_F(GroupsTest, IsNotSurprisedEachHourByWhatGoesOn) {
  EXPECT_EQ(add(attempt_of("ci/a", "example.com"), 0s).size(), 1U);
  for (int hour = 0; hour < 5; ++hour) {
    EXPECT_THAT(add(attempt_of("ci/a", "example.com"), 60min * hour + 30min), IsEmpty());
    EXPECT_EQ(expire(60min * hour + 60min).size(), 1U) << hour;
  }
  EXPECT_THAT(expire(7h), IsEmpty());
  EXPECT_EQ(groups_.subjects(), 0U);
  EXPECT_EQ(add(attempt_of("ci/a", "example.com"), 8h).size(), 1U);
}

TEST_F(GroupsTest, TakesNoMoreMemoryForAnAttackerWithManyAddresses) {
  std::size_t told = 0;
  for (int i = 0; i < 5000; ++i) {
    told += add(attempt_of("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250),
                           "example.com"),
                1ms * i)
                .size();
  }
  EXPECT_LE(groups_.subjects(), 1001U);
  EXPECT_EQ(told, 1001U);
  const auto summary = expire(61min);
  ASSERT_EQ(summary.size(), 1U);
  EXPECT_EQ(summary[0].subject_kind, "others");
  EXPECT_EQ(summary[0].tallies[0].count, 3999U);
}

TEST_F(GroupsTest, ForgetsNothingAtTheEnd) {
  add(attempt_of("ci/a", "example.com"), 0s);
  add(attempt_of("ci/a", "example.com"), 1s);
  std::vector<Alert> out;
  groups_.finish(out);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].tallies[0].count, 1U);
}

TEST_F(GroupsTest, OfAFirstAlertReadAsPeopleDo) {
  const auto alerts = add(attempt_of("ci/builder-1", "gist.github.com"), 0s);
  const Message message = compose(alerts[0], "i-1");
  EXPECT_EQ(message.subject, "Ebbgate refused: ci/builder-1 -> github.com");
  EXPECT_EQ(message.text,
            R"(A request was refused that the policy does not allow. It is the first of its kind.

who       ci/builder-1 (pod)
address   10.64.8.9
what      CONNECT gist.github.com:443
why       not-allowed: no entry of the policy allows it
how often once
when      2026-07-31T12:00:00.000Z
request   id-gist.github.com
gateway   i-1

Why, and what would allow it, with the gateway's JSON log at hand:
  ebbgate explain --id id-gist.github.com --log FILE

Further attempts of this client at github.com are counted, and told in one summary an hour.
)");
  const auto json = nlohmann::json::parse(message.json);
  EXPECT_EQ(json["alert"], "denied");
  EXPECT_EQ(json["subject"]["name"], "ci/builder-1");
  EXPECT_EQ(json["groups"][0]["id"], "id-gist.github.com");
}

TEST_F(GroupsTest, OfASummaryCountEverythingOnce) {
  for (int i = 0; i < 60; ++i) {
    add(attempt_of("ci/a", domain(i), static_cast<std::uint64_t>(i + 1)), 1s);
  }
  const auto alerts = expire(61min);
  ASSERT_EQ(alerts.size(), 1U);
  const Message message = compose(alerts[0], "i-1");
  // 21 … 60 were not told at once: 50 are counted by name, the rest together.
  EXPECT_EQ(message.subject, "Ebbgate refused 1620 further requests of ci/a");
  EXPECT_THAT(message.text, HasSubstr("- n49.example: 50 times"));
  EXPECT_THAT(message.text, HasSubstr("at other names: 810 times"));
  EXPECT_EQ(nlohmann::json::parse(message.json)["count"], 1620);
}

TEST(Compose, KeepsWithinWhatSnsTakesWhateverClientsCallThemselves) {
  Attempt wild =
      attempt_of(std::string("\r\n\x01\xff\"<") + std::string(5000, 'x'), std::string(5000, 'y'));
  wild.method = "GET\r\nX: y";
  wild.id = std::string(5000, 'z');
  Groups groups;
  std::vector<Alert> alerts;
  groups.add(wild, kStart, alerts);
  groups.add(wild, kStart, alerts);
  groups.finish(alerts);
  ASSERT_EQ(alerts.size(), 2U);
  for (const Alert& alert : alerts) {
    const Message message = compose(alert, "i-1");
    EXPECT_LT(message.subject.size(), 100U);
    for (const char c : message.subject) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
    for (const char c : message.text) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f));
    EXPECT_LT(message.text.size() + message.json.size(), 60'000U);
    EXPECT_TRUE(nlohmann::json::accept(message.json));
  }
}

// Fails as often as it is told to.
class ScriptedSink final : public Sink {
 public:
  [[nodiscard]] std::string name() const override { return "the sink"; }
  net::Task<Result<void>> send(Message message) override {
    ++attempts;
    if (failures > 0) {
      --failures;
      co_return fail(Reason::kConnectFailed, Side::kOrigin, "no way");
    }
    sent.push_back(message.subject);
    co_return Result<void>();
  }
  int failures = 0;
  int attempts = 0;
  std::vector<std::string> sent;
};

class DispatcherTest : public testing::Test {
 protected:
  Dispatcher& dispatcher(std::size_t queue = 10) {
    dispatcher_.emplace(
        *loop_, sink_, DispatcherOptions{"i-1", queue, 1ms, 4ms}, metrics_, [] { return 0; },
        [this](std::string_view line) { said_.emplace_back(line); });
    return *dispatcher_;
  }
  net::Task<void> finish() {
    net::Task<void> finishing = dispatcher_->finish(loop_->after(10s));
    co_await finishing;
  }
  // Serves until so many were sent.
  net::Task<void> until_sent(std::size_t count) {
    while (sink_.sent.size() < count) co_await net::sleep_until(*loop_, loop_->after(1ms));
    net::Task<void> finishing = finish();
    co_await finishing;
  }
  void run(net::Task<void> task) {
    net::spawn(dispatcher_->run(), net::testing::abort_on_failure);
    net::testing::run_to_end(*loop_, std::move(task));
  }
  static Message message(std::string subject) { return {std::move(subject), "text", "{}"}; }

  std::unique_ptr<net::Loop> loop_ = net::testing::make_loop();
  ScriptedSink sink_;
  observe::FleetMetrics metrics_;
  std::vector<std::string> said_;
  std::optional<Dispatcher> dispatcher_;
};

TEST_F(DispatcherTest, SendsInTheirOrder) {
  dispatcher().add(message("a"));
  dispatcher_->add(message("b"));
  run(until_sent(2));
  EXPECT_THAT(sink_.sent, ElementsAre("a", "b"));
  EXPECT_EQ(metrics_.alerts_sent.value(), 2U);
}

TEST_F(DispatcherTest, TriesAgainAndSaysSoOnce) {
  sink_.failures = 5;
  dispatcher().add(message("a"));
  run(until_sent(1));
  EXPECT_EQ(metrics_.alert_failures.value(), 5U);
  EXPECT_THAT(said_, ElementsAre("alerts: the sink: no way; trying again",
                                 "alerts: the sink takes them again"));
}

TEST_F(DispatcherTest, TellsOfThoseThatItHadToDrop) {
  sink_.failures = 1;
  dispatcher(2);
  for (const char* each : {"a", "b", "c", "d", "e"}) dispatcher_->add(message(each));
  EXPECT_EQ(metrics_.alerts_dropped.value(), 3U);
  run(until_sent(3));
  EXPECT_THAT(sink_.sent, ElementsAre("a", "Ebbgate could not send 3 alerts", "b"));
}

TEST_F(DispatcherTest, GivesUpAtTheEndOnWhatCannotBeSent) {
  sink_.failures = 1000;
  dispatcher().add(message("a"));
  run(finish());
  EXPECT_LE(sink_.attempts, 3);
  EXPECT_THAT(sink_.sent, IsEmpty());
}

}  // namespace
}  // namespace ebbgate::alert
