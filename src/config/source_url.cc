#include "config/source_url.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/authority.h"
#include "config/detail/values.h"

namespace ebbgate::config {
namespace {

using Parts = std::expected<SourceUrl, Problem>;

constexpr std::size_t kMaxUrl = 2048;  // octets: the longest ARN, the longest key, and room

bool consists_of(std::string_view text, std::string_view marks) {
  return std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           marks.contains(c);
  });
}

// Where the version or the label of a parameter begins, that may stand after a colon at its name's
// end; its length where there is none. An ARN has five colons before the name.
std::size_t selector_of(std::string_view parameter) {
  std::size_t at = 0;
  if (parameter.starts_with("arn:")) {
    for (int i = 0; i < 5 && at < parameter.size(); ++i) {
      at = std::min(parameter.find(':', at), parameter.size() - 1) + 1;
    }
  }
  return std::min(parameter.find(':', at), parameter.size());
}

// What every kind refuses: nobody writes these into a URL that is meant.
const char* octet_fault(std::string_view text) {
  if (text.size() > kMaxUrl) return "is longer than 2048 octets";
  for (const char c : text) {
    if (c <= 0x20 || c >= 0x7f) return "has a blank or an octet outside ASCII";
  }
  return nullptr;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Parts read() const {
    if (const char* fault = octet_fault(text_)) {
      return refused(fault, "write it in visible ASCII; https URLs percent-encode the rest");
    }
    const std::size_t colon = text_.find("://");
    const std::string_view scheme = text_.substr(0, colon);
    if (colon == std::string_view::npos) return unknown_scheme();
    const std::string_view rest = text_.substr(colon + 3);
    if (scheme == "https") return https(rest);
    if (scheme == "ssm") return ssm(rest);
    if (scheme == "s3") return s3(rest);
    if (scheme == "secretsmanager") return secret(rest);
    if (scheme == "http") {
      return refused("would be read in the clear, where anybody on the way can change it",
                     "write https://");
    }
    return unknown_scheme();
  }

 private:
  [[nodiscard]] std::unexpected<Problem> refused(std::string what, std::string fix) const {
    const std::string_view shown = text_.substr(0, text_.find('?'));
    return std::unexpected(Problem{.file = {},
                                   .message = detail::quoted(shown) + " " + std::move(what),
                                   .fix = std::move(fix)});
  }
  [[nodiscard]] std::unexpected<Problem> unknown_scheme() const {
    return refused(
        "is no source of policies",
        "write ssm:///NAME, s3://BUCKET/KEY, secretsmanager://NAME or https://HOST/PATH; "
        "a file is named with --policy or --allow-file");
  }
  [[nodiscard]] SourceUrl made(SourceKind kind, std::string_view name,
                               std::string_view bucket = {}) const {
    return {.kind = kind,
            .text = std::string(text_),
            .bucket = std::string(bucket),
            .name = std::string(name)};
  }

  [[nodiscard]] Parts https(std::string_view rest) const {
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    if (authority.contains('@')) {
      return refused("holds a user or a password",
                     "leave it out: a policy is protected by TLS and by --policy-key");
    }
    if (text_.contains('#')) return refused("has a fragment", "leave out what follows the #");
    if (const auto host = Authority::parse(authority, kHttpsPort); !host) {
      return refused("names no host", "write https://HOST/PATH");
    }
    return made(SourceKind::kHttps, {});
  }

  [[nodiscard]] Parts ssm(std::string_view rest) const {
    const bool is_named = !rest.empty() && rest != "/" && !rest.ends_with('/') &&
                          !rest.contains("//") && consists_of(rest, "_.-/:");
    const std::size_t selector = selector_of(rest);
    if (is_named && selector < rest.size()) {
      return refused("names one version of a parameter", "write ssm://" +
                                                             std::string(rest.substr(0, selector)) +
                                                             ": it is always the newest version");
    }
    if (is_named) return made(SourceKind::kSsm, rest);
    return refused("names no parameter",
                   "write ssm:///path/of/parameter, with letters, digits, `_`, `.`, `-` and `/`");
  }

  [[nodiscard]] Parts s3(std::string_view rest) const {
    const std::size_t slash = rest.find('/');
    const std::string_view bucket = rest.substr(0, slash);
    const std::string_view key = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
    // docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    const bool is_bucket =
        bucket.size() >= 3 && bucket.size() <= 63 && consists_of(bucket, ".-") &&
        std::ranges::none_of(bucket, [](char c) { return c >= 'A' && c <= 'Z'; });
    if (!is_bucket || key.empty() || key.ends_with('/')) {
      return refused("names no object", "write s3://BUCKET/KEY");
    }
    if (key.contains('?')) {
      return refused("has a query", "write the key alone: it is always the newest version");
    }
    return made(SourceKind::kS3, key, bucket);
  }

  [[nodiscard]] Parts secret(std::string_view rest) const {
    if (!rest.empty() && consists_of(rest, "/_+=.@-:")) {
      return made(SourceKind::kSecretsManager, rest);
    }
    return refused("names no secret", "write secretsmanager://NAME, or the secret's ARN as NAME");
  }

  std::string_view text_;
};

}  // namespace

std::expected<SourceUrl, Problem> parse_source_url(std::string_view text) {
  return Reader(text).read();
}

}  // namespace ebbgate::config
