#include "source/poller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <map>
#include <new>
#include <random>

#include "aws/client.h"
#include "aws/credentials.h"
#include "net/run.h"
#include "net/testing.h"
#include "source/detail/testing.h"

namespace ebbgate::source {
namespace {

using namespace std::chrono_literals;
using https::Response;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::KeyPair;
using testing::policy_text;
using testing::ScriptedSource;
using testing::ScriptedTransport;
using testing::SetClock;
using testing::TemporaryDirectory;

Result<std::optional<Fetched>> broken(std::string why, Reason reason = Reason::kTimedOut) {
  return fail(reason, Side::kOrigin, std::move(why));
}

// A poller of a scripted source; what it said and how often it had another policy.
struct Fixture {
  Result<std::optional<Fetched>> next = std::nullopt;
  std::string asked_with;
  SetClock clock;
  std::vector<std::string> lines;
  int changes = 0;
  std::function<void()> on_fetch = [] {};
  std::function<void()> on_accepted = [] {};
  std::unique_ptr<net::Loop> loop;
  ScriptedSource* source = nullptr;
  std::unique_ptr<Poller> poller;

  explicit Fixture(PollerOptions options = {}) { restart(std::move(options)); }

  void restart(PollerOptions options) {
    poller.reset();
    loop = net::testing::make_loop();
    auto scripted = std::make_unique<ScriptedSource>([this](const std::string& token) {
      asked_with = token;
      on_fetch();
      return next;
    });
    source = scripted.get();
    poller = std::make_unique<Poller>(
        *loop, clock, std::move(scripted), std::move(options), [] { return 0; },
        Poller::Listeners{.on_accepted =
                              [this] {
                                on_accepted();
                                ++changes;
                              },
                          .say = [this](const std::string& line) { lines.push_back(line); }});
  }
  SourceState poll() {
    net::spawn(poller->poll_once(), net::testing::abort_on_failure);  // nothing in it waits
    return poller->state();
  }
  void run_for(Duration time) {
    const auto stop = [](void* self) { static_cast<net::Loop*>(self)->stop(); };
    net::Timer timer{stop, loop.get()};
    loop->arm(timer, Deadline::after(std::chrono::steady_clock::now(), time));
    loop->run();
  }
  SourceState poll(Result<std::optional<Fetched>> answer) {
    next = std::move(answer);
    return poll();
  }
};

TEST(Poller, TakesWhatIsGoodAndSaysSoOnce) {
  Fixture fixture;
  EXPECT_EQ(fixture.poller->text(), nullptr);
  EXPECT_EQ(fixture.poller->state().age, std::nullopt);
  const SourceState state =
      fixture.poll(Fetched{.text = policy_text(1), .token = "t1", .version = "version 1"});
  ASSERT_NE(fixture.poller->text(), nullptr);
  EXPECT_EQ(fixture.poller->text()->text, policy_text(1));
  EXPECT_EQ(state.version, "version 1");
  EXPECT_EQ(state.age, 0s);
  EXPECT_EQ(fixture.changes, 1);

  fixture.clock.now += 30s;
  EXPECT_EQ(fixture.poller->state().age, 30s);
  EXPECT_EQ(fixture.poll(std::nullopt).age, 0s);
  EXPECT_EQ(fixture.asked_with, "t1");
  // The same text again, under another mark, changes nothing for anybody.
  fixture.poll(Fetched{.text = policy_text(1), .token = "t2", .version = "version 2"});
  EXPECT_EQ(fixture.changes, 1);
  EXPECT_EQ(fixture.poller->state().version, "version 2");
  EXPECT_THAT(fixture.lines, IsEmpty());
}

TEST(Poller, KeepsTheLastGoodWhateverComes) {
  Fixture fixture;
  fixture.poll(Fetched{.text = policy_text(5), .token = "good"});
  struct Case {
    Result<std::optional<Fetched>> answer;
    const char* says;
  };
  const Case cases[] = {
      {broken("timed out"), "timed out"},
      {Fetched{.text = "", .token = "b1"}, "empty"},
      {Fetched{.text = policy_text(4), .token = "b2"}, "--allow-rollback"},
      {Fetched{.text = "<html>", .token = "b3"}, "no valid policy"},
      {Fetched{.text = std::string(kMaxText + 1, 'a'), .token = "b4"}, "16 MiB"},
  };
  int failures = 0;
  for (const Case& each : cases) {
    fixture.clock.now += 10s;
    const SourceState state = fixture.poll(each.answer);
    EXPECT_EQ(fixture.poller->text()->text, policy_text(5));
    EXPECT_EQ(state.failures, ++failures);
    EXPECT_EQ(state.age, failures * 10s);
    EXPECT_THAT(state.last_error, HasSubstr(each.says));
  }
  EXPECT_EQ(fixture.changes, 1);
  const SourceState state = fixture.poll(Fetched{.text = policy_text(6), .token = "better"});
  EXPECT_EQ(state.failures, 0);
  EXPECT_EQ(state.last_error, "");
  EXPECT_EQ(state.errors, 5U);
  EXPECT_EQ(fixture.changes, 2);
}

TEST(Poller, SaysATroubleWhenItBeginsAndWhenItEnds) {
  Fixture fixture;
  for (int i = 0; i < 5; ++i) fixture.poll(broken("no route"));
  fixture.poll(Fetched{.text = policy_text(1), .token = "t1"});
  for (int i = 0; i < 5; ++i) fixture.poll(broken("no route"));
  fixture.poll(std::nullopt);
  EXPECT_THAT(fixture.lines,
              ElementsAre("ssm:///policy: no route; there is no policy from here yet",
                          "ssm:///policy: it answers again",
                          "ssm:///policy: no route; the last good policy stays in force",
                          "ssm:///policy: it answers again"));
}

TEST(Poller, DoesNotFetchAgainWhatItRefused) {
  Fixture fixture;
  fixture.poll(Fetched{.text = policy_text(1), .token = "good"});
  fixture.poll(Fetched{.text = "nonsense: [", .token = "bad"});
  const SourceState state = fixture.poll(std::nullopt);  // "still the one you refused"
  EXPECT_EQ(fixture.asked_with, "bad");
  EXPECT_EQ(state.failures, 2);
  EXPECT_THAT(state.last_error, HasSubstr("no valid policy"));
  EXPECT_EQ(fixture.lines.size(), 1U);
}

TEST(Poller, NothingNewIsNoAnswerForWhoHasNothing) {
  Fixture fixture;
  EXPECT_EQ(fixture.poll(std::nullopt).failures, 1);
  EXPECT_EQ(fixture.asked_with, "");
}

TEST(Poller, AHardStopIsNoFailure) {
  Fixture fixture;
  EXPECT_EQ(fixture.poll(broken("stopped", Reason::kDraining)).failures, 0);
}

TEST(Poller, AsksForASignatureWhereAKeyIsConfigured) {
  const KeyPair pair;
  const PollerOptions options{.rules = {.key = pair.public_key()}};
  Fixture fixture(options);
  const Fetched offered{.text = policy_text(1), .token = "t"};
  EXPECT_THAT(fixture.poll(offered).last_error, HasSubstr("its signature: there is none"));
  fixture.source->signature = pair.sign("something else");
  EXPECT_THAT(fixture.poll(offered).last_error, HasSubstr("signature"));
  // The signature may be published after the policy: it is asked for again.
  fixture.source->signature = pair.sign(offered.text);
  EXPECT_EQ(fixture.poll(offered).failures, 0);
  EXPECT_EQ(fixture.asked_with, "");
  EXPECT_EQ(fixture.poller->text()->text, offered.text);
}

TEST(Poller, ARestartBeginsWithTheLastGood) {
  const TemporaryDirectory directory;
  const PollerOptions options{.cache_directory = directory.path()};
  Fixture fixture(options);
  fixture.poll(Fetched{.text = policy_text(5), .token = "t5", .version = "version 5"});

  fixture.restart(options);
  fixture.clock.now += 1h;
  fixture.poller->load_cache();
  ASSERT_NE(fixture.poller->text(), nullptr);
  EXPECT_EQ(fixture.poller->text()->text, policy_text(5));
  SourceState state = fixture.poller->state();
  EXPECT_TRUE(state.is_from_cache);
  EXPECT_EQ(state.version, "version 5");
  EXPECT_EQ(state.age, 1h);

  // All of it is asked for again: the file may be of another account, or made by somebody, and
  // would otherwise have the source say for ever that nothing has changed.
  state = fixture.poll(std::nullopt);
  EXPECT_EQ(fixture.asked_with, "");
  EXPECT_EQ(state.failures, 1);
  EXPECT_TRUE(state.is_from_cache);
  // It still knows that an older one is older.
  state = fixture.poll(Fetched{.text = policy_text(4), .token = "t4"});
  EXPECT_THAT(state.last_error, HasSubstr("--allow-rollback"));
  state = fixture.poll(Fetched{.text = policy_text(5), .token = "t5"});
  EXPECT_FALSE(state.is_from_cache);
  EXPECT_EQ(state.age, 0s);
}

TEST(Poller, ARestartKnowsARawSignatureAgain) {
  const KeyPair pair;
  const TemporaryDirectory directory;
  const PollerOptions options{.rules = {.key = pair.public_key()},
                              .cache_directory = directory.path()};
  Fixture fixture(options);
  int version = 1;  // of a policy whose signature has the octet of a line's end
  while (!pair.sign_raw(policy_text(version)).contains('\n')) ++version;
  fixture.source->signature = pair.sign_raw(policy_text(version));
  EXPECT_EQ(fixture.poll(Fetched{.text = policy_text(version), .token = "t"}).last_error, "");

  fixture.restart(options);
  fixture.poller->load_cache();
  EXPECT_THAT(fixture.lines, IsEmpty());
  ASSERT_NE(fixture.poller->text(), nullptr);
  EXPECT_EQ(fixture.poller->text()->text, policy_text(version));
}

TEST(Poller, NoClockMakesThePolicyYounger) {
  const TemporaryDirectory directory;
  const PollerOptions options{.cache_directory = directory.path()};
  Fixture fixture(options);
  fixture.poll(Fetched{.text = policy_text(1), .token = "t1"});
  fixture.clock.now -= 1h;  // somebody set it back
  fixture.run_for(20ms);
  EXPECT_GE(fixture.poller->state().age, 20ms);
  EXPECT_LT(fixture.poller->state().age, 1h);

  fixture.clock.now += 3h;
  fixture.restart(options);
  fixture.poller->load_cache();
  EXPECT_EQ(fixture.poller->state().age, 2h);
  fixture.clock.now -= 90min;
  EXPECT_EQ(fixture.poller->state().age, 2h);
  fixture.clock.now += 2h;
  EXPECT_EQ(fixture.poller->state().age, 150min);
}

TEST(Poller, AFileOfTheFutureIsTooOldUntilTheSourceConfirmsIt) {
  const TemporaryDirectory directory;
  const PollerOptions options{.cache_directory = directory.path()};
  Fixture fixture(options);
  fixture.poll(Fetched{.text = policy_text(1), .token = "t1"});
  fixture.clock.now -= 1h;
  fixture.restart(options);
  fixture.poller->load_cache();
  ASSERT_NE(fixture.poller->text(), nullptr);
  EXPECT_GT(fixture.poller->state().age, 24h * 365 * 10);
  EXPECT_THAT(fixture.lines, ElementsAre(HasSubstr("is dated in the future")));
  EXPECT_EQ(fixture.poll(Fetched{.text = policy_text(1), .token = "t1"}).age, 0s);
}

TEST(Poller, ARestartDoesNotBelieveAFileThatIsNotItsOwn) {
  const KeyPair pair;
  const TemporaryDirectory directory;
  PollerOptions options{.cache_directory = directory.path()};
  Fixture fixture(options);
  fixture.poll(Fetched{.text = policy_text(5), .token = "t5"});

  // A key was configured meanwhile, and the file was never signed.
  options.rules.key = pair.public_key();
  fixture.restart(options);
  fixture.poller->load_cache();
  EXPECT_EQ(fixture.poller->text(), nullptr);
  EXPECT_THAT(fixture.lines, ElementsAre(HasSubstr("is not used: it is not signed")));
  fixture.poll(
      Fetched{.text = policy_text(1), .token = "t1", .signature = pair.sign(policy_text(1))});
  EXPECT_EQ(fixture.poller->text()->text, policy_text(1));

  fixture.restart(options);
  fixture.poller->load_cache();
  ASSERT_NE(fixture.poller->text(), nullptr);
  EXPECT_EQ(fixture.poller->text()->text, policy_text(1));
}

TEST(Poller, WorksWithoutItsDisk) {
  Fixture fixture({.cache_directory = "/proc/nowhere/policies"});
  fixture.poll(Fetched{.text = policy_text(1)});
  EXPECT_NE(fixture.poller->text(), nullptr);
  EXPECT_THAT(fixture.lines, ElementsAre(HasSubstr("not kept for a restart")));
}

// While it lives, no file can be written.
class FullDisk {
 public:
  FullDisk() {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit none = before_;
    none.rlim_cur = 0;
    ::setrlimit(RLIMIT_FSIZE, &none);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = std::signal(SIGXFSZ, SIG_IGN);
};

TEST(Poller, WhatCouldNotBeKeptIsKeptLaterAndTheOldFileIsNotConfirmed) {
  const TemporaryDirectory directory;
  const PollerOptions options{.cache_directory = directory.path()};
  Fixture fixture(options);
  const WallTime start = fixture.clock.now;
  fixture.poll(Fetched{.text = policy_text(1), .token = "t1"});
  const LastGoodFile file(directory.path(), fixture.poller->name());
  {
    const FullDisk full;
    fixture.clock.now += 1h;
    fixture.poll(Fetched{.text = policy_text(2), .token = "t2"});
    for (int i = 0; i < 3; ++i) fixture.poll(std::nullopt);
  }
  EXPECT_THAT(fixture.lines, ElementsAre(HasSubstr("not kept for a restart")));
  auto found = *file.load();
  EXPECT_EQ(found->accepted.text, policy_text(1));
  EXPECT_EQ(found->confirmed, start);

  fixture.poll(std::nullopt);
  found = *file.load();
  EXPECT_EQ(found->accepted.text, policy_text(2));
  EXPECT_EQ(found->confirmed, fixture.clock.now);
  EXPECT_THAT(fixture.lines, ElementsAre(HasSubstr("not kept for a restart"),
                                         HasSubstr("is kept for a restart now")));
}

TEST(Poller, WantOfMemoryIsAFailureThatIsSaid) {
  Fixture fixture;
  fixture.on_fetch = [] { throw std::bad_alloc(); };
  fixture.poller->start();
  fixture.run_for(20ms);
  EXPECT_EQ(fixture.poller->state().failures, 1);
  EXPECT_EQ(fixture.poller->state().last_error, "out of memory");
  EXPECT_THAT(fixture.lines,
              ElementsAre("ssm:///policy: out of memory; there is no policy from here yet"));
}

TEST(Poller, TellsAgainWhatTheListenerHadNoMemoryFor) {
  Fixture fixture;
  fixture.on_accepted = [] { throw std::bad_alloc(); };
  fixture.next = Fetched{.text = policy_text(1), .token = "t1"};
  fixture.poller->start();
  fixture.run_for(20ms);
  EXPECT_EQ(fixture.poller->state().failures, 1);
  EXPECT_EQ(fixture.changes, 0);

  fixture.on_accepted = [] {};
  const SourceState state = fixture.poll(std::nullopt);
  EXPECT_EQ(fixture.asked_with, "t1");
  EXPECT_EQ(fixture.changes, 1);
  EXPECT_EQ(state.accepted, 1U);
  EXPECT_EQ(state.failures, 0);
  fixture.poll(std::nullopt);
  EXPECT_EQ(fixture.changes, 1);
}

TEST(Poller, AsksAgainAndAgain) {
  Fixture fixture({.schedule = {.interval = 1ms, .max_backoff = 1ms}});
  int polls = 0;
  auto scripted =
      std::make_unique<ScriptedSource>([&](const std::string&) -> Result<std::optional<Fetched>> {
        if (++polls == 5) fixture.loop->stop();
        return polls % 2 == 0 ? broken("every other time") : Fetched{.text = policy_text(polls)};
      });
  fixture.poller = std::make_unique<Poller>(
      *fixture.loop, fixture.clock, std::move(scripted),
      PollerOptions{.schedule = {.interval = 1ms, .max_backoff = 1ms}}, [] { return 0; },
      Poller::Listeners{.on_accepted = [&] { ++fixture.changes; },
                        .say = [](const std::string&) {}});
  fixture.poller->start();
  fixture.loop->run();
  EXPECT_EQ(polls, 5);
  EXPECT_EQ(fixture.changes, 3);
}

// A transport that never answers.
class SilentTransport final : public https::Transport {
 public:
  explicit SilentTransport(net::Loop& loop) : loop_(&loop) {}
  [[nodiscard]] net::Task<Result<Response>> send(https::Request request) override {
    const Wait::End end = co_await net::sleep_until(*loop_, Deadline::never());
    co_return fail(Reason::kDraining, Side::kSelf,
                   end == Wait::End::kStopped ? "stopped" : request.url);
  }

