#include "webhook/inject.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <expected>
#include <map>
#include <optional>
#include <utility>

#include "base/authority.h"
#include "noproxy/build.h"
#include "webhook/detail/review_json.h"

namespace ebbgate::webhook {
namespace {

using detail::Json;
using detail::member;
using detail::Review;
using detail::text_of;

// Programs read one spelling or the other, mostly the lower one first: who sets one has set both.
struct Pair {
  const char* upper;
  const char* lower;
  std::string Injection::* value;
};
constexpr std::array kPairs = {
    Pair{"HTTP_PROXY", "http_proxy", &Injection::proxy_url},
    Pair{"HTTPS_PROXY", "https_proxy", &Injection::proxy_url},
    Pair{"NO_PROXY", "no_proxy", &Injection::no_proxy},
};
constexpr const char* kJavaOptions = "JAVA_TOOL_OPTIONS";
constexpr const char* kNodeSwitch = "NODE_USE_ENV_PROXY";
// Each names one file: the first for OpenSSL, Go and curl, then Node, then Python's requests.
constexpr std::array kTrustVariables = {"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS",
                                        "REQUESTS_CA_BUNDLE"};
constexpr const char* kTrustVolume = "ebbgate-ca";
constexpr const char* kTrustFolder = "/etc/ebbgate/ca";
constexpr const char* kTrustFile = "/etc/ebbgate/ca/ca-bundle.crt";

// Why a pod cannot be read.
using Unreadable = std::unexpected<std::string>;
template <typename T>
using Read = std::expected<T, std::string>;

std::string in_ticks(std::string_view text) {
  return "`" + std::string(text) + "`";
}

// The array of a member; empty where there is none.
Read<Json> list_of(const Json& from, const char* key, const std::string& where) {
  const Json* found = member(from, key);
  if (found == nullptr) return Json::array();
  if (!found->is_array()) return Unreadable(in_ticks(where + "." + key) + " is no list");
  return *found;
}

std::string without_spaces(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' && c != '\t') out += c;
  }
  return out;
}

std::vector<std::string> entries_of(std::string_view no_proxy) {
  // What is no part of a name, an address or a block would be read as something else by a VM.
  constexpr std::string_view kFit =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:*_-/[]";
  std::vector<std::string> out;
  const std::string text = without_spaces(no_proxy);
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string entry = text.substr(begin, end - begin);
    if (!entry.empty() && entry.find_first_not_of(kFit) == std::string::npos) out.push_back(entry);
    begin = end + 1;
  }
  return out;
}

// Whether a VM was told of proxies already.
bool speaks_of_proxies(std::string_view options) {
  return std::ranges::any_of(std::to_array<std::string_view>(
                                 {"-Dhttp.proxyHost", "-Dhttps.proxyHost", "-Dhttp.nonProxyHosts",
                                  "-DsocksProxyHost", "-Djava.net.useSystemProxies"}),
                             [&](std::string_view word) { return options.contains(word); });
}

Json operation(const std::string& path, Json value) {
  return {{"op", "add"}, {"path", path}, {"value", std::move(value)}};
}

// What one container says of its environment.
class Environment {
 public:
  [[nodiscard]] static Read<Environment> of(const Json& container, const std::string& where) {
    auto list = list_of(container, "env", where);
    if (!list) return Unreadable(list.error());
    Environment out;
    out.has_list_ = member(container, "env") != nullptr;
    for (std::size_t i = 0; i < list->size(); ++i) {
      const Json& each = (*list)[i];
      const std::string name = text_of(each, "name");
      if (name.empty()) return Unreadable("a variable of " + in_ticks(where) + " has no name");
      out.places_.insert_or_assign(name, i);  // of two, the last one counts
    }
    out.list_ = *std::move(list);
    return out;
  }

  [[nodiscard]] bool has(const std::string& name) const { return places_.contains(name); }
  [[nodiscard]] bool has(const Pair& pair) const { return has(pair.upper) || has(pair.lower); }
  [[nodiscard]] bool has_list() const { return has_list_; }

  // Its text; nothing where it is not set, or comes from elsewhere.
  [[nodiscard]] std::optional<std::string> value(const std::string& name) const {
    const auto place = places_.find(name);
    if (place == places_.end() || member(list_[place->second], "valueFrom") != nullptr) return {};
    return text_of(list_[place->second], "value");
  }
  [[nodiscard]] std::optional<std::string> value(const Pair& pair) const {
    auto lower = value(std::string(pair.lower));
    return lower ? lower : value(std::string(pair.upper));
  }
  [[nodiscard]] std::size_t place(const std::string& name) const { return places_.at(name); }

 private:
  Json list_;
  std::map<std::string, std::size_t> places_;
  bool has_list_ = false;
};

