// Where a service answers: its URL by region and partition, or what AWS_ENDPOINT_URL and
// AWS_ENDPOINT_URL_<SERVICE> say.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "aws/context.h"
#include "aws/failure.h"

namespace ebbgate::aws {

enum class Service : std::uint8_t {
  kSsm,
  kSecretsManager,
  kLogs,
  kServiceQuotas,
  kSns,
  kSts,
  kCloudFormation,
  kAutoScaling,
  kEc2,
  kCloudWatch,
  kS3,
  kEks,
};

struct ServiceInfo {
  Service service;
  std::string_view signing_name;  // in the scope of a signature, and the name that errors show
  std::string_view host_prefix;   // in <prefix>.<region>.amazonaws.com
  std::string_view variable;      // the end of AWS_ENDPOINT_URL_<…>
  std::string_view target;        // JSON 1.1: what stands before the operation in X-Amz-Target
  std::string_view version;       // query protocol: the parameter Version
};
[[nodiscard]] const ServiceInfo& info(Service service);

struct ServiceEndpoint {
  std::string url;             // `https://ssm.eu-west-2.amazonaws.com`, no slash at the end
  bool is_overridden = false;  // the environment named it
};
// Errors: kInvalid for a region that is none (`[a-z0-9-]+`), and for an override that is not an
// http or https URL of a host, perhaps a port and a path.
[[nodiscard]] Outcome<ServiceEndpoint> endpoint_of(Service service, std::string_view region,
                                                   const Context& context);

// `aws`, `aws-cn`, `aws-us-gov`, …, and the domain of its services.
struct Partition {
  std::string_view name;
  std::string_view domain;
};
[[nodiscard]] Partition partition_of(std::string_view region);

}  // namespace ebbgate::aws
