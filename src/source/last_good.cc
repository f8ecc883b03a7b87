#include "source/last_good.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "source/detail/text.h"

namespace ebbgate::source {
namespace {

constexpr std::string_view kFormat = "ebbgate-policy-cache 1";
constexpr std::size_t kMaxFile = kMaxText + 64 * 1024;  // octets: a policy and what is said of it

std::unexpected<Error> wrong(std::string what) {
  return fail(Reason::kInternal, Side::kSelf, std::move(what));
}
std::unexpected<Error> system_error(const std::string& what) {
  return wrong(what + ": " + std::strerror(errno));
}

// A descriptor that is closed at the end of its scope.
class File {
 public:
  File(const std::string& path, int flags)
      : File(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW)) {}
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int fd() const { return fd_; }

  [[nodiscard]] bool write_all(std::string_view octets) const {
    while (!octets.empty()) {
      const ssize_t written = ::write(fd_, octets.data(), octets.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      octets.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  }
  [[nodiscard]] std::optional<std::string> read_all() const {
    std::string out;
    std::array<char, 16384> buffer{};
    for (;;) {
      const ssize_t got = ::read(fd_, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 || out.size() > kMaxFile) return std::nullopt;
      if (got == 0) return out;
      out.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  int fd_;
};

// A value as it stands in a line.
std::string one_line(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return out;
}

}  // namespace

std::string cache_octets(std::string_view source, const Accepted& accepted) {
  std::string body = "source: " + one_line(source) + '\n';
  body += std::string("form: ") + (accepted.is_list ? "list" : "yaml") + '\n';
  body += "version: " + one_line(accepted.version) + '\n';
  if (!accepted.signature.empty()) body += "signature: " + one_line(accepted.signature) + '\n';
  if (accepted.sequence) body += "sequence: " + std::to_string(*accepted.sequence) + '\n';
  if (accepted.document_version) {
    body += "document-version: " + std::to_string(*accepted.document_version) + '\n';
  }
  body += '\n';
  body += accepted.text;
  return std::string(kFormat) + "\nsha256: " + detail::sha256_hex(body) + '\n' + body;
}

Result<Accepted> read_cache(std::string_view source, std::string_view octets) {
  if (detail::take_line(octets) != kFormat) return wrong("it is of another format");
  const std::string_view checksum = detail::take_line(octets);
  if (checksum != "sha256: " + detail::sha256_hex(octets)) {
    return wrong("its checksum does not fit: it was cut or changed");
  }
  Accepted out;
  for (;;) {
    if (octets.empty()) return wrong("it ends before the policy");
    const std::string_view line = detail::take_line(octets);
    if (line.empty()) break;
    const std::size_t colon = line.find(": ");
    const std::string_view key = line.substr(0, colon);
    const std::string_view value =
        colon == std::string_view::npos ? std::string_view() : line.substr(colon + 2);
    if (key == "source" && value != one_line(source)) return wrong("it is of another source");
    if (key == "form") out.is_list = value == "list";
    if (key == "version") out.version = value;
    if (key == "signature") out.signature = value;
    if (key == "sequence") out.sequence = detail::parse_number(value);
    if (key == "document-version") out.document_version = detail::parse_number(value);
  }
  out.text = octets;
  return out;
}

LastGoodFile::LastGoodFile(const std::string& directory, std::string source)
    : source_(std::move(source)) {
  if (directory.empty()) return;
  path_ = directory + "/" + detail::sha256_hex(source_).substr(0, 32) + ".policy";
}

Result<std::optional<LastGoodFile::Found>> LastGoodFile::load() const {
  if (path_.empty()) return std::nullopt;
  const File file(path_, O_RDONLY);
  if (!file.is_open() && errno == ENOENT) return std::nullopt;
  if (!file.is_open()) return system_error(path_ + " cannot be opened");
  struct stat status{};
  const auto octets = file.read_all();
  if (!octets || ::fstat(file.fd(), &status) != 0) return system_error(path_ + " cannot be read");
  auto accepted = read_cache(source_, *octets);
  if (!accepted) return wrong(path_ + ": " + accepted.error().detail);
  const auto since_epoch = std::chrono::seconds(status.st_mtim.tv_sec) +
                           std::chrono::nanoseconds(status.st_mtim.tv_nsec);
  return Found{.accepted = *std::move(accepted), .confirmed = WallTime(since_epoch)};
}

Result<void> LastGoodFile::store(const Accepted& accepted) const {
  if (path_.empty()) return {};
  const std::string directory = path_.substr(0, path_.rfind('/'));
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return system_error(directory + " cannot be made");
  }
  // Under a name that nobody else has: a successor writes while its predecessor still does.
  std::string beside = path_ + ".XXXXXX";
  {
    const File file(::mkostemp(beside.data(), O_CLOEXEC));
    if (!file.is_open() || !file.write_all(cache_octets(source_, accepted)) ||
        ::fsync(file.fd()) != 0) {
      auto error = system_error(path_ + " cannot be written");
      ::unlink(beside.c_str());
      return error;
    }
  }
  if (::rename(beside.c_str(), path_.c_str()) != 0) {
    auto error = system_error(path_ + " cannot be replaced");
    ::unlink(beside.c_str());
    return error;
  }
  const File parent(directory, O_RDONLY | O_DIRECTORY);
  if (parent.is_open()) ::fsync(parent.fd());
  return {};
}

void LastGoodFile::confirm(WallTime now) const {
  if (path_.empty()) return;
  const auto since_epoch = now.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  timespec time{};
  time.tv_sec = seconds.count();
  time.tv_nsec = (since_epoch - seconds).count();
  const std::array<timespec, 2> both = {time, time};
  // Where it fails, the age after a restart is told too high, which is the safe side.
  ::utimensat(AT_FDCWD, path_.c_str(), both.data(), AT_SYMLINK_NOFOLLOW);
}

}  // namespace ebbgate::source
