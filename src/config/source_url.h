// Where a policy may come from besides files: the URL forms of `--policy-source`. They stand in the
// gateway's own configuration only; no policy can name another.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "config/problem.h"

namespace ebbgate::config {

enum class SourceKind : std::uint8_t { kHttps, kSsm, kS3, kSecretsManager };

struct SourceUrl {
  SourceKind kind = SourceKind::kHttps;
  std::string text = {};  // as it was written; a query may hold a secret, and is for nobody to see
  std::string bucket = {};  // of kS3
  std::string name = {};    // the parameter's, the object's key, or the secret's name or ARN

  [[nodiscard]] std::string_view shown() const {  // without the query
    return std::string_view(text).substr(0, text.find('?'));
  }
  bool operator==(const SourceUrl&) const = default;
};

// In: `https://host[:port]/path[?query]`, `ssm:///path/of/parameter` (three slashes: the
// parameter's name begins with one; `ssm://name` and `ssm://arn:…` have none), `s3://bucket/key`,
// where the key stands as it is, not encoded, or `secretsmanager://name`. Out: the parts, or what
// is wrong and the fix, without a position.
[[nodiscard]] std::expected<SourceUrl, Problem> parse_source_url(std::string_view text);

}  // namespace ebbgate::config
