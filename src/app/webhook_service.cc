#include "app/webhook_service.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "admin/server.h"
#include "app/detail/webhook_metrics.h"
#include "app/diagnostics.h"
#include "app/kube_session.h"
#include "app/version.h"
#include "base/escape.h"
#include "net/background.h"
#include "net/loop.h"
#include "net/run.h"
#include "tls/server_context.h"
#include "webhook/judge.h"
#include "webhook/server.h"

namespace ebbgate::app {
namespace {

constexpr Duration kLookAtFiles = std::chrono::seconds(5);  // the kubelet renews them each minute
constexpr Duration kLookAtApi = std::chrono::minutes(1);
constexpr Duration kSoon = std::chrono::seconds(5);  // after a failure before the first certificate
constexpr Duration kLastRequests = std::chrono::seconds(10);  // of drain, after the delay
constexpr Duration kLook = std::chrono::milliseconds(50);
constexpr Duration kSameAgain =
    std::chrono::minutes(1);                // before a fault of a client is told again
constexpr std::size_t kDetailShown = 1024;  // octets, in the log

std::string read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// A line for each review. What came with it is JSON's to escape.
void log_review(std::string_view webhook, const webhook::Reply& reply, WallTime now,
                Duration taken) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  const std::time_t time = std::chrono::system_clock::to_time_t(seconds);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  nlohmann::ordered_json line{{"time", std::string(text.data(), size)},
                              {"webhook", webhook},
                              {"outcome", webhook::word(reply.outcome)}};
  if (!reply.uid.empty()) line["uid"] = reply.uid.substr(0, kDetailShown);
  if (!reply.operation.empty()) line["operation"] = reply.operation.substr(0, kDetailShown);
  if (!reply.about.empty()) line["object"] = reply.about.substr(0, kDetailShown);
  if (!reply.detail.empty()) line["detail"] = reply.detail.substr(0, kDetailShown);
  line["durationMs"] = std::chrono::duration_cast<std::chrono::milliseconds>(taken).count();
  std::string out = line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  out += '\n';
  std::fwrite(out.data(), 1, out.size(), stdout);
  std::fflush(stdout);
}

class Service {
 public:
  Service(net::Loop& loop, const WebhookOptions& options) : loop_(&loop), options_(&options) {}
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  [[nodiscard]] Result<void> start();
  // Why it came to an end, if that was not asked for.
  [[nodiscard]] Result<void> outcome() const { return outcome_; }

 private:
  enum class Phase : std::uint8_t { kServing, kDelaying, kDraining, kEnding };

  [[nodiscard]] Result<void> watch_signals();
  static void on_signal(net::Channel& channel, std::uint32_t events);
  static void on_phase_timer(void* self);
  static void on_file_timer(void* self);
  void take_files();
  [[nodiscard]] net::Task<void> keep_certificate();
  void show(const std::string& certificate_pem, const std::string& key_pem,
            const std::string& from);
  void complain(std::string text);
  [[nodiscard]] webhook::Answer answer(const webhook::Call& call);
  void on_fault(const Endpoint& from, const Error& error);
  [[nodiscard]] admin::AdminState state() const;
  [[nodiscard]] detail::WebhookGauges gauges() const;

