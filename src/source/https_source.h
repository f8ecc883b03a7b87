// A policy at an https URL, asked for with what is known of it (RFC 9110 13.1): If-None-Match and
// If-Modified-Since. A redirect is an error: only the configuration says where a policy comes from.
#pragma once

#include <string>

#include "source/policy_source.h"

namespace ebbgate::source {

class HttpsSource final : public PolicySource {
 public:
  HttpsSource(std::string url, https::Transport& transport);

  // The URL; a query, which may hold a secret, is told by its digest.
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] net::Task<Result<std::optional<Fetched>>> fetch(std::string token) override;
  // At the same path with `.sig` after it.
  [[nodiscard]] net::Task<Result<std::string>> fetch_signature() override;

 private:
  std::string url_;
  std::string name_;
  https::Transport* transport_;
};

}  // namespace ebbgate::source
