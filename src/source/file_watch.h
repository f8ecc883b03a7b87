// When a policy on disk may have changed: the files and directories that it is read from, watched
// through their parent directories, so that an editor's rename and the symlink swap of a mounted
// Kubernetes ConfigMap are seen like a plain write.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/loop.h"

namespace ebbgate::source {

class FileWatch {
 public:
  // Calls `on_change` on the loop's thread, once for a burst of changes: when nothing more has
  // happened for kQuiet. It may be called where nothing relevant changed; reading tells.
  // `paths`: files and directories; what does not exist yet is noticed when it appears in its
  // parent directory, which has to exist. Error kInternal where the system gives no inotify.
  [[nodiscard]] static Result<std::unique_ptr<FileWatch>> start(
      net::Loop& loop, const std::vector<std::string>& paths, std::function<void()> on_change);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  static constexpr Duration kQuiet = std::chrono::milliseconds(50);

 private:
  FileWatch(net::Loop& loop, int fd, std::vector<std::string> paths,
            std::function<void()> on_change);
  [[nodiscard]] Result<void> watch_directories();
  static void on_ready(net::Channel& channel, std::uint32_t events);
  static void on_quiet(void* self);

  net::Loop* loop_;
  net::Channel* channel_;
  std::vector<std::string> paths_;
  std::function<void()> on_change_;
  net::Timer quiet_{&FileWatch::on_quiet, this};
};

}  // namespace ebbgate::source
