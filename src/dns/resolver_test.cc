// The resolver against a name server that says what each test wants.
#include "dns/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dns/detail/scripted_server.h"
#include "net/task.h"
#include "net/testing.h"

namespace ebbgate::dns {
namespace {

using net::testing::abort_on_failure;
using net::testing::make_loop;
using net::testing::NoDescriptors;
using net::testing::run_to_end;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::address;
using testing::alias;
using testing::kA;
using testing::kAaaa;
using testing::Question;
using testing::Reply;
using testing::ScriptedServer;
using testing::silence;
using testing::start_of_authority;

Hostname name(std::string_view text) {
  return Hostname::parse(text).value();
}

std::string shown(const Outcome& outcome) {
  if (!outcome) return std::string(word(outcome.error().reason)) + ": " + outcome.error().detail;
  std::string text;
  for (const IpAddress& each : (*outcome)->addresses)
    text += (text.empty() ? "" : " ") + each.str();
  return text;
}

// 192.0.2.1 and 2001:db8::1, whatever is asked, for a minute.
Reply both_families(const Question& question) {
  return {
      .answers = {address(question.name, question.type == kA ? "192.0.2.1" : "2001:db8::1", 60)}};
}

struct Resolving : ::testing::Test {
  std::unique_ptr<net::Loop> loop = make_loop();
  std::string directory = ::testing::TempDir() + "dns-" + std::to_string(::getpid()) + "/";
  ResolverOptions options;
  std::unique_ptr<ScriptedServer> server;
  std::unique_ptr<Resolver> resolver;
  std::vector<std::string> seen;  // outcomes in the order in which they came

  Resolving() {
    std::filesystem::create_directories(directory);
    options.resolv_conf = directory + "resolv.conf";
    options.hosts_file = "";
    options.attempt_timeout = seconds(20);
    options.rounds = 1;
  }
  ~Resolving() override {
    resolver.reset();
    std::filesystem::remove_all(directory);
  }

