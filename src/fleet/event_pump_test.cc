// The thread between workers and readers, and the spool as the loop sees it across that thread.
#include "fleet/event_pump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <mutex>

#include "fleet/batch_source.h"
#include "net/testing.h"

namespace ebbgate::fleet {
namespace {

using namespace std::chrono_literals;

// Events as workers queue them.
class Events {
 public:
  void add(std::string line) {
    const std::lock_guard lock(mutex_);
    lines_ += std::move(line);
  }
  [[nodiscard]] EventPump::Take take() {
    return [this](std::string& out) {
      const std::lock_guard lock(mutex_);
      out += lines_;
      return std::exchange(lines_, {}).size();
    };
  }

 private:
  std::mutex mutex_;
  std::string lines_;
};

TEST(EventPump, HandsEachEventToEveryReaderOnceAndTheLastOnesWhenItStops) {
  Events events;
  std::string one;
  std::string two;
  EventPump pump(events.take(), {[&](std::string_view lines, MonotonicTime) { one += lines; },
                                 [&](std::string_view lines, MonotonicTime) { two += lines; }});
  pump.start();
  events.add("a\n");
  std::promise<void> called;
  pump.call([&] { called.set_value(); });
  called.get_future().wait();
  events.add("b\n");
  pump.stop();
  EXPECT_EQ(one, "a\nb\n");
  EXPECT_EQ(two, one);
}

TEST(EventPump, CallsItsReadersAlsoWhereNothingCame) {
  std::promise<void> called_twice;
  int calls = 0;
  EventPump pump([](std::string&) { return std::size_t{0}; },
                 {[&](std::string_view lines, MonotonicTime) {
                   EXPECT_EQ(lines, "");
                   if (++calls == 2) called_twice.set_value();
                 }});
  pump.start();
  called_twice.get_future().wait();
}

TEST(EventPump, LivesThroughAReaderThatRunsOutOfMemory) {
  Events events;
  std::atomic<int> failures{0};
  EventPump pump(events.take(), {[&](std::string_view lines, MonotonicTime) {
                   if (!lines.empty() && failures++ == 0) throw std::bad_alloc();
                 }});
  pump.start();
  events.add("a\n");
  while (failures == 0) std::this_thread::yield();
  events.add("b\n");
  pump.stop();
  EXPECT_EQ(failures, 2);
}

class PumpedSpoolTest : public testing::Test {
 protected:
  PumpedSpoolTest()
      : directory_(std::filesystem::temp_directory_path() /
                   ("pumped-spool-" + std::to_string(::getpid()))),
        spool_(*Spool::open({directory_.string()}, metrics_)),
        pump_(events_.take(),
              {[this](std::string_view lines, MonotonicTime) { spool_->append(lines); }}),
        source_(*loop_, pump_, *spool_) {}
  ~PumpedSpoolTest() override {
    pump_.stop();
    spool_.reset();
    std::filesystem::remove_all(directory_);
  }

  std::filesystem::path directory_;
  observe::FleetMetrics metrics_;
  std::unique_ptr<net::Loop> loop_ = net::testing::make_loop();
  Events events_;
  std::unique_ptr<Spool> spool_;
  EventPump pump_;
  PumpedSpool source_;
};

net::Task<void> take_all(BatchSource& source, std::string& out) {
  for (;;) {
    net::Task<std::optional<SpooledBatch>> asked = source.next();
    std::optional<SpooledBatch> batch = co_await asked;
    if (!batch) co_return;
    out += batch->lines;
    source.done(std::move(*batch));
  }
}

TEST_F(PumpedSpoolTest, HasWhatTheWorkersHadQueuedWhenItIsAsked) {
  pump_.start();
  events_.add("{\"verdict\":1}\n{}\n");
  std::string taken;
  net::testing::run_to_end(*loop_, take_all(source_, taken));
  EXPECT_EQ(taken, "{\"verdict\":1}\n{}\n");
  pump_.stop();
  EXPECT_EQ(spool_->bytes(), 0U);
}

net::Task<void> ask_and_give_up(net::Loop& loop, BatchSource& source, bool& got) {
  loop.give_up_on_everything();
  net::Task<std::optional<SpooledBatch>> asked = source.next();
  const auto batch = co_await asked;
  got = batch.has_value();
}

TEST_F(PumpedSpoolTest, GivesNothingAtTheHardStopThoughTheThreadAnswersLater) {
  events_.add("{}\n");
  bool got = true;
  net::testing::run_to_end(*loop_, ask_and_give_up(*loop_, source_, got));
  EXPECT_FALSE(got);
  pump_.start();
  pump_.stop();  // whose answer finds nobody
  EXPECT_GT(spool_->bytes(), 0U);
}

}  // namespace
}  // namespace ebbgate::fleet
