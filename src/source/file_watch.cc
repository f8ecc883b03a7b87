#include "source/file_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

namespace ebbgate::source {
namespace {

constexpr std::uint32_t kChanges =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_ONLYDIR;

// The directories in which a change may concern `path`.
std::set<std::string> directories_of(const std::vector<std::string>& paths) {
  std::set<std::string> directories;
  for (const std::string& path : paths) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) directories.insert(path);
    const std::filesystem::path parent = std::filesystem::path(path).parent_path();
    directories.insert(parent.empty() ? "." : parent.string());
    // A link's target may be written to in place.
    const auto target = std::filesystem::canonical(path, error);
    if (!error) directories.insert(target.parent_path().string());
  }
  return directories;
}

}  // namespace

Result<std::unique_ptr<FileWatch>> FileWatch::start(net::Loop& loop,
                                                    const std::vector<std::string>& paths,
                                                    std::function<void()> on_change) {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) {
    return fail(Reason::kInternal, Side::kSelf,
                std::string("inotify_init1: ") + std::strerror(errno));
  }
  std::unique_ptr<FileWatch> watch(new FileWatch(loop, fd, paths, std::move(on_change)));
  if (auto watched = watch->watch_directories(); !watched) {
    return std::unexpected(std::move(watched.error()));
  }
  if (!loop.watch(*watch->channel_, EPOLLIN | EPOLLET)) {
    return fail(Reason::kInternal, Side::kSelf, std::string("epoll_ctl: ") + std::strerror(errno));
  }
  return watch;
}

FileWatch::FileWatch(net::Loop& loop, int fd, std::vector<std::string> paths,
                     std::function<void()> on_change)
    : loop_(&loop),
      channel_(&loop.open(fd)),
      paths_(std::move(paths)),
      on_change_(std::move(on_change)) {
  channel_->handler = &FileWatch::on_ready;
  channel_->owner = this;
}

FileWatch::~FileWatch() {
  loop_->close(*channel_);
}

void FileWatch::on_ready(net::Channel& channel, std::uint32_t /*events*/) {
  auto& self = *static_cast<FileWatch*>(channel.owner);
  std::array<char, 4096> events{};
  while (::read(channel.fd, events.data(), events.size()) > 0) {
  }
  self.loop_->arm(self.quiet_, self.loop_->after(kQuiet));
}

Result<void> FileWatch::watch_directories() {
  for (const std::string& directory : directories_of(paths_)) {
    // One that is watched already keeps its watch.
    if (::inotify_add_watch(channel_->fd, directory.c_str(), kChanges) < 0 && errno != ENOENT) {
      return fail(Reason::kInternal, Side::kSelf,
                  "cannot watch " + directory + ": " + std::strerror(errno));
    }
  }
  return {};
}

void FileWatch::on_quiet(void* self) {
  auto& watch = *static_cast<FileWatch*>(self);
  // The names may stand for other directories now. Where one of those cannot be watched, what is
  // in it is read all the same.
  static_cast<void>(watch.watch_directories());
  watch.on_change_();
}

}  // namespace ebbgate::source