  net::Loop* loop_;
  const WebhookOptions* options_;
  SystemClock clock_;
  detail::WebhookCounters counters_;
  Result<void> outcome_;
  Phase phase_ = Phase::kServing;
  MonotonicTime drain_end_;
  std::string complaint_;        // the last, about the certificate
  std::string certificate_pem_;  // that is shown, or was tried
  std::string key_pem_;
  std::string fault_;  // the last of a client, and when it was told
  MonotonicTime fault_told_at_;
  std::unique_ptr<KubeSession> api_;
  std::optional<webhook::Upkeep> upkeep_;
  std::unique_ptr<admin::Server> health_;
  std::unique_ptr<webhook::Server> server_;
  net::Timer file_timer_{&Service::on_file_timer, this};
  net::Timer phase_timer_{&Service::on_phase_timer, this};
  net::Background keeper_;
};

Result<void> Service::watch_signals() {
  sigset_t set{};
  ::sigemptyset(&set);
  for (const int each : {SIGTERM, SIGINT}) ::sigaddset(&set, each);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  const int fd = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return fail(Reason::kInternal, Side::kSelf, "no descriptor for signals");
  net::Channel& channel = loop_->open(fd);
  channel.handler = &Service::on_signal;
  channel.owner = this;
  if (loop_->watch(channel)) return {};
  return fail(Reason::kInternal, Side::kSelf, "signals cannot be waited for");
}

Result<void> Service::start() {
  if (auto watched = watch_signals(); !watched) return watched;
  if (options_->health) {
    auto health = admin::Server::start(*loop_, *options_->health, {}, [this] { return state(); });
    if (!health) return std::unexpected(std::move(health.error()));
    health_ = std::move(*health);
  }
  if (!options_->cert_dir.empty()) {
    take_files();
    return {};
  }
  auto api = KubeSession::make(
      *loop_, clock_,
      {.is_in_cluster = options_->kubeconfig.empty(), .kubeconfig = options_->kubeconfig});
  if (!api) {
    api.error().detail += " (or give --cert-dir a certificate)";
    return std::unexpected(std::move(api.error()));
  }
  api_ = std::move(*api);
  upkeep_.emplace(api_->client(), clock_, options_->upkeep,
                  [this](const webhook::Certificate& certificate) {
                    show(certificate.certificate_pem, certificate.key_pem.reveal(),
                         "the Secret " + options_->upkeep.secret);
                  });
  keeper_.start(keep_certificate(), [](const std::exception_ptr&) {});
  return {};
}

// Says it once, and again only after something else.
void Service::complain(std::string text) {
  if (text == complaint_) return;
  complaint_ = std::move(text);
  if (!complaint_.empty()) say(escaped_prose(complaint_));
}

void Service::show(const std::string& certificate_pem, const std::string& key_pem,
                   const std::string& from) {
  auto context = tls::ServerContext::make(certificate_pem, key_pem);
  if (!context) {
    complain(from + ": " + context.error().detail +
             (server_ == nullptr ? "" : "; the last one is kept"));
    return;
  }
  complain("");
  if (server_ != nullptr) {
    server_->present(std::move(*context));
    say("a new certificate is shown from now on");
    return;
  }
  auto server = webhook::Server::start(
      *loop_, options_->listen, std::move(*context),
      [this](const webhook::Call& call) { return answer(call); },
      [this](const Endpoint& from_client, const Error& error) { on_fault(from_client, error); });
  if (!server) {
    outcome_ = std::unexpected(std::move(server.error()));
    loop_->stop();
    return;
  }
  server_ = std::move(*server);
  std::string line = "ready listen=" + server_->local().str();
  if (health_ != nullptr) line += " health=" + health_->local().str();
  say(line);
}

void Service::on_file_timer(void* self) {
  static_cast<Service*>(self)->take_files();
}

void Service::take_files() {
  const std::string certificate = read_whole(options_->cert_dir + "/tls.crt");
  const std::string key = read_whole(options_->cert_dir + "/tls.key");
  if (certificate.empty() || key.empty()) {
    complain(options_->cert_dir + " has no tls.crt or no tls.key that can be read");
  } else if (certificate != certificate_pem_ || key != key_pem_) {
    show(certificate, key, options_->cert_dir);
    certificate_pem_ = certificate;
    key_pem_ = key;
  }
  loop_->arm(file_timer_, loop_->after(kLookAtFiles));
}

net::Task<void> Service::keep_certificate() {
  for (;;) {
    const auto looked = co_await upkeep_->look();
    complain(looked ? "" : "the certificate: " + looked.error().detail);
    const Deadline next = loop_->after(looked || server_ != nullptr ? kLookAtApi : kSoon);
    const auto end = co_await net::sleep_until(*loop_, next);
    if (end == net::Wait::End::kStopped) co_return;
  }
}

webhook::Answer Service::answer(const webhook::Call& call) {
  const std::string_view path = call.target.substr(0, call.target.find('?'));
  const bool is_injection = path == "/inject";
  if (!is_injection && path != "/validate") {
    return {.status = 404, .content_type = "text/plain; charset=utf-8", .body = "not found\n"};
  }
  if (call.method != "POST") {
    return {.status = 405, .content_type = "text/plain; charset=utf-8", .body = "use POST\n"};
  }
  const auto begun = std::chrono::steady_clock::now();
  webhook::Reply reply = is_injection ? webhook::inject(call.body, options_->injection)
                                      : webhook::judge(call.body, clock_.wall());
  const Duration taken = std::chrono::steady_clock::now() - begun;
  counters_.count(is_injection, reply.outcome, taken);
  log_review(is_injection ? "inject" : "validate", reply, clock_.wall(), taken);
  return {.status = reply.status,
          .content_type = reply.status == 200 ? "application/json" : "text/plain; charset=utf-8",
          .body = std::move(reply.body)};
}

void Service::on_fault(const Endpoint& from, const Error& error) {
  counters_.count_fault();
  const std::string text = from.address.str() + ": " + error.detail;
  const MonotonicTime now = loop_->now();
  if (text == fault_ && now - fault_told_at_ < kSameAgain) return;
  fault_ = text;
  fault_told_at_ = now;
  const bool is_distrust = error.detail.starts_with("the client refuses");
  say(escaped_prose(text) +
      (is_distrust ? "; if it is the API server, the caBundle of its configuration is not ours"
                   : ""));
}

detail::WebhookGauges Service::gauges() const {
  detail::WebhookGauges out;
  if (server_ == nullptr) return out;
  out.connections = server_->connections();
  out.certificate_expires = server_->context().expires();
  return out;
}

admin::AdminState Service::state() const {
  admin::AdminState state;
  if (phase_ != Phase::kServing) state.unready.emplace_back("draining");
  if (server_ == nullptr) {
    state.unready.emplace_back("no-certificate");
  } else if (server_->context().expires() <= clock_.wall()) {
    state.unready.emplace_back("certificate-expired");
  }
  state.build = {.version = std::string(kVersion), .revision = std::string(kRevision)};
  state.metrics = [this](observe::Exposition exposition) {
    return detail::webhook_metrics(counters_, gauges(), exposition);
  };
  return state;
}

void Service::on_signal(net::Channel& channel, std::uint32_t /*events*/) {
  auto& self = *static_cast<Service*>(channel.owner);
  signalfd_siginfo info{};
  while (::read(channel.fd, &info, sizeof info) == sizeof info) {
    if (self.phase_ != Phase::kServing) {  // the second one does not wait
      self.loop_->stop();
      return;
    }
    self.phase_ = Phase::kDelaying;
    say("draining");
    // The service forgets the pod meanwhile: its probes fail.
    self.loop_->arm(self.phase_timer_,
                    Deadline::at(self.loop_->now() + self.options_->drain_delay));
  }
}

void Service::on_phase_timer(void* service) {
  auto& self = *static_cast<Service*>(service);
  const MonotonicTime now = self.loop_->now();
  if (self.phase_ == Phase::kDelaying) {
    self.phase_ = Phase::kDraining;
    self.drain_end_ = now + kLastRequests;
    if (self.server_ != nullptr) self.server_->drain();
  }
  const bool is_done = self.server_ == nullptr || self.server_->connections() == 0;
  if (self.phase_ == Phase::kEnding) {
    self.loop_->stop();
    return;
  }
  if (is_done || now >= self.drain_end_) {
    self.phase_ = Phase::kEnding;
    if (self.health_ != nullptr) self.health_->leave();
    self.loop_->give_up_on_everything();
  }
  self.loop_->arm(self.phase_timer_, self.loop_->after(kLook));
}

}  // namespace

Result<void> serve_webhook(const WebhookOptions& options) {
  auto loop = net::Loop::make();
  if (!loop) return std::unexpected(std::move(loop.error()));
  Service service(**loop, options);
  if (auto started = service.start(); !started) return started;
  if (service.outcome()) (*loop)->run();
  return service.outcome();
}

}  // namespace ebbgate::app