 private:
  using Wait = net::Wait;
  net::Loop* loop_;
};

TEST(Poller, EndsInTheMiddleOfAQuestion) {
  for (const bool is_hard_stop : {true, false}) {
    const auto loop = net::testing::make_loop();
    const SetClock clock;
    SilentTransport transport(*loop);
    Poller poller(*loop, clock,
                  std::move(make_source(*config::parse_source_url("https://a.example/"),
                                        {.transport = transport})
                                .value()),
                  {}, [] { return 0; }, {.on_accepted = [] {}, .say = [](const std::string&) {}});
    poller.start();
    struct Stop {
      net::Loop* loop;
      bool is_hard;
      net::Timer timer{[](void* self) {
                         auto& stop = *static_cast<Stop*>(self);
                         if (stop.is_hard) stop.loop->give_up_on_everything();
                         stop.loop->stop();
                       },
                       this};
    } stop{loop.get(), is_hard_stop};
    loop->arm(stop.timer, loop->after(30ms));
    loop->run();
    EXPECT_EQ(poller.state().fetches, 1U);
    EXPECT_EQ(poller.state().failures, 0);
  }
}

// --- A thousand faults ---

// What a source may answer on a bad day. `current`: of the policy in force; older ones and broken
// ones are made of it.
class Faults {
 public:
  explicit Faults(std::uint32_t seed) : random_(seed) {}

  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_()) % bound; }

