// The end of a connection that must not be seen as a reset (RFC 9112 9.6): nothing more is sent,
// and what the other side still sends is read away for a while, so that the kernel has no reason
// to answer it with a reset that would destroy our last words. No coroutine and no epoll
// registration: each is looked at now and then, soon at first.
#pragma once

#include <cstddef>
#include <list>

#include "net/loop.h"
#include "net/stream.h"

namespace ebbgate::net {

class LingerSet {
 public:
  explicit LingerSet(Loop& loop) : loop_(&loop) {}
  LingerSet(const LingerSet&) = delete;
  LingerSet& operator=(const LingerSet&) = delete;
  ~LingerSet() { close_all(); }

  // Half-closes `stream` and closes it once the other side has closed, has sent kOctets more, or
  // kPatience is over. The oldest is closed early where there are more than kMost.
  void add(Stream stream);

  void close_all();
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

  static constexpr Duration kPatience = std::chrono::seconds(2);
  static constexpr std::size_t kOctets = 64 * 1024;
  static constexpr std::size_t kMost = 4096;

 private:
  struct Entry {
    LingerSet* set;
    Channel* channel;
    Duration wait;  // until the next look; doubles
    Duration waited{};
    std::size_t octets = 0;
    Timer timer{&LingerSet::on_timer, this};
    std::list<Entry>::iterator self{};
  };
  static void on_timer(void* entry);
  [[nodiscard]] static bool is_over(Entry& entry);
  void close(Entry& entry);

  Loop* loop_;
  std::list<Entry> entries_;  // oldest first
};

}  // namespace ebbgate::net
