#include "source/last_good.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "source/detail/testing.h"

namespace ebbgate::source {
namespace {

using ::testing::HasSubstr;
using testing::TemporaryDirectory;

constexpr const char* kSource = "s3://bucket/policy.yaml";

Accepted example() {
  return {.text = "a.example\n\nb.example\n",
          .is_list = true,
          .version = "v 1",
          .signature = "c2ln",
          .sequence = 12,
          .document_version = 3};
}

TEST(LastGood, IsReadAsItWasWritten) {
  const Accepted bare{.text = "x"};
  const Accepted odd{.text = std::string("\n\0\r\n", 4), .version = "a: b"};
  for (const Accepted& each : {example(), bare, odd}) {
    const auto read = read_cache(kSource, cache_octets(kSource, each));
    ASSERT_TRUE(read) << read.error().detail;
    EXPECT_EQ(*read, each);
  }
}

TEST(LastGood, CountsOnlyWholeAndUnchanged) {
  const std::string octets = cache_octets(kSource, example());
  for (std::size_t size = 0; size < octets.size(); ++size) {
    EXPECT_FALSE(read_cache(kSource, octets.substr(0, size))) << size;
  }
  std::mt19937 random(1);
  for (int i = 0; i < 1000; ++i) {
    std::string changed = octets;
    changed[random() % changed.size()] ^= static_cast<char>(1U << random() % 8);
    EXPECT_FALSE(read_cache(kSource, changed));
  }
  EXPECT_THAT(read_cache("s3://bucket/other.yaml", octets).error().detail,
              HasSubstr("another source"));
}

TEST(LastGood, IsThereAfterARestart) {
  const TemporaryDirectory directory;
  const LastGoodFile file(directory.path() + "/cache", kSource);
  ASSERT_TRUE(file.load());
  EXPECT_FALSE(file.load()->has_value());
  ASSERT_TRUE(file.store(example()));
  const WallTime confirmed(std::chrono::seconds(1'800'000'000));
  file.confirm(confirmed);

  const LastGoodFile again(directory.path() + "/cache", kSource);
  const auto found = again.load();
  ASSERT_TRUE(found) << found.error().detail;
  ASSERT_TRUE(*found);
  EXPECT_EQ((*found)->accepted, example());
  EXPECT_EQ((*found)->confirmed, confirmed);
  struct stat status{};
  ASSERT_EQ(::stat(file.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);

  const LastGoodFile other(directory.path() + "/cache", "ssm:///other");
  EXPECT_NE(other.path(), file.path());
  EXPECT_FALSE(other.load()->has_value());
}

TEST(LastGood, OfSeveralWritesOneIsThereWhole) {
  const TemporaryDirectory directory;
  const LastGoodFile file(directory.path(), kSource);
  Accepted accepted = example();
  for (int i = 0; i < 5; ++i) {
    accepted.sequence = i;
    ASSERT_TRUE(file.store(accepted));
    EXPECT_EQ((*file.load())->accepted, accepted);
  }
  const std::filesystem::directory_iterator files(directory.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1) << "something was left beside it";
}

// A gateway and its successor, or two that share a volume.
TEST(LastGood, TwoThatWriteAtOnceDoNotDisturbEachOther) {
  const TemporaryDirectory directory;
  const auto write = [&](std::int64_t sequence) {
    const LastGoodFile file(directory.path(), kSource);
    Accepted accepted = example();
    accepted.sequence = sequence;
    accepted.text.append(100'000, '#');
    for (int i = 0; i < 30; ++i) {
      const auto stored = file.store(accepted);
      EXPECT_TRUE(stored) << stored.error().detail;
      const auto found = file.load();
      EXPECT_TRUE(found && *found) << (found ? "" : found.error().detail);
    }
  };
  std::thread other(write, 1);
  write(2);
  other.join();
}

TEST(LastGood, SaysWhyItCannotBeKeptOrRead) {
  const TemporaryDirectory directory;
  const LastGoodFile nowhere(directory.path() + "/a/b", kSource);
  EXPECT_THAT(nowhere.store(example()).error().detail, HasSubstr("No such file"));

  const LastGoodFile file(directory.path(), kSource);
  std::ofstream(file.path()) << "nonsense";
  EXPECT_THAT(file.load().error().detail, HasSubstr("another format"));

  const LastGoodFile linked(directory.path(), "ssm:///linked");
  std::filesystem::create_symlink(file.path(), linked.path());
  EXPECT_FALSE(linked.load());
}

TEST(LastGood, WithoutADirectoryNothingIsKept) {
  const LastGoodFile file({}, kSource);
  EXPECT_TRUE(file.store(example()));
  EXPECT_FALSE(file.load()->has_value());
}

}  // namespace
}  // namespace ebbgate::source
