// Who asks (semantics 3, step 2): from the address of a client to what the policy is asked about,
// for each request anew, as pods come and go while a connection lives. An address that pods may
// have is waited for, for a moment: its pod may be so new that the watch has yet to tell of it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/ip.h"
#include "identity/pod_index.h"
#include "net/loop.h"
#include "net/signal.h"
#include "net/task.h"
#include "observe/metrics.h"
#include "policy/subject.h"

namespace ebbgate::proxy {

// Addresses that were waited for in vain, each for a while: a fixed table in which a later one may
// take an earlier one's place, as all that is lost then is the wait that it spares.
class VainWaits {
 public:
  static constexpr Duration kMemory = std::chrono::seconds(30);

  void add(const IpAddress& address, MonotonicTime now) {
    latest_ = now + kMemory;
    slot_of(address) = {.address = address.unmapped(), .until = latest_};
  }
  // Somebody has the address now: the next one who does is new again.
  void forget(const IpAddress& address, MonotonicTime now) {
    if (now < latest_ && has(address, now)) slot_of(address) = {};
  }
  [[nodiscard]] bool has(const IpAddress& address, MonotonicTime now) {
    const Slot& slot = slot_of(address);
    return now < slot.until && slot.address == address.unmapped();
  }

 private:
  struct Slot {
    IpAddress address;
    MonotonicTime until = MonotonicTime::min();
  };
  static constexpr unsigned kBits = 10;
  [[nodiscard]] Slot& slot_of(const IpAddress& address) {
    const std::size_t hash = std::hash<IpAddress>{}(address.unmapped());
    // The addresses of a subnet differ in the high bits only.
    return slots_[(hash ^ hash >> 32U) * 0x9E3779B97F4A7C15U >> (64U - kBits)];
  }
  std::array<Slot, std::size_t{1} << kBits> slots_;
  MonotonicTime latest_ = MonotonicTime::min();  // of all `until`
};

// One worker's. All but pods_changed() is for its thread.
class Who {
 public:
  // All of these outlive it.
  Who(net::Loop& loop, const Clock& clock, const identity::PodIndex& pods,
      observe::WorkerMetrics& metrics)
      : loop_(&loop), clock_(&clock), metrics_(&metrics), reader_(pods), changed_(loop) {}
  Who(const Who&) = delete;
  Who& operator=(const Who&) = delete;

  enum class Known : std::uint8_t {
    kSettled,    // the subject has its pod, or none
    kAmbiguous,  // several pods claim its address: to be refused, whatever the policy says
    kAwaited,    // wait() for it
  };
  // Tells the subject its pod by its address, as far as that is known now. One lookup, and nothing
  // is allocated. A subject without an address is settled: it has no pod.
  [[nodiscard]] Known identify(policy::Subject& subject);

  // The same after identify() said kAwaited, once the pod is there or its time is over: kSettled or
  // kAmbiguous.
  [[nodiscard]] net::Task<Known> wait(policy::Subject& subject);

  // What is known of an address now, without waiting; counted nowhere. Good until the next call.
  [[nodiscard]] identity::Found find(const IpAddress& address);

  // The index has published something. Any thread; wakes the worker if somebody waits there, once
  // each kWakePause at most: thousands may wait, and pods may change at any rate.
  static constexpr Duration kWakePause = std::chrono::milliseconds(20);
  void pods_changed();
  [[nodiscard]] std::uint64_t wake_ups() const { return wake_ups_; }

 private:
  [[nodiscard]] Known settle(policy::Subject& subject, const identity::Found& found);
  static void on_wake(void* self);

  net::Loop* loop_;
  const Clock* clock_;
  observe::WorkerMetrics* metrics_;
  identity::PodReader reader_;
  VainWaits vain_;
  net::Signal changed_;
  std::atomic<std::uint32_t> waiting_{0};
  std::atomic<bool> wake_is_due_{false};
  MonotonicTime may_wake_{};  // from then on
  std::uint64_t wake_ups_ = 0;
  net::Timer wake_{&Who::on_wake, this};
};

}  // namespace ebbgate::proxy
