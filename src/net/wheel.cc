#include "net/wheel.h"

#include <algorithm>
#include <bit>
#include <new>

namespace ebbgate::net {

void Timer::disarm() {
  if (link_ == nullptr) return;
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
  link_ = nullptr;
  next_ = nullptr;
}

void Timer::link_into(Timer*& head) {
  link_ = &head;
  next_ = head;
  if (next_ != nullptr) next_->link_ = &next_;
  head = this;
}

Wheel::Ticks Wheel::ticks_until(MonotonicTime when) const {
  if (when <= start_) return 0;
  return static_cast<Ticks>((when - start_ + kTick - Duration(1)) / kTick);
}

void Wheel::arm(Timer& timer, Deadline deadline) {
  timer.disarm();
  if (deadline.is_never()) return;
  timer.when_ = deadline.when();
  // What is already due waits for the next tick: nothing fires inside arm().
  const Ticks tick = std::max(ticks_until(timer.when_), done_ + 1);
  const std::size_t slot = tick % kSlots;
  timer.link_into(slots_[slot]);
  filled_[slot / 64] |= std::uint64_t{1} << (slot % 64);
}

std::size_t Wheel::visit(std::size_t slot, Ticks now) {
  Timer* due = slots_[slot];
  slots_[slot] = nullptr;
  filled_[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
  if (due != nullptr) due->link_ = &due;
  std::size_t failed = 0;
  while (due != nullptr) {
    Timer& timer = *due;
    timer.disarm();  // moves `due` on
    if (ticks_until(timer.when_) > now) {
      timer.link_into(slots_[slot]);  // of a later turn
      filled_[slot / 64] |= std::uint64_t{1} << (slot % 64);
    } else {
      try {
        timer.fire_(timer.owner_);
      } catch (const std::bad_alloc&) {
        ++failed;  // the others have a right to their moment
      }
    }
  }
  return failed;
}

std::size_t Wheel::advance(MonotonicTime now) {
  if (now < start_) return 0;
  const auto target = static_cast<Ticks>((now - start_) / kTick);
  if (target <= done_) return 0;
  // After a long pause each slot needs one visit only.
  Ticks tick = std::max(done_, target > kSlots ? target - kSlots : 0);
  std::size_t failed = 0;
  done_ = target;  // timers armed from now on land after it
  while (tick < target) {
    ++tick;
    const std::size_t slot = tick % kSlots;
    if ((filled_[slot / 64] >> (slot % 64) & 1) != 0) failed += visit(slot, target);
  }
  return failed;
}

std::optional<Duration> Wheel::until_next(MonotonicTime now) {
  const std::size_t first = (done_ + 1) % kSlots;
  for (std::size_t step = 0; step < kSlots;) {
    const std::size_t slot = (first + step) % kSlots;
    const std::uint64_t bits = filled_[slot / 64] >> (slot % 64);
    if (bits == 0) {
      step += 64 - slot % 64;
      continue;
    }
    const auto skip = static_cast<std::size_t>(std::countr_zero(bits));
    step += skip;
    if (step >= kSlots) break;
    if (slots_[slot + skip] == nullptr) {  // all of it was disarmed
      filled_[slot / 64] &= ~(std::uint64_t{1} << ((slot + skip) % 64));
      continue;
    }
    const MonotonicTime due = start_ + kTick * static_cast<Duration::rep>(done_ + 1 + step);
    return std::max(due - now, Duration::zero());
  }
  return std::nullopt;
}

}  // namespace ebbgate::net
