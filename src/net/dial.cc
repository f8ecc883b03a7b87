#include "net/dial.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace ebbgate::net {
namespace {

// The addresses one after the other, the families taking turns (RFC 8305, section 4, with a First
// Address Family Count of 1); what is left when one family runs out follows as it is.
class Turns {
 public:
  explicit Turns(std::span<const IpAddress> addresses) : addresses_(addresses) {}

  // The next address, or null at the end.
  [[nodiscard]] const IpAddress* next() {
    const IpAddress* found = next_of(wants_v6_);
    if (found == nullptr) found = next_of(!wants_v6_);
    if (found != nullptr) wants_v6_ = found->is_v4();
    return found;
  }

 private:
  [[nodiscard]] const IpAddress* next_of(bool is_v6) {
    std::size_t& place = is_v6 ? next_v6_ : next_v4_;
    while (place < addresses_.size()) {
      const IpAddress& address = addresses_[place++];
      if (address.is_v6() == is_v6) return &address;
    }
    return nullptr;
  }

  std::span<const IpAddress> addresses_;
  std::size_t next_v6_ = 0;
  std::size_t next_v4_ = 0;
  bool wants_v6_ = true;
};

// The attempts that are under way, each a channel of the loop and no coroutine of its own: whoever
// loses is a descriptor to close, with nothing left behind that could still run.
class Race {
 public:
  Race(Loop& loop, Port port, const std::optional<IpAddress>& local)
      : loop_(&loop), port_(port.value()), local_(local) {}
  Race(const Race&) = delete;
  Race& operator=(const Race&) = delete;
  ~Race() {
    for (Attempt& attempt : under_way()) loop_->close(*attempt.channel);
    if (winner_ != nullptr) loop_->close(*winner_);
  }

  // Begins to connect. False where that failed on the spot.
  bool start(const IpAddress& address) {
    const Endpoint to{address, port_};
    if (local_ && local_->is_v4() != address.is_v4()) {
      return note_failure(to, "not of the family of " + local_->str());
    }
    const int fd = ::socket(address.is_v4() ? AF_INET : AF_INET6,
                            SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) return note_failure(to, errno);
    Channel& channel = loop_->open(fd);
    if (const int error = begin_to_connect(channel, to); error != 0) {
      loop_->close(channel);
      return note_failure(to, error);
    }
    // Many silent addresses: the one that has been so for longest makes room.
    if (count_ == attempts_.size()) end(0, "no answer");
    attempts_[count_++] = {&channel, to};
    return true;
  }

  [[nodiscard]] bool is_empty() const { return count_ == 0; }
  [[nodiscard]] bool is_won() const { return winner_ != nullptr; }
  [[nodiscard]] bool lacks_descriptors() const { return lacks_descriptors_; }
  [[nodiscard]] const Endpoint& winner() const { return winning_; }
  [[nodiscard]] Stream take_winner() { return {*loop_, *std::exchange(winner_, nullptr)}; }

  // Each address that was tried, and what became of it.
  [[nodiscard]] std::string report() {
    for (const Attempt& attempt : under_way()) note_failure(attempt.to, "no answer");
    return std::move(failures_);
  }

  // Waits until an attempt has succeeded or failed, or the deadline.
  class Awaiter {
   public:
    Awaiter(Race& race, Deadline deadline)
        : race_(&race), deadline_(deadline), wait_(*race.loop_) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> frame) {
      race_->wait_ = &wait_;
      wait_.begin(frame, deadline_);
    }
    Wait::End await_resume() {
      race_->wait_ = nullptr;
      return wait_.end();
    }

   private:
    Race* race_;
    Deadline deadline_;
    Wait wait_;
  };
  [[nodiscard]] Awaiter until_change(Deadline deadline) { return {*this, deadline}; }

 private:
  struct Attempt {
    Channel* channel = nullptr;
    Endpoint to;
  };

  [[nodiscard]] std::span<Attempt> under_way() { return {attempts_.data(), count_}; }

