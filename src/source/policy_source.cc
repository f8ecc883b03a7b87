#include "source/policy_source.h"

#include "source/aws_sources.h"
#include "source/https_source.h"

namespace ebbgate::source {

Result<std::unique_ptr<PolicySource>> make_source(const config::SourceUrl& url,
                                                  const Reach& reach) {
  if (url.kind == config::SourceKind::kHttps) {
    return std::make_unique<HttpsSource>(url.text, reach.transport);
  }
  if (reach.aws == nullptr) {
    return fail(Reason::kInternal, Side::kSelf,
                url.text + " needs a region and credentials of AWS; set AWS_REGION");
  }
  switch (url.kind) {
    case config::SourceKind::kSsm:
      return std::make_unique<SsmSource>(url, *reach.aws);
    case config::SourceKind::kS3:
      return std::make_unique<S3Source>(url, *reach.aws);
    case config::SourceKind::kSecretsManager:
    case config::SourceKind::kHttps:
      break;
  }
  return std::make_unique<SecretSource>(url, *reach.aws);
}

}  // namespace ebbgate::source
