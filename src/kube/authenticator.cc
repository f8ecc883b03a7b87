#include "kube/authenticator.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/escape.h"
#include "kube/detail/command.h"
#include "kube/detail/scan.h"
#include "net/signal.h"
#include "net/small_file.h"

namespace ebbgate::kube {
namespace {

using nlohmann::json;

constexpr Duration kProgramTime = std::chrono::seconds(60);
constexpr Duration kFileTime = std::chrono::minutes(1);
// Before another is made where that has failed, while the old one still holds.
constexpr Duration kRetryPause = std::chrono::seconds(10);

[[nodiscard]] std::unexpected<Error> internal(std::string what) {
  return fail(Reason::kInternal, Side::kSelf, std::move(what));
}

}  // namespace

// --- MintedAuthenticator ---

struct MintedAuthenticator::State {
  State(net::Loop& its_loop, const Clock& its_clock, Mint its_mint, Duration its_margin)
      : loop(its_loop),
        clock(its_clock),
        mint(std::move(its_mint)),
        margin(its_margin),
        minted(its_loop) {}

  [[nodiscard]] bool is_good(WallTime now) const {
    return held && (!held->expires || now < *held->expires);
  }
  void keep(Credential credential, WallTime now) {
    renew_at = WallTime::max();
    if (credential.expires) {
      const Duration life = std::max(*credential.expires - now, Duration{});
      renew_at = *credential.expires - std::min(margin, life / 2);
    }
    held = std::move(credential);
  }