// The patch of one pod, as it grows.
class Patch {
 public:
  Patch(const Injection& injection, const Json& pod) : injection_(&injection), pod_(&pod) {}

  [[nodiscard]] Read<void> read() {
    const Json* spec = member(*pod_, "spec");
    if (spec == nullptr || !spec->is_object()) return Unreadable("the pod has no `spec`");
    spec_ = spec;
    if (const Json* os = member(*spec, "os")) is_windows_ = text_of(*os, "name") == "windows";
    return {};
  }

  // Prepares the volume of authorities. `may_add`: an ephemeral container gets what is there only.
  [[nodiscard]] Read<void> prepare_trust(bool may_add) {
    if (injection_->ca_config_map.empty() || is_windows_) return {};
    const auto volumes = list_of(*spec_, "volumes", "spec");
    if (!volumes) return Unreadable(volumes.error());
    for (const Json& each : *volumes) {
      if (text_of(each, "name") != kTrustVolume) continue;
      const Json* source = member(each, "configMap");
      has_trust_ = source != nullptr && text_of(*source, "name") == injection_->ca_config_map;
      return {};
    }
    if (!may_add) return {};
    has_trust_ = true;
    const Json volume{{"name", kTrustVolume}, {"configMap", {{"name", injection_->ca_config_map}}}};
    const bool is_first = member(*spec_, "volumes") == nullptr;
    trust_volume_ = operation(is_first ? "/spec/volumes" : "/spec/volumes/-",
                              is_first ? Json::array({volume}) : volume);
    return {};
  }

  // Each container of a list, but those whose names are in `but`.
  [[nodiscard]] Read<void> add_to(const char* list, const std::vector<std::string>& but = {}) {
    const auto containers = list_of(*spec_, list, "spec");
    if (!containers) return Unreadable(containers.error());
    for (std::size_t i = 0; i < containers->size(); ++i) {
      const Json& container = (*containers)[i];
      const std::string where = std::string("spec.") + list + "[" + std::to_string(i) + "]";
      if (!container.is_object()) return Unreadable(in_ticks(where) + " is no container");
      if (std::ranges::find(but, text_of(container, "name")) != but.end()) continue;
      const std::string path = std::string("/spec/") + list + "/" + std::to_string(i);
      if (const auto added = add_to_container(container, where, path); !added) return added;
    }
    return {};
  }

  // Notes in the pod what it was given.
  [[nodiscard]] Read<void> annotate() {
    if (operations_.empty()) return {};
    const Json* metadata = member(*pod_, "metadata");
    if (metadata == nullptr || !metadata->is_object()) {
      return Unreadable("the pod has no `metadata`");
    }
    const std::string mark = fingerprint(*injection_);
    const std::string key(kInjectedAnnotation);
    const Json* annotations = member(*metadata, "annotations");
    if (annotations != nullptr && !annotations->is_object()) {
      return Unreadable("the pod's annotations are none");
    }
    if (annotations == nullptr) {
      operations_.push_back(operation("/metadata/annotations", {{key, mark}}));
    } else if (text_of(*annotations, key.c_str()) != mark) {
      operations_.push_back(operation("/metadata/annotations/ebbgate.dev~1injected", mark));
    }
    return {};
  }

  [[nodiscard]] Json take() { return std::move(operations_); }

 private:
  struct Additions {
    Json variables = Json::array();
    void set(const std::string& name, const std::string& value) {
      variables.push_back({{"name", name}, {"value", value}});
    }
  };

  // The six variables, each pair of which the container may have set itself.
  [[nodiscard]] Read<void> add_proxies(const Json& container, const Environment& environment,
                                       const std::string& where, const std::string& path,
                                       Additions& additions) {
    const auto sources = list_of(container, "envFrom", where);
    if (!sources) return Unreadable(sources.error());
    const std::string& map = injection_->config_map;
    for (const Json& each : *sources) {
      const Json* source = member(each, "configMapRef");
      if (!map.empty() && source != nullptr && text_of(*source, "name") == map) return {};
    }
    const bool has_own =
        std::ranges::any_of(kPairs, [&](const Pair& p) { return environment.has(p); });
    if (!map.empty() && !has_own) {
      // In front: of two sources the later one counts, which is the pod's.
      const Json source{{"configMapRef", {{"name", map}, {"optional", true}}}};
      const bool is_first = member(container, "envFrom") == nullptr;
      operations_.push_back(operation(path + (is_first ? "/envFrom" : "/envFrom/0"),
                                      is_first ? Json::array({source}) : source));
      return {};
    }
    for (const Pair& pair : kPairs) {
      if (environment.has(pair)) continue;
      for (const char* name : {pair.upper, pair.lower}) {
        // To Windows the two are one variable.
        if (is_windows_ && name == pair.lower) continue;
        if (map.empty()) {
          additions.set(name, injection_->*pair.value);
        } else {
          additions.variables.push_back(
              {{"name", name},
               {"valueFrom",
                {{"configMapKeyRef", {{"name", map}, {"key", name}, {"optional", true}}}}}});
        }
      }
    }
    return {};
  }

