// What was read of one connection and is not used up yet. Its memory comes from the worker's pool
// and goes back when the buffer is empty and its connection waits.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace ebbgate::proxy {

// Blocks of one size, kept by the worker for the next connection.
class BlockPool {
 public:
  static constexpr std::size_t kBlock = 16 * 1024;  // octets: a TLS record, or any usual head
  BlockPool() { blocks_.reserve(kKept); }           // so that giving back cannot fail
  [[nodiscard]] std::unique_ptr<char[]> take();
  void give_back(std::unique_ptr<char[]> block);

 private:
  static constexpr std::size_t kKept = 64;
  std::vector<std::unique_ptr<char[]>> blocks_;
};

class ReadBuffer {
 public:
  explicit ReadBuffer(BlockPool& pool) : pool_(&pool) {}
  ReadBuffer(const ReadBuffer&) = delete;
  ReadBuffer& operator=(const ReadBuffer&) = delete;
  ~ReadBuffer() { release(); }

  [[nodiscard]] std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }

  // Where the next read goes: at least one octet. What is buffered may move.
  [[nodiscard]] std::span<char> space();
  void commit(std::size_t octets) { end_ += octets; }  // that many were read into space()
  void consume(std::size_t octets);                    // the first ones are used up
  void release();                                      // gives the memory back; empties

 private:
  BlockPool* pool_;
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace ebbgate::proxy
