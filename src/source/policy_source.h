// A place outside the machine where a policy is kept. In: what is known of it. Out: what it holds
// now, if that is anything else. Whether that may come into force is decided by others (accept.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "aws/client.h"
#include "base/result.h"
#include "config/source_url.h"
#include "https/transport.h"
#include "net/task.h"

namespace ebbgate::source {

inline constexpr std::size_t kMaxText = std::size_t{16} << 20;  // octets of a policy

struct Fetched {
  std::string text = {};
  // The source's own mark of this state, to be given back in the next question: an ETag, a version.
  std::string token = {};
  std::string version = {};  // for people: "version 7", "\"5d41402a\""
  // Grows with each change, where the source counts: the version of a parameter, the second in
  // which an object was written, the millisecond in which a secret's version was.
  std::optional<std::int64_t> sequence = {};
  std::string signature = {};  // 64 octets, raw or in base64, where it came along
  bool operator==(const Fetched&) const = default;
};

class PolicySource {
 public:
  virtual ~PolicySource() = default;
  // Its URL, as metrics and messages may show it: no two sources have the same.
  [[nodiscard]] virtual const std::string& name() const = 0;

  // `token`: of what was fetched last; empty: nothing. Out: nothing where that is what it still
  // holds. Errors: whatever kept it from telling, as a sentence.
  [[nodiscard]] virtual net::Task<Result<std::optional<Fetched>>> fetch(std::string token) = 0;

  // The detached signature, kept beside the policy under its name and `.sig`: 64 octets of Ed25519,
  // raw or in base64. Asked for only where a key is configured and no signature came along.
  [[nodiscard]] virtual net::Task<Result<std::string>> fetch_signature() = 0;
};

// What sources are reached with; all of it outlives them.
struct Reach {
  https::Transport& transport;
  aws::Client* aws = nullptr;  // null: no source of AWS can be made
};

// Errors: kInternal for a source of AWS without a client.
[[nodiscard]] Result<std::unique_ptr<PolicySource>> make_source(const config::SourceUrl& url,
                                                                const Reach& reach);

}  // namespace ebbgate::source
