// A signed call to an AWS service, with everything that is the same for all of them: endpoint,
// credentials, signature, retries, clock skew, errors. The services (ssm.h, s3.h, …) are thin
// functions over it; nobody else makes calls with it.
#pragma once

#include <optional>
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
  std::string operation = {};  // as the documentation names it: for errors, and X-Amz-Target
  std::string method = "POST";
  // A label to put before the endpoint's host (an S3 bucket); where the environment names the
  // endpoint, it is the first segment of the path instead.
  std::string host_prefix = {};
  std::string path = "/";  // percent-encoded
  std::string query = {};  // percent-encoded, without `?`
  std::vector<https::Header> headers = {};
  std::string body = {};
  std::size_t max_body = std::size_t{4} << 20;  // octets of the answer
};

struct ClientOptions {
  std::string region;
  int max_attempts = 4;                                 // of one call, the first included
  Duration backoff = std::chrono::milliseconds(500);    // the first pause is up to this long
  Duration max_backoff = std::chrono::seconds(20);      // and doubles up to this
  Duration attempt_timeout = std::chrono::seconds(10);  // of one exchange
  // A retry costs 5 of these, a success gives 1 back: where everything fails, retries stop.
  int retry_budget = 500;
};

class Client {
 public:
  // `context` and `credentials` outlive the client and every call.
  Client(Context& context, CredentialsProvider& credentials, ClientOptions options)
      : context_(&context),
        credentials_(&credentials),
        options_(std::move(options)),
        retry_budget_(options_.retry_budget) {}
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
  struct Attempt {
    Outcome<https::Response> outcome;
    std::optional<WallTime> date;  // of the service's clock, where it answered
    Credentials credentials;       // what the request was signed with
  };
  // One signed exchange.
  [[nodiscard]] net::Task<Attempt> attempt(Call call, Deadline deadline);
  [[nodiscard]] Outcome<https::Request> build(Call call, Deadline deadline) const;
  [[nodiscard]] Duration pause_before(int next_attempt);
  // Whether the failure came from a clock that is wrong, which it no longer is.
  [[nodiscard]] bool corrects_clock(const Failure& failure, std::optional<WallTime> date);

  Context* context_;
  CredentialsProvider* credentials_;
  ClientOptions options_;
  Duration skew_{0};
  int retry_budget_;
};

}  // namespace ebbgate::aws
