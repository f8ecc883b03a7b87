// The EC2 instance metadata service, version 2 only (a session token comes first):
// docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
#pragma once

#include <optional>
#include <string>

#include "aws/context.h"
#include "aws/failure.h"
#include "aws/secret.h"

namespace ebbgate::aws {

// One instance's own metadata. A request waits 1 s at most and is tried three times.
class Imds {
 public:
  // The address is 169.254.169.254, or what AWS_EC2_METADATA_SERVICE_ENDPOINT says (or
  // [fd00:ec2::254] where AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is IPv6).
  explicit Imds(Context& context) : context_(&context) {}
  Imds(const Imds&) = delete;
  Imds& operator=(const Imds&) = delete;

  // `path` such as `latest/meta-data/instance-id`. Nothing: the service has no such entry (404).
  // Failures: kNetwork where nothing answers in time (not on EC2, or behind a hop limit of 1),
  // kInvalid where AWS_EC2_METADATA_DISABLED is true or the endpoint is no URL.
  [[nodiscard]] net::Task<Outcome<std::optional<std::string>>> get(std::string path);

  // Those that an instance always has: their absence is kUnreadable.
  [[nodiscard]] net::Task<Outcome<std::string>> instance_id();
  [[nodiscard]] net::Task<Outcome<std::string>> region();
  [[nodiscard]] net::Task<Outcome<std::string>> availability_zone();
  // Nothing: the instance has no public address.
  [[nodiscard]] net::Task<Outcome<std::optional<std::string>>> public_ipv4();
  // `InService`, `Terminated`, …: what the Auto Scaling group wants of the instance. Nothing where
  // it is in no group, or was not told yet.
  [[nodiscard]] net::Task<Outcome<std::optional<std::string>>> target_lifecycle_state();

 private:
  [[nodiscard]] net::Task<Outcome<https::Response>> exchange(std::string method, std::string path,
                                                             https::Header header);
  [[nodiscard]] net::Task<Outcome<Secret>> token();
  [[nodiscard]] net::Task<Outcome<std::string>> required(std::string path);

  Context* context_;
  Secret token_;
  MonotonicTime token_good_until_{};
};

}  // namespace ebbgate::aws
