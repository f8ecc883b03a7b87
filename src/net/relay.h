// The tunnels of one worker. A conversation that has become a tunnel hands both descriptors over
// and ends; from then on a tunnel is a few hundred octets and no coroutine, buffer or pipe until
// bytes move. Each direction copies through one buffer of the worker; a read that fills it turns
// the direction to splice(2) for as long as it stays bulky. Nothing is read from one side while
// the other has not taken what was read before (back-pressure), and an end of one direction is
// passed on while the other goes on (half-close).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

#include "base/reason.h"
#include "net/loop.h"
#include "net/pipe_pool.h"
#include "net/stream.h"

namespace ebbgate::net {

// How a tunnel came to its end.
struct TunnelEnd {
  Reason reason = Reason::kInternal;  // who closed first, or why it was ended
  std::errc error{};                  // what the kernel said, where a side broke off
  std::uint64_t from_client = 0;      // octets that went to the origin
  std::uint64_t from_origin = 0;      // octets that went to the client
};

// Whoever handed the tunnel over; it is told once, then destroyed.
class TunnelOwner {
 public:
  virtual ~TunnelOwner() = default;
  virtual void tunnel_ended(const TunnelEnd& end) = 0;
};

struct TunnelLimits {
  Duration idle = std::chrono::hours(1);  // without an octet either way; zero: none
  Deadline total = Deadline::never();
  Deadline notice = Deadline::never();  // it is refused by now, and ends then
};

class RelaySet {
 public:
  explicit RelaySet(Loop& loop);
  RelaySet(const RelaySet&) = delete;
  RelaySet& operator=(const RelaySet&) = delete;
  ~RelaySet();

  // Relays between the two until both directions have ended, a limit is met, or it is told to
  // stop. What the conversation read of either side it has written to the other already.
  void add(Stream client, Stream origin, const TunnelLimits& limits,
           std::unique_ptr<TunnelOwner> owner);

  [[nodiscard]] std::size_t size() const { return size_; }

  // All tunnels are judged in steps, so that nobody else's octets wait for the whole of it: after
  // begin_judging(), judge_some() until it says that none is left. Tunnels that begin meanwhile are
  // not among them.
  void begin_judging() {
    next_judged_ = first_;
    refused_ = 0;
  }
  // Asks `allows(TunnelOwner&)` about the next tunnels. One that is refused has notice to end at
  // that moment, or at the one it had notice for; one that is allowed has none any more. So that a
  // thousand ends delay nobody else's octets, they follow each other in small groups. Out: whether
  // some are left.
  static constexpr std::size_t kJudgedAtOnce = 512;
  template <typename Allows>
  [[nodiscard]] bool judge_some(Allows&& allows, Deadline end) {
    for (std::size_t i = 0; i < kJudgedAtOnce && next_judged_ != nullptr; ++i) {
      Tunnel& tunnel = *std::exchange(next_judged_, next_of(*next_judged_));
      if (allows(owner_of(tunnel))) {
        give_notice(tunnel, Deadline::never());
      } else {
        const auto group = static_cast<Duration::rep>(refused_++ / kEndsPerTick);
        give_notice(tunnel, Deadline::at(end.when() + group * Wheel::kTick));
      }
    }
    return next_judged_ != nullptr;
  }

  // Ends all, now.
  void end_all(Reason reason);

 private:
  struct Tunnel;
  struct Direction;
  enum Side : std::uint8_t { kClient = 0, kOrigin = 1 };
  enum class Step : std::uint8_t { kMoved, kWaiting, kEnded };

  static constexpr std::size_t kCopy = 64 << 10;     // octets; a read that fills this is bulky
  static constexpr std::size_t kTrickle = 16 << 10;  // octets; a splice of less is not
  static constexpr int kStepsPerTurn = 8;
  static constexpr std::size_t kEndsPerTick = 64;  // 1 ms of work or so

  static Tunnel* next_of(const Tunnel& tunnel);
  static TunnelOwner& owner_of(const Tunnel& tunnel);
  static void on_ready(Channel& channel, std::uint32_t events);
  static void on_timer(void* tunnel);

  // Moves what can be moved; false where the tunnel has ended.
  bool serve(Tunnel& tunnel);
  [[nodiscard]] Step pump(Tunnel& tunnel, Side from);
  [[nodiscard]] Step flush(Tunnel& tunnel, Side from);
  [[nodiscard]] Step copy(Tunnel& tunnel, Side from);
  [[nodiscard]] Step splice_in(Tunnel& tunnel, Side from);
  [[nodiscard]] Step end_direction(Tunnel& tunnel, Side from);
  void return_pipe(Direction& direction);
  void broke(Tunnel& tunnel, Side side, int error);
  void cut(Tunnel& tunnel, Reason reason);
  void finish(Tunnel& tunnel, Reason reason, std::errc error);
  void give_notice(Tunnel& tunnel, Deadline notice);
  void arm(Tunnel& tunnel);

  Loop* loop_;
  PipePool pipes_{256, 16};
  std::array<char, kCopy> buffer_;
  Tunnel* first_ = nullptr;
  std::size_t size_ = 0;
  Tunnel* next_judged_ = nullptr;
  std::size_t refused_ = 0;  // by this judgement
};

}  // namespace ebbgate::net
