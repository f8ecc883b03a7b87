// A queue of bytes between two threads: one pushes whole lines, the other takes all there is.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace ebbgate::observe {

class ByteRing {
 public:
  // The capacity is rounded up to a power of two. Pages are touched as they are first used.
  explicit ByteRing(std::size_t capacity)
      : capacity_(std::bit_ceil(capacity)),
        bytes_(std::make_unique_for_overwrite<char[]>(capacity_)) {}

  [[nodiscard]] std::size_t capacity() const { return capacity_; }

  // Producer. Appends `line` whole, if `keep_free` octets are still free afterwards.
  [[nodiscard]] bool push(std::string_view line, std::size_t keep_free) {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    const std::uint64_t tail = tail_.load(std::memory_order_seq_cst);
    if (head + line.size() + keep_free > tail + capacity_) return false;
    copy_in(head, line);
    // Sequentially consistent, as Doorbell asks of those who publish.
    head_.store(head + line.size(), std::memory_order_seq_cst);
    return true;
  }

  // Producer.
  [[nodiscard]] bool is_half_full() const {
    return head_.load(std::memory_order_relaxed) - tail_.load(std::memory_order_relaxed) >
           capacity_ / 2;
  }

  // Consumer.
  [[nodiscard]] std::size_t available() const {
    return static_cast<std::size_t>(head_.load(std::memory_order_seq_cst) -
                                    tail_.load(std::memory_order_relaxed));
  }

  // Consumer. Moves everything to the end of `out`; returns how much that was.
  std::size_t take_all(std::string& out) {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    const std::size_t size = available();
    const std::size_t at = index(tail);
    const std::size_t first = std::min(size, capacity_ - at);
    out.append(bytes_.get() + at, first);
    out.append(bytes_.get(), size - first);
    // Sequentially consistent against the flag of a producer that waits for room.
    tail_.store(tail + size, std::memory_order_seq_cst);
    return size;
  }

 private:
  [[nodiscard]] std::size_t index(std::uint64_t position) const {
    return static_cast<std::size_t>(position) & (capacity_ - 1);
  }
  void copy_in(std::uint64_t position, std::string_view line) {
    const std::size_t at = index(position);
    const std::size_t first = std::min(line.size(), capacity_ - at);
    std::memcpy(bytes_.get() + at, line.data(), first);
    std::memcpy(bytes_.get(), line.data() + first, line.size() - first);
  }

  const std::size_t capacity_;
  const std::unique_ptr<char[]> bytes_;
  // Each side's word on a cache line of its own; positions only grow. The consumer moves its one
  // some fifty times a second, so that the producer's looks at it stay in its cache.
  alignas(64) std::atomic<std::uint64_t> head_{0};
  alignas(64) std::atomic<std::uint64_t> tail_{0};
};

}  // namespace ebbgate::observe
