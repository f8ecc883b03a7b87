// The log over what the system really has: files, full devices, pipes, a process that is killed.
#include "observe/log_target.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <thread>

#include "observe/access_log.h"
#include "observe/detail/testing.h"
#include "observe/worker_log.h"

namespace ebbgate::observe {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

MonotonicTime now() {
  return std::chrono::steady_clock::now();
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "ebbgate-log-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~TemporaryFolder() { fs::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] fs::path operator/(std::string_view name) const { return path_ / name; }

 private:
  fs::path path_;
};

// Waits for what comes soon or never.
template <typename Predicate>
[[nodiscard]] bool comes(Predicate predicate) {
  for (const MonotonicTime end = now() + 10s; now() < end; std::this_thread::yield()) {
    if (predicate()) return true;
  }
  return false;
}

std::ptrdiff_t lines_of(const fs::path& path) {
  return std::ranges::count(read_file(path), '\n');
}

class LogTargetTest : public testing::Test {
 protected:
  void start(const fs::path& path) {
    auto log = AccessLog::start({.target = path.string()}, metrics_, [this](std::string_view line) {
      const std::lock_guard lock(mutex_);
      said_.emplace_back(line);
    });
    ASSERT_TRUE(log) << log.error().detail;
    log_ = std::move(*log);
  }
  void refuse(std::string_view host) {
    ASSERT_TRUE(log_->worker(0).try_queue(refusal_of(host), now()));
  }
  [[nodiscard]] bool says(std::string_view text) {
    return comes([&] {
      const std::lock_guard lock(mutex_);
      return std::ranges::any_of(
          said_, [&](const std::string& line) { return line.find(text) != std::string::npos; });
    });
  }