  void serve(ScriptedServer::Script script) {
    server = std::make_unique<ScriptedServer>(std::move(script));
    options.servers.push_back(server->at());
    make();
  }
  void make() { resolver = Resolver::make(*loop, options).value(); }
  void write(const std::string& file, std::string_view text) const {
    std::ofstream(directory + file) << text;
  }
  [[nodiscard]] Deadline soon() const { return loop->after(seconds(20)); }
};

net::Task<void> ask(Resolving& test, std::string_view host, Deadline deadline,
                    SingleLabel single_label = SingleLabel::kRefuse) {
  const Outcome outcome = co_await test.resolver->resolve(name(host), deadline, single_label);
  test.seen.push_back(shown(outcome));
}

net::Task<void> ask_in_turn(Resolving& test, std::vector<std::string_view> hosts) {
  for (const std::string_view host : hosts) co_await ask(test, host, test.soon());
}

TEST_F(Resolving, AsksForBothFamiliesOnceAndRemembersTheAnswer) {
  serve(both_families);
  EXPECT_EQ(resolver->find_cached(name("a.test")), nullptr);
  run_to_end(*loop, ask_in_turn(*this, {"a.test", "a.test"}));
  EXPECT_EQ(seen, (std::vector<std::string>{"192.0.2.1 2001:db8::1", "192.0.2.1 2001:db8::1"}));
  const AnswerPtr cached = resolver->find_cached(name("a.test"));
  ASSERT_TRUE(cached);
  EXPECT_EQ(cached->addresses.size(), 2U);
  EXPECT_LE(cached->expiry, loop->now() + seconds(60));
  EXPECT_GT(cached->expiry, loop->now() + seconds(40));
  EXPECT_EQ(server->questions().size(), 2U);
  const ResolverStats stats = resolver->stats();
  EXPECT_EQ(stats.queries, 2U);
  EXPECT_EQ(stats.misses, 1U);
  EXPECT_EQ(stats.hits, 2U);
  EXPECT_EQ(stats.failures, 0U);
  EXPECT_EQ(stats.entries, 1U);
  EXPECT_GT(stats.bytes, 0U);
}

TEST_F(Resolving, AsksOnceForAnyNumberOfSessions) {
  serve(both_families);
  for (int i = 0; i < 99; ++i) net::spawn(ask(*this, "a.test", soon()), abort_on_failure);
  run_to_end(*loop, ask(*this, "a.test", soon()));
  EXPECT_EQ(seen, std::vector<std::string>(100, "192.0.2.1 2001:db8::1"));
  EXPECT_EQ(server->questions().size(), 2U);
  EXPECT_EQ(resolver->stats().coalesced, 99U);
}

TEST_F(Resolving, ForgetsWhenItIsTold) {
  serve(both_families);
  run_to_end(*loop, ask(*this, "a.test", soon()));
  resolver->flush();
  EXPECT_EQ(resolver->find_cached(name("a.test")), nullptr);
  EXPECT_EQ(resolver->stats().entries, 0U);
}

TEST_F(Resolving, FollowsAliasesAndKeepsTheLeastLifetime) {
  serve([](const Question& question) -> Reply {
    if (question.type == kAaaa) return {.answers = {alias("www.a.test", "cdn.b.test", 300)}};
    return {
        .answers = {alias("www.a.test", "cdn.b.test", 5), address("cdn.b.test", "192.0.2.9", 300)}};
  });
  run_to_end(*loop, ask(*this, "www.a.test", soon()));
  EXPECT_EQ(seen.at(0), "192.0.2.9");
  const AnswerPtr cached = resolver->find_cached(name("www.a.test"));
  ASSERT_TRUE(cached);
  EXPECT_LE(cached->expiry, loop->now() + seconds(5));
}

TEST_F(Resolving, KeepsNoAnswerLongerThanItsMost) {
  serve([](const Question& question) -> Reply {
    return {.answers = {address(question.name, question.type == kA ? "192.0.2.1" : "2001:db8::1",
                                1'000'000)}};
  });
  run_to_end(*loop, ask(*this, "a.test", soon()));
  const AnswerPtr cached = resolver->find_cached(name("a.test"));
  ASSERT_TRUE(cached);
  EXPECT_LE(cached->expiry, loop->now() + hours(1));
}

net::Task<void> ask_again_after(Resolving& test, std::string_view host, Duration pause) {
  co_await ask(test, host, test.soon());
  net::SleepAwaiter sleep = net::sleep_until(*test.loop, test.loop->after(pause));
  co_await sleep;
  co_await ask(test, host, test.soon());
}

TEST_F(Resolving, AsksAgainWhenTheLifetimeIsOver) {
  options.min_ttl = milliseconds(20);
  serve([](const Question& question) -> Reply {
    return {
        .answers = {address(question.name, question.type == kA ? "192.0.2.1" : "2001:db8::1", 0)}};
  });
  run_to_end(*loop, ask_again_after(*this, "a.test", milliseconds(40)));
  EXPECT_EQ(server->questions().size(), 4U);
}

TEST_F(Resolving, RemembersThatANameDoesNotExist) {
  serve([](const Question&) -> Reply {
    return {.rcode = 3, .authority = {start_of_authority("test", 900, 15)}};
  });
  run_to_end(*loop, ask_in_turn(*this, {"a.test", "a.test"}));
  EXPECT_EQ(seen, std::vector<std::string>(2, "dns-failed: NXDOMAIN"));
  EXPECT_EQ(server->questions().size(), 2U);
  EXPECT_EQ(resolver->stats().negative_hits, 1U);
  EXPECT_EQ(resolver->stats().failures, 1U);
  EXPECT_EQ(resolver->find_cached(name("a.test")), nullptr);
}

TEST_F(Resolving, RemembersANoForTheTimeTheZoneSaysAtMost) {
  options.max_negative_ttl = milliseconds(20);
  serve([](const Question&) -> Reply {
    return {.rcode = 3, .authority = {start_of_authority("test", 900, 900)}};
  });
  run_to_end(*loop, ask_again_after(*this, "a.test", milliseconds(40)));
  EXPECT_EQ(server->questions().size(), 4U);
}

TEST_F(Resolving, SaysThatANameHasNoAddresses) {
  serve([](const Question&) { return Reply{}; });
  run_to_end(*loop, ask(*this, "a.test", soon()));
  EXPECT_EQ(seen.at(0), "dns-failed: no addresses");
}

TEST_F(Resolving, AnswersWithOneFamilyWhereTheOtherHasNone) {
  serve([](const Question& question) {
    return question.type == kA ? Reply{} : both_families(question);
  });
  run_to_end(*loop, ask(*this, "a.test", soon()));
  EXPECT_EQ(seen.at(0), "2001:db8::1");
}

TEST_F(Resolving, WaitsOnlyShortlyForAFamilyThatIsNotAnswered) {
  for (const std::uint16_t silent : {kA, kAaaa}) {
    loop = make_loop();
    options.servers.clear();
    serve([silent](const Question& question) {
      return question.type == silent ? silence() : both_families(question);
    });
    const auto begun = std::chrono::steady_clock::now();
    run_to_end(*loop, ask(*this, "a.test", soon()));
    const auto took = std::chrono::steady_clock::now() - begun;
    EXPECT_EQ(seen.back(), silent == kA ? "2001:db8::1" : "192.0.2.1");
    EXPECT_GE(took, milliseconds(49));
    EXPECT_LT(took, seconds(10)) << "the servers have 20 s for it";
    resolver.reset();
  }
}

TEST_F(Resolving, AddsALateFamilyToWhatItRemembers) {
  serve([](const Question& question) {
    Reply reply = both_families(question);
    if (question.name == "a.test" && question.type == kAaaa) {
      reply.send = Reply::Send::kWithTheNext;
    }
    return reply;
  });
  // The first comes with IPv4 only; its other half comes while the second is asked for.
  run_to_end(*loop, ask_in_turn(*this, {"a.test", "b.test", "a.test"}));
  EXPECT_EQ(seen, (std::vector<std::string>{"192.0.2.1", "192.0.2.1 2001:db8::1",
                                            "192.0.2.1 2001:db8::1"}));
  EXPECT_EQ(server->questions().size(), 4U);
}

TEST_F(Resolving, NamesTheServerThatFails) {
  serve([](const Question&) -> Reply { return {.rcode = 2}; });
  run_to_end(*loop, ask(*this, "a.test", soon()));
  EXPECT_EQ(seen.at(0), "dns-failed: SERVFAIL from " + server->at().str());
}

TEST_F(Resolving, NoticesAtOnceThatNobodyListens) {
  options.servers.push_back(ScriptedServer(both_families).at());  // gone already
  make();
  run_to_end(*loop, ask(*this, "a.test", soon()));
  EXPECT_EQ(seen.at(0), "dns-failed: no usable answer from " + options.servers[0].str());
}

TEST_F(Resolving, SaysAfterHowLongNoServerAnswered) {
  options.attempt_timeout = milliseconds(100);
  options.rounds = 2;
  serve([](const Question&) { return silence(); });
  run_to_end(*loop, ask(*this, "a.test", soon()));
  EXPECT_EQ(server->questions().size(), 4U);
  EXPECT_EQ(seen.at(0), "dns-failed: timed out after 0.3 s from " + server->at().str());
}

TEST_F(Resolving, EndsAtTheDeadlineOfWhoAsked) {
  serve([](const Question&) { return silence(); });
  run_to_end(*loop, ask(*this, "a.test", loop->after(milliseconds(100))));
  EXPECT_EQ(seen.at(0), "dns-failed: timed out after 0.1 s from " + server->at().str());
}

TEST_F(Resolving, TurnsToTheNextServer) {
  for (const bool is_silent : {true, false}) {
    loop = make_loop();
    options.attempt_timeout = milliseconds(50);
    options.servers.clear();
    ScriptedServer bad([is_silent](const Question&) -> Reply {
      return is_silent ? silence() : Reply{.rcode = 2};
    });
    options.servers.push_back(bad.at());
    serve(both_families);
    run_to_end(*loop, ask(*this, "a.test", soon()));
    EXPECT_EQ(seen.back(), "192.0.2.1 2001:db8::1");
    EXPECT_EQ(bad.questions().size(), 2U);
    resolver.reset();
  }
}

TEST_F(Resolving, AsksByTcpWhereTheReplyIsTruncated) {
  serve([](const Question& question) {
    return question.is_tcp ? both_families(question) : Reply{.is_truncated = true};
  });
  run_to_end(*loop, ask(*this, "a.test", soon()));
  EXPECT_EQ(seen.at(0), "192.0.2.1 2001:db8::1");
}

TEST_F(Resolving, SaysHowLongAReplyItTakesByUdp) {
  serve(both_families);
  run_to_end(*loop, ask(*this, "a.test", soon()));
  for (const Question& question : server->questions()) EXPECT_TRUE(question.has_edns);
}

TEST_F(Resolving, AsksForAbsoluteNamesOnly) {
  write("resolv.conf", "search svc.cluster.local cluster.local\noptions ndots:5\n");
  write("aliases", "a.test other.test\na other.test\n");
  ::setenv("HOSTALIASES", (directory + "aliases").c_str(), 1);
  ::setenv("LOCALDOMAIN", "more.test", 1);
  serve([](const Question&) -> Reply { return {.rcode = 3}; });
  run_to_end(*loop, ask_in_turn(*this, {"a.test", "www.a.test"}));
  ::unsetenv("HOSTALIASES");
  ::unsetenv("LOCALDOMAIN");
  std::vector<std::string> asked;
  for (const Question& question : server->questions()) asked.push_back(question.name);
  EXPECT_EQ(asked, (std::vector<std::string>{"a.test", "a.test", "www.a.test", "www.a.test"}));
}

TEST_F(Resolving, AsksForASingleLabelOnlyWhenItIsToldTo) {
  serve(both_families);
  net::spawn(ask(*this, "intranet", soon()), abort_on_failure);
  EXPECT_EQ(seen.at(0), "dns-failed: a name of one label is not asked for");
  run_to_end(*loop, ask(*this, "intranet", soon(), SingleLabel::kAsk));
  EXPECT_EQ(seen.at(1), "192.0.2.1 2001:db8::1");
  for (const Question& question : server->questions()) EXPECT_EQ(question.name, "intranet");
}

TEST_F(Resolving, LooksIntoTheHostsFileBeforeItAsks) {
  write("hosts", "198.51.100.7 a.test box\n");
  options.hosts_file = directory + "hosts";
  serve(both_families);
  EXPECT_EQ(shown(resolver->find_cached(name("a.test"))), "198.51.100.7");
  net::spawn(ask(*this, "box", soon()), abort_on_failure);
  EXPECT_EQ(seen.at(0), "198.51.100.7");
  EXPECT_TRUE(server->questions().empty());
  EXPECT_EQ(resolver->stats().hits, 2U);
}

TEST_F(Resolving, UsesTheServersOfResolvConfWhereItIsGivenNone) {
  options.attempt_timeout = milliseconds(50);
  write("resolv.conf", "nameserver 127.0.0.77\nnameserver 127.0.0.78\n");
  make();
  run_to_end(*loop, ask(*this, "a.test", soon()));
  // Most likely nobody listens there; what matters is who was asked.
  EXPECT_THAT(seen.at(0), ::testing::EndsWith(" from 127.0.0.77, 127.0.0.78"));
}

TEST_F(Resolving, RefusesMoreNamesThanItMayAskForAtOnce) {
  options.max_in_flight = 2;
  serve(both_families);
  for (const std::string_view host : {"a.test", "b.test", "c.test"}) {
    net::spawn(ask(*this, host, soon()), abort_on_failure);
  }
  EXPECT_EQ(seen, std::vector<std::string>{"over-capacity: too many names are being asked for"});
  resolver.reset();
  loop->stop();
  loop->run();
  EXPECT_EQ(seen.size(), 3U);
}

net::Task<void> ask_without_descriptors(Resolving& test, std::string_view host) {
  const NoDescriptors none;
  co_await ask(test, host, test.soon());
}

net::Task<void> ask_with_and_without_descriptors(Resolving& test) {
  // Once before, too: UBSan opens pipes when it meets a class with virtual functions first.
  co_await ask(test, "a.test", test.soon());
  co_await ask_without_descriptors(test, "b.test");
  co_await ask(test, "c.test", test.soon());
}

TEST_F(Resolving, SurvivesThatTheProcessHasNoDescriptorLeft) {
  serve(both_families);
  run_to_end(*loop, ask_with_and_without_descriptors(*this));
  EXPECT_EQ(seen, (std::vector<std::string>{
                      "192.0.2.1 2001:db8::1",
                      "dns-failed: cannot ask " + server->at().str() + ": Too many open files",
                      "192.0.2.1 2001:db8::1"}));
}

TEST_F(Resolving, TellsThoseWhoWaitWhenItEnds) {
  serve([](const Question&) { return silence(); });
  loop->post([this] { resolver.reset(); });
  run_to_end(*loop, ask(*this, "a.test", soon()));
  EXPECT_EQ(seen.at(0), "draining: stopped while resolving");
}

TEST_F(Resolving, EndsAtTheHardStop) {
  serve([](const Question&) { return silence(); });
  loop->post([this] { loop->give_up_on_everything(); });
  run_to_end(*loop, ask(*this, "a.test", soon()));
  EXPECT_EQ(seen.at(0), "draining: stopped while resolving");
}

}  // namespace
}  // namespace ebbgate::dns
