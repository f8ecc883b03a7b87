// The log as a whole, over targets that fail on demand: what is written, when, and what becomes of
// events that cannot be.
#include "observe/access_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "observe/detail/byte_ring.h"
#include "observe/detail/testing.h"
#include "observe/log_target.h"
#include "observe/worker_log.h"

namespace ebbgate::observe {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLongEnough = 10s;  // for what comes soon or never

MonotonicTime now() {
  return std::chrono::steady_clock::now();
}

// What a target does and holds, shared between the test and the writer's threads.
class Disk {
 public:
  struct Script {  // of the next write
    std::size_t bytes = 0;
    int error = 0;
  };

  void fail_with(int error) {
    locked([&] { error_ = error; });
  }
  void then(Script script) {
    locked([&] { scripts_.push_back(script); });
  }
  void swap_for_a_new_file() {
    locked([&] { is_new_ = true; });
  }
  void leave_unfinished(std::string bytes) {
    locked([&] { files_ = {std::move(bytes)}; });
  }

  [[nodiscard]] std::string content() {
    const std::lock_guard lock(mutex_);
    return files_.back();
  }
  [[nodiscard]] std::vector<std::string> files() {
    const std::lock_guard lock(mutex_);
    return files_;
  }
  // Whether `predicate(*this)` comes true, looked at after each thing that happens here.
  template <typename Predicate>
  bool comes(Predicate predicate, Duration patience = kLongEnough) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, predicate);
  }
  bool holds(std::string_view text, Duration patience = kLongEnough) {
    return comes([&] { return files_.back().find(text) != std::string::npos; }, patience);
  }
  bool says(std::string_view text) {
    return comes([&] {
      return std::ranges::any_of(
          said_, [&](const std::string& line) { return line.find(text) != std::string::npos; });
    });
  }
  [[nodiscard]] std::vector<std::string> said() {
    const std::lock_guard lock(mutex_);
    return said_;
  }
  [[nodiscard]] std::size_t attempts() {
    const std::lock_guard lock(mutex_);
    return attempts_;
  }

  [[nodiscard]] Diagnostics diagnostics() {
    return [this](std::string_view line) { locked([&] { said_.emplace_back(line); }); };
  }

 private:
  friend class FakeTarget;
  template <typename Change>
  void locked(Change change) {
    {
      const std::lock_guard lock(mutex_);
      change();
    }
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> files_ = {""};
  std::vector<std::string> said_;
  std::deque<Script> scripts_;
  int error_ = 0;
  bool is_new_ = true;
  std::size_t attempts_ = 0;
};

class FakeTarget final : public LogTarget {
 public:
  explicit FakeTarget(Disk& disk) : disk_(disk) {}
  [[nodiscard]] std::string name() const override { return "fake"; }
  Opened open() override {
    Opened opened{.error = 0, .position = Position::kContinues};
    disk_.locked([&] {
      if (!std::exchange(disk_.is_new_, false)) return;
      if (was_opened_) disk_.files_.emplace_back();
      was_opened_ = true;
      const std::string& content = disk_.files_.back();
      opened.position =
          content.empty() || content.back() == '\n' ? Position::kLineStart : Position::kMidLine;
    });
    return opened;
  }
  Written write(std::string_view bytes) override {
    Written written{.bytes = bytes.size(), .error = 0};
    disk_.locked([&] {
      ++disk_.attempts_;
      if (!disk_.scripts_.empty()) {
        written = {.bytes = std::min(bytes.size(), disk_.scripts_.front().bytes),
                   .error = disk_.scripts_.front().error};
        disk_.scripts_.pop_front();
      } else if (disk_.error_ != 0) {
        written = {.bytes = 0, .error = disk_.error_};
      }
      disk_.files_.back() += bytes.substr(0, written.bytes);
    });
    return written;
  }
  [[nodiscard]] int wait_fd() const override { return -1; }
  [[nodiscard]] Sync sync() const override { return {}; }

 private:
  Disk& disk_;
  bool was_opened_ = false;
};

class AccessLogTest : public testing::Test {
 protected:
  void start(std::size_t workers = 1, const AccessLogOptions& options = {}) {
    metrics_ = std::make_unique<Metrics>(workers, BuildInfo{});
    auto log = AccessLog::start(options, std::make_unique<FakeTarget>(disk_), *metrics_,
                                disk_.diagnostics());
    ASSERT_TRUE(log) << log.error().detail;
    log_ = std::move(*log);
  }
  [[nodiscard]] WorkerLog& worker(std::size_t index = 0) { return log_->worker(index); }
  [[nodiscard]] WorkerMetrics& count(std::size_t index = 0) { return metrics_->worker(index); }

