// What a name resolved to. In: nothing. Out: a value that the cache, and everyone who was told of
// it, share; it never changes.
#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"

namespace ebbgate::dns {

struct Answer {
  std::vector<IpAddress> addresses;  // at least one; A and AAAA, each in the server's order
  MonotonicTime expiry;              // MonotonicTime::max() for what /etc/hosts says

  bool operator==(const Answer&) const = default;
};

// Hold it as long as you like: a copy of the pointer is what a coroutine keeps while it waits.
using AnswerPtr = std::shared_ptr<const Answer>;

// What is known of a name: its addresses, or why it has none.
using Outcome = Result<AnswerPtr>;

}  // namespace ebbgate::dns
