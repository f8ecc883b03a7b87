#include "policy/detail/public_suffix.h"

#include <libpsl.h>

#include <array>

namespace ebbgate::policy::detail {
namespace {

// Suffixes that deserve better words than the list has, and some that it does not have.
struct Known {
  std::string_view suffix;  // that name and those below it
  std::string_view strangers;
};
constexpr std::array kKnown = {
    Known{"compute.amazonaws.com", "every EC2 instance of every AWS customer"},
    Known{"compute-1.amazonaws.com", "every EC2 instance of every AWS customer"},
    Known{"elb.amazonaws.com", "every load balancer of every AWS customer"},
    Known{"cloudfront.net", "every CloudFront distribution, whoever owns it"},
    Known{"on.aws", "every Lambda function URL and App Runner service of every AWS customer"},
    Known{"core.windows.net", "every storage account of every Azure customer"},
    Known{"blob.core.windows.net", "every storage account of every Azure customer"},
    Known{"windows.net", "every storage account of every Azure customer"},
    Known{"googleapis.com", "every Cloud Storage bucket of every Google Cloud customer"},
    Known{"github.io", "every GitHub user's pages"},
    Known{"githubusercontent.com", "every file that any GitHub user uploads"},
};

// Labels under which operators commonly house their customers: a name is shared, too, where one of
// these below it is a public suffix (amazonaws.com for s3.amazonaws.com).
constexpr std::array<std::string_view, 8> kCustomerLabels = {"s3",   "elb",  "app",   "apps",
                                                             "user", "cust", "pages", "map"};

bool is_suffix(const std::string& name, int types) {
  // Without the rule `*`, by which every unknown top-level name would be one.
  return psl_is_public_suffix2(psl_builtin(), name.c_str(), types | PSL_TYPE_NO_STAR_RULE) != 0;
}

bool is_at_or_below(std::string_view name, std::string_view suffix) {
  return name.ends_with(suffix) &&
         (name.size() == suffix.size() || name[name.size() - suffix.size() - 1] == '.');
}

// The words for an S3 endpoint: s3.amazonaws.com, s3-eu-west-1.amazonaws.com,
// s3.dualstack.eu-west-2.amazonaws.com, s3.cn-north-1.amazonaws.com.cn.
bool is_s3(std::string_view name) {
  return (name.starts_with("s3.") || name.starts_with("s3-")) && name.contains(".amazonaws.com");
}

}  // namespace

bool is_public_suffix(std::string_view name) {
  return is_suffix(std::string(name), PSL_TYPE_ANY);
}

std::optional<std::string> strangers_below(std::string_view name) {
  const std::string terminated(name);
  if (is_suffix(terminated, PSL_TYPE_PRIVATE)) {
    if (is_s3(name)) return "every S3 bucket of every AWS customer";
    for (const Known& known : kKnown) {
      if (is_at_or_below(name, known.suffix)) return std::string(known.strangers);
    }
    return "every customer of the hosting service behind it";
  }
  if (is_suffix(terminated, PSL_TYPE_ICANN)) return "every name that anybody registers below it";
  for (const Known& known : kKnown) {
    if (name == known.suffix) return std::string(known.strangers);
  }
  for (const std::string_view label : kCustomerLabels) {
    if (!is_suffix(std::string(label) + "." + terminated, PSL_TYPE_ANY)) continue;
    if (name.contains("amazonaws.com")) {
      return "every S3 bucket, EC2 instance and load balancer of every AWS customer";
    }
    return "every customer of the hosting service behind it, for example below " +
           std::string(label) + "." + terminated;
  }
  return std::nullopt;
}

}  // namespace ebbgate::policy::detail