  // 0, or the error. The kernel reports through epoll how it went on.
  [[nodiscard]] int begin_to_connect(Channel& channel, const Endpoint& to) {
    const int on = 1;
    ::setsockopt(channel.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (local_) {
      // The port is chosen by connect(), for which one of another destination may serve again.
      ::setsockopt(channel.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
      const SocketAddress from(Endpoint{*local_, 0});
      if (::bind(channel.fd, from.get(), from.size) != 0) return errno;
    }
    channel.may_read = false;
    channel.may_write = false;
    channel.handler = &Race::on_ready;
    channel.owner = this;
    const SocketAddress address(to);
    if (::connect(channel.fd, address.get(), address.size) != 0 && errno != EINPROGRESS) {
      return errno;
    }
    return loop_->watch_writable(channel) ? 0 : errno;
  }

  static void on_ready(Channel& channel, std::uint32_t events) {
    auto& self = *static_cast<Race*>(channel.owner);
    const auto attempts = self.under_way();
    const auto attempt = std::ranges::find(attempts, &channel, &Attempt::channel);
    if (attempt == attempts.end() || self.is_won()) return;
    const auto index = static_cast<std::size_t>(attempt - attempts.begin());
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
      int error = 0;
      socklen_t size = sizeof error;
      ::getsockopt(channel.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      // No error, but hung up: connected, and closed by the other side at once.
      self.end(index, std::generic_category().message(error != 0 ? error : ECONNRESET));
    } else if ((events & EPOLLOUT) != 0) {
      self.winner_ = &channel;
      self.winning_ = attempt->to;
      self.remove(index);
    } else {
      return;
    }
    if (self.wait_ != nullptr) self.wait_->finish(Wait::End::kHappened);
  }

  void remove(std::size_t index) {
    std::move(attempts_.begin() + index + 1, attempts_.begin() + count_, attempts_.begin() + index);
    --count_;
  }

  void end(std::size_t index, std::string_view why) {
    note_failure(attempts_[index].to, why);
    loop_->close(*attempts_[index].channel);
    remove(index);
  }

  bool note_failure(const Endpoint& to, std::string_view why) {
    if (!failures_.empty()) failures_ += "; ";
    failures_.append(to.str()).append(": ").append(why);
    return false;
  }
  bool note_failure(const Endpoint& to, int error) {
    lacks_descriptors_ = error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
    return note_failure(to, std::generic_category().message(error));
  }

  static constexpr std::size_t kMostAtOnce = 8;  // two seconds' worth of the usual delay

  Loop* loop_;
  std::uint16_t port_;
  std::optional<IpAddress> local_;
  std::array<Attempt, kMostAtOnce> attempts_;
  std::size_t count_ = 0;
  Channel* winner_ = nullptr;
  Endpoint winning_;
  Wait* wait_ = nullptr;
  bool lacks_descriptors_ = false;
  std::string failures_;
};

}  // namespace

Task<Result<Dialed>> dial(Loop& loop, std::vector<IpAddress> addresses, Port port,
                          Deadline deadline, DialOptions options) {
  const MonotonicTime begun = loop.now();
  Turns turns(addresses);
  Race race(loop, port, options.local);
  const IpAddress* next = turns.next();
  for (;;) {
    while (next != nullptr) {
      const bool is_started = race.start(*next);
      next = turns.next();
      if (is_started || race.lacks_descriptors()) break;
    }
    if (race.is_empty()) {
      if (race.lacks_descriptors()) {
        co_return fail(Reason::kOverCapacity, Side::kSelf, race.report());
      }
      co_return fail(Reason::kConnectFailed, Side::kOrigin,
                     addresses.empty() ? "there is no address to connect to" : race.report());
    }
    const Deadline next_is_due =
        next == nullptr ? deadline : deadline.or_earlier(loop.after(options.attempt_delay));
    Race::Awaiter change = race.until_change(next_is_due);
    const Wait::End end = co_await change;
    if (race.is_won()) {
      const Endpoint remote = race.winner();
      co_return Dialed{race.take_winner(), remote, loop.now() - begun};
    }
    if (end == Wait::End::kStopped) {
      co_return fail(Reason::kDraining, Side::kSelf, "stopped while connecting");
    }
    if (loop.now() >= deadline.when()) {
      co_return fail(Reason::kTimedOut, Side::kOrigin, race.report());
    }
  }
}

}  // namespace ebbgate::net
