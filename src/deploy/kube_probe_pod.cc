#include "deploy/kube_probe_pod.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace ebbgate::deploy {
namespace {

using Json = nlohmann::ordered_json;

struct KindName {
  Attempt::Kind kind;
  std::string_view name;
};
constexpr std::array kKinds = {
    KindName{Attempt::Kind::kConnect, "connect"}, KindName{Attempt::Kind::kTunnel, "tunnel"},
    KindName{Attempt::Kind::kQuery, "query"}, KindName{Attempt::Kind::kQueryTcp, "query-tcp"}};

bool is_query(Attempt::Kind kind) {
  return kind == Attempt::Kind::kQuery || kind == Attempt::Kind::kQueryTcp;
}

template <typename T>
T value_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  if constexpr (std::is_same_v<T, std::string>) {
    return found != object.end() && found->is_string() ? found->template get<T>() : T{};
  } else if constexpr (std::is_same_v<T, bool>) {
    return found != object.end() && found->is_boolean() && found->template get<T>();
  } else {
    return found != object.end() && found->is_number_integer() ? found->template get<T>() : T{};
  }
}

}  // namespace

std::optional<Attempt> Attempt::parse(std::string_view word) {
  const std::size_t colon = word.find(':');
  const auto* kind = std::ranges::find(kKinds, word.substr(0, colon), &KindName::name);
  if (colon == std::string_view::npos || kind == kKinds.end()) return std::nullopt;
  word.remove_prefix(colon + 1);
  Attempt out;
  out.kind = kind->kind;
  if (is_query(out.kind)) {
    const std::size_t at = word.find('@');
    if (at != std::string_view::npos) {
      out.server = IpAddress::parse(word.substr(at + 1));
      if (!out.server) return std::nullopt;
    }
    auto name = Hostname::parse(word.substr(0, at));
    if (!name) return std::nullopt;
    out.target.host = *std::move(name);
    return out;
  }
  auto target = Authority::parse(word);
  if (!target) return std::nullopt;
  out.target = *std::move(target);
  return out;
}

std::string Attempt::str() const {
  std::string out(std::ranges::find(kKinds, kind, &KindName::kind)->name);
  out += ":" + (is_query(kind) ? target.host.str() : target.str());
  if (server) out += "@" + server->str();
  return out;
}

std::string to_line(const Attempted& attempted) {
  const Json line{{"attempt", attempted.attempt},
                  {"answered", attempted.is_answered},
                  {"code", attempted.code},
                  {"records", attempted.records},
                  {"detail", attempted.detail}};
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<Attempted> read_lines(std::string_view log) {
  std::vector<Attempted> out;
  while (!log.empty()) {
    const std::size_t end = std::min(log.find('\n'), log.size());
    const Json line = Json::parse(log.substr(0, end), nullptr, false);
    log.remove_prefix(std::min(end + 1, log.size()));
    if (!line.is_object()) continue;
    Attempted each{value_of<std::string>(line, "attempt"), value_of<bool>(line, "answered"),
                   value_of<int>(line, "code"), value_of<int>(line, "records"),
                   value_of<std::string>(line, "detail")};
    if (!each.attempt.empty()) out.push_back(std::move(each));
  }
  return out;
}

std::string to_json(const ProbePod& pod) {
  Json labels{{"app.kubernetes.io/name", "ebbgate"},
              {"app.kubernetes.io/component", kProbeComponent},
              {"ebbgate.dev/inject", "enabled"}};
  for (const auto& [key, value] : pod.labels) labels[key] = value;
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(pod.attempt_time).count();
  Json arguments{"kube", "probe", "--timeout", std::to_string(milliseconds) + "ms"};
  if (!pod.proxy.empty()) arguments.insert(arguments.end(), {"--proxy", pod.proxy});
  for (const std::string& each : pod.attempts) arguments.push_back(each);
  const Json container{
      {"name", kProbeContainer},
      {"image", pod.image},
      {"args", std::move(arguments)},
      {"envFrom", Json::array({{{"configMapRef",
                                 {{"name", "proxy-environment-variables"}, {"optional", true}}}}})},
      {"securityContext",
       {{"allowPrivilegeEscalation", false},
        {"readOnlyRootFilesystem", true},
        {"capabilities", {{"drop", Json::array({"ALL"})}}}}},
      {"resources",
       {{"requests", {{"cpu", "10m"}, {"memory", "32Mi"}}}, {"limits", {{"memory", "128Mi"}}}}}};
  Json spec{
      {"restartPolicy", "Never"},
      {"activeDeadlineSeconds", std::chrono::ceil<std::chrono::seconds>(pod.patience).count()},
      {"terminationGracePeriodSeconds", 1},
      {"serviceAccountName", pod.service_account},
      {"automountServiceAccountToken", false},
      {"enableServiceLinks", false},
      {"securityContext",
       {{"runAsNonRoot", true},
        {"runAsUser", 65532},
        {"runAsGroup", 65532},
        {"seccompProfile", {{"type", "RuntimeDefault"}}}}},
      {"containers", Json::array({container})}};
  if (pod.has_host_network) spec["hostNetwork"] = true;
  const Json out{
      {"apiVersion", "v1"},
      {"kind", "Pod"},
      {"metadata",
       {{"name", pod.name}, {"namespace", pod.in_namespace}, {"labels", std::move(labels)}}},
      {"spec", std::move(spec)}};
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace ebbgate::deploy
