// What the API server asks of an admission webhook and is told (admission.k8s.io/v1): the octets of
// an AdmissionReview go in, those of the answer come out. No socket, no clock.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ebbgate::webhook {

enum class Outcome : std::uint8_t {
  kInjected,   // the pod is patched
  kUnchanged,  // there is nothing to add, or the pod wants nothing
  kPassed,     // it is let pass as it is, with a warning: it cannot be read, or is not ours
  kAccepted,   // the policy is valid
  kRefused,    // the policy is invalid
  kMalformed,  // what came is no AdmissionReview
};
[[nodiscard]] std::string_view word(Outcome outcome);
inline constexpr std::size_t kOutcomes = 6;

// One review answered; the rest is for the log. Of texts that came with it, nothing is escaped.
struct Reply {
  std::uint16_t status = 200;  // of HTTP: 400 where there is no review to answer
  std::string body;            // JSON, or text where the status is not 200
  Outcome outcome = Outcome::kUnchanged;
  std::string uid;
  std::string operation;  // CREATE, UPDATE, …
  std::string about;      // `Pod ci/build-1`
  std::string detail;     // why, where it is not plain; may have many lines
};

}  // namespace ebbgate::webhook
