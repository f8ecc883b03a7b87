// Why a call to a Kubernetes API did not succeed. Callers decide by the status and its `reason`
// word (`NotFound`, `Expired`), a set that the API may add to, so it is a text.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace ebbgate::kube {

struct Failure {
  enum class Kind : std::uint8_t {
    kStatus,       // the API answered with an error: `status` is set, `reason` mostly
    kNetwork,      // no answer, or one that broke off: `error` says why
    kCredentials,  // nothing to say who we are with
    kUnreadable,   // an answer that is not what the API documents
    kInvalid,      // the request cannot be made as it is
  };
  Kind kind = Kind::kStatus;
  int status = 0;           // of HTTP, or the Status object's code
  std::string reason = {};  // of the Status object
  std::string message = {};
  // What is wrong with which field, where the API says so: for a conflict, who owns it.
  struct Cause {
    std::string reason = {};
    std::string message = {};
    std::string field = {};
    bool operator==(const Cause&) const = default;
  };
  std::vector<Cause> causes = {};
  std::optional<Duration> retry_after = {};  // how long the API wants us to wait
  Reason error = Reason::kInternal;

  // The version that was asked for is no longer known: everything has to be listed again.
  [[nodiscard]] bool is_gone() const { return kind == Kind::kStatus && status == 410; }
  [[nodiscard]] bool is_not_found() const { return kind == Kind::kStatus && status == 404; }
  [[nodiscard]] bool is_forbidden() const { return kind == Kind::kStatus && status == 403; }
  // Someone else changed it, or owns the field.
  [[nodiscard]] bool is_conflict() const { return kind == Kind::kStatus && status == 409; }
  // The same call may succeed later.
  [[nodiscard]] bool is_retryable() const;

  // One sentence without its full stop; bytes that the network chose are escaped.
  [[nodiscard]] std::string describe(std::string_view what) const;
  [[nodiscard]] Error to_error(std::string_view what) const;
};

template <typename T>
using Outcome = std::expected<T, Failure>;

[[nodiscard]] inline std::unexpected<Failure> failed(Failure::Kind kind, std::string message) {
  Failure failure;
  failure.kind = kind;
  failure.message = std::move(message);
  return std::unexpected(std::move(failure));
}

// That there was no answer. What is our own fault is one of the credentials.
[[nodiscard]] Failure failure_of(Error error);

// An answer that is no success, as the API's Status object tells it; nothing of the body is
// trusted to be one.
[[nodiscard]] Failure failure_of(int status, std::string_view body,
                                 const std::string* retry_after = nullptr);

}  // namespace ebbgate::kube
