// A signed call to an AWS service, with everything that is the same for all of them: endpoint,
// credentials, signature, retries, clock skew, errors. The services (ssm.h, s3.h, …) are thin
// functions over it; nobody else makes calls with it.
#pragma once

#include <string>

#include "aws/context.h"
#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "aws/failure.h"
#include "base/clock.h"

namespace ebbgate::aws {

enum class Protocol : std::uint8_t { kJson, kQuery, kRestXml, kRestJson };

// One call before it has an endpoint and a signature.
struct Call {
  Service service = Service::kSts;
  Protocol protocol = Protocol::kQuery;
  std::string operation;  // as the documentation names it: for errors, and X-Amz-Target
  std::string method = "POST";
  std::string host_prefix;  // put before the endpoint's host (an S3 bucket); never on overrides
  std::string path = "/";   // percent-encoded
  std::string query;        // percent-encoded, without `?`
  std::vector<https::Header> headers;
  std::string body;
  std::size_t max_body = std::size_t{16} << 20;  // octets of the answer
};

struct ClientOptions {
  std::string region;
  int max_attempts = 4;                                 // of one call, the first included
  Duration backoff = std::chrono::milliseconds(500);    // the first pause is up to this long
  Duration max_backoff = std::chrono::seconds(20);      // and doubles up to this
  Duration attempt_timeout = std::chrono::seconds(10);  // of one exchange
};

class Client {
 public:
  // `context` and `credentials` outlive the client and every call.
  Client(Context& context, CredentialsProvider& credentials, ClientOptions options)
      : context_(&context), credentials_(&credentials), options_(std::move(options)) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Out: an answer of status 2xx or 304. Anything else is a Failure, after retries: pauses of a
  // random length up to a bound that doubles ("full jitter"), for throttling, 5xx, and exchanges
  // that broke off, as long as the client's budget lasts and never past the deadline. A call may
  // thus have taken effect more than once; operations where that matters take a token of their own.
  [[nodiscard]] net::Task<Outcome<https::Response>> send(Call call, Deadline deadline);

  [[nodiscard]] const std::string& region() const { return options_.region; }
  [[nodiscard]] Context& context() const { return *context_; }
  [[nodiscard]] CredentialsProvider& credentials() const { return *credentials_; }
  // The time that the service keeps, as far as its answers told: the clock's, corrected.
  [[nodiscard]] WallTime now() const { return context_->clock.wall() + skew_; }

 private:
  [[nodiscard]] net::Task<Outcome<https::Response>> attempt(const Call& call, Deadline deadline);
  [[nodiscard]] Duration pause_before(int attempt);
  [[nodiscard]] bool corrects_clock(const Failure& failure, const https::Response& response);

  Context* context_;
  CredentialsProvider* credentials_;
  ClientOptions options_;
  Duration skew_{0};
  // A retry costs 5 of these, a success gives 1 back: when everything fails, retries stop.
  int retry_budget_ = 500;
};

}  // namespace ebbgate::aws
