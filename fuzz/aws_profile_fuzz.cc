// fuzz-deps: aws
// The shared files of the AWS tools, and the URI of a container's credentials. The first octet says
// which. A setting that is read stands on one line; an URI that is taken leads to one of four
// addresses, or is https.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "aws/detail/credential_sources.h"
#include "aws/profile.h"
#include "https/url.h"

namespace ebbgate::aws {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_profile(std::string_view text, ProfileFile file) {
  const auto profile = parse_profile(text, file, "default");
  if (!profile) {
    require(!profile.error().message.empty());
    return;
  }
  for (const auto& [key, value] : *profile) {
    require(!key.empty() && text.contains(value));
    require(key.find_first_of("\n=") == std::string::npos && !value.contains('\n'));
  }
}

void check_uri(std::string_view text) {
  const auto url = https::Url::parse(text);
  if (!url || !detail::may_hold_credentials(*url) || url->scheme == https::Scheme::kHttps) return;
  const std::string host = url->authority.host.str();
  require(host == "169.254.170.2" || host == "169.254.170.23" || host == "[fd00:ec2::23]" ||
          host == "[::1]" || host.starts_with("127."));
}

}  // namespace
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      check_profile(text, ProfileFile::kConfig);
      break;
    case 1:
      check_profile(text, ProfileFile::kCredentials);
      break;
    default:
      check_uri(text);
  }
  return 0;
}

}  // namespace ebbgate::aws
