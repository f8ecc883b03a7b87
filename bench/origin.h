// What the load generator runs on: one epoll, the origin that it plays, and the DNS responder that
// every proxy under test asks.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace ebbgate::bench {

constexpr std::uint16_t kOriginPort = 8443;
constexpr std::uint16_t kDnsPort = 53;

[[noreturn]] inline void die(const std::string& what) {
  std::cerr << "load: " << what << ": " << std::strerror(errno) << '\n';
  std::exit(1);
}

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline const sockaddr* generic(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);  // the socket interface's own cast
}

// Something that waits for events of one descriptor, and owns it.
class Watched {
 public:
  explicit Watched(int fd) : fd_(fd) {}
  virtual ~Watched() { close(fd_); }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  virtual void ready(std::uint32_t events) = 0;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

class Loop {
 public:
  Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ < 0) die("epoll");
  }

  void add(std::unique_ptr<Watched> watched, std::uint32_t events) {
    epoll_event event{events, {.ptr = watched.get()}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, watched->fd(), &event) != 0) die("epoll_ctl");
    live_.insert(watched.release());
  }
  void change(Watched* watched, std::uint32_t events) const {
    epoll_event event{events, {.ptr = watched}};
    epoll_ctl(epoll_, EPOLL_CTL_MOD, watched->fd(), &event);
  }
  // No event of it is wanted any more; it lives until remove().
  void hold(Watched* watched) const { epoll_ctl(epoll_, EPOLL_CTL_DEL, watched->fd(), nullptr); }
  // Ends it; what is still queued for it in this turn is dropped.
  void remove(Watched* watched) {
    if (live_.erase(watched) != 0) delete watched;
  }
  void turn(int milliseconds) {
    std::array<epoll_event, 256> events;
    const int count = epoll_wait(epoll_, events.data(), events.size(), milliseconds);
    for (int i = 0; i < count; ++i) {
      auto* watched = static_cast<Watched*>(events.at(static_cast<std::size_t>(i)).data.ptr);
      if (live_.contains(watched)) watched->ready(events.at(static_cast<std::size_t>(i)).events);
    }
  }

 private:
  int epoll_;
  std::unordered_set<Watched*> live_;
};

// ---- the origin ----------------------------------------------------------------------------

// Answers a ClientHello with one octet, then obeys: `D` or `U` and a decimal count and a newline
// (send that many; read that many, then say so with one octet). A GET is answered as HTTP.
struct Origin {
  std::uint64_t opened = 0;
  std::uint64_t closed = 0;
};

constexpr std::string_view kHttpAnswer =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n"
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123"
    "45678\n";

inline std::vector<char>& bulk_buffer() {
  static std::vector<char> buffer(std::size_t{1} << 20);
  return buffer;
}

class OriginConnection final : public Watched {
 public:
  OriginConnection(int fd, Loop& loop, Origin& origin) : Watched(fd), loop_(loop), origin_(origin) {
    ++origin_.opened;
  }
  ~OriginConnection() override { ++origin_.closed; }