  std::string bad_text(int current) {
    switch (below(9)) {
      case 0:
        return "";
      case 1:
        return std::string(below(50), ' ') + "\n";
      case 2:
        return policy_text(static_cast<int>(below(static_cast<std::uint32_t>(current))),
                           "old.example");
      case 3:
        return policy_text(current + 1).substr(0, 60 + below(40));  // ends within the metadata
      case 4:
        return "<html><head><title>Please log in</title></head></html>";
      case 5:
        return policy_text(current + 1, "*");
      case 6:
        return policy_text(current + 1) + std::string(1, '\0');
      case 7:
        return R"({"message": "Internal server error"})";
      default: {
        std::string noise(1 + below(300), '\0');
        for (char& c : noise) c = static_cast<char>(below(256));
        noise.front() = '\xff';
        return noise;
      }
    }
  }

  Result<Response> broken_exchange() {
    constexpr std::array kReasons = {Reason::kTimedOut,      Reason::kDnsFailed,
                                     Reason::kConnectFailed, Reason::kOriginInvalid,
                                     Reason::kOriginClosed,  Reason::kOverCapacity};
    return fail(kReasons[below(kReasons.size())], Side::kOrigin, "by script");
  }

  Result<Response> bad_status(int current) {
    constexpr std::array kStatuses = {204, 206, 301, 302, 307, 400, 401, 403, 404,
                                      409, 410, 418, 429, 500, 502, 503, 504};
    return Response{.status = kStatuses[below(kStatuses.size())],
                    .headers = {{"location", "https://evil.example/"}},
                    .body = policy_text(current + 1, "evil.example")};
  }

