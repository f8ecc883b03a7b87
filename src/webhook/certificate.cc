#include "webhook/certificate.h"

#include <utility>

#include "base/base64.h"
#include "tls/self_signed.h"
#include "webhook/detail/review_json.h"

namespace ebbgate::webhook {
namespace {

using detail::Json;
using detail::member;
using detail::text_of;

constexpr std::size_t kOldAuthorities = 2;
constexpr const char* kAuthorities = "ca.crt";
constexpr const char* kCertificate = "tls.crt";  // as in every Secret of type kubernetes.io/tls
constexpr const char* kKey = "tls.key";

std::unexpected<Error> wrong(std::string detail) {
  return fail(Reason::kOriginInvalid, Side::kOrigin, std::move(detail));
}

std::vector<std::string> split_pem(std::string_view text) {
  constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
  constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
  std::vector<std::string> out;
  for (;;) {
    const std::size_t begin = text.find(kBegin);
    const std::size_t end = begin == std::string_view::npos ? begin : text.find(kEnd, begin);
    if (end == std::string_view::npos) return out;
    out.push_back(std::string(text.substr(begin, end + kEnd.size() - begin)) + '\n');
    text.remove_prefix(end + kEnd.size());
  }
}

std::string decoded(const Json& data, const char* key) {
  return base64_decoded(text_of(data, key)).value_or("");
}

std::string version_of(const Json& object) {
  const Json* metadata = member(object, "metadata");
  return metadata == nullptr ? "" : text_of(*metadata, "resourceVersion");
}

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::vector<std::string> names_of(const ServiceName& service) {
  const std::string in_cluster = service.name + "." + service.in_namespace + ".svc";
  return {in_cluster, in_cluster + ".cluster.local", service.name + "." + service.in_namespace,
          service.name};
}

Result<Certificate> renewed(const std::optional<Certificate>& before, const ServiceName& service,
                            WallTime now, Duration lifetime) {
  auto made = tls::make_self_signed(names_of(service), now, lifetime);
  if (!made) return std::unexpected(std::move(made.error()));
  Certificate out{.authorities_pem = std::move(made->authority_pem),
                  .certificate_pem = std::move(made->certificate_pem),
                  .key_pem = Secret(std::move(made->key_pem))};
  if (!before) return out;
  std::size_t kept = 0;
  for (const std::string& each : split_pem(before->authorities_pem)) {
    const auto end = tls::expiry_of(each);
    if (!end || *end <= now || kept == kOldAuthorities) continue;
    out.authorities_pem += each;
    ++kept;
  }
  return out;
}

bool is_due(const Certificate& certificate, WallTime now, Duration lifetime) {
  const auto end = tls::expiry_of(certificate.certificate_pem);
  return !end || *end - now < lifetime / 3;
}

Result<StoredCertificate> certificate_in(std::string_view secret) {
  const Json json = Json::parse(secret, nullptr, false);
  if (json.is_discarded() || version_of(json).empty()) {
    return wrong("what the API calls a Secret is none");
  }
  StoredCertificate out{.version = version_of(json), .certificate = {}};
  const Json* data = member(json, "data");
  if (data == nullptr) return out;
  Certificate found{.authorities_pem = decoded(*data, kAuthorities),
                    .certificate_pem = decoded(*data, kCertificate),
                    .key_pem = Secret(decoded(*data, kKey))};
  const bool is_whole = !found.authorities_pem.empty() && !found.certificate_pem.empty();
  if (is_whole) out.certificate = std::move(found);
  return out;
}

std::string secret_patch(const Certificate& certificate, const std::string& version) {
  return dumped({{"metadata", {{"resourceVersion", version}}},
                 {"data",
                  {{kAuthorities, base64_encoded(certificate.authorities_pem)},
                   {kCertificate, base64_encoded(certificate.certificate_pem)},
                   {kKey, base64_encoded(certificate.key_pem.reveal())}}}});
}

Result<std::string> trust_patch(std::string_view configuration, const std::string& authorities_pem,
                                const ServiceName& service) {
  const Json json = Json::parse(configuration, nullptr, false);
  if (json.is_discarded() || version_of(json).empty()) {
    return wrong("what the API calls a configuration of webhooks is none");
  }
  const Json* found = member(json, "webhooks");
  Json webhooks = found != nullptr && found->is_array() ? *found : Json::array();
  const std::string wanted = base64_encoded(authorities_pem);
  bool is_ours = false;
  bool has_changed = false;
  for (Json& webhook : webhooks) {
    const Json* client = member(webhook, "clientConfig");
    const Json* leads_to = client == nullptr ? nullptr : member(*client, "service");
    if (leads_to == nullptr || text_of(*leads_to, "name") != service.name ||
        text_of(*leads_to, "namespace") != service.in_namespace) {
      continue;
    }
    is_ours = true;
    if (text_of(*client, "caBundle") == wanted) continue;
    webhook["clientConfig"]["caBundle"] = wanted;
    has_changed = true;
  }
  if (!is_ours) {
    return wrong("none of its webhooks leads to the service " + service.name + " in " +
                 service.in_namespace);
  }
  if (!has_changed) return std::string();
  return dumped(
      {{"metadata", {{"resourceVersion", version_of(json)}}}, {"webhooks", std::move(webhooks)}});
}

}  // namespace ebbgate::webhook
