// Why a call to AWS did not succeed. Callers decide by `code`, the word that the service's
// documentation has (`ResourceNotFoundException`), so it is a text and not a closed set.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace ebbgate::aws {

struct Failure {
  enum class Kind : std::uint8_t {
    kService,      // the service answered with an error: `code` and `status` are set
    kNetwork,      // no answer: `reason` says why
    kCredentials,  // nothing to sign with
    kUnreadable,   // an answer that is not what the service documents
    kInvalid,      // the request cannot be made as the caller or the configuration has it
  };
  Kind kind = Kind::kService;
  std::string code;        // without namespace and URI; empty unless kService
  std::string message;     // for people; never holds a credential
  std::string request_id;  // what AWS support asks for; may be empty
  int status = 0;          // of HTTP; 0 where there was none
  bool is_throttling = false;
  bool is_retryable = false;  // the same call may succeed later (it was retried already)
  Reason reason = Reason::kInternal;

  [[nodiscard]] bool is(std::string_view that_code) const {
    return kind == Kind::kService && code == that_code;
  }
  // One sentence without its full stop: `ssm GetParameter: ParameterNotFound: …`. Bytes that the
  // network chose are escaped.
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

}  // namespace ebbgate::aws
