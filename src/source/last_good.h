// The last good policy of a source, on disk: what a restarted gateway begins with, and what tells
// it that an older one is older. One file a source, which is replaced whole, readable to the
// gateway alone, and believed only with its checksum.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "source/accept.h"

namespace ebbgate::source {

// The octets of the file, and back. Lines of `key: value`, an empty line, and the text; the
// first line is the format's name, the second the SHA-256 of all that follows.
[[nodiscard]] std::string cache_octets(std::string_view source, const Accepted& accepted);
// Errors: kInternal with what is wrong: another format, a checksum that does not fit (cut,
// changed), another source's.
[[nodiscard]] Result<Accepted> read_cache(std::string_view source, std::string_view octets);

class LastGoodFile {
 public:
  // `directory` is made where it does not exist (its parent has to); empty: nothing is kept.
  LastGoodFile(const std::string& directory, std::string source);

  struct Found {
    Accepted accepted;
    WallTime confirmed;  // when the source was last known to hold this
  };
  // Nothing: there is none yet. Errors: kInternal, as above and where it cannot be read; then
  // the gateway starts as if there were none.
  [[nodiscard]] Result<std::optional<Found>> load() const;

  // Replaces the file: written beside, synced, renamed. Error kInternal: the system's word.
  [[nodiscard]] Result<void> store(const Accepted& accepted) const;
  // The source still holds what is stored; the file's time tells.
  void confirm(WallTime now) const;

  [[nodiscard]] const std::string& path() const { return path_; }  // empty: nothing is kept

 private:
  std::string source_;
  std::string path_;
};

}  // namespace ebbgate::source