  void add_java(const Environment& environment, const std::string& path, Additions& additions) {
    if (!injection_->for_java || injection_->proxy_url.empty()) return;
    for (const Pair& pair : kPairs) {
      // A proxy of the container's own is not ours to contradict.
      if (pair.value != &Injection::proxy_url || !environment.has(pair)) continue;
      const auto own = environment.value(pair);
      if (own ? *own != injection_->proxy_url : injection_->config_map.empty()) return;
    }
    const auto own_exceptions = environment.value(kPairs.back());
    const std::string options =
        java_options(injection_->proxy_url, own_exceptions.value_or(injection_->no_proxy));
    if (options.empty()) return;
    if (!environment.has(kJavaOptions)) {
      additions.set(kJavaOptions, options);
      return;
    }
    const auto before = environment.value(kJavaOptions);
    if (!before || speaks_of_proxies(*before)) return;
    operations_.push_back(
        operation(path + "/env/" + std::to_string(environment.place(kJavaOptions)) + "/value",
                  before->empty() ? options : *before + " " + options));
  }

  [[nodiscard]] Read<void> add_trust(const Json& container, const Environment& environment,
                                     const std::string& where, const std::string& path,
                                     Additions& additions) {
    if (!has_trust_) return {};
    const auto mounts = list_of(container, "volumeMounts", where);
    if (!mounts) return Unreadable(mounts.error());
    const bool is_mounted = std::ranges::any_of(
        *mounts, [](const Json& each) { return text_of(each, "mountPath") == kTrustFolder; });
    if (!is_mounted) {
      if (trust_volume_) operations_.push_back(*std::exchange(trust_volume_, std::nullopt));
      const Json mount{{"name", kTrustVolume}, {"mountPath", kTrustFolder}, {"readOnly", true}};
      const bool is_first = member(container, "volumeMounts") == nullptr;
      operations_.push_back(operation(path + (is_first ? "/volumeMounts" : "/volumeMounts/-"),
                                      is_first ? Json::array({mount}) : mount));
    }
    for (const char* name : kTrustVariables) {
      if (!environment.has(name)) additions.set(name, kTrustFile);
    }
    return {};
  }

  [[nodiscard]] Read<void> add_to_container(const Json& container, const std::string& where,
                                            const std::string& path) {
    const auto environment = Environment::of(container, where);
    if (!environment) return Unreadable(environment.error());
    Additions additions;
    if (const auto added = add_proxies(container, *environment, where, path, additions); !added) {
      return added;
    }
    add_java(*environment, path, additions);
    if (injection_->for_node && !environment->has(kNodeSwitch)) additions.set(kNodeSwitch, "1");
    if (const auto added = add_trust(container, *environment, where, path, additions); !added) {
      return added;
    }
    if (additions.variables.empty()) return {};
    if (!environment->has_list()) {
      operations_.push_back(operation(path + "/env", std::move(additions.variables)));
      return {};
    }
    // Behind what is there: a variable may stand in the value of a later one.
    for (Json& each : additions.variables) {
      operations_.push_back(operation(path + "/env/-", std::move(each)));
    }
    return {};
  }

  const Injection* injection_;
  const Json* pod_;
  const Json* spec_ = nullptr;
  Json operations_ = Json::array();
  std::optional<Json> trust_volume_;  // until the first mount needs it
  bool has_trust_ = false;
  bool is_windows_ = false;
};

std::string annotation(const Json& pod, std::string_view name) {
  const Json* metadata = member(pod, "metadata");
  const Json* annotations = metadata == nullptr ? nullptr : member(*metadata, "annotations");
  return annotations == nullptr ? "" : text_of(*annotations, std::string(name).c_str());
}

// Why the pod gets nothing; empty: it does.
std::string_view reason_to_leave(const Review& review, const Injection& injection) {
  const Json& pod = review.object();
  if (std::ranges::find(injection.excluded_namespaces, review.in_namespace) !=
      injection.excluded_namespaces.end()) {
    return "the namespace is excluded";
  }
  const std::string wish = annotation(pod, kInjectAnnotation);
  if (wish == "false" || wish == "disabled" || wish == "no") return "the pod's annotation says so";
  // A picture of what runs on a node already.
  if (!annotation(pod, "kubernetes.io/config.mirror").empty()) return "it is a static pod";
  return {};
}

