// Replacing the running binary (SIGUSR2): the new process inherits the listening sockets, so that
// no connection is refused or lost between the two, and says through a pipe when it is ready.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "proxy/gateway.h"

namespace ebbgate::app {

// What a predecessor left for this process. Read once, early: the environment is cleaned.
struct Inheritance {
  std::vector<proxy::ListeningSockets> sockets;
  int ready_fd = -1;  // to be written to once this process serves
  [[nodiscard]] bool is_there() const { return ready_fd >= 0; }
};
[[nodiscard]] Inheritance take_inheritance();

// The sockets that were left for `at`, if any; they are the caller's then. For port 0, those of the
// first port of that address which nobody has taken.
[[nodiscard]] std::vector<int> take_sockets(Inheritance& inheritance, const Endpoint& at);

// Closes what nobody has taken, for addresses that are not listened on any more: the kernel would
// go on completing connections there that nobody accepts.
void close_unused(Inheritance& inheritance);

// Tells the predecessor that this process serves.
void tell_predecessor(Inheritance& inheritance);

// The file of this program, which a successor is started from: an absolute path, or, where no /proc
// is mounted, the one by which it was called. To be asked before the file is replaced.
[[nodiscard]] std::string own_file();

struct Successor {
  pid_t pid;
  int ready_fd;  // readable: an octet when it serves, the end when it died before
};

// Starts this program's file anew with `arguments` (argv of this process) and the sockets.
[[nodiscard]] Result<Successor> start_successor(
    const std::vector<std::string>& arguments, const std::vector<proxy::ListeningSockets>& sockets);

}  // namespace ebbgate::app
