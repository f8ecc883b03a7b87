// Policies in AWS: a parameter of Systems Manager, an object of S3, a secret of Secrets Manager
// (where the original architecture keeps its list).
#pragma once

#include <optional>
#include <string>

#include "aws/client.h"
#include "source/policy_source.h"

namespace ebbgate::source {

// What a parameter holds that is too small for the policy itself: where it is instead. JSON:
//   {"bucket": "…", "key": "…", "versionId": "…", "sha256": "…", "signature": "…"}
// The last three may be missing; `sha256` is 64 hexadecimal digits, and the object has to fit.
struct Pointer {
  std::string bucket = {};
  std::string key = {};
  std::string version_id = {};
  std::string sha256 = {};
  std::string signature = {};  // base64, of the object

  // Whether it can only ever mean the same octets.
  [[nodiscard]] bool is_pinned() const { return !version_id.empty() || !sha256.empty(); }
  bool operator==(const Pointer&) const = default;
};
// Nothing: the value is no JSON object with a `bucket`, and so a policy. Errors: kOriginInvalid for
// one with a `bucket` that is not as above.
[[nodiscard]] Result<std::optional<Pointer>> parse_pointer(std::string_view value);

class SsmSource final : public PolicySource {
 public:
  SsmSource(config::SourceUrl url, aws::Client& client) : url_(std::move(url)), client_(&client) {}
  [[nodiscard]] const std::string& name() const override { return url_.text; }
  [[nodiscard]] net::Task<Result<std::optional<Fetched>>> fetch(std::string token) override;
  [[nodiscard]] net::Task<Result<std::string>> fetch_signature() override;

 private:
  // `known`: the object's ETag, where it was read before. Out: its text, and its ETag as the token
  // where the pointer is not pinned.
  [[nodiscard]] net::Task<Result<std::optional<Fetched>>> follow(Pointer pointer,
                                                                 std::string known);
  config::SourceUrl url_;
  aws::Client* client_;
};

class S3Source final : public PolicySource {
 public:
  S3Source(config::SourceUrl url, aws::Client& client) : url_(std::move(url)), client_(&client) {}
  [[nodiscard]] const std::string& name() const override { return url_.text; }
  [[nodiscard]] net::Task<Result<std::optional<Fetched>>> fetch(std::string token) override;
  [[nodiscard]] net::Task<Result<std::string>> fetch_signature() override;

 private:
  config::SourceUrl url_;
  aws::Client* client_;
};

class SecretSource final : public PolicySource {
 public:
  SecretSource(config::SourceUrl url, aws::Client& client)
      : url_(std::move(url)), client_(&client) {}
  [[nodiscard]] const std::string& name() const override { return url_.text; }
  [[nodiscard]] net::Task<Result<std::optional<Fetched>>> fetch(std::string token) override;
  [[nodiscard]] net::Task<Result<std::string>> fetch_signature() override;

 private:
  config::SourceUrl url_;
  aws::Client* client_;
};

}  // namespace ebbgate::source
