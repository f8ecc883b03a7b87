#include "proxy/read_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>

namespace ebbgate::proxy {
namespace {

// Reads as much of `text` into the buffer as it gives space for; out: how much.
std::size_t read_into(ReadBuffer& buffer, std::string_view text) {
  const std::span<char> space = buffer.space();
  const std::size_t size = std::min(space.size(), text.size());
  std::memcpy(space.data(), text.data(), size);
  buffer.commit(size);
  return size;
}

TEST(ReadBuffer, HoldsNothingUntilThereIsSomethingToRead) {
  BlockPool pool;
  const ReadBuffer buffer(pool);
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.view(), "");
}

TEST(ReadBuffer, GivesWhatWasReadInItsOrderHoweverItIsCut) {
  BlockPool pool;
  std::mt19937 random(7);
  std::string all(400'000, '\0');
  for (char& octet : all) octet = static_cast<char>(random());
  ReadBuffer buffer(pool);
  std::size_t read = 0;
  std::size_t used = 0;
  while (used < all.size()) {
    if (read < all.size() && (buffer.empty() || random() % 2 == 0)) {
      read += read_into(buffer, std::string_view(all).substr(read, 1 + random() % 9000));
    } else {
      const std::size_t size = std::min<std::size_t>(1 + random() % 9000, buffer.size());
      ASSERT_EQ(buffer.view().substr(0, size), std::string_view(all).substr(used, size));
      buffer.consume(size);
      used += size;
    }
    ASSERT_EQ(buffer.size(), read - used);
  }
  EXPECT_TRUE(buffer.empty());
}

TEST(ReadBuffer, GrowsOnlyWhenNothingOfItIsFree) {
  BlockPool pool;
  ReadBuffer buffer(pool);
  const std::string block(BlockPool::kBlock, 'a');
  ASSERT_EQ(read_into(buffer, block), block.size());
  buffer.consume(10);
  EXPECT_EQ(buffer.space().size(), 10U) << "what is left moves to the front";
  ASSERT_EQ(read_into(buffer, "0123456789"), 10U);
  EXPECT_EQ(buffer.space().size(), BlockPool::kBlock) << "full: twice as large";
  EXPECT_EQ(buffer.view(), std::string(BlockPool::kBlock - 10, 'a') + "0123456789");
}

TEST(ReadBuffer, WhatIsUsedUpToTheEndBeginsAnewAtTheFront) {
  BlockPool pool;
  ReadBuffer buffer(pool);
  ASSERT_EQ(read_into(buffer, "abc"), 3U);
  buffer.consume(3);
  EXPECT_EQ(buffer.space().size(), BlockPool::kBlock);
}

TEST(ReadBuffer, BlocksGoBackToThePoolAndLargerOnesDoNot) {
  BlockPool pool;
  const char* block = nullptr;
  {
    ReadBuffer buffer(pool);
    block = buffer.space().data();
  }
  ReadBuffer again(pool);
  EXPECT_EQ(again.space().data(), block);
  again.release();
  EXPECT_TRUE(again.empty());
  ReadBuffer large(pool);
  while (large.size() < 3 * BlockPool::kBlock) read_into(large, std::string(4096, 'x'));
  large.release();
  ReadBuffer small(pool);
  EXPECT_EQ(small.space().size(), BlockPool::kBlock);
}

}  // namespace
}  // namespace ebbgate::proxy
