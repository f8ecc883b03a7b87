#include "aws/endpoint.h"

#include <algorithm>
#include <array>
#include <string>

#include "https/url.h"

namespace ebbgate::aws {
namespace {

constexpr std::array kServices = {
    ServiceInfo{Service::kSsm, "ssm", "ssm", "SSM", "AmazonSSM", ""},
    ServiceInfo{Service::kSecretsManager, "secretsmanager", "secretsmanager", "SECRETS_MANAGER",
                "secretsmanager", ""},
    ServiceInfo{Service::kLogs, "logs", "logs", "CLOUDWATCH_LOGS", "Logs_20140328", ""},
    ServiceInfo{Service::kServiceQuotas, "servicequotas", "servicequotas", "SERVICE_QUOTAS",
                "ServiceQuotasV20190624", ""},
    ServiceInfo{Service::kSns, "sns", "sns", "SNS", "", "2010-03-31"},
    ServiceInfo{Service::kSts, "sts", "sts", "STS", "", "2011-06-15"},
    ServiceInfo{Service::kCloudFormation, "cloudformation", "cloudformation", "CLOUDFORMATION", "",
                "2010-05-15"},
    ServiceInfo{Service::kAutoScaling, "autoscaling", "autoscaling", "AUTO_SCALING", "",
                "2011-01-01"},
    ServiceInfo{Service::kEc2, "ec2", "ec2", "EC2", "", "2016-11-15"},
    ServiceInfo{Service::kCloudWatch, "monitoring", "monitoring", "CLOUDWATCH", "", "2010-08-01"},
    ServiceInfo{Service::kS3, "s3", "s3", "S3", "", ""},
    ServiceInfo{Service::kEks, "eks", "eks", "EKS", "", ""},
};

consteval bool services_are_in_order() {
  for (std::size_t i = 0; i < kServices.size(); ++i) {
    if (kServices[i].service != static_cast<Service>(i)) return false;
  }
  return kServices.size() == static_cast<std::size_t>(Service::kEks) + 1;
}
static_assert(services_are_in_order());

[[nodiscard]] bool is_region(std::string_view text) {
  return !text.empty() && text.size() <= 63 && text.front() != '-' && text.back() != '-' &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

}  // namespace

const ServiceInfo& info(Service service) {
  return kServices[static_cast<std::size_t>(service)];
}

Partition partition_of(std::string_view region) {
  if (region.starts_with("cn-")) return {"aws-cn", "amazonaws.com.cn"};
  if (region.starts_with("us-gov-")) return {"aws-us-gov", "amazonaws.com"};
  if (region.starts_with("us-isob-")) return {"aws-iso-b", "sc2s.sgov.gov"};
  if (region.starts_with("us-isof-")) return {"aws-iso-f", "csp.hci.ic.gov"};
  if (region.starts_with("eu-isoe-")) return {"aws-iso-e", "cloud.adc-e.uk"};
  if (region.starts_with("us-iso-")) return {"aws-iso", "c2s.ic.gov"};
  if (region.starts_with("eusc-")) return {"aws-eusc", "amazonaws.eu"};
  return {"aws", "amazonaws.com"};
}

Outcome<ServiceEndpoint> endpoint_of(Service service, std::string_view region,
                                     const Context& context) {
  const ServiceInfo& of = info(service);
  if (region.empty()) {
    return failed(Failure::Kind::kInvalid, "no region: set AWS_REGION");
  }
  if (!is_region(region)) {
    return failed(Failure::Kind::kInvalid, "not a region: " + std::string(region));
  }
  const std::string own = "AWS_ENDPOINT_URL_" + std::string(of.variable);
  for (const std::string& variable : {own, std::string("AWS_ENDPOINT_URL")}) {
    std::optional<std::string> value = context.environment(variable);
    if (!value || value->empty()) continue;
    const Result<https::Url> url = https::Url::parse(*value);
    if (!url) return failed(Failure::Kind::kInvalid, variable + ": " + url.error().detail);
    if (url->target.contains('?')) {
      return failed(Failure::Kind::kInvalid, variable + ": an endpoint has no query");
    }
    while (value->ends_with('/')) value->pop_back();
    return ServiceEndpoint{*std::move(value), true};
  }
  std::string host = std::string(of.host_prefix) + "." + std::string(region) + "." +
                     std::string(partition_of(region).domain);
  return ServiceEndpoint{"https://" + host, false};
}

}  // namespace ebbgate::aws
