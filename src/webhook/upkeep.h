// Keeps a webhook's own certificate: reads it from the Secret that the replicas share, makes the
// first and each next one, and tells the webhooks' configurations whom to trust before any replica
// shows it. What else holds a certificate for it (cert-manager) makes this needless.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "kube/client.h"
#include "net/task.h"
#include "webhook/certificate.h"

namespace ebbgate::webhook {

struct UpkeepOptions {
  ServiceName service;
  std::string secret;                   // its name, in the service's namespace; it exists already
  std::vector<std::string> mutating;    // names of MutatingWebhookConfigurations
  std::vector<std::string> validating;  // names of ValidatingWebhookConfigurations
  Duration lifetime = std::chrono::hours(24 * 90);
};

class Upkeep {
 public:
  // Client and clock outlive it. `serve`: another certificate is to be shown from now on.
  Upkeep(kube::Client& client, const Clock& clock, UpkeepOptions options,
         std::function<void(const Certificate&)> serve)
      : client_(&client), clock_(&clock), options_(std::move(options)), serve_(std::move(serve)) {}
  Upkeep(const Upkeep&) = delete;
  Upkeep& operator=(const Upkeep&) = delete;

  // One look at everything, to be repeated each minute. A certificate is served although some
  // configuration could not be told, only where none is served yet. Errors: what went wrong; the
  // next look tries again.
  [[nodiscard]] net::Task<Result<void>> look();

 private:
  [[nodiscard]] net::Task<Result<Certificate>> shared_certificate();
  [[nodiscard]] net::Task<Result<void>> tell(std::string plural, std::string name,
                                             std::string authorities_pem);

  kube::Client* client_;
  const Clock* clock_;
  UpkeepOptions options_;
  std::function<void(const Certificate&)> serve_;
  std::string served_pem_;  // the certificate that is shown
};

}  // namespace ebbgate::webhook
