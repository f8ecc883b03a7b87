// Puts questions to name servers, through c-ares, on a worker's loop: its sockets are channels of
// the loop, its timeouts one timer. Out comes one Reply a question. Retries, the next server, TCP
// for truncated replies (RFC 7766) and matching replies to questions are c-ares'.
#pragma once

#include <ares.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"
#include "dns/detail/reply.h"
#include "dns/resolver.h"
#include "net/loop.h"

namespace ebbgate::dns::detail {

// What came of one question.
struct Reply {
  enum class Kind : std::uint8_t {
    kAddresses,
    kNone,       // the zone says that there are none
    kFailed,     // the servers gave no usable answer
    kNoMemory,   // asking, or reading the answer, took more memory than there is
    kAbandoned,  // nobody will answer: the NameServers are at their end
  };
  Kind kind = Kind::kFailed;
  std::vector<IpAddress> addresses;
  Duration ttl{0};     // as the zone has it; 0 for kNone where it says nothing, and for the others
  std::string detail;  // why there are no addresses
};

class NameServers {
 public:
  // Called once a question, perhaps before ask() returns.
  using OnReply = std::move_only_function<void(Reply)>;

  [[nodiscard]] static Result<std::unique_ptr<NameServers>> make(net::Loop& loop,
                                                                 const ResolverOptions& options);
  NameServers(const NameServers&) = delete;
  NameServers& operator=(const NameServers&) = delete;
  ~NameServers();

  // Asks for the records of exactly that name. Where that throws std::bad_alloc, nothing is asked.
  void ask(const std::string& name, Family family, OnReply on_reply);

  // "timed out after 2.5 s from 10.0.0.2": what to say of a question put at `asked`.
  [[nodiscard]] std::string timed_out_since(MonotonicTime asked) const;

 private:
  struct Question {
    NameServers* self;
    Family family;
    MonotonicTime asked;
    OnReply on_reply;
  };

  explicit NameServers(net::Loop& loop) : loop_(&loop) {}

  static void on_answer(void* question, int status, int timeouts, unsigned char* octets, int size);
  [[nodiscard]] Reply to_reply(const Question& question, int status,
                               std::span<const std::uint8_t> message) const;

  // What c-ares calls for its sockets, with `self` as the last or first argument.
  static ares_socket_t open_socket(int domain, int type, int protocol, void* self);
  static int close_socket(ares_socket_t fd, void* self);
  static ares_ssize_t receive(ares_socket_t fd, void* buffer, std::size_t size, int flags,
                              sockaddr* from, ares_socklen_t* from_size, void* self);
  static void on_interest(void* self, ares_socket_t fd, int readable, int writable);

  static void on_ready(net::Channel& channel, std::uint32_t events);
  static void on_time(void* self);
  void arm_timer();
  [[nodiscard]] net::Channel* channel_of(ares_socket_t fd);

  net::Loop* loop_;
  ares_channel channel_ = nullptr;
  std::vector<net::Channel*> sockets_;  // a few: one or two for each server
  net::Timer timer_{&NameServers::on_time, this};
  std::string servers_;  // as they are shown to people
  // Of the message that c-ares is dealing with; 0 when there is none.
  std::uint8_t last_rcode_ = 0;
  int socket_error_ = 0;  // why the last socket could not be opened; 0 when it could
};

}  // namespace ebbgate::dns::detail
