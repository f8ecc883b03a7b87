// The bounded spool on the disk: events wait here until CloudWatch has them, through outages,
// restarts and kills. Each process writes into a directory of its own below the spool's, which it
// holds by a lock; who starts takes over what processes that have ended left behind.
//
// A directory holds segments, each as large as one call to CloudWatch may be: a file of lines that
// is appended to, sent whole, and removed. Refusals and other events have segments of their own, so
// that the others can go first when there is no more room. No thread of its own: one uses it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "observe/metrics.h"

namespace ebbgate::fleet {

enum class EventKind : std::uint8_t { kRefusal, kOther };

struct SpoolOptions {
  std::string directory;  // is made where it does not exist
  std::size_t max_bytes = std::size_t{256} * 1024 * 1024;
};

// A segment that is on its way to CloudWatch.
struct SpooledBatch {
  EventKind kind = EventKind::kRefusal;
  std::uint64_t number = 0;
  std::string lines;
};

class Spool {
 public:
  // Fails as kInternal, with the directory and why it cannot be used.
  [[nodiscard]] static Result<std::unique_ptr<Spool>> open(SpoolOptions options,
                                                           observe::FleetMetrics& metrics);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // Takes whole lines. What the disk does not take is dropped, and counted.
  void append(std::string_view lines);

  // The oldest segment of refusals, or else of other events; nothing where all is empty. It stays
  // where it is until done(): who asks again gets the same one again.
  [[nodiscard]] std::optional<SpooledBatch> next();
  void done(const SpooledBatch& batch);

  // Takes over the segments of processes that have ended meanwhile.
  void adopt();

  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Segment {
    std::uint64_t number = 0;
    std::size_t bytes = 0;
    std::size_t events = 0;
    std::uint64_t requests = 0;  // that its events stand for
  };
  // The segments of one kind, the oldest first, and what append() gathers for the last one.
  struct Queue {
    std::deque<Segment> segments;
    bool is_last_open = false;  // it may be appended to
    std::string text;
    std::size_t events = 0;
    std::uint64_t requests = 0;
  };

  Spool(SpoolOptions options, std::string own, int lock_fd, observe::FleetMetrics& metrics);
  [[nodiscard]] Queue& queue(EventKind kind) { return queues_[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] std::string path_of(EventKind kind, std::uint64_t number) const;
  void gather(std::string_view line);
  void flush(EventKind kind);
  [[nodiscard]] bool write(EventKind kind);
  // False: there is nothing that could go.
  bool drop_oldest();
  void forget(EventKind kind, std::size_t index);
  void take_over(const std::string& directory);
  void add_file(const std::string& path, EventKind kind);
  void count_dropped(EventKind kind, std::uint64_t requests);
  void count_error() { metrics_->spool_errors.add(); }

  SpoolOptions options_;
  std::string own_;  // this process's directory
  int lock_fd_;      // on it
  observe::FleetMetrics* metrics_;
  std::array<Queue, 2> queues_;
  std::optional<std::pair<EventKind, std::uint64_t>> in_flight_;
  std::uint64_t next_number_ = 1;
  std::size_t bytes_ = 0;  // in segments
};

}  // namespace ebbgate::fleet