std::vector<std::string> names_before(const Review& review) {
  std::vector<std::string> names;
  const Json* old = member(review.request, "oldObject");
  const Json* spec = old == nullptr ? nullptr : member(*old, "spec");
  const Json* list = spec == nullptr ? nullptr : member(*spec, "ephemeralContainers");
  if (list == nullptr || !list->is_array()) return names;
  for (const Json& each : *list) names.push_back(text_of(each, "name"));
  return names;
}

Read<Json> patch_of(const Review& review, const Injection& injection) {
  const bool is_ephemeral = review.sub_resource == "ephemeralcontainers";
  Patch patch(injection, review.object());
  if (const auto read = patch.read(); !read) return Unreadable(read.error());
  if (const auto read = patch.prepare_trust(!is_ephemeral); !read) return Unreadable(read.error());
  if (is_ephemeral) {
    // Of such a request nothing counts but the containers that are new.
    const auto added = patch.add_to("ephemeralContainers", names_before(review));
    if (!added) return Unreadable(added.error());
    return patch.take();
  }
  for (const char* list : {"initContainers", "containers"}) {
    if (const auto added = patch.add_to(list); !added) return Unreadable(added.error());
  }
  if (const auto noted = patch.annotate(); !noted) return Unreadable(noted.error());
  return patch.take();
}

}  // namespace

std::string fault_of(const Injection& injection) {
  if (injection.proxy_url.empty() && injection.config_map.empty()) {
    return "neither a proxy nor a ConfigMap is named";
  }
  if (!injection.proxy_url.empty()) {
    std::string_view rest = injection.proxy_url;
    if (rest.starts_with("http://")) {
      rest.remove_prefix(7);
    } else if (rest.starts_with("https://")) {
      rest.remove_prefix(8);
    } else {
      return "the proxy is neither http:// nor https://";
    }
    if (rest.ends_with('/')) rest.remove_suffix(1);
    if (const auto authority = Authority::parse(rest); !authority) {
      return "the proxy is not http://HOST:PORT: " + authority.error().detail;
    }
  }
  return {};
}

std::string fingerprint(const Injection& injection) {
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a: nobody gains by a collision
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    hash = (hash ^ 0xffU) * 1099511628211ULL;
  };
  add(injection.proxy_url);
  add(injection.no_proxy);
  add(injection.config_map);
  add(injection.ca_config_map);
  add(injection.for_java ? "java" : "");
  add(injection.for_node ? "node" : "");
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash));
  return {text.data(), 12};
}

std::string java_options(std::string_view proxy_url, std::string_view no_proxy) {
  constexpr std::string_view kScheme = "http://";
  if (!proxy_url.starts_with(kScheme)) return {};
  proxy_url.remove_prefix(kScheme.size());
  if (proxy_url.ends_with('/')) proxy_url.remove_suffix(1);
  const auto authority = Authority::parse(proxy_url);
  if (!authority) return {};
  // Of the property an address is without its brackets.
  const IpAddress* address = authority->host.address();
  const std::string host = address != nullptr ? address->str() : authority->host.str();
  const std::string port = std::to_string(authority->port.value());
  std::string out;
  for (const char* scheme : {"http", "https"}) {
    out.append(out.empty() ? "-D" : " -D").append(scheme).append(".proxyHost=").append(host);
    out.append(" -D").append(scheme).append(".proxyPort=").append(port);
  }
  const std::string exceptions = noproxy::java_non_proxy_hosts(entries_of(no_proxy));
  if (!exceptions.empty()) out += " -Dhttp.nonProxyHosts=" + exceptions;
  return out;
}

Reply inject(std::string_view body, const Injection& injection) {
  const auto review = detail::parse_review(body);
  if (!review) return detail::malformed(review.error());
  if (!review->group.empty() || review->kind != "Pod") {
    return detail::allowed(*review, Outcome::kPassed,
                           {"ebbgate injects into pods, and this is none"});
  }
  const bool is_made = review->operation == "CREATE" && review->sub_resource.empty();
  const bool is_debugged = review->sub_resource == "ephemeralcontainers";
  if (!is_made && !is_debugged) return detail::allowed(*review, Outcome::kUnchanged);
  if (const std::string_view why = reason_to_leave(*review, injection); !why.empty()) {
    Reply reply = detail::allowed(*review, Outcome::kUnchanged);
    reply.detail = why;
    return reply;
  }
  const auto patch = patch_of(*review, injection);
  if (!patch) {
    return detail::allowed(*review, Outcome::kPassed,
                           {"ebbgate gives this pod no proxy: " + patch.error()});
  }
  return detail::allowed(*review, patch->empty() ? Outcome::kUnchanged : Outcome::kInjected, {},
                         *patch);
}

}  // namespace ebbgate::webhook
