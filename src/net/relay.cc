#include "net/relay.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <optional>
#include <string>
#include <utility>

namespace ebbgate::net {

// What flows from one side to the other.
struct RelaySet::Direction {
  std::uint64_t octets = 0;
  Pipe pipe;
  std::uint32_t in_pipe = 0;
  bool is_bulky = false;
  bool must_copy = false;  // these descriptors cannot be spliced
  bool has_ended = false;  // the reading side has closed, and that was passed on
  bool is_at_end = false;  // the reading side has closed; what was read may still be on its way
  std::unique_ptr<std::string> unsent;  // the rest of a copy that was not taken whole
  [[nodiscard]] bool has_pending() const { return in_pipe > 0 || unsent != nullptr; }
};

struct RelaySet::Tunnel {
  RelaySet* set;
  std::array<Channel*, 2> sides;
  std::array<Direction, 2> directions;  // by the side that is read from
  std::unique_ptr<TunnelOwner> owner;
  MonotonicTime last_moved;
  Duration idle;
  Deadline total;
  Deadline notice;
  std::optional<Side> closed_first;
  Timer timer{&RelaySet::on_timer, this};
  Tunnel* prev = nullptr;
  Tunnel* next = nullptr;
};

namespace {

int other(int side) {
  return 1 - side;
}

// A close that the other side sees as a reset: the stream was cut, it did not end.
void close_with_reset(Loop& loop, Channel& channel) {
  const linger immediately{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(channel.fd, SOL_SOCKET, SO_LINGER, &immediately, sizeof immediately);
  loop.close(channel);
}

}  // namespace

RelaySet::RelaySet(Loop& loop) : loop_(&loop) {}

RelaySet::~RelaySet() {
  end_all(Reason::kDraining);
}

void RelaySet::end_all(Reason reason) {
  while (first_ != nullptr) cut(*first_, reason);
}

RelaySet::Tunnel* RelaySet::next_of(const Tunnel& tunnel) {
  return tunnel.next;
}
TunnelOwner& RelaySet::owner_of(const Tunnel& tunnel) {
  return *tunnel.owner;
}

void RelaySet::add(Stream client, Stream origin, const TunnelLimits& limits,
                   std::unique_ptr<TunnelOwner> owner) {
  auto* tunnel = new Tunnel{.set = this,
                            .sides = {&client.release(), &origin.release()},
                            .directions = {},
                            .owner = std::move(owner),
                            .last_moved = loop_->now(),
                            .idle = limits.idle,
                            .total = limits.total,
                            .notice = limits.notice,
                            .closed_first = {}};
  tunnel->next = first_;
  if (first_ != nullptr) first_->prev = tunnel;
  first_ = tunnel;
  ++size_;
  for (Channel* channel : tunnel->sides) {
    channel->handler = &RelaySet::on_ready;
    channel->owner = tunnel;
    if (!loop_->watch(*channel)) {
      finish(*tunnel, Reason::kInternal, std::errc(errno));
      return;
    }
  }
  arm(*tunnel);
  // What was reported while the conversation had the descriptors is not reported again.
  if (tunnel->sides[kClient]->may_read || tunnel->sides[kOrigin]->may_read) {
    loop_->again_soon(*tunnel->sides[kClient], 0);
  }
}

void RelaySet::give_notice(Tunnel& tunnel, Deadline notice) {
  if (notice.is_never() && tunnel.notice.is_never()) return;
  tunnel.notice = notice.is_never() ? notice : notice.or_earlier(tunnel.notice);
  arm(tunnel);
}

void RelaySet::arm(Tunnel& tunnel) {
  Deadline next = tunnel.total;
  if (tunnel.idle > Duration::zero()) {
    next = next.or_earlier(Deadline::at(tunnel.last_moved + tunnel.idle));
  }
  const bool is_short = tunnel.idle > Duration::zero() && tunnel.idle < std::chrono::seconds(10);
  if (!is_short && !next.is_never()) {
    // To the full second, so that thousands of idle tunnels wake the thread once a second at most.
    const auto whole = std::chrono::ceil<std::chrono::seconds>(next.when().time_since_epoch());
    next = Deadline::at(MonotonicTime(whole));
  }
  loop_->arm(tunnel.timer, next.or_earlier(tunnel.notice));
}

void RelaySet::on_timer(void* tunnel_pointer) {
  auto& tunnel = *static_cast<Tunnel*>(tunnel_pointer);
  RelaySet& set = *tunnel.set;
  const MonotonicTime now = set.loop_->now();
  if (tunnel.notice.when() <= now) {
    set.cut(tunnel, Reason::kPolicyChanged);
  } else if (tunnel.total.when() <= now) {
    set.cut(tunnel, Reason::kTunnelTimeout);
  } else if (tunnel.idle > Duration::zero() && tunnel.last_moved + tunnel.idle <= now) {
    set.cut(tunnel, Reason::kIdleTimeout);
  } else {
    set.arm(tunnel);  // it moved since: the timer is not touched for every octet
  }
}

void RelaySet::on_ready(Channel& channel, std::uint32_t events) {
  auto& tunnel = *static_cast<Tunnel*>(channel.owner);
  RelaySet& set = *tunnel.set;
  if (!set.serve(tunnel) || (events & EPOLLIN) == 0) return;
  // Woken for what the other side cannot take yet: once is enough.
  const Side from = tunnel.sides[kClient] == &channel ? kClient : kOrigin;
  if (tunnel.directions[from].has_pending() && !set.loop_->mute(channel, true)) {
    set.cut(tunnel, Reason::kOverCapacity);
  }
}

bool RelaySet::serve(Tunnel& tunnel) {
  return pump(tunnel, kClient) != Step::kEnded && pump(tunnel, kOrigin) != Step::kEnded;
}

RelaySet::Step RelaySet::pump(Tunnel& tunnel, Side from) {
  Direction& direction = tunnel.directions[from];
  Channel& source = *tunnel.sides[from];
  for (int step = 0; step < kStepsPerTurn; ++step) {
    if (direction.has_ended) return Step::kWaiting;
    if (direction.has_pending()) {
      const Step flushed = flush(tunnel, from);
      if (flushed != Step::kMoved) return flushed;
      if (!loop_->mute(source, false)) {
        cut(tunnel, Reason::kOverCapacity);
        return Step::kEnded;
      }
    }
    if (direction.is_at_end) return end_direction(tunnel, from);
    if (!source.may_read) {
      return_pipe(direction);
      return Step::kWaiting;
    }
    const Step moved = direction.is_bulky ? splice_in(tunnel, from) : copy(tunnel, from);
    if (moved == Step::kEnded) return moved;
  }
  loop_->again_soon(*tunnel.sides[kClient], 0);  // for both directions
  return Step::kMoved;
}

RelaySet::Step RelaySet::copy(Tunnel& tunnel, Side from) {
  Direction& direction = tunnel.directions[from];
  Channel& source = *tunnel.sides[from];
  const ssize_t got = ::recv(source.fd, buffer_.data(), buffer_.size(), 0);
  if (got < 0) {
    if (errno == EINTR) return Step::kMoved;  // nothing would report again: try again
    if (errno == EAGAIN) {
      source.may_read = false;
      return Step::kWaiting;
    }
    broke(tunnel, from, errno);
    return Step::kEnded;
  }
  if (got == 0) {
    direction.is_at_end = true;
    return Step::kMoved;
  }
  const auto count = static_cast<std::size_t>(got);
  tunnel.last_moved = loop_->now();
  direction.octets += count;
  direction.is_bulky = count == buffer_.size() && !direction.must_copy;
  if (count < buffer_.size() && !source.peer_is_done) source.may_read = false;

  Channel& sink = *tunnel.sides[static_cast<std::size_t>(other(from))];
  std::size_t sent = 0;
  while (sent < count && sink.may_write) {
    const ssize_t done = ::send(sink.fd, buffer_.data() + sent, count - sent, MSG_NOSIGNAL);
    if (done >= 0) {
      sent += static_cast<std::size_t>(done);
      if (sent < count) sink.may_write = false;  // it took a part: its buffer is full
    } else if (errno == EAGAIN) {
      sink.may_write = false;
    } else if (errno != EINTR) {
      broke(tunnel, static_cast<Side>(other(from)), errno);
      return Step::kEnded;
    }
  }
  if (sent < count) {
    try {
      direction.unsent = std::make_unique<std::string>(buffer_.data() + sent, count - sent);
    } catch (const std::bad_alloc&) {  // what was read is lost, and so is the tunnel
      cut(tunnel, Reason::kOverCapacity);
      return Step::kEnded;
    }
  }
  return Step::kMoved;
}

RelaySet::Step RelaySet::splice_in(Tunnel& tunnel, Side from) {
  Direction& direction = tunnel.directions[from];
  Channel& source = *tunnel.sides[from];
  if (!direction.pipe.is_open()) direction.pipe = pipes_.take();
  if (!direction.pipe.is_open()) {
    direction.is_bulky = false;
    return copy(tunnel, from);
  }
  const ssize_t got = ::splice(source.fd, nullptr, direction.pipe.write_end, nullptr,
                               PipePool::kCapacity, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (got < 0) {
    if (errno == EINTR) return Step::kMoved;
    if (errno == EAGAIN) {  // the pipe is empty here, so it is the socket that has nothing
      source.may_read = false;
      return Step::kWaiting;
    }
    if (errno == EINVAL || errno == ENOSYS) {
      direction.must_copy = true;
      direction.is_bulky = false;
      return copy(tunnel, from);
    }
    broke(tunnel, from, errno);
    return Step::kEnded;
  }
  if (got == 0) {
    direction.is_at_end = true;
    return Step::kMoved;
  }
  tunnel.last_moved = loop_->now();
  direction.in_pipe = static_cast<std::uint32_t>(got);
  direction.octets += static_cast<std::uint64_t>(got);
  direction.is_bulky = static_cast<std::size_t>(got) >= kTrickle;
  return Step::kMoved;
}

RelaySet::Step RelaySet::flush(Tunnel& tunnel, Side from) {
  Direction& direction = tunnel.directions[from];
  Channel& sink = *tunnel.sides[static_cast<std::size_t>(other(from))];
  while (direction.has_pending()) {
    if (!sink.may_write) {
      if (loop_->watch_writable(sink)) return Step::kWaiting;
      cut(tunnel, Reason::kOverCapacity);
      return Step::kEnded;
    }
    const ssize_t done =
        direction.unsent
            ? ::send(sink.fd, direction.unsent->data(), direction.unsent->size(), MSG_NOSIGNAL)
            : ::splice(direction.pipe.read_end, nullptr, sink.fd, nullptr, direction.in_pipe,
                       SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (done < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        sink.may_write = false;
        continue;
      }
      broke(tunnel, static_cast<Side>(other(from)), errno);
      return Step::kEnded;
    }
    tunnel.last_moved = loop_->now();
    if (direction.unsent) {
      direction.unsent->erase(0, static_cast<std::size_t>(done));
      if (direction.unsent->empty()) direction.unsent.reset();
    } else {
      direction.in_pipe -= static_cast<std::uint32_t>(done);
    }
    if (direction.has_pending()) sink.may_write = false;  // it took a part: its buffer is full
  }
  if (!direction.is_bulky) return_pipe(direction);
  return Step::kMoved;
}

void RelaySet::return_pipe(Direction& direction) {
  if (!direction.pipe.is_open() || direction.in_pipe > 0) return;
  pipes_.give_back(std::exchange(direction.pipe, Pipe{}));
}

RelaySet::Step RelaySet::end_direction(Tunnel& tunnel, Side from) {
  tunnel.directions[from].has_ended = true;
  if (!tunnel.closed_first) tunnel.closed_first = from;
  return_pipe(tunnel.directions[from]);
  const auto sink = static_cast<std::size_t>(other(from));
  if (tunnel.directions[sink].has_ended) {
    const bool by_client = *tunnel.closed_first == kClient;
    finish(tunnel, by_client ? Reason::kClientClosed : Reason::kOriginClosed, std::errc{});
    return Step::kEnded;
  }
  ::shutdown(tunnel.sides[sink]->fd, SHUT_WR);
  return Step::kWaiting;
}

void RelaySet::broke(Tunnel& tunnel, Side side, int error) {
  close_with_reset(*loop_,
                   *std::exchange(tunnel.sides[static_cast<std::size_t>(other(side))], nullptr));
  finish(tunnel, side == kClient ? Reason::kClientClosed : Reason::kOriginClosed, std::errc(error));
}

void RelaySet::cut(Tunnel& tunnel, Reason reason) {
  for (Channel*& channel : tunnel.sides) {
    close_with_reset(*loop_, *std::exchange(channel, nullptr));
  }
  finish(tunnel, reason, std::errc{});
}

void RelaySet::finish(Tunnel& tunnel, Reason reason, std::errc error) {
  for (Channel* channel : tunnel.sides) {
    if (channel != nullptr) loop_->close(*channel);
  }
  for (Direction& direction : tunnel.directions) {
    if (direction.in_pipe > 0) pipes_.discard(std::exchange(direction.pipe, Pipe{}));
    direction.in_pipe = 0;
    return_pipe(direction);
  }
  if (tunnel.prev != nullptr) tunnel.prev->next = tunnel.next;
  if (tunnel.next != nullptr) tunnel.next->prev = tunnel.prev;
  if (first_ == &tunnel) first_ = tunnel.next;
  if (next_judged_ == &tunnel) next_judged_ = tunnel.next;
  --size_;
  const std::unique_ptr<Tunnel> ended(&tunnel);
  ended->owner->tunnel_ended(
      {reason, error, ended->directions[kClient].octets, ended->directions[kOrigin].octets});
}

}  // namespace ebbgate::net
