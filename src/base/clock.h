// Time as parameters: points on the monotonic clock for everything that waits, wall time only for
// what people and other programs read. Tests pass their own.
#pragma once

#include <chrono>
#include <cstdint>

namespace ebbgate {

using Duration = std::chrono::nanoseconds;
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

// Where the wall time comes from. Two real implementations: the system's, and a test's.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime wall() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override { return std::chrono::system_clock::now(); }
};

// By when something has to be done: a point in time that is passed down, so that the steps of one
// piece of work share one allowance. Deadline::never() does not come.
class Deadline {
 public:
  [[nodiscard]] static constexpr Deadline never() { return Deadline(MonotonicTime::max()); }
  [[nodiscard]] static constexpr Deadline at(MonotonicTime when) { return Deadline(when); }
  [[nodiscard]] static constexpr Deadline after(MonotonicTime now, Duration allowance) {
    return allowance == Duration::zero() ? never() : Deadline(now + allowance);
  }
  [[nodiscard]] constexpr MonotonicTime when() const { return when_; }
  [[nodiscard]] constexpr bool is_never() const { return when_ == MonotonicTime::max(); }
  [[nodiscard]] constexpr Deadline or_earlier(Deadline other) const {
    return other.when_ < when_ ? other : *this;
  }
  constexpr auto operator<=>(const Deadline&) const = default;

 private:
  constexpr explicit Deadline(MonotonicTime when) : when_(when) {}
  MonotonicTime when_;
};

}  // namespace ebbgate