  void ready(std::uint32_t events) override {
    if ((events & EPOLLOUT) != 0 && to_send_ > 0 && !send_more()) return;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
    auto& buffer = bulk_buffer();
    const ssize_t got = recv(fd(), buffer.data(), to_read_ > 0 ? buffer.size() : 16384, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return loop_.remove(this);
    if (to_read_ > 0) return bulk(static_cast<std::uint64_t>(got));
    text_.append(buffer.data(), static_cast<std::size_t>(got));
    obey();
  }

 private:
  void obey() {
    if (text_.starts_with('\x16')) {  // one TLS record
      if (text_.size() < 5) return;
      const std::size_t size =
          5U + static_cast<std::uint8_t>(text_[3]) * 256U + static_cast<std::uint8_t>(text_[4]);
      if (text_.size() < size) return;
      text_.erase(0, size);
      (void)send(fd(), "h", 1, MSG_NOSIGNAL);
    } else if (text_.starts_with("GET ")) {
      const auto end = text_.find("\r\n\r\n");
      if (end == std::string::npos) return;
      text_.erase(0, end + 4);
      (void)send(fd(), kHttpAnswer.data(), kHttpAnswer.size(), MSG_NOSIGNAL);
    } else if (text_.starts_with('D') || text_.starts_with('U')) {
      const auto end = text_.find('\n');
      if (end == std::string::npos) return;
      const std::uint64_t octets = std::strtoull(text_.c_str() + 1, nullptr, 10);
      const bool down = text_[0] == 'D';
      const std::uint64_t rest = text_.size() - end - 1;
      text_.clear();
      if (down) {
        to_send_ = octets;
        loop_.change(this, EPOLLIN | EPOLLOUT);
      } else {
        to_read_ = octets;
        bulk(rest);
      }
    }
  }

  void bulk(std::uint64_t got) {
    to_read_ -= std::min(to_read_, got);
    if (to_read_ == 0) (void)send(fd(), "d", 1, MSG_NOSIGNAL);
  }

  bool send_more() {
    auto& buffer = bulk_buffer();
    const ssize_t sent =
        send(fd(), buffer.data(), std::min<std::uint64_t>(to_send_, buffer.size()), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
      loop_.remove(this);
      return false;
    }
    if (sent > 0) to_send_ -= static_cast<std::uint64_t>(sent);
    if (to_send_ == 0) loop_.change(this, EPOLLIN);
    return true;
  }

  Loop& loop_;
  Origin& origin_;
  std::string text_;
  std::uint64_t to_send_ = 0;
  std::uint64_t to_read_ = 0;
};

class OriginListener final : public Watched {
 public:
  OriginListener(Loop& loop, Origin& origin)
      : Watched(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)), loop_(loop), origin_(origin) {
    const int on = 1;
    setsockopt(fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in address = loopback(kOriginPort);
    if (bind(fd(), generic(address), sizeof address) != 0 || listen(fd(), 4096) != 0)
      die("the origin's listener");
  }
  void ready(std::uint32_t) override {
    for (;;) {
      const int fd = accept4(this->fd(), nullptr, nullptr, SOCK_NONBLOCK);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      loop_.add(std::make_unique<OriginConnection>(fd, loop_, origin_), EPOLLIN);
    }
  }

 private:
  Loop& loop_;
  Origin& origin_;
};

// ---- DNS: every name is 127.0.0.1, without AAAA; pointers do not exist (RFC 1035 4.1) -------

class DnsResponder final : public Watched {
 public:
  DnsResponder() : Watched(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    const sockaddr_in address = loopback(kDnsPort);
    if (bind(fd(), generic(address), sizeof address) != 0) die("the DNS responder's port");
  }
  void ready(std::uint32_t) override {
    std::array<std::uint8_t, 1024> packet;
    sockaddr_in peer{};
    socklen_t peer_size = sizeof peer;
    for (;;) {
      const ssize_t got =
          recvfrom(fd(), packet.data(), 512, 0, reinterpret_cast<sockaddr*>(&peer), &peer_size);
      if (got < 17) return;
      std::size_t end = 12;
      while (end + 5 < static_cast<std::size_t>(got) && packet.at(end) != 0)
        end += 1U + packet.at(end);
      end += 5;  // the root label, type and class
      if (end > static_cast<std::size_t>(got)) continue;
      const std::uint8_t type = packet.at(end - 3);
      packet[2] = 0x85;
      packet[3] = type == 12 ? 0x83 : 0x80;
      const std::array<std::uint8_t, 6> counts = {
          static_cast<std::uint8_t>(type == 1), 0, 0, 0, 0, 0};
      packet[6] = 0;
      std::copy(counts.begin(), counts.begin() + 5, packet.begin() + 7);
      if (type == 1) {
        constexpr std::array<std::uint8_t, 16> kRecord = {0xc0, 12, 0, 1, 0,   1, 0, 0,
                                                          0x0e, 16, 0, 4, 127, 0, 0, 1};
        std::copy(kRecord.begin(), kRecord.end(),
                  packet.begin() + static_cast<std::ptrdiff_t>(end));
        end += kRecord.size();
      }
      sendto(fd(), packet.data(), end, 0, generic(peer), peer_size);
    }
  }
};

}  // namespace ebbgate::bench