  // Queues refusals of other names each, until there is no room.
  std::size_t fill_with_refusals() {
    for (std::size_t n = 0;; ++n) {
      if (!worker().try_queue(refusal_of("fill" + std::to_string(n)), now())) return n;
    }
  }

  Disk disk_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<AccessLog> log_;
};

bool is_whole_lines(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("0.000 ") || line.find(" HIER_NONE/- -") == std::string::npos)
      return false;
  }
  return text.empty() || text.back() == '\n';
}

TEST_F(AccessLogTest, WritesARefusalWithinAHundredMilliseconds) {
  start();
  std::vector<Duration> taken;
  for (int round = 0; round < 5; ++round) {
    const std::string host = "h" + std::to_string(round) + ".example";
    const MonotonicTime queued = now();
    ASSERT_TRUE(worker().try_queue(refusal_of(host), queued));
    ASSERT_TRUE(disk_.holds(host));
    taken.push_back(now() - queued);
  }
  std::ranges::sort(taken);
  EXPECT_LT(taken[2], 100ms);  // the median: a busy machine may hold up a thread now and then
}

TEST_F(AccessLogTest, WritesManyEventsWithFewWrites) {
  start();
  for (int i = 0; i < 1000; ++i) worker().queue_or_drop(refusal_of("a.example"));
  log_->stop();
  EXPECT_EQ(std::ranges::count(disk_.content(), '\n'), 1000);
  EXPECT_LT(disk_.attempts(), 20U);
  EXPECT_EQ(count().log_events.value(), 1000U);
  EXPECT_EQ(metrics_->log().written_bytes.value(), count().log_queued_bytes.value());
}

TEST_F(AccessLogTest, WritesEverythingBeforeItStops) {
  start(3);
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(worker(i).try_queue(refusal_of("a" + std::to_string(i)), now()));
    ASSERT_TRUE(worker(i).try_queue(refusal_of("a" + std::to_string(i)), now()));
    EXPECT_TRUE(worker(i).flush());
  }
  EXPECT_EQ(log_->stop(), 0U);
  const std::string content = disk_.content();
  EXPECT_EQ(std::ranges::count(content, '\n'), 6) << content;
  EXPECT_TRUE(is_whole_lines(content));
}

TEST_F(AccessLogTest, ContinuesExactlyAfterAShortWrite) {
  start();
  for (const std::size_t bytes : {1U, 7U, 0U, 30U, 1U}) disk_.then({.bytes = bytes, .error = 0});
  for (int i = 0; i < 3; ++i) worker().queue_or_drop(refusal_of("a.example"));
  log_->stop();
  EXPECT_EQ(std::ranges::count(disk_.content(), '\n'), 3);
  EXPECT_TRUE(is_whole_lines(disk_.content())) << disk_.content();
}

TEST_F(AccessLogTest, ReportsAFullDiskOnceAndResumesInTheMiddleOfTheLine) {
  start();
  disk_.then({.bytes = 10, .error = 0});
  disk_.fail_with(ENOSPC);
  ASSERT_TRUE(worker().try_queue(refusal_of("a.example"), now()));
  ASSERT_TRUE(disk_.says("No space left on device"));
  while (metrics_->log().write_errors.value() < 3) std::this_thread::yield();
  EXPECT_EQ(disk_.said().size(), 1U);
  disk_.fail_with(0);
  ASSERT_TRUE(disk_.says("writing again; 0 events were dropped"));
  EXPECT_EQ(disk_.said().size(), 2U);
  log_->stop();
  EXPECT_TRUE(is_whole_lines(disk_.content())) << disk_.content();
  EXPECT_EQ(std::ranges::count(disk_.content(), '\n'), 1);
}

TEST_F(AccessLogTest, BeginsAnInterruptedLineAgainInANewFile) {
  start();
  const std::string line = [] {
    std::string text;
    append_squid(text, refusal_of("a.example"));
    return text;
  }();
  disk_.then({.bytes = line.size() + 10, .error = 0});
  disk_.fail_with(EIO);
  for (int i = 0; i < 3; ++i) worker().queue_or_drop(refusal_of("a.example"));
  ASSERT_TRUE(disk_.says("Input/output error"));
  disk_.swap_for_a_new_file();
  disk_.fail_with(0);
  ASSERT_TRUE(disk_.says("writing again"));
  log_->stop();
  EXPECT_EQ(disk_.files(), (std::vector<std::string>{line + line.substr(0, 10), line + line}));
}

TEST_F(AccessLogTest, StartsALineOfItsOwnBehindAnUnfinishedOne) {
  disk_.leave_unfinished("{\"time\":");
  start();
  worker().queue_or_drop(refusal_of("a.example"));
  log_->stop();
  EXPECT_TRUE(disk_.content().starts_with("{\"time\":\n0.000 ")) << disk_.content();
}

