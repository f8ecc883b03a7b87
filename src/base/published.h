// Hot reload in one page. The control plane builds a new immutable T and publishes it whole; a
// worker keeps its own pointer to the last one it saw, and compares one number per request to
// learn that there is a newer. Nobody ever sees half of a change, and an old T lives exactly as
// long as somebody still holds it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>

namespace ebbgate {

template <typename T>
class Published {
 public:
  Published() = default;
  explicit Published(std::shared_ptr<const T> first) { publish(std::move(first)); }
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  void publish(std::shared_ptr<const T> next) {
    const std::lock_guard lock(mutex_);
    current_ = std::move(next);
    generation_.fetch_add(1, std::memory_order_release);
  }

  // How often something was published.
  [[nodiscard]] std::uint64_t generation() const {
    return generation_.load(std::memory_order_acquire);
  }

  [[nodiscard]] std::pair<std::shared_ptr<const T>, std::uint64_t> get() const {
    const std::lock_guard lock(mutex_);
    return {current_, generation_.load(std::memory_order_relaxed)};
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> current_;
  std::atomic<std::uint64_t> generation_{0};
};

// One reader's own pointer. For one thread; the lock is taken only when there is something new.
template <typename T>
class Subscription {
 public:
  explicit Subscription(const Published<T>& source) : source_(&source) {}

  // The newest T; null where nothing was ever published. The reference is good until the next
  // call: a coroutine copies the pointer before it waits.
  [[nodiscard]] const std::shared_ptr<const T>& current() {
    if (source_->generation() != seen_) std::tie(current_, seen_) = source_->get();
    return current_;
  }
  [[nodiscard]] std::uint64_t generation() const { return seen_; }

 private:
  const Published<T>* source_;
  std::shared_ptr<const T> current_;
  std::uint64_t seen_ = 0;
};

}  // namespace ebbgate