  TemporaryFolder folder_;
  Metrics metrics_{1, BuildInfo{}};
  std::mutex mutex_;
  std::vector<std::string> said_;
  std::unique_ptr<AccessLog> log_;
};

TEST_F(LogTargetTest, AppendsToAFileThatOthersMayNotRead) {
  const fs::path path = folder_ / "access.log";
  for (int start_count = 1; start_count <= 2; ++start_count) {
    start(path);
    refuse("a.example");
    EXPECT_EQ(log_->stop(), 0U);
    EXPECT_EQ(lines_of(path), start_count);
  }
  EXPECT_EQ(fs::status(path).permissions() & fs::perms::others_all, fs::perms::none);
}

TEST_F(LogTargetTest, RefusesToStartWhereItCannotWrite) {
  const auto log =
      AccessLog::start({.target = folder_ / "none" / "access.log"}, metrics_, [](auto) {});
  ASSERT_FALSE(log);
  EXPECT_NE(log.error().detail.find("access.log: No such file or directory"), std::string::npos)
      << log.error().detail;
}

TEST_F(LogTargetTest, StartsALineOfItsOwnBehindOneThatACrashCutOff) {
  const fs::path path = folder_ / "access.log";
  std::ofstream(path) << "whole\ncut o";
  start(path);
  refuse("a.example");
  log_->stop();
  EXPECT_TRUE(read_file(path).starts_with("whole\ncut o\n0.000 ")) << read_file(path);
}

TEST_F(LogTargetTest, FollowsALogRotation) {
  const fs::path path = folder_ / "access.log";
  start(path);
  refuse("before.example");
  ASSERT_TRUE(comes([&] { return lines_of(path) == 1; }));
  fs::rename(path, folder_ / "access.log.1");
  log_->reopen();
  ASSERT_TRUE(comes([&] { return fs::exists(path); }));
  refuse("after.example");
  log_->stop();
  EXPECT_NE(read_file(folder_ / "access.log.1").find("before.example"), std::string::npos);
  EXPECT_NE(read_file(path).find("after.example"), std::string::npos);
  EXPECT_EQ(lines_of(path), 1);
}

TEST_F(LogTargetTest, KeepsTheOldFileWhereTheNewOneCannotBeOpened) {
  fs::create_directory(folder_ / "logs");
  start(folder_ / "logs" / "access.log");
  fs::rename(folder_ / "logs", folder_ / "moved");
  log_->reopen();
  ASSERT_TRUE(says("cannot open: No such file or directory"));
  refuse("a.example");
  EXPECT_EQ(log_->stop(), 0U);
  EXPECT_EQ(lines_of(folder_ / "moved" / "access.log"), 1);
}

TEST_F(LogTargetTest, OutlivesAFullDisk) {
  const fs::path path = folder_ / "access.log";
  fs::create_symlink("/dev/full", path);
  start(path);
  refuse("a.example");
  ASSERT_TRUE(says("cannot write: No space left on device"));
  refuse("b.example");
  fs::remove(path);  // what the name leads to has room again
  ASSERT_TRUE(says("writing again"));
  EXPECT_EQ(log_->stop(), 0U);
  EXPECT_EQ(lines_of(path), 2);
  EXPECT_GE(metrics_.log().write_errors.value(), 1U);
}

TEST_F(LogTargetTest, OutlivesAFileThatMayNotGrow) {
  const fs::path path = folder_ / "access.log";
  start(path);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 100;  // in the middle of the second line
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  refuse("a.example");
  refuse("b.example");
  EXPECT_TRUE(says("cannot write: File too large"));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE(says("writing again"));
  EXPECT_EQ(log_->stop(), 0U);
  const std::string text = read_file(path);
  EXPECT_EQ(std::ranges::count(text, '\n'), 2);
  EXPECT_EQ(text.find("a.example"), text.rfind("a.example"));
  EXPECT_LT(text.find('\n'), text.find("b.example"));
}

TEST_F(LogTargetTest, SyncsRefusalsWithinASecondAndNothingElse) {
  start(folder_ / "access.log");
  log_->worker(0).queue_or_drop(full_record());
  ASSERT_TRUE(comes([&] { return lines_of(folder_ / "access.log") == 1; }));
  const MonotonicTime refused = now();
  refuse("a.example");
  ASSERT_TRUE(comes([&] { return metrics_.log().syncs.value() > 0; }));
  EXPECT_GT(now() - refused, 400ms);  // the event before had started nothing
  EXPECT_LT(now() - refused, 1s);
  log_->stop();
  EXPECT_EQ(metrics_.log().syncs.value(), 1U);
}

// A pipe whose reader the test is, in the place of the standard output.
class PipeTest : public LogTargetTest {
 protected:
  void SetUp() override {
    ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
    open_reader();
    start(folder_ / "pipe");
  }
  void TearDown() override {
    log_.reset();
    close_reader();
  }
  void open_reader() {
    reader_ = ::open((folder_ / "pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ASSERT_GE(reader_, 0);
  }
  void close_reader() {
    if (reader_ >= 0) ::close(std::exchange(reader_, -1));
  }
  // Adds what is in the pipe to what was read before.
  const std::string& read_some() {
    std::array<char, 65536> bytes;
    const ssize_t size = ::read(reader_, bytes.data(), bytes.size());
    if (size > 0) read_.append(bytes.data(), static_cast<std::size_t>(size));
    return read_;
  }

  int reader_ = -1;
  std::string read_;
};

TEST_F(PipeTest, WaitsForAReaderThatStalls) {
  std::size_t queued = 0;
  for (; queued < 3000; ++queued) refuse("h" + std::to_string(queued) + ".example");
  ASSERT_TRUE(says("its reader takes nothing"));  // 64 KiB are in the pipe
  ASSERT_TRUE(comes([&] {
    return std::ranges::count(read_some(), '\n') == static_cast<std::ptrdiff_t>(queued);
  }));
  ASSERT_TRUE(says("writing again; 0 events were dropped"));
  std::size_t at = 0;
  for (std::size_t i = 0; i < queued; ++i) {
    at = read_.find(" h" + std::to_string(i) + ".example ", at);
    ASSERT_NE(at, std::string::npos) << i;
  }
}

TEST_F(PipeTest, OutlivesAReaderThatGoesAndComesBack) {
  refuse("a.example");
  ASSERT_TRUE(comes([&] { return std::ranges::count(read_some(), '\n') == 1; }));
  close_reader();
  refuse("b.example");
  ASSERT_TRUE(says("Broken pipe"));
  open_reader();
  ASSERT_TRUE(comes([&] { return std::ranges::count(read_some(), '\n') == 2; }));
  EXPECT_TRUE(says("writing again"));
  EXPECT_EQ(read_.find("b.example"), read_.rfind("b.example"));
}

TEST_F(PipeTest, StopsInTimeWhileTheReaderStalls) {
  for (int i = 0; i < 3000; ++i) refuse("h" + std::to_string(i) + ".example");
  const MonotonicTime before = now();
  EXPECT_GT(log_->stop(200ms), 0U);
  EXPECT_LT(now() - before, 2s);
}

// Runs in a child whose standard output is a pipe, as a container's is. Exits with 0 where
// everything was written.
pid_t log_to_standard_output(int pipe_end) {
  std::fflush(stdout);  // what the test framework printed is not the child's to print
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::dup2(pipe_end, STDOUT_FILENO);
  Metrics metrics(1, {});
  const auto log = AccessLog::start({}, metrics, [](auto) {});
  const bool is_queued = log && (*log)->worker(0).try_queue(refusal_of("a.example"), now());
  ::_exit(is_queued && (*log)->stop(200ms) == 0 ? 0 : 1);
}

TEST(StandardOutput, TakesLinesAndMayBeClosed) {
  for (const bool is_read : {true, false}) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    if (!is_read) ::close(ends[0]);  // before the fork: nobody holds the reading end
    const pid_t child = log_to_standard_output(ends[1]);
    ASSERT_GT(child, 0);
    ::close(ends[1]);
    if (is_read) {
      std::array<char, 200> line{};
      EXPECT_GT(::read(ends[0], line.data(), line.size()), 0);
      EXPECT_NE(std::string_view(line.data()).find(" a.example "), std::string_view::npos);
      ::close(ends[0]);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << "by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), is_read ? 0 : 1);
  }
}

// The process that logs is killed without warning; what it had answered a hundred milliseconds
// earlier is on record. It is this test's own child, made before any thread of this test.
TEST(KilledProcess, LeavesEveryRefusalOlderThanAHundredMilliseconds) {
  const TemporaryFolder folder;
  const std::string path = (folder / "access.log").string();
  std::array<int, 2> answers{};
  ASSERT_EQ(::pipe2(answers.data(), O_CLOEXEC), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Metrics metrics(1, {});
    const auto log = AccessLog::start({.target = path}, metrics, [](auto) {});
    for (std::uint32_t n = 0; log; ++n) {
      const std::string host = "n" + std::to_string(n) + ".example";
      if (!(*log)->worker(0).try_queue(refusal_of(host), now())) continue;
      if (n % 64 == 0) std::this_thread::sleep_for(1ms);  // about 50,000 a second
      if (::write(answers[1], &n, sizeof n) != sizeof n) break;
    }
    ::_exit(1);
  }
  ::close(answers[1]);
  std::uint32_t answered = 0;
  std::uint32_t old_enough = 0;  // the last one that was answered 100 ms before the kill
  const MonotonicTime started = now();
  bool is_marked = false;
  while (::read(answers[0], &answered, sizeof answered) == sizeof answered) {
    if (!is_marked && now() - started > 400ms) {
      old_enough = answered;
      is_marked = true;
    }
    if (now() - started > 500ms) break;
  }
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ::close(answers[0]);
  ASSERT_GT(old_enough, 100U);
  const std::string text = read_file(path);
  std::size_t at = 0;
  for (std::uint32_t n = 0; n <= old_enough; ++n) {
    at = text.find(" n" + std::to_string(n) + ".example ", at);
    ASSERT_NE(at, std::string::npos) << n << " of " << old_enough << " of " << answered;
  }
}

}  // namespace
}  // namespace ebbgate::observe
