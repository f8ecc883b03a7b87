#include "dns/detail/name_servers.h"

#include <arpa/nameser.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

#include "net/owned_fd.h"

namespace ebbgate::dns::detail {
namespace {

constexpr int kDnsPort = 53;
// The largest UDP payload that no path fragments (DNS flag day 2020); longer replies come by TCP.
constexpr int kUdpPayload = 1232;

int connect_socket(ares_socket_t fd, const sockaddr* address, ares_socklen_t size, void* /*self*/) {
  return ::connect(fd, address, size);
}
// sendmsg and not writev: a server that has closed must not raise SIGPIPE.
ares_ssize_t send_all(ares_socket_t fd, const iovec* parts, int count, void* /*self*/) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);
  message.msg_iovlen = static_cast<std::size_t>(count);
  const ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
  if (sent >= 0 || errno != ECONNREFUSED) return sent;
  // What UDP reports here is an earlier question, refused by the host. Taken as this one's failure,
  // the other would wait for its timeout; sent again, both are refused where c-ares receives.
  return ::sendmsg(fd, &message, MSG_NOSIGNAL);
}

// What c-ares keeps to itself: it takes such replies for none (RFC 1035 section 4.1.1).
std::string_view rcode_word(std::uint8_t rcode) {
  switch (rcode) {
    case 2:
      return "SERVFAIL";
    case 4:
      return "NOTIMP";
    case 5:
      return "REFUSED";
    default:
      return {};
  }
}

std::string to_csv(const std::vector<Endpoint>& servers) {
  std::string csv;
  for (const Endpoint& server : servers) csv += (csv.empty() ? "" : ",") + server.str();
  return csv;
}

// The servers that are asked, for people: the port only where it is not the usual one.
std::string describe(ares_channel channel) {
  std::string text;
  ares_addr_port_node* servers = nullptr;
  if (ares_get_servers_ports(channel, &servers) != ARES_SUCCESS) return text;
  for (const ares_addr_port_node* server = servers; server != nullptr; server = server->next) {
    std::array<char, INET6_ADDRSTRLEN> shown{};
    ares_inet_ntop(server->family, &server->addr, shown.data(), shown.size());
    if (!text.empty()) text += ", ";
    const bool is_usual = server->udp_port == 0 || server->udp_port == kDnsPort;
    const bool has_brackets = server->family == AF_INET6 && !is_usual;
    text += has_brackets ? "[" + std::string(shown.data()) + "]" : shown.data();
    if (!is_usual) text += ":" + std::to_string(server->udp_port);
  }
  ares_free_data(servers);
  return text;
}

}  // namespace

Result<std::unique_ptr<NameServers>> NameServers::make(net::Loop& loop,
                                                       const ResolverOptions& options) {
  std::unique_ptr<NameServers> self(new NameServers(loop));
  ares_options settings{};
  // The two flags keep names absolute. Sockets are not kept open between questions, so that each
  // burst has source ports that nobody can guess (RFC 5452 section 4.5).
  settings.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS;
  settings.ednspsz = kUdpPayload;
  settings.timeout = static_cast<int>(
      std::chrono::ceil<std::chrono::milliseconds>(options.attempt_timeout).count());
  settings.tries = options.rounds;
  settings.ndomains = 0;
  settings.sock_state_cb = &NameServers::on_interest;
  settings.sock_state_cb_data = self.get();
  std::string resolv_conf = options.resolv_conf;
  settings.resolvconf_path = resolv_conf.data();
  const int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                   ARES_OPT_DOMAINS | ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF;
  int status = ares_init_options(&self->channel_, &settings, mask);
  if (status != ARES_SUCCESS) {
    return fail(Reason::kInternal, Side::kSelf,
                std::string("cannot set up name resolution: ") + ares_strerror(status));
  }
  if (!options.servers.empty()) {
    const std::string csv = to_csv(options.servers);
    status = ares_set_servers_ports_csv(self->channel_, csv.c_str());
    if (status != ARES_SUCCESS) {
      return fail(Reason::kInternal, Side::kSelf,
                  "cannot use the name servers " + csv + ": " + ares_strerror(status));
    }
  }
  static constexpr ares_socket_functions kSocketFunctions{
      .asocket = &NameServers::open_socket,
      .aclose = &NameServers::close_socket,
      .aconnect = &connect_socket,
      .arecvfrom = &NameServers::receive,
      .asendv = &send_all,
  };
  ares_set_socket_functions(self->channel_, &kSocketFunctions, self.get());
  self->servers_ = describe(self->channel_);
  return self;
}