  Result<Response> https_answer(int current) {
    switch (below(3)) {
      case 0:
        return broken_exchange();
      case 1:
        return bad_status(current);
      default:
        return Response{.status = 200,
                        .headers = {{"etag", "\"" + std::to_string(below(1000)) + "\""}},
                        .body = bad_text(current)};
    }
  }

  Result<Response> ssm_answer(int current) {
    constexpr std::array kErrors = {"ThrottlingException",         "InternalServerError",
                                    "AccessDeniedException",       "ExpiredTokenException",
                                    "InvalidSignatureException",   "ParameterNotFound",
                                    "UnrecognizedClientException", "ServiceUnavailableException"};
    constexpr std::array kBodies = {
        "",
        "{",
        "null",
        "[]",
        "{}",
        "<html>",
        R"({"Parameter": {}})",
        R"({"Parameter": null})",
        R"({"Parameter": {"Value": 7, "Version": "x"}})",
        R"({"Parameter": {"Version": 9}})",
        R"({"Parameter": {"Value": "{\"bucket\":\"the-bucket\",\"key\":\"k\"}", "Version": 99}})",
        R"({"Parameter": {"Value": "{\"bucket\":\"b\"}", "Version": 99}})"};
    switch (below(4)) {
      case 0:
        return broken_exchange();
      case 1:
        return bad_status(current);
      case 2:
        return Response{.status = below(2) == 0 ? 400 : 500,
                        .body = std::string(R"({"__type": "com.amazon#)") +
                                kErrors[below(kErrors.size())] + "\"}"};
      default:
        return Response{.status = 200, .body = kBodies[below(kBodies.size())]};
    }
  }

 private:
  std::mt19937 random_;
};

