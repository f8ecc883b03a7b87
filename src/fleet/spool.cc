#include "fleet/spool.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

#include "aws/logs.h"
#include "fleet/event_batch.h"

namespace ebbgate::fleet {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 2> kEndings = {".refused", ".other"};
constexpr std::array kKinds = {EventKind::kRefusal, EventKind::kOther};

std::string_view ending(EventKind kind) {
  return kEndings[static_cast<std::size_t>(kind)];
}

// Numbers of one width, so that names sort as the numbers do.
std::string padded(std::uint64_t number) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "%016llu", static_cast<unsigned long long>(number));
  return text.data();
}

// A descriptor of the directory, with the lock that says that its process lives; -1 where another
// one has it, or where it is gone.
int lock_directory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  struct stat status{};
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0 && ::fstat(fd, &status) == 0 && status.st_nlink > 0) {
    return fd;
  }
  ::close(fd);
  return -1;
}

// What stands in a directory, in the order of the names.
std::vector<fs::path> entries_of(const std::string& directory) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    entries.push_back(it->path());
  }
  std::ranges::sort(entries);
  return entries;
}

std::unexpected<Error> unusable(const std::string& directory, int error) {
  return fail(Reason::kInternal, Side::kSelf,
              "the log's spool " + directory + ": " + std::system_category().message(error));
}

}  // namespace

Result<std::unique_ptr<Spool>> Spool::open(SpoolOptions options, observe::FleetMetrics& metrics) {
  std::error_code error;
  fs::create_directories(options.directory, error);
  if (error) return unusable(options.directory, error.value());
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  // One who takes over may find the new directory before it is locked; then there is another.
  for (int attempt = 0; attempt < 10; ++attempt) {
    const std::string own = options.directory + "/" + padded(static_cast<std::uint64_t>(now)) +
                            "-" + std::to_string(::getpid()) + "-" + std::to_string(attempt);
    if (::mkdir(own.c_str(), 0750) != 0 && errno != EEXIST) {
      return unusable(options.directory, errno);
    }
    if (const int lock = lock_directory(own); lock >= 0) {
      std::unique_ptr<Spool> spool(new Spool(std::move(options), own, lock, metrics));
      spool->adopt();
      return spool;
    }
  }
  return unusable(options.directory, EBUSY);
}

Spool::Spool(SpoolOptions options, std::string own, int lock_fd, observe::FleetMetrics& metrics)
    : options_(std::move(options)), own_(std::move(own)), lock_fd_(lock_fd), metrics_(&metrics) {}

Spool::~Spool() {
  ::rmdir(own_.c_str());  // where nothing is left in it
  ::close(lock_fd_);
}

std::string Spool::path_of(EventKind kind, std::uint64_t number) const {
  return own_ + "/" + padded(number) + std::string(ending(kind));
}

void Spool::append(std::string_view lines) {
  for_each_line(lines, [this](std::string_view line) { gather(line); });
  for (const EventKind kind : kKinds) flush(kind);
}

void Spool::gather(std::string_view line) {
  const EventLine event = read_event_line(line);
  const EventKind kind = event.is_refusal ? EventKind::kRefusal : EventKind::kOther;
  Queue& to = queue(kind);
  const Segment held = to.is_last_open ? to.segments.back() : Segment{};
  const std::size_t events = held.events + to.events + 1;
  const std::size_t octets = held.bytes + to.text.size() + line.size() + 1;
  if (events > aws::logs::kMaxBatchEvents ||
      octets + events * aws::logs::kEventOverhead > aws::logs::kMaxBatchBytes) {
    flush(kind);
    to.is_last_open = false;
  }
  to.text.append(line).push_back('\n');
  ++to.events;
  to.requests += event.count;
}

void Spool::flush(EventKind kind) {
  Queue& from = queue(kind);
  if (from.text.empty()) return;
  while (bytes_ + from.text.size() > options_.max_bytes && drop_oldest()) {
  }
  if (!from.is_last_open) {
    from.segments.push_back({.number = next_number_++});
    from.is_last_open = true;
  }
  if (write(kind)) {
    Segment& into = from.segments.back();
    into.bytes += from.text.size();
    into.events += from.events;
    into.requests += from.requests;
    bytes_ += from.text.size();
    metrics_->spool_bytes.set(static_cast<std::int64_t>(bytes_));
  } else {
    count_error();
    count_dropped(kind, from.requests);
    if (from.is_last_open && from.segments.back().bytes == 0) {
      forget(kind, from.segments.size() - 1);
    }
  }
  from.text.clear();
  from.events = 0;
  from.requests = 0;
}

