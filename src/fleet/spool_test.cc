// The spool over a real directory: what it gives back, in what order, and what goes when it is
// full.
#include "fleet/spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <vector>

namespace ebbgate::fleet {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

class SpoolTest : public testing::Test {
 protected:
  SpoolTest() : directory_(fs::temp_directory_path() / ("spool-" + std::to_string(::getpid()))) {
    fs::remove_all(directory_);
  }
  ~SpoolTest() override { fs::remove_all(directory_); }

  std::unique_ptr<Spool> open(std::size_t max_bytes = std::size_t{64} << 20) {
    auto spool = Spool::open({directory_.string(), max_bytes}, metrics_);
    if (!spool) ADD_FAILURE() << spool.error().detail;
    return spool ? std::move(*spool) : nullptr;
  }
  // What is in the spool, taken out.
  static std::vector<std::string> drained(Spool& spool) {
    std::vector<std::string> batches;
    while (auto batch = spool.next()) {
      batches.push_back(batch->lines);
      spool.done(*batch);
    }
    return batches;
  }

  fs::path directory_;
  observe::FleetMetrics metrics_;
};

std::string refusal(std::string_view name, int count = 1) {
  return R"({"time":"2026-07-31T12:00:00.000Z","count":)" + std::to_string(count) + R"(,"host":")" +
         std::string(name) + R"(","verdict":"DENY"})" + "\n";
}
std::string other(std::string_view name) {
  return R"({"time":"2026-07-31T12:00:00.000Z","count":1,"host":")" + std::string(name) +
         R"(","verdict":"ALLOW"})" + "\n";
}
// As large as a segment takes one, nearly.
std::string large(std::string (*line)(std::string_view), char mark) {
  return line(std::string(std::size_t{900} * 1024, mark));
}
std::string large_refusal(char mark) {
  return refusal(std::string(std::size_t{900} * 1024, mark));
}

TEST_F(SpoolTest, GivesRefusalsFirstAndEachOnlyOnceItIsDone) {
  const auto spool = open();
  spool->append(other("a") + refusal("b") + other("c"));
  spool->append(refusal("d"));
  const auto batch = spool->next();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->lines, refusal("b") + refusal("d"));
  EXPECT_EQ(spool->next()->lines, batch->lines);  // still there
  spool->append(refusal("e"));                    // not into what is on its way
  spool->done(*batch);
  EXPECT_THAT(drained(*spool), ElementsAre(refusal("e"), other("a") + other("c")));
  EXPECT_EQ(spool->bytes(), 0U);
  EXPECT_EQ(metrics_.spool_bytes.value(), 0);
}