  net::Loop& loop;
  const Clock& clock;
  Mint mint;
  Duration margin;
  net::Signal minted;
  bool is_minting = false;
  std::optional<Credential> held;
  WallTime renew_at = WallTime::max();
  std::optional<Error> failure;  // of the last that was made
};

MintedAuthenticator::MintedAuthenticator(net::Loop& loop, const Clock& clock, Mint mint,
                                         Duration margin)
    : state_(std::make_unique<State>(loop, clock, std::move(mint), margin)) {}
MintedAuthenticator::~MintedAuthenticator() = default;

net::Task<Result<Credential>> MintedAuthenticator::get() {
  State& state = *state_;
  if (state.is_good(state.clock.wall()) && state.clock.wall() < state.renew_at) {
    co_return *state.held;
  }
  if (state.is_minting) {
    const Deadline deadline = state.loop.after(2 * kProgramTime);
    static_cast<void>(co_await state.minted.wait(deadline));
    if (state.is_good(state.clock.wall())) co_return *state.held;
    if (state.failure) co_return std::unexpected(*state.failure);
    co_return internal("the credential that others waited for did not come");
  }
  // Who mints may be given up in the middle: the next then does it.
  struct Minting {
    explicit Minting(State& of) : state(of) { state.is_minting = true; }
    Minting(const Minting&) = delete;
    Minting& operator=(const Minting&) = delete;
    ~Minting() {
      state.is_minting = false;
      state.minted.notify_all();
    }
    State& state;
  };
  const Minting minting(state);
  auto made = co_await state.mint();
  const WallTime now = state.clock.wall();
  if (made) {
    state.keep(*std::move(made), now);
    if (!state.is_good(now)) {
      state.failure =
          Error{Reason::kInternal, Side::kSelf,
                "the credential that was made has expired already: is the clock right?"};
    }
  } else {
    state.failure = std::move(made.error());
    state.renew_at = now + kRetryPause;
  }
  if (state.is_good(now)) co_return *state.held;
  co_return std::unexpected(*state.failure);
}

void MintedAuthenticator::reject(const Credential& refused) {
  if (state_->held == refused) state_->held.reset();
}

// --- Files ---

namespace {

// Values, as it is called again and again and each call may outlast what made it.
net::Task<Result<Credential>> read_files(CredentialFiles files, WallTime now) {
  Credential out = std::move(files.fixed);
  if (!files.token.empty()) {
    auto text = net::read_small_file(files.token);
    if (!text) co_return std::unexpected(std::move(text.error()));
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    if (text->empty()) co_return internal(files.token + ": there is no token in it");
    out.token = Secret(*std::move(text));
  }
  if (!files.certificate.empty()) {
    auto text = net::read_small_file(files.certificate);
    if (!text) co_return std::unexpected(std::move(text.error()));
    out.certificate_pem = *std::move(text);
  }
  if (!files.key.empty()) {
    auto text = net::read_small_file(files.key);
    if (!text) co_return std::unexpected(std::move(text.error()));
    out.key_pem = Secret(*std::move(text));
  }
  out.expires = now + kFileTime;
  co_return out;
}

}  // namespace

Mint credential_files(CredentialFiles files, const Clock& clock) {
  return [files = std::move(files), &clock] { return read_files(files, clock.wall()); };
}

// --- Programs ---

namespace {

[[nodiscard]] std::string text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

[[nodiscard]] std::string exec_info(const config::KubeExec& plugin, const ExecCluster& cluster) {
  json info = {{"apiVersion", plugin.api_version},
               {"kind", "ExecCredential"},
               {"spec", {{"interactive", false}}}};
  if (plugin.is_told_the_cluster) {
    json& told = info["spec"]["cluster"];
    told = {{"server", cluster.server}};
    if (!cluster.ca_base64.empty()) told["certificate-authority-data"] = cluster.ca_base64;
    if (!cluster.tls_name.empty()) told["tls-server-name"] = cluster.tls_name;
  }
  return info.dump(-1, ' ', false, json::error_handler_t::replace);
}

net::Task<Result<Credential>> run_plugin(net::Loop& loop, config::KubeExec plugin,
                                         ExecCluster cluster) {
  detail::Command command;
  command.words = plugin.arguments;
  command.words.insert(command.words.begin(), plugin.command);
  command.environment = plugin.environment;
  command.environment.emplace_back("KUBERNETES_EXEC_INFO", exec_info(plugin, cluster));
  auto ended = co_await detail::run(loop, std::move(command), loop.after(kProgramTime));
  const std::string name = "the program for credentials, " + plugin.command;
  if (!ended) {
    Error error = std::move(ended.error());
    error.detail = name + ": " + error.detail;
    if (!plugin.install_hint.empty()) {
      error.detail += "; " + escaped_prose(plugin.install_hint, 512);
    }
    co_return std::unexpected(std::move(error));
  }
  if (ended->status != 0) {
    co_return internal(name + ", ended with " + std::to_string(ended->status) + ": " +
                       escaped_prose(ended->errors, 512));
  }
  auto credential = parse_exec_credential(ended->output, plugin.api_version);
  if (!credential) co_return internal(name + ": " + credential.error().detail);
  co_return credential;
}

}  // namespace

Mint exec_credential(net::Loop& loop, config::KubeExec plugin, ExecCluster cluster) {
  return [&loop, plugin = std::move(plugin), cluster = std::move(cluster)] {
    return run_plugin(loop, plugin, cluster);
  };
}

Result<Credential> parse_exec_credential(std::string_view text, const std::string& api_version) {
  const json printed = json::parse(text, nullptr, false);
  if (!printed.is_object() || text_at(printed, "kind") != "ExecCredential") {
    return internal("what it printed is no ExecCredential");
  }
  if (text_at(printed, "apiVersion") != api_version) {
    return internal("it printed an ExecCredential of another version than " + api_version);
  }
  const auto status = printed.find("status");
  if (status == printed.end() || !status->is_object()) {
    return internal("the ExecCredential that it printed has no status");
  }
  Credential out;
  out.token = Secret(text_at(*status, "token"));
  out.certificate_pem = text_at(*status, "clientCertificateData");
  out.key_pem = Secret(text_at(*status, "clientKeyData"));
  if (out.token.empty() && out.certificate_pem.empty()) {
    return internal("the ExecCredential that it printed has neither token nor certificate");
  }
  if (out.certificate_pem.empty() != out.key_pem.empty()) {
    return internal("the ExecCredential that it printed has a certificate or a key, not both");
  }
  const std::string expires = text_at(*status, "expirationTimestamp");
  if (!expires.empty()) {
    out.expires = detail::parse_time(expires);
    if (!out.expires) return internal("the ExecCredential's expirationTimestamp is no time");
  }
  return out;
}

}  // namespace ebbgate::kube