bool Spool::write(EventKind kind) {
  const Queue& from = queue(kind);
  const std::string path = path_of(kind, from.segments.back().number);
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) return false;
  std::size_t written = 0;
  while (written < from.text.size()) {
    const ssize_t n = ::write(fd, from.text.data() + written, from.text.size() - written);
    if (n <= 0) break;
    written += static_cast<std::size_t>(n);
  }
  const bool is_whole = written == from.text.size();
  if (!is_whole) {
    // Half a line would spoil the next one. A file that cannot be cut is not appended to again.
    [[maybe_unused]] const int cut =
        ::ftruncate(fd, static_cast<off_t>(from.segments.back().bytes));
  }
  ::close(fd);
  return is_whole;
}

bool Spool::drop_oldest() {
  for (const EventKind kind : {EventKind::kOther, EventKind::kRefusal}) {
    Queue& from = queue(kind);
    if (from.segments.empty()) continue;
    const bool is_sent_now =
        in_flight_ && *in_flight_ == std::pair(kind, from.segments.front().number);
    if (is_sent_now && from.segments.size() == 1) continue;
    const std::size_t index = is_sent_now ? 1 : 0;
    count_dropped(kind, from.segments[index].requests);
    forget(kind, index);
    return true;
  }
  return false;
}

void Spool::forget(EventKind kind, std::size_t index) {
  Queue& from = queue(kind);
  const Segment segment = from.segments[index];
  if (::unlink(path_of(kind, segment.number).c_str()) != 0 && errno != ENOENT) count_error();
  if (index + 1 == from.segments.size()) from.is_last_open = false;
  from.segments.erase(from.segments.begin() + static_cast<std::ptrdiff_t>(index));
  bytes_ -= segment.bytes;
  metrics_->spool_bytes.set(static_cast<std::int64_t>(bytes_));
}

void Spool::count_dropped(EventKind kind, std::uint64_t requests) {
  (kind == EventKind::kRefusal ? metrics_->spool_dropped_refusals : metrics_->spool_dropped_others)
      .add(requests);
}

std::optional<SpooledBatch> Spool::next() {
  for (const EventKind kind : kKinds) {
    Queue& from = queue(kind);
    while (!from.segments.empty()) {
      const std::uint64_t number = from.segments.front().number;
      if (from.segments.size() == 1) from.is_last_open = false;
      std::ifstream file(path_of(kind, number), std::ios::binary);
      std::string lines{std::istreambuf_iterator<char>(file), {}};
      if (file && !lines.empty()) {
        in_flight_ = {kind, number};
        return SpooledBatch{kind, number, std::move(lines)};
      }
      count_error();
      count_dropped(kind, from.segments.front().requests);
      forget(kind, 0);
    }
  }
  return std::nullopt;
}

void Spool::done(const SpooledBatch& batch) {
  in_flight_.reset();
  const auto& segments = queue(batch.kind).segments;
  const auto found = std::ranges::find(segments, batch.number, &Segment::number);
  if (found != segments.end()) {
    forget(batch.kind, static_cast<std::size_t>(found - segments.begin()));
  }
}

void Spool::adopt() {
  for (const fs::path& directory : entries_of(options_.directory)) {
    if (directory == own_) continue;
    const int lock = lock_directory(directory);
    if (lock < 0) continue;  // no directory, or one that somebody uses
    take_over(directory);
    ::rmdir(directory.c_str());
    ::close(lock);
  }
  while (bytes_ > options_.max_bytes && drop_oldest()) {
  }
}

void Spool::take_over(const std::string& directory) {
  for (const fs::path& file : entries_of(directory)) {
    for (const EventKind kind : kKinds) {
      if (file.extension() == ending(kind)) add_file(file, kind);
    }
  }
}

void Spool::add_file(const std::string& path, EventKind kind) {
  Segment segment{.number = next_number_++};
  std::ifstream file(path, std::ios::binary);
  const std::string lines{std::istreambuf_iterator<char>(file), {}};
  for_each_line(lines, [&](std::string_view line) {
    ++segment.events;
    segment.requests += read_event_line(line).count;
  });
  segment.bytes = lines.size();
  if (lines.empty()) {
    ::unlink(path.c_str());
    return;
  }
  if (::rename(path.c_str(), path_of(kind, segment.number).c_str()) != 0) return count_error();
  queue(kind).segments.push_back(segment);
  queue(kind).is_last_open = false;
  bytes_ += segment.bytes;
  metrics_->spool_bytes.set(static_cast<std::int64_t>(bytes_));
}

}  // namespace ebbgate::fleet