TEST_F(SpoolTest, MakesSegmentsAsLargeAsOneCallTakes) {
  const auto spool = open();
  std::string lines;
  for (int i = 0; i < 10'001; ++i) lines += other("x");
  spool->append(lines);
  spool->append(large(other, 'y') + large(other, 'z'));
  const auto batches = drained(*spool);
  ASSERT_EQ(batches.size(), 3U);
  for (const std::string& batch : batches) {
    const auto events = static_cast<std::size_t>(std::ranges::count(batch, '\n'));
    EXPECT_LE(batch.size() - events + 26 * events, 1'048'576U);
  }
}

TEST_F(SpoolTest, LetsTheOldestOthersGoFirstAndRefusalsLast) {
  const auto spool = open(std::size_t{4} << 20);
  spool->append(large_refusal('r'));
  for (const char mark : {'a', 'b', 'c', 'd', 'e'}) spool->append(large(other, mark));
  EXPECT_EQ(metrics_.spool_dropped_others.value(), 2U);
  EXPECT_EQ(metrics_.spool_dropped_refusals.value(), 0U);
  for (const char mark : {'s', 't', 'u'}) spool->append(large_refusal(mark));
  EXPECT_EQ(metrics_.spool_dropped_others.value(), 5U);
  EXPECT_EQ(metrics_.spool_dropped_refusals.value(), 0U);
  spool->append(large_refusal('v'));
  EXPECT_EQ(metrics_.spool_dropped_refusals.value(), 1U);
  std::string marks;
  for (const std::string& batch : drained(*spool)) marks += batch[batch.find("host") + 7];
  EXPECT_EQ(marks, "stuv");
}

TEST_F(SpoolTest, CountsTheRequestsThatADroppedEventStandsFor) {
  const auto spool = open(std::size_t{1} << 20);
  spool->append(refusal("a", 41) + refusal("b"));
  spool->append(large_refusal('x'));
  spool->append(large_refusal('y'));
  EXPECT_EQ(metrics_.spool_dropped_refusals.value(), 43U);
}

TEST_F(SpoolTest, KeepsWhatIsOnItsWayWhereSomethingElseCanGo) {
  const auto spool = open(std::size_t{3} << 20);
  spool->append(large_refusal('a'));
  const auto batch = spool->next();
  for (const char mark : {'b', 'c', 'd'}) spool->append(large_refusal(mark));
  EXPECT_EQ(metrics_.spool_dropped_refusals.value(), 1U);
  spool->done(*batch);
  EXPECT_EQ(drained(*spool).size(), 2U);
}

TEST_F(SpoolTest, TakesOverWhatAKilledProcessLeft) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto spool = open();
    spool->append(refusal("a", 7) + other("b"));
    ::_exit(0);  // without any destructor
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const auto spool = open();
  EXPECT_EQ(metrics_.spool_bytes.value(),
            static_cast<std::int64_t>(refusal("a", 7).size() + other("b").size()));
  spool->append(refusal("c"));
  EXPECT_THAT(drained(*spool), ElementsAre(refusal("a", 7), refusal("c"), other("b")));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()), 1);
}

TEST_F(SpoolTest, LeavesToALivingProcessWhatIsItsOwn) {
  auto one = open();
  one->append(refusal("a"));
  const auto two = open();
  EXPECT_FALSE(two->next());
  one.reset();  // ends with an event that was never sent
  two->adopt();
  EXPECT_THAT(drained(*two), ElementsAre(refusal("a")));
}

TEST_F(SpoolTest, LeavesNothingBehindWhereItIsEmpty) {
  auto spool = open();
  spool->append(refusal("a"));
  EXPECT_EQ(drained(*spool).size(), 1U);
  spool.reset();
  EXPECT_TRUE(fs::is_empty(directory_));
}

TEST_F(SpoolTest, GoesOnWithWholeLinesAfterADiskThatWasFull) {
  const auto spool = open();
  spool->append(refusal("a"));
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = before;
  small.rlim_cur = refusal("a").size() + 10;
  ::setrlimit(RLIMIT_FSIZE, &small);
  spool->append(refusal("b", 5));
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(metrics_.spool_errors.value(), 1U);
  EXPECT_EQ(metrics_.spool_dropped_refusals.value(), 5U);
  spool->append(refusal("c"));
  EXPECT_THAT(drained(*spool), ElementsAre(refusal("a") + refusal("c")));
}

TEST_F(SpoolTest, SurvivesSegmentsThatAreGone) {
  const auto spool = open();
  spool->append(refusal("a") + other("b"));
  for (const auto& entry : fs::recursive_directory_iterator(directory_)) {
    if (entry.path().extension() == ".refused") fs::remove(entry.path());
  }
  EXPECT_THAT(drained(*spool), ElementsAre(other("b")));
  EXPECT_GE(metrics_.spool_errors.value(), 1U);
}

TEST_F(SpoolTest, SaysWhichDirectoryCannotBeUsedAndWhy) {
  std::ofstream(directory_) << "a file";
  const auto spool = Spool::open({(directory_ / "spool").string()}, metrics_);
  ASSERT_FALSE(spool);
  EXPECT_THAT(spool.error().detail, testing::HasSubstr("Not a directory"));
}

}  // namespace
}  // namespace ebbgate::fleet
