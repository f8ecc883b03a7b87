#include "dns/hosts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

namespace ebbgate::dns {
namespace {

constexpr std::string_view kBlanks = " \t\r\v\f";

// Takes the first word of `line` off it; empty at its end.
std::string_view take_word(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(kBlanks), line.size());
  const std::size_t end = std::min(line.find_first_of(kBlanks, begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

// The whole file; empty where it is too long, and nothing where it cannot be read.
std::optional<std::string> read_file(int fd) {
  std::string text(HostsFile::kMaxSize + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size > HostsFile::kMaxSize ? 0 : size);
  return text;
}

}  // namespace

Hosts parse_hosts(std::string_view text) {
  std::unordered_map<Hostname, std::vector<IpAddress>> found;
  while (!text.empty()) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    line = line.substr(0, line.find('#'));
    const auto address = IpAddress::parse(take_word(line));
    if (!address) continue;
    for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
      auto name = Hostname::parse(word);
      if (!name) continue;
      std::vector<IpAddress>& addresses = found[*std::move(name)];
      if (std::ranges::find(addresses, *address) == addresses.end()) addresses.push_back(*address);
    }
  }
  Hosts hosts;
  for (auto& [name, addresses] : found) {
    hosts.emplace(
        name, std::make_shared<const Answer>(Answer{std::move(addresses), MonotonicTime::max()}));
  }
  return hosts;
}

const AnswerPtr* HostsFile::find(const Hostname& name, MonotonicTime now) {
  if (path_.empty()) return nullptr;
  if (now >= next_check_) {
    next_check_ = now + kCheckInterval;
    reload_if_changed();
  }
  const auto found = hosts_.find(name);
  return found == hosts_.end() ? nullptr : &found->second;
}

void HostsFile::reload_if_changed() {
  struct stat status{};
  if (::stat(path_.c_str(), &status) != 0) {
    // Gone, and not merely out of reach: only then is what it said no longer true.
    if (errno == ENOENT) {
      hosts_.clear();
      version_ = {};
    }
    return;
  }
  const Version current{status.st_dev, status.st_ino, status.st_size,
                        status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
  if (current == version_) return;
  // Should the process be out of descriptors, the version stays the old one, and the next check
  // tries again.
  const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return;
  if (const auto text = read_file(fd)) {
    hosts_ = parse_hosts(*text);
    version_ = current;
  }
  ::close(fd);
}

}  // namespace ebbgate::dns