NameServers::~NameServers() {
  if (channel_ != nullptr) ares_destroy(channel_);  // answers every question as kAbandoned
}

void NameServers::ask(const std::string& name, Family family, OnReply on_reply) {
  auto question = std::make_unique<Question>(this, family, loop_->now(), std::move(on_reply));
  last_rcode_ = 0;
  ares_query(channel_, name.c_str(), ns_c_in, family == Family::kV4 ? ns_t_a : ns_t_aaaa,
             &NameServers::on_answer, question.release());
  arm_timer();
}

void NameServers::on_answer(void* question, int status, int /*timeouts*/, unsigned char* octets,
                            int size) {
  const std::unique_ptr<Question> asked(static_cast<Question*>(question));
  const std::span<const std::uint8_t> message(
      octets, octets == nullptr ? 0 : static_cast<std::size_t>(size));
  Reply reply{Reply::Kind::kNoMemory, {}, {}, {}};
  try {
    reply = asked->self->to_reply(*asked, status, message);
  } catch (const std::bad_alloc&) {  // nothing may be thrown through c-ares
  }
  asked->on_reply(std::move(reply));
}

Reply NameServers::to_reply(const Question& question, int status,
                            std::span<const std::uint8_t> message) const {
  const auto none = [&](std::string detail) {
    const auto ttl = read_negative_ttl(message);
    return Reply{Reply::Kind::kNone, {}, ttl.value_or(std::chrono::seconds(0)), std::move(detail)};
  };
  const auto failed = [](std::string detail) {
    return Reply{Reply::Kind::kFailed, {}, {}, std::move(detail)};
  };
  if (const std::string_view refusal = rcode_word(last_rcode_);
      !refusal.empty() && (status == ARES_ECONNREFUSED || status == ARES_ETIMEOUT)) {
    return failed(std::string(refusal) + " from " + servers_);
  }
  switch (status) {
    case ARES_SUCCESS: {
      auto records = read_addresses(question.family, message);
      if (!records) return failed("malformed reply from " + servers_);
      if (records->addresses.empty()) return none("no addresses");
      return {Reply::Kind::kAddresses, std::move(records->addresses), records->ttl, {}};
    }
    case ARES_ENODATA:
      return none("no addresses");
    case ARES_ENOTFOUND:
      return none("NXDOMAIN");
    case ARES_ETIMEOUT:
      return failed(timed_out_since(question.asked));
    case ARES_ECONNREFUSED:
      if (socket_error_ != 0) {
        return failed("cannot ask " + servers_ + ": " +
                      std::generic_category().message(socket_error_));
      }
      return failed("no usable answer from " + servers_);
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION:
      return {Reply::Kind::kAbandoned, {}, {}, "stopped while resolving"};
    default:
      return failed(std::string(ares_strerror(status)) + ", asking " + servers_);
  }
}

std::string NameServers::timed_out_since(MonotonicTime asked) const {
  const auto tenths =
      std::chrono::round<std::chrono::duration<std::int64_t, std::deci>>(loop_->now() - asked)
          .count();
  std::string text = "timed out after " + std::to_string(tenths / 10);
  if (tenths % 10 != 0) text += "." + std::to_string(tenths % 10);
  return text + " s from " + servers_;
}

