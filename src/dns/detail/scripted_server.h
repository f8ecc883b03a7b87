// A name server for tests: on one loopback port, by UDP and TCP, in a thread of its own. The test
// says what it replies. Nothing but tests includes it.
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/authority.h"
#include "net/stream.h"
#include "net/testing.h"

namespace ebbgate::dns::testing {

inline constexpr std::uint16_t kA = 1, kCname = 5, kSoa = 6, kAaaa = 28;

inline std::string number16(unsigned value) {
  return {static_cast<char>(value >> 8 & 0xff), static_cast<char>(value & 0xff)};
}
inline std::string number32(std::uint32_t value) {
  return number16(value >> 16) + number16(value & 0xffff);
}
// A name as RFC 1035 section 3.1 has it on the wire.
inline std::string wire_name(std::string_view name) {
  std::string wire;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    wire += static_cast<char>(label.size());
    wire += label;
    name.remove_prefix(std::min(label.size() + 1, name.size()));
  }
  return wire + '\0';
}

struct Record {
  std::string owner;
  std::uint16_t type;
  std::uint32_t ttl;
  std::string data;
};
inline Record address(std::string owner, std::string_view text, std::uint32_t ttl) {
  const IpAddress ip = *IpAddress::parse(text);
  const auto& bytes = ip.bytes();
  return {std::move(owner), ip.is_v4() ? kA : kAaaa, ttl,
          std::string(bytes.begin() + (ip.is_v4() ? 12 : 0), bytes.end())};
}
inline Record alias(std::string owner, std::string_view target, std::uint32_t ttl) {
  return {std::move(owner), kCname, ttl, wire_name(target)};
}
inline Record start_of_authority(std::string zone, std::uint32_t ttl, std::uint32_t minimum) {
  return {zone, kSoa, ttl,
          wire_name("ns." + zone) + wire_name("admin." + zone) + number32(1) + number32(2) +
              number32(3) + number32(4) + number32(minimum)};
}

struct Question {
  std::string name;
  std::uint16_t type = 0;
  bool is_tcp = false;
  bool has_edns = false;
};

struct Reply {
  enum class Send : std::uint8_t { kNow, kNever, kWithTheNext };
  int rcode = 0;
  std::vector<Record> answers = {};
  std::vector<Record> authority = {};
  bool is_truncated = false;
  Send send = Send::kNow;
};
inline Reply silence() {
  Reply reply;
  reply.send = Reply::Send::kNever;
  return reply;
}

// The octets of `reply` to the message `asked`, whose question it repeats.
inline std::string to_message(std::string_view asked, std::size_t question_size,
                              const Reply& reply) {
  const unsigned flags =
      0x8180U | (reply.is_truncated ? 0x0200U : 0U) | static_cast<unsigned>(reply.rcode);
  std::string message(asked.substr(0, 2));
  message += number16(flags) + number16(1) + number16(static_cast<unsigned>(reply.answers.size())) +
             number16(static_cast<unsigned>(reply.authority.size())) + number16(0);
  message += asked.substr(12, question_size);
  for (const auto* records : {&reply.answers, &reply.authority}) {
    for (const Record& record : *records) {
      message += wire_name(record.owner) + number16(record.type) + number16(1) +
                 number32(record.ttl) + number16(static_cast<unsigned>(record.data.size())) +
                 record.data;
    }
  }
  return message;
}

class ScriptedServer {
 public:
  // Called in the server's thread, one question at a time.
  using Script = std::function<Reply(const Question&)>;

  explicit ScriptedServer(Script script) : script_(std::move(script)) {
    // A port that is free for both protocols.
    do {
      tcp_ = net::testing::Socket::listening(*IpAddress::parse("127.0.0.1"));
      udp_ = net::testing::Socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      at_ = tcp_.local();
      const net::SocketAddress address(at_);
      if (::bind(udp_.fd(), address.get(), address.size) == 0) break;
    } while (true);
    thread_ = std::thread([this] { serve(); });
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;
  ~ScriptedServer() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(stop_.fd(), &one, sizeof one);
    thread_.join();
  }

  [[nodiscard]] const Endpoint& at() const { return at_; }
  [[nodiscard]] std::vector<Question> questions() const {
    const std::lock_guard lock(mutex_);
    return questions_;
  }

 private:
  void serve() {
    for (;;) {
      std::array<pollfd, 3> watched{
          {{udp_.fd(), POLLIN, 0}, {tcp_.fd(), POLLIN, 0}, {stop_.fd(), POLLIN, 0}}};
      ::poll(watched.data(), watched.size(), -1);
      if (watched[2].revents != 0) return;
      if (watched[0].revents != 0) serve_udp();
      if (watched[1].revents != 0) serve_tcp();
    }
  }

  void serve_udp() {
    std::array<char, 4096> buffer{};
    net::SocketAddress from;
    const ssize_t got =
        ::recvfrom(udp_.fd(), buffer.data(), buffer.size(), 0, from.get(), &from.size);
    if (got < 12) return;
    for (const auto& [to, message] : std::exchange(held_back_, {})) send_to(to, message);
    const auto [reply, message] = answer({buffer.data(), static_cast<std::size_t>(got)}, false);
    if (reply.send == Reply::Send::kNow) send_to(from, message);
    if (reply.send == Reply::Send::kWithTheNext) held_back_.emplace_back(from, message);
  }
  void send_to(const net::SocketAddress& to, const std::string& message) const {
    ::sendto(udp_.fd(), message.data(), message.size(), 0, to.get(), to.size);
  }

  // One connection, one question after the other, until the client closes.
  void serve_tcp() {
    const net::testing::Socket client = tcp_.accept();
    for (;;) {
      std::array<unsigned char, 2> prefix{};
      if (::recv(client.fd(), prefix.data(), 2, MSG_WAITALL) != 2) return;
      std::string asked(static_cast<std::size_t>(prefix[0] << 8 | prefix[1]), '\0');
      if (::recv(client.fd(), asked.data(), asked.size(), MSG_WAITALL) !=
          static_cast<ssize_t>(asked.size())) {
        return;
      }
      const std::string message = answer(asked, true).second;
      const std::string framed = number16(static_cast<unsigned>(message.size())) + message;
      ::send(client.fd(), framed.data(), framed.size(), MSG_NOSIGNAL);
    }
  }

  std::pair<Reply, std::string> answer(std::string_view asked, bool is_tcp) {
    Question question;
    question.is_tcp = is_tcp;
    question.has_edns = asked[11] != 0;  // the additional section holds OPT only
    std::size_t at = 12;
    while (at < asked.size() && asked[at] != 0) {
      const auto length = static_cast<std::size_t>(asked[at]);
      if (!question.name.empty()) question.name += '.';
      question.name += asked.substr(at + 1, length);
      at += 1 + length;
    }
    question.type = static_cast<std::uint16_t>(asked.at(at + 2));
    {
      const std::lock_guard lock(mutex_);
      questions_.push_back(question);
    }
    Reply reply = script_(question);
    std::string message = to_message(asked, at + 5 - 12, reply);
    return {std::move(reply), std::move(message)};
  }

  Script script_;
  net::testing::Socket tcp_{-1};
  net::testing::Socket udp_{-1};
  net::testing::Socket stop_{::eventfd(0, EFD_CLOEXEC)};
  Endpoint at_;
  std::vector<std::pair<net::SocketAddress, std::string>> held_back_;
  mutable std::mutex mutex_;
  std::vector<Question> questions_;
  std::thread thread_;
};

}  // namespace ebbgate::dns::testing
