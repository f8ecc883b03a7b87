// The one place where configuration is read from the file system.
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "config/settings.h"

namespace ebbgate::config {

std::expected<std::string, std::string> read_file(const std::string& path) {
  const auto reason = [] {
    return std::unexpected("it cannot be read: " + std::generic_category().message(errno));
  };
  const auto close = [](std::FILE* file) { (void)std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rbe"), close);
  if (!file) return reason();
  std::string text;
  std::size_t size = 0;
  do {
    text.resize(std::max<std::size_t>(2 * size, 64 * std::size_t{1024}));
    size += std::fread(text.data() + size, 1, text.size() - size, file.get());
    if (std::ferror(file.get()) != 0) return reason();
    if (size > kMaxFileSize) return std::unexpected("it is larger than 256 MiB");
  } while (size == text.size());
  text.resize(size);
  return text;
}

}  // namespace ebbgate::config
