#include "policy/suffix.h"

#include <libpsl.h>

#include <algorithm>
#include <array>
#include <string>

#include "policy/detail/public_suffix.h"

namespace ebbgate::policy {
namespace {

// Domains of cloud operators in which the labels of customers stand at any depth
// (ACCOUNT.dkr.ecr.REGION.amazonaws.com), of which the list has only some.
constexpr std::array<std::string_view, 12> kClouds = {"amazonaws.com",   "amazonaws.com.cn",
                                                      "api.aws",         "on.aws",
                                                      "azure.com",       "azure.net",
                                                      "windows.net",     "googleapis.com",
                                                      "aliyuncs.com",    "cloudflarestorage.com",
                                                      "oraclecloud.com", "myqcloud.com"};

bool is_of_a_cloud(std::string_view name) {
  return std::ranges::any_of(kClouds, [&](std::string_view cloud) {
    return name.ends_with(cloud) &&
           (name.size() == cloud.size() || name[name.size() - cloud.size() - 1] == '.');
  });
}

}  // namespace

std::string_view registrable_domain(std::string_view name) {
  const std::string terminated(name);
  const char* found = psl_registrable_domain(psl_builtin(), terminated.c_str());
  if (found == nullptr) return {};
  return name.substr(static_cast<std::size_t>(found - terminated.c_str()));
}

bool is_shared(std::string_view name) {
  return registrable_domain(name).empty() || is_of_a_cloud(name) ||
         detail::strangers_below(name).has_value();
}

}  // namespace ebbgate::policy
