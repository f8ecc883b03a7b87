// Whose turn it is to be told of, what gateways say of invalid policies, and that want of memory
// ends no conversation.
#include <gtest/gtest.h>

#include <new>
#include <string>
#include <vector>

#include "kube/detail/fair_queue.h"
#include "kube/detail/invalid_note.h"
#include "kube/detail/ledger.h"
#include "kube/detail/persistent.h"
#include "net/testing.h"

namespace ebbgate::kube {
namespace {

using namespace std::chrono_literals;
using detail::FairQueue;
using detail::Ledger;
using Rank = FairQueue::Rank;
using State = ResourceState;
using Names = std::vector<std::string>;

MonotonicTime at(Duration when) {
  return MonotonicTime(when);
}

ResourceReport report(const std::string& in_namespace, const std::string& name,
                      std::int64_t generation, State state = State::kAccepted,
                      std::int64_t in_force = -1) {
  return {.id = {in_namespace, name},
          .uid = "uid-of-" + name,
          .generation = generation,
          .generation_in_force = in_force < 0 ? generation : in_force,
          .state = state};
}

// The next turns, each of which is done with.
Names turns(FairQueue& queue, std::size_t count, MonotonicTime now = at(0s)) {
  Names out;
  while (out.size() < count) {
    const auto id = queue.next(now);
    if (!id) break;
    out.push_back(id->in_namespace + "/" + id->name);
    queue.erase(*id);
  }
  return out;
}

TEST(FairQueue, NamespacesTakeTurnsAndTheOldestOfEachIsFirst) {
  FairQueue queue;
  for (const char* name : {"1", "2", "3"}) queue.push({"evil", name}, Rank::kNew);
  queue.push({"shop", "9"}, Rank::kRecounted);
  queue.push({"shop", "1"}, Rank::kNew);
  queue.push({"ci", "1"}, Rank::kNew);
  queue.push({"", "all"}, Rank::kNew);
  queue.push({"evil", "1"}, Rank::kNew);  // keeps its place
  EXPECT_EQ(queue.size(), 7U);
  EXPECT_EQ(turns(queue, 9),
            (Names{"/all", "ci/1", "evil/1", "shop/1", "evil/2", "shop/9", "evil/3"}));
  EXPECT_EQ(queue.next_at(at(0s)), std::nullopt);
}

TEST(FairQueue, NobodyHoldsUpAnotherByChangingInALoop) {
  FairQueue queue;
  // The cluster's own and 100 of one namespace come again as soon as they had their turn.
  queue.push({"", "all"}, Rank::kNew);
  for (int i = 0; i < 100; ++i) queue.push({"evil", std::to_string(i)}, Rank::kNew);
  queue.push({"shop", "mine"}, Rank::kNew);
  queue.push({"shop", "other"}, Rank::kRecounted);
  Names seen;
  for (int i = 0; i < 8; ++i) {
    const ObjectId id = queue.next(at(0s)).value();
    seen.push_back(id.in_namespace);
    if (id.in_namespace == "shop") {
      queue.erase(id);
    } else {
      queue.push_back(id, Rank::kNew);
    }
  }
  EXPECT_EQ(seen, (Names{"", "evil", "", "shop", "", "evil", "", "shop"}));
}

TEST(FairQueue, WhatIsPostponedHasNoTurnBefore) {
  FairQueue queue;
  queue.push({"a", "1"}, Rank::kNew);
  queue.push({"a", "2"}, Rank::kRecounted);
  queue.postpone({"a", "1"}, at(5s));
  queue.postpone({"b", "1"}, at(7s));
  queue.postpone({"c", "1"}, at(9s));
  EXPECT_EQ(queue.next_at(at(0s)), at(0s));
  EXPECT_EQ(turns(queue, 9), Names{"a/2"});
  EXPECT_EQ(queue.next_at(at(0s)), at(5s));
  EXPECT_EQ(queue.next_at(at(6s)), at(6s));
  EXPECT_EQ(queue.size(), 3U);
  queue.erase({"b", "1"});
  queue.push({"c", "1"}, Rank::kNew);
  EXPECT_EQ(turns(queue, 9, at(5s)), (Names{"c/1", "a/1"}));
  EXPECT_EQ(queue.size(), 0U);
}

TEST(InvalidNote, SaysWhatAGatewayKeepsAndWhatItNeverKnew) {
  const std::vector<ResourceReport> valid = {report("shop", "web", 1), report("", "all", 2)};
  EXPECT_EQ(detail::invalid_note(valid), "");
  std::vector<ResourceReport> some = valid;
  some.push_back(report("shop", "kept", 5, State::kLastGoodKept, 4));
  some.push_back(report("ci", "never", 5, State::kNeverGood, 0));
  const std::string text = detail::invalid_note(some);
  const auto note = detail::read_note(text);
  ASSERT_TRUE(note) << text;
  EXPECT_EQ(note->valid_digest, digest_of(valid));
  EXPECT_TRUE(note->is_whole);
  EXPECT_EQ(note->kept, (std::map<std::string, std::int64_t, std::less<>>{
                            {detail::key_of(some[2]), 4}, {detail::key_of(some[3]), 0}}));
  ResourceReport young = some[2];
  young.uid = "another";
  EXPECT_NE(detail::key_of(young), detail::key_of(some[2]));

  std::vector<ResourceReport> many;
  for (int i = 0; i < 1000; ++i) {
    many.push_back(report("shop", std::to_string(i), 1'000'000, State::kLastGoodKept));
  }
  const std::string longest = detail::invalid_note(many);
  EXPECT_LT(longest.size(), 12'000U);
  const auto cut = detail::read_note(longest);
  ASSERT_TRUE(cut);
  EXPECT_FALSE(cut->is_whole);
  EXPECT_EQ(cut->kept.size(), 500U);
  for (const char* text_of_none :
       {"", " ", "d k", "d k:", "d k:x", "d k:-1", "d k:1x", "d k:99999999999999999999", " k:1"}) {
    EXPECT_FALSE(detail::read_note(text_of_none)) << text_of_none;
  }
}

TEST(Ledger, KnowsWhatOthersKeepThatItNeverKnew) {
  const ResourceReport kept = report("shop", "bad", 5, State::kLastGoodKept, 4);
  const ResourceReport older = report("shop", "bad", 5, State::kLastGoodKept, 3);
  const ResourceReport never = report("shop", "bad", 5, State::kNeverGood, 0);
  const ResourceReport web = report("shop", "web", 1);
  const auto says = [&](const std::string& lease, const ResourceReport& bad) {
    const std::vector<ResourceReport> all = {bad, web};
    return Gateway{lease, "", digest_of(all), detail::invalid_note(all)};
  };
  const auto of = [&](const ResourceReport& own, const std::vector<Gateway>& live) {
    Ledger ledger(30s);
    ledger.report({own, web}, says("", own).digest);
    ledger.set_gateways(live, "a", at(0s));
    // What one of them makes of the bad one says nothing about the other.
    EXPECT_EQ(ledger.coverage(*ledger.find(web.id)), (Coverage{live.size(), live.size(), 0, 0}));
    return ledger.coverage(*ledger.find(own.id));
  };
  const Gateway self = {"a", "", "stale", ""};
  EXPECT_EQ(of(never, {self, says("b", never)}), (Coverage{0, 2, 2, 0}));
  EXPECT_EQ(of(never, {self, says("b", kept), says("c", kept)}), (Coverage{2, 3, 1, 4}));
  EXPECT_EQ(of(kept, {self, says("b", never), says("c", kept)}), (Coverage{2, 3, 1, 4}));
  EXPECT_EQ(of(kept, {self, says("b", older)}), (Coverage{1, 2, 0, 4}));
  EXPECT_EQ(of(older, {self, says("b", kept)}), (Coverage{1, 2, 0, 4}));

  // That one comes, or goes, is a change.
  Ledger ledger(30s);
  ledger.report({never, web}, says("", never).digest);
  EXPECT_TRUE(ledger.set_gateways({self}, "a", at(0s)));
  while (Ledger::Entry* entry = ledger.next(at(0s))) {
    ledger.done(*entry, entry->revision, ledger.coverage(*entry));
  }
  EXPECT_TRUE(ledger.set_gateways({self, says("b", never)}, "a", at(0s)));
  EXPECT_TRUE(ledger.set_gateways({self, says("b", kept)}, "a", at(0s)));
  EXPECT_FALSE(ledger.set_gateways({self, says("b", kept)}, "a", at(0s)));
  ledger.queue_recounted();
  EXPECT_EQ(ledger.waiting(), 2U);
  // One that has not come as far: it goes by what was valid before.
  ledger.report({report("shop", "bad", 6), web}, "d6");
  ledger.set_gateways({self, says("b", kept)}, "a", at(0s));
  EXPECT_EQ(ledger.coverage(*ledger.find(web.id)), (Coverage{2, 2, 0, 0}));
  EXPECT_EQ(ledger.coverage(*ledger.find(never.id)), (Coverage{1, 2, 0, 0}));
}

TEST(Ledger, OneEventAboutAResourceAMinute) {
  Ledger ledger(30s);
  ledger.report({report("evil", "x", 1), report("shop", "y", 1)}, "d1");
  Ledger::Entry& x = *ledger.find({"evil", "x"});
  Ledger::Entry& y = *ledger.find({"shop", "y"});
  EXPECT_TRUE(ledger.may_tell(x, at(0s)));
  ledger.event_told(x, {"LastGoodKept", 1}, at(0s));
  EXPECT_EQ(x.told_event, (Told{"LastGoodKept", 1}));
  EXPECT_FALSE(ledger.may_tell(x, at(59s)));
  ledger.owe_event(x, at(30s));
  EXPECT_EQ(ledger.next_event(at(59s)), nullptr);
  EXPECT_EQ(ledger.next_event_at(at(59s)), at(60s));
  EXPECT_TRUE(ledger.may_tell(y, at(59s)));
  // Being deleted and made anew is no way around it.
  ResourceReport anew = report("evil", "x", 1);
  anew.uid = "another";
  ledger.report({report("shop", "y", 1)}, "d2");
  EXPECT_EQ(ledger.next_event_at(at(59s)), std::nullopt);
  ledger.report({anew, report("shop", "y", 1)}, "d3");
  Ledger::Entry& other = *ledger.find({"evil", "x"});
  EXPECT_EQ(other.told_event, std::nullopt);
  EXPECT_FALSE(ledger.may_tell(other, at(59s)));
  ledger.owe_event(other, at(59s));
  EXPECT_EQ(ledger.next_event(at(60s)), &other);
  // None is passed over by one that has just come.
  EXPECT_FALSE(ledger.may_tell(y, at(60s)));
  ledger.owe_event(y, at(60s));
  EXPECT_EQ(ledger.next_event(at(60s)), &y);
  ledger.drop_event(other);
  ledger.event_failed(y, at(62s));
  EXPECT_EQ(ledger.next_event_at(at(60s)), at(62s));
  ledger.forget_told();
  EXPECT_EQ(ledger.next_event_at(at(60s)), std::nullopt);
}

TEST(Persistent, BeginsAnewWhereMemoryRanOut) {
  auto loop = net::testing::make_loop();
  int begun = 0;
  const auto conversation = [&]() -> net::Task<void> {
    const int which = ++begun;
    if (which == 1) throw std::bad_alloc();  // at once
    const Deadline soon = loop->after(1ms);
    static_cast<void>(co_await net::sleep_until(*loop, soon));
    if (which == 2) throw std::bad_alloc();
    loop->stop();
  };
  int refused = 0;
  detail::Persistent persistent(
      *loop,
      [&] {
        if (++refused == 2) throw std::bad_alloc();  // not even a frame
        return conversation();
      },
      1ms);
  persistent.start();
  EXPECT_TRUE(persistent.is_running());
  loop->run();
  EXPECT_EQ(begun, 3);
  EXPECT_EQ(refused, 4);
  EXPECT_FALSE(persistent.is_running());
}

}  // namespace
}  // namespace ebbgate::kube
