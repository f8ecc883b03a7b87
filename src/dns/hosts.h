// /etc/hosts (hosts(5)): names that are known without asking anybody. In: its text. Out: addresses
// by name. HostsFile keeps up with the file as it changes.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/hostname.h"
#include "dns/answer.h"

namespace ebbgate::dns {

using Hosts = std::unordered_map<Hostname, AnswerPtr>;

// Reads lines of `address name...`, with `#` before comments. A name on several lines has all
// their addresses. What is no address, or has a zone id, is skipped with its line; what is no
// host name is skipped alone: a mistake in one line takes nothing from the others.
[[nodiscard]] Hosts parse_hosts(std::string_view text);

class HostsFile {
 public:
  static constexpr Duration kCheckInterval = std::chrono::seconds(1);
  static constexpr std::size_t kMaxSize = std::size_t{1}
                                          << 20;  // octets; of a longer file nothing is read

  // An empty path is a file that is never there.
  explicit HostsFile(std::string path) : path_(std::move(path)) {}

  // The addresses of `name`, or null. Looks whether the file has changed, at most once each
  // kCheckInterval, and reads it again if so; a file that is not there holds no names. The pointer
  // is good until the next call.
  [[nodiscard]] const AnswerPtr* find(const Hostname& name, MonotonicTime now);

 private:
  struct Version {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modified_ns = 0;
    bool operator==(const Version&) const = default;
  };

  void reload_if_changed();

  std::string path_;
  Hosts hosts_;
  Version version_;
  MonotonicTime next_check_ = MonotonicTime::min();
};

}  // namespace ebbgate::dns
