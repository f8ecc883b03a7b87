#include "admin/server.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "http/request_head.h"
#include "net/stream.h"

namespace ebbgate::admin {
namespace {

constexpr std::size_t kMostConnections = 64;
constexpr Duration kPatience = std::chrono::seconds(10);  // for a request and its answer
constexpr http::HeadLimits kHeadLimits{.octets = 8 * 1024, .fields = 64};

// A connection's place among those that are open.
class Place {
 public:
  Place(std::list<net::Stream*>& open, net::Stream& stream)
      : open_(&open), at_(open.insert(open.end(), &stream)) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { open_->erase(at_); }

 private:
  std::list<net::Stream*>* open_;
  std::list<net::Stream*>::iterator at_;
};

// The answer to one request; the pages have no use for a body.
std::string answer_bytes(const http::RequestHead& head, const AdminState& state,
                         Connection connection) {
  const AdminRequest request{.method = head.method_name(),
                             .target = head.target_text(),
                             .accept = head.fields.first(http::FieldId::kAccept).value_or("")};
  return response_bytes(answer(request, state), request.method, connection);
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(net::Loop& loop, const Endpoint& at,
                                              const std::vector<int>& inherited,
                                              std::function<AdminState()> state) {
  int fd = inherited.empty() ? -1 : inherited.front();
  if (fd < 0) {
    const auto opened = net::open_listener(at, {});
    if (!opened) return std::unexpected(opened.error());
    fd = *opened;
  }
  std::unique_ptr<Server> server(new Server(loop, fd, std::move(state)));
  if (!server->listener_.start()) {
    return fail(Reason::kInternal, Side::kSelf, "cannot watch the socket of " + at.str());
  }
  return server;
}

Server::Server(net::Loop& loop, int fd, std::function<AdminState()> state)
    : loop_(&loop),
      state_(std::move(state)),
      listener_(
          loop, fd,
          [this](int client, const Endpoint& /*from*/) {
            // The oldest make room: who opens many and says nothing keeps no probe out.
            std::size_t excess = open_.size() - std::min(open_.size(), kMostConnections - 1);
            for (auto each = open_.begin(); excess > 0; ++each, --excess) (*each)->cancel();
            net::spawn(serve(net::OwnedFd(client)), [](const std::exception_ptr&) {});
          },
          [](bool, int) {}) {}

void Server::leave() {
  listener_.abandon();
  for (net::Stream* stream : open_) stream->cancel();
}

net::Task<void> Server::serve(net::OwnedFd fd) {
  net::Stream stream(*loop_, fd.release());
  const Place place(open_, stream);
  std::array<char, 1024> block{};
  std::string buffered;
  http::RequestReader reader(kHeadLimits);
  Deadline deadline = loop_->after(kPatience);
  for (bool goes_on = true; goes_on;) {
    const auto consumed = buffered.empty() ? 0 : reader.read(buffered);
    if (!consumed) break;  // not worth an answer on a listener for programs of ours
    if (*consumed == 0) {
      const auto got = co_await stream.read_some(block, deadline);
      if (!got || *got == 0) break;
      buffered.append(block.data(), *got);
      continue;
    }
    buffered.erase(0, *consumed);
    goes_on = reader.head().persistent && reader.head().body.is_empty();
    const std::string bytes = answer_bytes(reader.head(), state_(),
                                           goes_on ? Connection::kKeepAlive : Connection::kClose);
    const auto sent = co_await stream.write_all(bytes, deadline);
    if (!sent) break;
    deadline = loop_->after(kPatience);
  }
}

}  // namespace ebbgate::admin
