// The deadlines of one thread: a hashed timing wheel. Arming and disarming cost a list operation
// and no system call; a timer fires up to one tick late, never early.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace ebbgate::net {

// Lives in whoever waits. It may be destroyed at any time, armed or not.
class Timer {
 public:
  using Fire = void (*)(void* owner);
  Timer(Fire fire, void* owner) : fire_(fire), owner_(owner) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { disarm(); }

  [[nodiscard]] bool is_armed() const { return link_ != nullptr; }
  void disarm();

 private:
  friend class Wheel;
  void link_into(Timer*& head);

  Timer** link_ = nullptr;  // what points at this timer
  Timer* next_ = nullptr;
  MonotonicTime when_{};
  Fire fire_;
  void* owner_;
};

class Wheel {
 public:
  static constexpr Duration kTick = std::chrono::milliseconds(8);

  explicit Wheel(MonotonicTime now) : start_(now) {}
  Wheel(const Wheel&) = delete;
  Wheel& operator=(const Wheel&) = delete;

  // Arms `timer` for that moment; one that is armed is moved. Deadline::never() disarms it.
  void arm(Timer& timer, Deadline deadline);

  // Fires every timer whose moment has come. A firing timer is disarmed first, and may arm,
  // disarm or destroy itself and any other. Out: how many of them failed for want of memory.
  std::size_t advance(MonotonicTime now);

  // How long until the wheel wants to be advanced again; nothing when no timer is armed. A timer
  // more than one turn of the wheel away costs one early call a turn.
  [[nodiscard]] std::optional<Duration> until_next(MonotonicTime now);

 private:
  static constexpr std::size_t kSlots = 4096;  // one turn takes 32.8 s
  using Ticks = std::uint64_t;

  [[nodiscard]] Ticks ticks_until(MonotonicTime when) const;  // rounded up
  [[nodiscard]] std::size_t visit(std::size_t slot, Ticks now);

  MonotonicTime start_;
  Ticks done_ = 0;  // every tick up to this one has been visited
  std::array<Timer*, kSlots> slots_{};
  std::array<std::uint64_t, kSlots / 64> filled_{};  // a bit a slot; set where it may hold any
};

}  // namespace ebbgate::net
