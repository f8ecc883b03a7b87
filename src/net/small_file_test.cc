#include "net/small_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace ebbgate::net {
namespace {

TEST(SmallFile, IsReadWholeOrRefusedWithThePath) {
  const auto path =
      std::filesystem::path(::testing::TempDir()) / ("small-file-" + std::to_string(::getpid()));
  std::ofstream(path, std::ios::binary) << std::string(5000, 'x');
  EXPECT_EQ(read_small_file(path)->size(), 5000);
  EXPECT_EQ(read_small_file(path, 4999).error().detail, path.string() + ": File too large");
  std::filesystem::remove(path);
  EXPECT_EQ(read_small_file(path).error().detail, path.string() + ": No such file or directory");
  EXPECT_FALSE(read_small_file(::testing::TempDir()));  // a directory
}

}  // namespace
}  // namespace ebbgate::net
