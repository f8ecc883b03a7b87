// The webhook as it runs: its listener and its certificate, pages for probes and Prometheus, a line
// for each review, and an orderly end. All on one loop, the calling thread's.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/authority.h"
#include "base/clock.h"
#include "base/result.h"
#include "webhook/inject.h"
#include "webhook/upkeep.h"

namespace ebbgate::app {

struct WebhookOptions {
  Endpoint listen;
  std::optional<Endpoint> health;
  webhook::Injection injection;

  // A folder with `tls.crt` and `tls.key` that somebody renews; empty: its own certificate.
  std::string cert_dir;
  webhook::UpkeepOptions upkeep;
  std::string kubeconfig;  // empty: the service account of the pod

  Duration drain_delay = std::chrono::seconds(5);
};

// Until SIGTERM or SIGINT. Errors: kInternal, where it cannot begin.
[[nodiscard]] Result<void> serve_webhook(const WebhookOptions& options);

}  // namespace ebbgate::app
