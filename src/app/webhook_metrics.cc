#include <chrono>
#include <numeric>

#include "app/detail/webhook_metrics.h"
#include "app/version.h"

namespace ebbgate::app::detail {
namespace {

class Text {
 public:
  explicit Text(observe::Exposition exposition)
      : is_open_(exposition == observe::Exposition::kOpenMetrics) {}

  // A family; `name` of a counter without its `_total`, which Prometheus' own format has in the
  // family's name, too.
  void family(const std::string& name, const std::string& type, const std::string& help) {
    name_ = name;
    const bool has_suffix = type == "counter" && !is_open_;
    const std::string shown = name + (has_suffix ? "_total" : "");
    out_ += "# HELP " + shown + " " + help + "\n# TYPE " + shown + " " + type + "\n";
  }
  void sample(const std::string& suffix, const std::string& labels, const std::string& value) {
    out_ += name_ + suffix + (labels.empty() ? "" : "{" + labels + "}") + " " + value + "\n";
  }
  [[nodiscard]] std::string take() {
    if (is_open_) out_ += "# EOF\n";
    return std::move(out_);
  }

 private:
  bool is_open_;
  std::string name_;
  std::string out_;
};

std::string label(const std::string& name, std::string_view value) {
  return name + "=\"" + std::string(value) + "\"";
}

}  // namespace

std::string webhook_metrics(const WebhookCounters& counters, const WebhookGauges& gauges,
                            observe::Exposition exposition) {
  constexpr std::array<std::string_view, 2> kWebhooks = {"inject", "validate"};
  Text text(exposition);
  text.family("ebbgate_build_info", "gauge", "What is running; always 1.");
  text.sample("", label("version", kVersion) + "," + label("revision", kRevision), "1");
  text.family("ebbgate_webhook_reviews", "counter", "Reviews answered, by what came of them.");
  for (std::size_t i = 0; i < kWebhooks.size(); ++i) {
    for (std::size_t outcome = 0; outcome < webhook::kOutcomes; ++outcome) {
      text.sample("_total",
                  label("webhook", kWebhooks[i]) + "," +
                      label("outcome", webhook::word(static_cast<webhook::Outcome>(outcome))),
                  std::to_string(counters.rows()[i].outcomes[outcome]));
    }
  }
  text.family("ebbgate_webhook_review_seconds", "summary", "Time taken by reviews.");
  for (std::size_t i = 0; i < kWebhooks.size(); ++i) {
    const WebhookCounters::Row& row = counters.rows()[i];
    const std::string labels = label("webhook", kWebhooks[i]);
    text.sample("_sum", labels, std::to_string(std::chrono::duration<double>(row.taken).count()));
    text.sample("_count", labels,
                std::to_string(
                    std::accumulate(row.outcomes.begin(), row.outcomes.end(), std::uint64_t{0})));
  }
  text.family("ebbgate_webhook_client_faults", "counter",
              "Connections that ended badly: no TLS, no trust in the certificate, no HTTP.");
  text.sample("_total", "", std::to_string(counters.faults()));
  text.family("ebbgate_webhook_connections", "gauge", "Connections that are open.");
  text.sample("", "", std::to_string(gauges.connections));
  if (gauges.certificate_expires) {
    text.family("ebbgate_webhook_certificate_expires_timestamp_seconds", "gauge",
                "When the certificate that is shown ends.");
    const auto seconds =
        std::chrono::floor<std::chrono::seconds>(*gauges.certificate_expires).time_since_epoch();
    text.sample("", "", std::to_string(seconds.count()));
  }
  return text.take();
}

}  // namespace ebbgate::app::detail
