// ListWatch: every object of a kind, and from then on each change, for as long as the process runs.
// It lists, watches from the list's version, resumes where a stream ends, and lists anew where the
// API no longer knows the version. What it hands on may come twice; it is never older than what
// came before.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "kube/client.h"
#include "net/loop.h"

namespace ebbgate::kube {

enum class Change : std::uint8_t { kPut, kRemoved };  // Added and Modified are one: it is so now

// What comes in. Called on the loop; the texts are good during the call only.
class Watcher {
 public:
  virtual ~Watcher() = default;
  // A list of everything begins; it may begin again before it has ended.
  virtual void begin_list() = 0;
  virtual void take(Change change, std::string_view object) = 0;
  // What was not put since begin_list() is gone.
  virtual void end_list() = 0;
  // Some changes have come and no more are at hand: a good moment to publish.
  virtual void settle() = 0;
  // How fresh it is has changed: WatchState::is_lost().
  virtual void on_freshness() = 0;
};

struct WatchOptions {
  // The API is asked to end each stream after this long, and up to twice that, by chance.
  Duration stream = std::chrono::minutes(5);
  // A stream that brings nothing for this long is taken for dead. Bookmarks come each minute.
  Duration quiet = std::chrono::seconds(100);
  // After a loss, a stream that began and brought no error for this long is sound.
  Duration sound = std::chrono::seconds(1);
  Duration backoff = std::chrono::milliseconds(800);  // after the first failure; doubles
  Duration max_backoff = std::chrono::seconds(30);
};

struct WatchState {
  bool is_synced = false;  // a whole list has come
  // Since when nothing is heard; nothing while the stream is there. It is the last moment at which
  // something was heard, not the one at which that was noticed.
  std::optional<MonotonicTime> lost_since = {};
  std::string last_error = {};  // empty while all is well
  int last_status = 0;          // the API's, where that was its answer: 404 of a kind unknown to it
  std::uint64_t lists = 0;      // that came whole
  std::uint64_t streams = 0;    // that were begun
  std::uint64_t events = 0;
  std::uint64_t failures = 0;
  std::string version = {};  // the last that was seen

  [[nodiscard]] bool is_lost() const { return !is_synced || lost_since.has_value(); }
};

class ListWatch {
 public:
  // Client and watcher outlive it; it is destroyed while the loop does not run.
  ListWatch(Client& client, Resource resource, Watcher& watcher, Selection selection = {},
            WatchOptions options = {});
  ~ListWatch();
  ListWatch(const ListWatch&) = delete;
  ListWatch& operator=(const ListWatch&) = delete;

  // Begins; once.
  void start();
  [[nodiscard]] const WatchState& state() const;
  [[nodiscard]] const Resource& resource() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ebbgate::kube
