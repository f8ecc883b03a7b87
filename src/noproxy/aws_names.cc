#include "noproxy/aws_names.h"

#include <algorithm>
#include <array>

#include "noproxy/detail/text.h"

namespace ebbgate::noproxy {
namespace {

using detail::is_below;
using detail::split;

constexpr std::array<std::string_view, 2> kDomains = {"amazonaws.com", "amazonaws.com.cn"};
constexpr std::array<std::string_view, 2> kNewDomains = {"api.aws", "api.amazonwebservices.com.cn"};

// Services whose endpoint answers for `<service>.<region>.amazonaws.com` and nothing else.
constexpr std::array<std::string_view, 29> kPlain = {"acm-pca",
                                                     "autoscaling",
                                                     "cloudformation",
                                                     "dynamodb",
                                                     "ec2",
                                                     "ec2messages",
                                                     "ecs",
                                                     "eks",
                                                     "elasticfilesystem",
                                                     "elasticloadbalancing",
                                                     "email-smtp",
                                                     "events",
                                                     "firehose",
                                                     "glue",
                                                     "guardduty-data",
                                                     "kinesis-streams",
                                                     "kms",
                                                     "lambda",
                                                     "logs",
                                                     "monitoring",
                                                     "rds",
                                                     "secretsmanager",
                                                     "sns",
                                                     "sqs",
                                                     "ssm",
                                                     "ssmmessages",
                                                     "states",
                                                     "sts",
                                                     "xray"};

// Labels below AWS's domains that belong to what stands in the VPC itself.
constexpr std::array<std::string_view, 9> kInVpc = {"eks", "elb", "rds",  "redshift", "cache",
                                                    "efs", "es",  "vpce", "fsx"};

bool is_region(std::string_view text) {
  const auto parts = split(text, "-");
  if (parts.size() < 3 || parts[0].size() != 2) return false;
  const auto is_word = [](std::string_view part) {
    return !part.empty() && std::ranges::all_of(part, [](char c) { return c >= 'a' && c <= 'z'; });
  };
  const std::string_view number = parts.back();
  return std::ranges::all_of(parts.begin(), parts.end() - 1, is_word) && number.size() == 1 &&
         number[0] >= '0' && number[0] <= '9';
}

std::unexpected<Error> unknown(std::string detail) {
  return fail(Reason::kMalformedRequest, Side::kSelf, std::move(detail));
}

}  // namespace

Result<std::vector<std::string>> private_names(std::string_view service, std::string_view region) {
  if (!is_region(region)) {
    return unknown("'" + std::string(region) + "' is no region; one is like eu-west-2");
  }
  const bool is_china = region.starts_with("cn-");
  const std::string in_region = "." + std::string(region) + "." + std::string(kDomains[is_china]);
  const std::string name = std::string(service) + in_region;
  if (service == "s3") {
    const std::string dual_stack = "s3.dualstack" + in_region;
    return std::vector{name, "." + name, dual_stack, "." + dual_stack};
  }
  if (service == "ecr.api") return std::vector{"api.ecr" + in_region};
  if (service == "ecr.dkr") return std::vector{".dkr.ecr" + in_region};
  if (service == "execute-api") return std::vector{"." + name};
  if (service == "eks-auth") {
    return std::vector{"eks-auth." + std::string(region) + "." +
                       std::string(kNewDomains[is_china])};
  }
  if (detail::contains(kPlain, service)) return std::vector{name};
  return unknown("the VPC endpoint '" + std::string(service) +
                 "' is none that is known here; give its private DNS name as an extra entry");
}

bool is_public_aws_name(std::string_view name) {
  for (const auto& domains : {kDomains, kNewDomains}) {
    for (const std::string_view domain : domains) {
      if (name == domain) return true;
      if (!is_below(name, domain)) continue;
      const auto labels = split(name.substr(0, name.size() - domain.size() - 1), ".");
      // What stands in the VPC is `<name>.elb.<region>`, or `<name>.<region>.eks` and the like.
      const std::string_view last = labels.back();
      if (!is_region(last)) return !detail::contains(kInVpc, last);
      if (labels.size() == 1) return true;
      const std::string_view service = labels[labels.size() - 2];
      return !detail::contains(kInVpc, service) ||
             (labels.size() == 2 && detail::contains(kPlain, service));
    }
  }
  return false;
}

}  // namespace ebbgate::noproxy