TEST_F(AccessLogTest, DropsEventsOfAllowedRequestsAndKeepsRoomForRefusals) {
  start(1, {.queue_bytes = kMinQueueBytes});
  disk_.fail_with(ENOSPC);
  ASSERT_TRUE(worker().try_queue(refusal_of("first"), now()));
  ASSERT_TRUE(disk_.says("No space left"));
  std::uint64_t queued = 0;
  for (; count().log_dropped.value() < 10; ++queued) worker().queue_or_drop(full_record());
  EXPECT_GT(queued, 1000U);
  EXPECT_GT(fill_with_refusals(), 500U);  // a quarter of the queue is theirs
  disk_.fail_with(0);
  EXPECT_TRUE(disk_.says("writing again; 10 events were dropped"));
}

TEST_F(AccessLogTest, LetsASecondReaderHaveEveryEventAsJson) {
  start(2, {.format = LogFormat::kSquid, .tap_bytes = kMinQueueBytes});
  Record opening = full_record();
  opening.phase = Phase::kOpen;  // for which Squid has no line
  worker(0).queue_or_drop(opening);
  ASSERT_TRUE(worker(0).try_queue(refusal_of("a.example"), now()));
  ASSERT_TRUE(worker(0).try_queue(refusal_of("a.example"), now()));  // is folded
  ASSERT_TRUE(worker(1).try_queue(refusal_of("b.example"), now()));
  ASSERT_TRUE(worker(0).flush());
  std::string lines;
  log_->take_tapped(lines);
  std::vector<std::string> seen;
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line);
    seen.push_back(json["phase"].get<std::string>() + " " + json["host"].get<std::string>());
  }
  EXPECT_THAT(seen, testing::ElementsAre("open api.github.com", "request a.example",
                                         "request a.example", "request b.example"));
  std::string again;
  EXPECT_EQ(log_->take_tapped(again), 0U);
}

TEST_F(AccessLogTest, CountsWhatASecondReaderIsTooSlowForAndKeepsRoomForRefusals) {
  start(1, {.format = LogFormat::kJson, .tap_bytes = kMinQueueBytes});
  while (count().tap_dropped_others.value() == 0) worker().queue_or_drop(full_record());
  EXPECT_EQ(count().tap_dropped_others.value(), 3U);  // as many as the event stands for
  ASSERT_TRUE(worker().try_queue(refusal_of("a.example"), now()));
  EXPECT_EQ(count().tap_dropped_refusals.value(), 0U);
  std::string lines;
  log_->take_tapped(lines);
  EXPECT_THAT(lines, testing::HasSubstr("a.example"));
  for (int n = 0; count().tap_dropped_refusals.value() == 0; ++n) {
    // The log itself loses none of them meanwhile.
    while (!worker().try_queue(refusal_of("fill" + std::to_string(n)), now())) {
      std::this_thread::yield();
    }
  }
}

TEST_F(AccessLogTest, TellsAWaitingWorkerOfRoom) {
  start(1, {.queue_bytes = kMinQueueBytes});
  std::atomic<int> told{0};
  worker().set_on_room([&] { ++told; });
  disk_.fail_with(ENOSPC);
  ASSERT_TRUE(worker().try_queue(refusal_of("first"), now()));
  ASSERT_TRUE(disk_.says("No space left"));
  const std::size_t queued = fill_with_refusals();
  EXPECT_FALSE(worker().try_queue(refusal_of("waits"), now()));
  EXPECT_EQ(told, 0);
  disk_.fail_with(0);
  while (told == 0) std::this_thread::yield();
  EXPECT_TRUE(worker().try_queue(refusal_of("waits"), now()));
  log_->stop();
  EXPECT_EQ(told, 1);
  // `fill` that failed is the one that is not there.
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(disk_.content(), '\n')), 1 + queued + 1);
}

TEST_F(AccessLogTest, SaysThatAReaderStalls) {
  start();
  disk_.fail_with(EAGAIN);
  worker().queue_or_drop(refusal_of("a.example"));
  ASSERT_TRUE(disk_.says("its reader takes nothing"));
  disk_.fail_with(0);
  ASSERT_TRUE(disk_.says("writing again"));
  EXPECT_EQ(disk_.said().size(), 2U);
  EXPECT_EQ(metrics_->log().write_errors.value(), 0U);
}