std::string ssm_body(int version, const std::string& text) {
  std::string value;
  for (const char c : text) value += c == '\n' ? "\\n" : std::string(1, c);
  return R"({"Parameter": {"Name": "/p", "Type": "String", "Version": )" + std::to_string(version) +
         R"(, "Value": ")" + value + "\"}}";
}

// Asks once while faults come, and checks that the policy in force is what it was.
struct Storm {
  TemporaryDirectory directory;
  std::unique_ptr<net::Loop> loop = net::testing::make_loop();
  ScriptedTransport transport;
  SetClock clock;
  int changes = 0;
  std::vector<std::string> lines;

  Poller poller_of(std::unique_ptr<PolicySource> source) {
    return {*loop,
            clock,
            std::move(source),
            {.cache_directory = directory.path()},
            [] { return 0; },
            {.on_accepted = [this] { ++changes; },
             .say = [this](const std::string& line) { lines.push_back(line); }}};
  }

  void run(Poller& poller, std::uint32_t seed, int faults,
           const std::function<Result<Response>(Faults&, int current)>& bad,
           const std::function<Response(int version)>& good) {
    Faults generator(seed);
    int version = 1;
    const auto poll = [&](ScriptedTransport::Answer answer) {
      transport.answer = std::move(answer);
      clock.now += 5s;
      net::spawn(poller.poll_once(), net::testing::abort_on_failure);
    };
    poll([&](const https::Request&) { return good(version); });
    ASSERT_NE(poller.text(), nullptr) << poller.state().last_error;
    for (int i = 1; i <= faults; ++i) {
      const std::uint64_t errors = poller.state().errors;
      poll([&](const https::Request&) { return bad(generator, version); });
      ASSERT_EQ(poller.state().errors, errors + 1) << "fault " << i << " was taken for an answer";
      ASSERT_EQ(poller.text()->text, policy_text(version)) << "after fault " << i;
      if (generator.below(10) != 0) continue;
      ++version;
      poll([&](const https::Request&) { return good(version); });
      ASSERT_EQ(poller.text()->text, policy_text(version)) << poller.state().last_error;
      ASSERT_EQ(poller.state().failures, 0);
      const LastGoodFile file(directory.path(), poller.name());
      ASSERT_EQ((*file.load())->accepted, *poller.text());
    }
    EXPECT_EQ(changes, version);
    EXPECT_GT(version, faults / 20);
  }
};

