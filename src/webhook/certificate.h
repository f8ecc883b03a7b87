// The certificate that a webhook makes for itself and shares among its replicas: when it is to be
// renewed, how it lies in a Secret, and what the webhooks' configurations say of it. JSON in, JSON
// out; upkeep.h does the asking.
//
// An authority is made with each certificate and its key forgotten, so a renewal makes another one;
// the old one stays trusted until it ends, since not every replica renews at once.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"

namespace ebbgate::webhook {

struct Certificate {
  std::string authorities_pem;  // whom clients are to trust, the newest first
  std::string certificate_pem;
  Secret key_pem;
};

struct ServiceName {
  std::string name;
  std::string in_namespace;
};

// What the API server calls the service, and what people do.
[[nodiscard]] std::vector<std::string> names_of(const ServiceName& service);

// A new one. Of the authorities of `before` those are kept that have not ended, two at most.
// Errors: kInternal.
[[nodiscard]] Result<Certificate> renewed(const std::optional<Certificate>& before,
                                          const ServiceName& service, WallTime now,
                                          Duration lifetime);

// Whether less than a third of its lifetime is left, or it cannot be read.
[[nodiscard]] bool is_due(const Certificate& certificate, WallTime now, Duration lifetime);

struct StoredCertificate {
  std::string version;                     // metadata.resourceVersion
  std::optional<Certificate> certificate;  // none: the Secret is empty
};
// Errors: kOriginInvalid, where the text is no Secret.
[[nodiscard]] Result<StoredCertificate> certificate_in(std::string_view secret);
// A merge patch (RFC 7396) that the API refuses (409) where the Secret is no longer of `version`.
[[nodiscard]] std::string secret_patch(const Certificate& certificate, const std::string& version);

// A merge patch by which each webhook of the configuration that leads to `service` trusts these
// authorities; empty: they do. 409 as above. Errors: kOriginInvalid, where the text is none, or
// none of its webhooks leads there.
[[nodiscard]] Result<std::string> trust_patch(std::string_view configuration,
                                              const std::string& authorities_pem,
                                              const ServiceName& service);

}  // namespace ebbgate::webhook
