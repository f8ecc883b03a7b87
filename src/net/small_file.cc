#include "net/small_file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace ebbgate::net {

Result<std::string> read_small_file(const std::string& path, std::size_t max) {
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
    if (text.size() > max) return failed_with(EFBIG);
  }
  if (std::ferror(file.get()) != 0) return failed_with(EIO);  // a directory among others
  return text;
}

}  // namespace ebbgate::net
