#include "aws/context.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>

namespace ebbgate::aws {
namespace {

constexpr std::size_t kMaxFile = std::size_t{1} << 20;

[[nodiscard]] std::optional<std::string> from_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());  // NOLINT: nobody sets any while we run
  if (value == nullptr) return std::nullopt;
  return value;
}

[[nodiscard]] Result<std::string> from_file(const std::string& path) {
  const auto failed_with = [&](int code) {
    return fail(Reason::kInternal, Side::kSelf, path + ": " + std::strerror(code));
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  if (!file) return failed_with(errno);
  std::string text;
  std::array<char, 4096> piece;
  while (const std::size_t count = std::fread(piece.data(), 1, piece.size(), file.get())) {
    text.append(piece.data(), count);
    if (text.size() > kMaxFile) return failed_with(EFBIG);
  }
  if (std::ferror(file.get()) != 0) return failed_with(EIO);  // a directory among others
  return text;
}

}  // namespace

Context system_context(net::Loop& loop, https::Transport& transport, const Clock& clock) {
  std::random_device device;
  const auto generator = std::make_shared<std::mt19937_64>(device());
  return {loop,     transport, clock, [generator] { return (*generator)(); }, from_environment,
          from_file};
}

}  // namespace ebbgate::aws