ares_socket_t NameServers::open_socket(int domain, int type, int protocol, void* self) {
  auto& servers = *static_cast<NameServers*>(self);
  const int fd = ::socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  servers.socket_error_ = fd < 0 ? errno : 0;
  if (fd < 0) return ARES_SOCKET_BAD;
  try {
    net::OwnedFd owned(fd);
    servers.sockets_.reserve(servers.sockets_.size() + 1);
    net::Channel& channel = servers.loop_->open(owned.release());
    channel.handler = &NameServers::on_ready;
    channel.owner = &servers;
    servers.sockets_.push_back(&channel);
    return fd;
  } catch (const std::bad_alloc&) {
    servers.socket_error_ = ENOMEM;
    return ARES_SOCKET_BAD;
  }
}

int NameServers::close_socket(ares_socket_t fd, void* self) {
  auto& servers = *static_cast<NameServers*>(self);
  net::Channel* channel = servers.channel_of(fd);
  std::erase(servers.sockets_, channel);
  servers.loop_->close(*channel);
  return 0;
}

ares_ssize_t NameServers::receive(ares_socket_t fd, void* buffer, std::size_t size, int flags,
                                  sockaddr* from, ares_socklen_t* from_size, void* self) {
  const ssize_t got = ::recvfrom(fd, buffer, size, flags, from, from_size);
  // By UDP, which alone asks for the sender, a message comes whole.
  if (from != nullptr && got >= 4) {
    static_cast<NameServers*>(self)->last_rcode_ = static_cast<std::uint8_t*>(buffer)[3] & 0x0f;
  }
  return got;
}

void NameServers::on_interest(void* self, ares_socket_t fd, int readable, int writable) {
  auto& servers = *static_cast<NameServers*>(self);
  const std::uint32_t events = (readable != 0 ? std::uint32_t{EPOLLIN} : 0U) |
                               (writable != 0 ? std::uint32_t{EPOLLOUT} : 0U);
  if (events == 0) return;  // about to be closed
  net::Channel& channel = *servers.channel_of(fd);
  // By level, since c-ares need not read until nothing is left. Where the system refuses to watch,
  // the question times out.
  [[maybe_unused]] const bool is_watched = channel.is_registered
                                               ? servers.loop_->rewatch(channel, events)
                                               : servers.loop_->watch(channel, events);
}

net::Channel* NameServers::channel_of(ares_socket_t fd) {
  const auto found = std::ranges::find(sockets_, fd, &net::Channel::fd);
  return found == sockets_.end() ? nullptr : *found;
}

void NameServers::on_ready(net::Channel& channel, std::uint32_t events) {
  auto& self = *static_cast<NameServers*>(channel.owner);
  const ares_socket_t fd = channel.fd;  // the channel may be gone after the first of the two
  const bool is_readable = (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
  const bool is_writable = (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0;
  self.last_rcode_ = 0;
  ares_process_fd(self.channel_, is_readable ? fd : ARES_SOCKET_BAD,
                  is_writable ? fd : ARES_SOCKET_BAD);
  self.arm_timer();
}

void NameServers::on_time(void* self) {
  auto& servers = *static_cast<NameServers*>(self);
  servers.last_rcode_ = 0;
  ares_process_fd(servers.channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  servers.arm_timer();
}

void NameServers::arm_timer() {
  timeval wait{};
  if (ares_timeout(channel_, nullptr, &wait) == nullptr) {
    timer_.disarm();
    return;
  }
  const Duration allowance =
      std::chrono::seconds(wait.tv_sec) + std::chrono::microseconds(wait.tv_usec);
  // c-ares reads its own clock, a little ahead of the turn's: never a wait of nothing.
  loop_->arm(timer_, loop_->after(std::max(allowance, Duration(std::chrono::milliseconds(1)))));
}

}  // namespace ebbgate::dns::detail
