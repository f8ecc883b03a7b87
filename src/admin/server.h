// The listener of the admin and health pages: a few small HTTP/1.1 connections on the control
// loop, each request answered by pages.h.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "admin/pages.h"
#include "base/authority.h"
#include "base/result.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/owned_fd.h"
#include "net/stream.h"
#include "net/task.h"

namespace ebbgate::admin {

class Server {
 public:
  // Listens on `at`, with the socket that a predecessor left for it, if any. `state` is asked for
  // every request, on the loop's thread. Error kInternal: it cannot listen.
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(net::Loop& loop, const Endpoint& at,
                                                             const std::vector<int>& inherited,
                                                             std::function<AdminState()> state);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] Endpoint local() const { return listener_.local(); }
  [[nodiscard]] int fd() const { return listener_.fd(); }

  // Leaves the socket to a successor that holds it, too, and ends the connections that are open.
  void leave();

 private:
  Server(net::Loop& loop, int fd, std::function<AdminState()> state);
  [[nodiscard]] net::Task<void> serve(net::OwnedFd fd);

  net::Loop* loop_;
  std::function<AdminState()> state_;
  std::list<net::Stream*> open_;  // oldest first
  net::Listener listener_;
};

}  // namespace ebbgate::admin