TEST(Poller, SurvivesFiveHundredFaultsOfAServer) {
  Storm storm;
  Poller poller = storm.poller_of(std::move(
      make_source(*config::parse_source_url("https://a.example/p"), {.transport = storm.transport})
          .value()));
  storm.run(
      poller, 20'261'124, 500,
      [](Faults& faults, int current) { return faults.https_answer(current); },
      [](int version) {
        return Response{.status = 200,
                        .headers = {{"etag", "\"good " + std::to_string(version) + "\""}},
                        .body = policy_text(version)};
      });
}

TEST(Poller, SurvivesFiveHundredFaultsOfAws) {
  Storm storm;
  aws::Context context{.loop = *storm.loop,
                       .transport = storm.transport,
                       .clock = storm.clock,
                       .random = [] { return 0; },
                       .environment = [](const std::string&) { return std::nullopt; },
                       .read_file = [](const std::string&) -> Result<std::string> {
                         return fail(Reason::kInternal, Side::kSelf, "no file");
                       }};
  aws::StaticCredentials credentials({"AKID", aws::Secret("secret"), {}, std::nullopt});
  aws::Client client(context, credentials, {.region = "eu-west-2", .max_attempts = 1});
  Poller poller =
      storm.poller_of(std::move(make_source(*config::parse_source_url("ssm:///p"),
                                            {.transport = storm.transport, .aws = &client})
                                    .value()));
  storm.run(
      poller, 4, 500, [](Faults& faults, int current) { return faults.ssm_answer(current); },
      [](int version) {
        return Response{.status = 200, .body = ssm_body(version, policy_text(version))};
      });
}

}  // namespace
}  // namespace ebbgate::source
