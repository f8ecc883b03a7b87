// Folding of identical refusals (semantics 13), without a log around it.
#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "observe/detail/fold_table.h"
#include "observe/detail/stored_record.h"
#include "observe/detail/testing.h"
#include "observe/format.h"

namespace ebbgate::observe {
namespace {

using namespace std::chrono_literals;

MonotonicTime at(Duration time) {
  return MonotonicTime(time);
}

// The table as a worker uses it: what it writes, as `host×count`.
class Folding {
 public:
  explicit Folding(std::size_t entries = 8) : table_(entries, 1s) {}

  void refuse(const Record& refusal, Duration time) {
    expire(time);
    if (table_.absorb(refusal)) return;
    write(refusal);
    table_.remember(at(time));
  }
  void expire(Duration time) {
    EXPECT_TRUE(table_.expire(at(time), [this](const Record& folded) {
      write(folded);
      return true;
    }));
  }
  [[nodiscard]] std::vector<std::string> written() { return std::exchange(written_, {}); }
  [[nodiscard]] Deadline next() const { return table_.next(); }

 private:
  void write(const Record& record) {
    written_.push_back(std::string(record.host) + "×" + std::to_string(record.count));
  }
  FoldTable table_;
  std::vector<std::string> written_;
};

using Lines = std::vector<std::string>;

TEST(Folding, WritesTheFirstAtOnceAndTheRestOfItsSecondAsOne) {
  Folding folding;
  const Record refusal = refusal_of("a.example");
  folding.refuse(refusal, 0ms);
  EXPECT_EQ(folding.written(), (Lines{"a.example×1"}));
  for (int i = 1; i < 100; ++i) folding.refuse(refusal, i * 10ms);
  EXPECT_EQ(folding.written(), Lines{});
  EXPECT_EQ(folding.next(), Deadline::at(at(1s)));
  folding.expire(999ms);
  EXPECT_EQ(folding.written(), Lines{});
  folding.expire(1s);
  EXPECT_EQ(folding.written(), (Lines{"a.example×99"}));
  EXPECT_TRUE(folding.next().is_never());
  folding.refuse(refusal, 1001ms);  // the next second begins with one that is written at once
  EXPECT_EQ(folding.written(), (Lines{"a.example×1"}));
}

TEST(Folding, WritesNothingMoreOfARefusalThatCameOnce) {
  Folding folding;
  folding.refuse(refusal_of("a.example"), 0ms);
  folding.expire(2s);
  EXPECT_EQ(folding.written(), (Lines{"a.example×1"}));
}

TEST(Folding, KeepsApartWhatIsNotIdentical) {
  const Record one = refusal_of("a.example");
  std::vector<Record> others(7, one);
  others[0].host = "b.example";
  others[1].port = 80;
  others[2].reason = Reason::kDeniedByRule;
  others[3].client = *IpAddress::parse("10.1.2.4");
  others[4].subject = {"pod", "builder", "ci"};
  others[5].subject = {"pod", "builder", "qa"};
  others[6].subject = {"user", "builder", "ci"};
  Folding folding(16);
  folding.refuse(one, 0ms);
  for (const Record& other : others) folding.refuse(other, 1ms);
  EXPECT_EQ(folding.written().size(), 8U);
}

TEST(Folding, TakesASubjectForTheSameWhateverItsAddress) {
  Record refusal = refusal_of("a.example");
  refusal.subject = {"pod", "builder", "ci"};
  Folding folding;
  folding.refuse(refusal, 0ms);
  refusal.client = *IpAddress::parse("2001:db8::1");
  refusal.id = "other";
  refusal.error = "other";
  folding.refuse(refusal, 1ms);
  EXPECT_EQ(folding.written(), (Lines{"a.example×1"}));
}

TEST(Folding, WritesOneByOneWhatDoesNotFit) {
  Folding folding(2);
  for (const Duration time : {0ms, 1ms}) {
    for (const std::string_view host : {"a", "b", "c"}) folding.refuse(refusal_of(host), time);
  }
  EXPECT_EQ(folding.written(), (Lines{"a×1", "b×1", "c×1", "c×1"}));
  folding.expire(1s);
  EXPECT_EQ(folding.written(), (Lines{"a×1", "b×1"}));
  folding.refuse(refusal_of("c"), 1s);  // now there is a place
  folding.refuse(refusal_of("c"), 1s);
  folding.expire(3s);
  EXPECT_EQ(folding.written(), (Lines{"c×1", "c×1"}));
}

TEST(Folding, NeverLosesACountWhateverTheOrder) {
  Folding folding(5);
  std::uint64_t refused = 0;
  for (int i = 0; i < 20000; ++i) {
    folding.refuse(refusal_of(std::string(1, static_cast<char>('a' + i * i % 11))), i * 1ms);
    ++refused;
  }
  folding.expire(1h);
  std::uint64_t written = 0;
  for (const std::string& line : folding.written()) {
    written += std::stoull(line.substr(line.find("×") + std::string_view("×").size()));
  }
  EXPECT_EQ(written, refused);
}

TEST(Folding, KeepsAFoldThatCouldNotBeQueued) {
  FoldTable table(4, 1s);
  const Record refusal = refusal_of("a.example");
  EXPECT_FALSE(table.absorb(refusal));
  table.remember(at(0s));
  EXPECT_TRUE(table.absorb(refusal));
  EXPECT_FALSE(table.expire(at(1s), [](const Record&) { return false; }));
  EXPECT_TRUE(table.absorb(refusal));
  std::uint64_t count = 0;
  EXPECT_TRUE(table.expire(at(1s), [&](const Record& folded) {
    count = folded.count;
    return true;
  }));
  EXPECT_EQ(count, 2U);
}

TEST(Folding, AddsUpOctetsAndShowsTheLatestTime) {
  FoldTable table(4, 1s);
  Record refusal = refusal_of("a.example");
  refusal.bytes_in = 10;
  refusal.bytes_out = 100;
  EXPECT_FALSE(table.absorb(refusal));
  table.remember(at(0s));
  for (int i = 1; i <= 3; ++i) {
    refusal.time = WallTime(i * 1s);
    EXPECT_TRUE(table.absorb(refusal));
  }
  EXPECT_TRUE(table.expire(at(1s), [](const Record& folded) {
    EXPECT_EQ(folded.bytes_in, 30U);
    EXPECT_EQ(folded.bytes_out, 300U);
    EXPECT_EQ(folded.time, WallTime(3s));
    return true;
  }));
}

TEST(StoredRecord, OwnsEveryText) {
  StoredRecord stored;
  std::string expected;
  {
    std::vector<std::string> texts;
    for (int i = 0; i < 16; ++i) texts.push_back("text number " + std::to_string(i) + " of these");
    const Record record = record_of_texts(texts);
    stored.assign(record);
    append_json(expected, record);
    append_squid(expected, record);
    for (std::string& text : texts) std::ranges::fill(text, '#');
  }
  std::string shown;
  append_json(shown, stored.record());
  append_squid(shown, stored.record());
  EXPECT_EQ(shown, expected);
}

}  // namespace
}  // namespace ebbgate::observe
