// Another program, run without blocking the loop: what it printed, and how it ended.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/loop.h"
#include "net/task.h"

namespace ebbgate::kube::detail {

struct Command {
  std::vector<std::string> words = {};  // the program, looked for in PATH, and its arguments
  // Besides this process's own environment, or instead of what is there.
  std::vector<std::pair<std::string, std::string>> environment = {};
};

struct Finished {
  std::string output;  // at most 1 MiB
  std::string errors;  // at most 4 KiB of what it wrote to its standard error
  int status = 0;      // what it ended with; 128 and the signal where it was one
};

// It has nothing to read, and a process group of its own, which is killed at the deadline.
// Errors: kTimedOut, kDraining, kInternal where it cannot be started or prints too much.
[[nodiscard]] net::Task<Result<Finished>> run(net::Loop& loop, Command command, Deadline deadline);

}  // namespace ebbgate::kube::detail