TEST_F(AccessLogTest, GivesUpOnADeadTargetWhenItStops) {
  for (const int error : {EAGAIN, ENOSPC}) {
    Disk disk;
    Metrics metrics(1, {});
    auto log =
        AccessLog::start({}, std::make_unique<FakeTarget>(disk), metrics, disk.diagnostics());
    disk.fail_with(error);
    ASSERT_TRUE((*log)->worker(0).try_queue(refusal_of("a.example"), now()));
    const MonotonicTime before = now();
    EXPECT_EQ((*log)->stop(300ms), metrics.worker(0).log_queued_bytes.value());
    EXPECT_GE(now() - before, 300ms);
    EXPECT_LT(now() - before, 2s);
  }
}

TEST_F(AccessLogTest, FoldsAFloodOfRefusalsIntoTheRightSum) {
  start(2, {.format = LogFormat::kJson});
  constexpr int kRefusals = 200000;
  const auto flood = [this](std::size_t index) {
    // A clock that runs a second for every 10,000 refusals.
    for (int i = 0; i < kRefusals; ++i) {
      const std::string host = "h" + std::to_string(i % 3);
      const MonotonicTime time(i * 100us);
      while (!worker(index).try_queue(refusal_of(host), time)) std::this_thread::yield();
    }
    EXPECT_TRUE(worker(index).flush());
  };
  std::thread other(flood, 1);
  flood(0);
  other.join();
  log_->stop();
  std::map<std::string, std::uint64_t> sums;
  std::uint64_t lines = 0;
  std::istringstream content(disk_.content());
  for (std::string line; std::getline(content, line); ++lines) {
    const auto event = nlohmann::json::parse(line);
    sums[event["host"]] += event["count"].get<std::uint64_t>();
  }
  EXPECT_EQ(sums,
            (std::map<std::string, std::uint64_t>{{"h0", 133334}, {"h1", 133334}, {"h2", 133332}}));
  // Two events for each of 3 names, 20 seconds and 2 workers.
  EXPECT_EQ(lines, 2U * 3 * 20 * 2);
  EXPECT_EQ(count(0).log_folded.value(), std::uint64_t{kRefusals} - 60);
}

TEST_F(AccessLogTest, WritesTheLinesOfAllWorkersWholeAndInTheirOrder) {
  constexpr std::size_t kWorkers = 4;
  constexpr int kEvents = 20000;
  start(kWorkers, {.queue_bytes = kMinQueueBytes});
  // The disk takes odd pieces, so that lines are cut everywhere.
  for (std::size_t i = 0; i < 500; ++i) disk_.then({.bytes = 1 + i * 37 % 5000, .error = 0});
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kWorkers; ++i) {
    threads.emplace_back([this, i] {
      for (int n = 0; n < kEvents; ++n) {
        const std::string host = "w" + std::to_string(i) + "-" + std::to_string(n);
        const Record record = refusal_of(host);
        while (!worker(i).try_queue(record, now())) std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  log_->stop();
  std::array<int, kWorkers> next{};
  std::istringstream lines(disk_.content());
  for (std::string line; std::getline(lines, line);) {
    ASSERT_TRUE(is_whole_lines(line + "\n")) << line;
    const std::size_t at = line.find(" w") + 2;
    ASSERT_EQ(line.substr(at + 2, line.find(' ', at) - at - 2),
              std::to_string(next.at(static_cast<std::size_t>(line[at] - '0'))++));
  }
  EXPECT_THAT(next, testing::Each(kEvents));
}

TEST(ByteRing, KeepsLinesWholeAcrossItsEnd) {
  ByteRing ring(64);
  std::string out;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string line(static_cast<std::size_t>(i % 23), static_cast<char>('a' + i % 26));
    ASSERT_TRUE(ring.push(line, 0));
    ASSERT_TRUE(ring.push(line + "\n", 0));
    expected += line + line + "\n";
    ASSERT_EQ(ring.take_all(out), 2 * line.size() + 1);
  }
  EXPECT_EQ(out, expected);
}

TEST(ByteRing, TakesAsMuchAsItHoldsAndNoMore) {
  ByteRing ring(64);
  EXPECT_FALSE(ring.push(std::string(65, 'x'), 0));
  EXPECT_FALSE(ring.push(std::string(50, 'x'), 15));
  EXPECT_TRUE(ring.push(std::string(50, 'x'), 14));
  EXPECT_TRUE(ring.is_half_full());
  EXPECT_FALSE(ring.push(std::string(15, 'y'), 0));
  EXPECT_TRUE(ring.push(std::string(14, 'y'), 0));
  std::string out;
  EXPECT_EQ(ring.take_all(out), 64U);
  EXPECT_EQ(out, std::string(50, 'x') + std::string(14, 'y'));
  EXPECT_EQ(ring.take_all(out), 0U);
}

}  // namespace
}  // namespace ebbgate::observe
