// A listening socket of one worker. Each worker has its own on the same address (SO_REUSEPORT), so
// that the kernel spreads connections without a lock of ours.
#pragma once

#include <chrono>
#include <functional>

#include "base/authority.h"
#include "base/result.h"
#include "net/loop.h"

namespace ebbgate::net {

struct ListenOptions {
  Duration keepalive = std::chrono::seconds(60);  // idle time before the first probe; 0: none
  int backlog = 4096;
  // Whether clients speak first: a connection is then reported once it has octets to read, or after
  // a second without any, which spares a wake-up and two system calls each.
  bool clients_speak_first = false;
};

// A non-blocking listening socket on `at`, of which several may be open at once. `[::]` takes IPv4
// clients, too, whatever the host's net.ipv6.bindv6only says. What accepted sockets inherit is set
// here once: no delay for small segments, keep-alive probes.
// Error kInternal says which call failed and why.
[[nodiscard]] Result<int> open_listener(const Endpoint& at, const ListenOptions& options);

// Sets keep-alive probes on a connected socket: first after `idle`, then in intervals of a quarter.
void set_keepalive(int fd, Duration idle);

class Listener {
 public:
  // Called for each connection with its non-blocking descriptor, which is the callee's even where
  // it throws std::bad_alloc, and the other side's address.
  using OnAccept = std::function<void(int fd, const Endpoint& from)>;
  // Called when the process has no descriptor left (true), and when it accepts again (false).
  using OnExhausted = std::function<void(bool is_exhausted, int error)>;

  Listener(Loop& loop, int fd, OnAccept on_accept, OnExhausted on_exhausted);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  // Begins to accept; false where the system refuses to watch the socket.
  [[nodiscard]] bool start();
  // Accepts clients that have not spoken, too, from now on: the kernel would keep them to itself,
  // and forget them when this closes.
  void accept_silent_clients();
  // Accepts what the kernel has completed already, then closes: nobody whose handshake is done is
  // turned away with a reset.
  void close();
  // Stops accepting and leaves the socket to another process that holds it, too.
  void abandon();

  [[nodiscard]] Endpoint local() const;
  [[nodiscard]] int fd() const;

 private:
  static constexpr Duration kPause = std::chrono::milliseconds(50);
  static constexpr int kBurst = 64;  // connections a turn, so that others get theirs

  static void on_ready(Channel& channel, std::uint32_t events);
  static void on_pause_over(void* self);
  void accept_some(int most);

  Loop* loop_;
  Channel* channel_;
  OnAccept on_accept_;
  OnExhausted on_exhausted_;
  Timer pause_{&Listener::on_pause_over, this};
  bool is_exhausted_ = false;
};

}  // namespace ebbgate::net
