// Flags and file become one set of given texts; the table makes settings of them; what no single
// setting can know is checked at the end.
#include "config/settings.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "base/escape.h"
#include "config/detail/nearest.h"
#include "config/detail/setting_table.h"
#include "config/detail/values.h"
#include "config/detail/yaml.h"

namespace ebbgate::config {
namespace {

using detail::Given;
using detail::NodeKind;
using detail::Setting;
using detail::Value;
using GivenByName = std::map<std::string, Given, std::less<>>;

Problem not_in_this_release(std::string source, policy::Position position, std::string_view name) {
  const detail::LaterSetting& later = *detail::find_later_setting(name);
  return {.file = std::move(source),
          .position = position,
          .message = std::string(name) + " is not in this release, as it has no support for " +
                     std::string(later.what),
          .fix = "leave it out"};
}

class Loader {
 public:
  explicit Loader(const ReadFile& read) : read_(&read) {}

  LoadedSettings load(const Arguments& arguments) {
    out_.help = arguments.help;
    for (const Problem& problem : arguments.problems) usage_error(problem);
    for (const Flag& flag : arguments.flags) take_flag(flag);
    if (!out_.settings.config_file.empty()) take_file(out_.settings.config_file);
    for (const auto& [name, given] : given_) {
      detail::find_setting(name)->apply(given, out_.settings, out_.problems);
    }
    settle_clients();
    check_proxy_protocol();
    check_listeners();
    check_file("ca-file", out_.settings.ca_file, "name a file of PEM certificates");
    check_file("policy-key", out_.settings.policy_key, "name a file with a public key in PEM");
    check_sources();
    check_kube();
    for (const Cidr& cidr : out_.settings.allow_private) {
      warn("allow-private", cidr.str() + " is open to every entry",
           "name it in the `addresses` of the entries that need it");
    }
    if (out_.validity == Validity::kValid && policy::has_errors(out_.problems)) {
      out_.validity = Validity::kInvalid;
    }
    return std::move(out_);
  }

 private:
  void usage_error(Problem problem) {
    out_.problems.push_back(std::move(problem));
    out_.validity = Validity::kUsage;
  }

  void take_flag(const Flag& flag) {
    const std::string source = "--" + flag.name;
    if (flag.name == "config") {
      if (!out_.settings.config_file.empty()) {
        usage_error({.file = source, .message = "it is given twice", .fix = "name one file"});
      }
      if (flag.value.empty()) {
        usage_error({.file = source, .message = "it is empty", .fix = "name a file"});
      }
      out_.settings.config_file = flag.value;
      return;
    }
    const Setting* setting = detail::find_setting(flag.name);
    if (setting == nullptr) {
      usage_error(not_in_this_release(source, {}, flag.name));
      return;
    }
    Given& given = given_[flag.name];
    given.source = source;
    given.values.push_back({flag.value, {}});
    if (given.values.size() == 2 && setting->repeat == detail::Repeat::kOnce) {
      usage_error({.file = source, .message = "it is given twice", .fix = "give it once"});
    }
  }

  void take_file(const std::string& file) {
    const auto text = (*read_)(file);
    if (!text) {
      out_.problems.push_back(
          {.file = file, .message = text.error(), .fix = "name a file that the gateway may read"});
      return;
    }
    const auto yaml = detail::Yaml::parse(*text, file);
    if (!yaml) {
      out_.problems.insert(out_.problems.end(), yaml.error().begin(), yaml.error().end());
      return;
    }
    const std::vector<Value> documents = yaml->documents();
    if (documents.empty()) return;  // all is commented out
    if (documents.size() > 1) {
      error(file, documents[1].position(), "a second document",
            "keep the settings in one, without `---` between");
    }
    if (documents[0].kind() != NodeKind::kMap) {
      error(file, documents[0].position(),
            "the settings are " + std::string(detail::described(documents[0].kind())) +
                ", and have to be a map",
            "write `name: value`, as in `listen: 127.0.0.1:3128`");
      return;
    }
    for (const auto& [key, value] : documents[0].members()) take_key(file, key, value);
  }

  void take_key(const std::string& file, const Value& key, const Value& value) {
    const std::string name(key.text());
    if (detail::find_later_setting(name) != nullptr) {
      out_.problems.push_back(not_in_this_release(file, key.position(), name));
      return;
    }
    const Setting* setting = detail::find_setting(name);
    if (setting == nullptr) {
      unknown_key(file, key);
      return;
    }
    if (given_.contains(name) && given_[name].source != file) return;  // flags win
    Given given{file, {}};
    for (const Value& item :
         value.kind() == NodeKind::kList ? value.children() : std::vector<Value>{value}) {
      if (!item.is_text()) {
        error(file, item.position(),
              "`" + name + "` has " + std::string(detail::described(item.kind())) +
                  " where a single value belongs",
              "write `" + name + ": " +
                  std::string(setting->value.empty() ? "true|false" : setting->value) + "`");
        return;
      }
      given.values.push_back({std::string(item.text()), item.position()});
    }
    if (given.values.empty()) {
      error(file, value.position(), "`" + name + "` is an empty list", "leave it out");
    } else if (value.kind() == NodeKind::kList && setting->repeat == detail::Repeat::kOnce) {
      error(file, value.position(), "`" + name + "` is a list, and has one value only",
            "write `" + name + ": " + escaped_prose(given.values.front().text, 64) + "`");
    } else {
      given_[name] = std::move(given);
    }
  }

  void unknown_key(const std::string& file, const Value& key) {
    if (key.text() == "apiVersion" || key.text() == "kind" || key.text() == "spec") {
      error(file, key.position(), "this is a policy, and not a file of settings",
            "give it to --policy");
      return;
    }
    std::vector<std::string_view> names;
    for (const Setting& setting : detail::setting_table()) names.push_back(setting.name);
    const std::string_view near = detail::nearest(key.text(), names);
    error(file, key.position(), "unknown key " + detail::quoted(key.text()),
          near.empty() ? "see `ebbgate run --help`" : "write `" + std::string(near) + "`");
  }

  void error(std::string file, policy::Position position, std::string message, std::string fix) {
    out_.problems.push_back({.file = std::move(file),
                             .position = position,
                             .message = std::move(message),
                             .fix = std::move(fix)});
  }

  // About a setting as a whole, where it was given.
  void complain(policy::Severity severity, std::string_view name, std::string message,
                std::string fix) {
    const auto given = given_.find(name);
    const bool is_given = given != given_.end();
    out_.problems.push_back(
        {.severity = severity,
         .file = is_given ? given->second.source : "--" + std::string(name),
         .position = is_given ? given->second.values.front().position : policy::Position{},
         .message = std::move(message),
         .fix = std::move(fix)});
  }
  void fail(std::string_view name, std::string message, std::string fix) {
    complain(policy::Severity::kError, name, std::move(message), std::move(fix));
  }
  void warn(std::string_view name, std::string message, std::string fix) {
    complain(policy::Severity::kWarning, name, std::move(message), std::move(fix));
  }

  // Semantics 12: who is trusted is no client. What is not said is cut to that; what is said and
  // contradicts itself is an error.
  void settle_clients() {
    Settings& settings = out_.settings;
    for (const Cidr& client : settings.clients) {
      if (given_.contains("clients") && client.prefix() == 0) {
        warn("clients", client.str() + " lets everybody use the gateway",
             "name the networks of the clients");
      }
      for (const Cidr& trusted : settings.trusted) {
        if (!given_.contains("clients") || !client.overlaps(trusted)) continue;
        fail("clients", client.str() + " overlaps " + trusted.str() + " of trusted",
             "let no address be both: load balancers in one, clients in the other");
      }
    }
    if (given_.contains("clients")) return;
    for (const Cidr& trusted : settings.trusted) {
      std::vector<Cidr> rest;
      for (const Cidr& client : settings.clients) cut(client, trusted, rest);
      settings.clients = std::move(rest);
    }
  }

  // Appends what is left of `block` without `hole`: halves it until each piece is in or out.
  static void cut(const Cidr& block, const Cidr& hole, std::vector<Cidr>& rest) {
    if (hole.contains(block)) return;
    if (!block.overlaps(hole)) {
      rest.push_back(block);
      return;
    }
    const unsigned prefix = block.prefix() + 1;
    const Cidr low = Cidr::of(block.network(), prefix);
    cut(low, hole, rest);
    cut(Cidr::of(upper_half(block), prefix), hole, rest);
  }

  static IpAddress upper_half(const Cidr& block) {
    const IpAddress& network = block.network();
    if (network.is_v4()) {
      return IpAddress::v4(network.v4_value() | (0x80000000U >> block.prefix()));
    }
    auto bytes = network.bytes();
    bytes[block.prefix() / 8] |= static_cast<std::uint8_t>(0x80U >> (block.prefix() % 8));
    return IpAddress::v6(bytes);
  }

  void check_proxy_protocol() {
    const Settings& settings = out_.settings;
    const bool is_on = settings.proxy_protocol != ProxyProtocol::kOff;
    if (is_on && settings.trusted.empty() && !given_.contains("trusted")) {
      fail("proxy-protocol", "nobody is trusted to send a PROXY header",
           "name the load balancers with --trusted CIDR");
    }
    if (!is_on && !settings.trusted.empty() && !given_.contains("proxy-protocol")) {
      warn("trusted", "without the PROXY protocol, who is trusted is only no client",
           "add --proxy-protocol required, or leave it out");
    }
  }

  void check_listeners() {
    const Settings& settings = out_.settings;
    std::vector<std::pair<std::string_view, Endpoint>> taken;
    const auto take = [&](std::string_view name, const Endpoint& endpoint) {
      for (const auto& [other, its_endpoint] : taken) {
        if (endpoint.port == 0 || endpoint != its_endpoint) continue;
        fail(name, endpoint.str() + " is taken by --" + std::string(other),
             "choose another port, or 0 for any free one");
      }
      taken.emplace_back(name, endpoint);
    };
    for (const Endpoint& endpoint : settings.listen) take("listen", endpoint);
    if (settings.admin) take("admin", *settings.admin);
    if (settings.health) take("health", *settings.health);
    if (settings.health_metrics && !settings.health) {
      warn("health-metrics", "there is no health listener to serve them", "add --health ADDR:PORT");
    }
  }

  void check_file(std::string_view name, const std::string& file, std::string fix) {
    if (file.empty()) return;
    if (const auto text = (*read_)(file); !text) {
      fail(name, detail::quoted(file) + ": " + text.error(), std::move(fix));
    }
  }

  void check_sources() {
    const std::vector<SourceUrl>& sources = out_.settings.policy_sources;
    for (std::size_t i = 1; i < sources.size(); ++i) {
      const auto before = sources.begin() + static_cast<std::ptrdiff_t>(i);
      if (std::find(sources.begin(), before, *before) != before) {
        fail("policy-source", std::string(sources[i].shown()) + " is given twice",
             "name each source once");
      }
    }
    if (!sources.empty()) return;
    for (const std::string_view name :
         {"policy-interval", "policy-max-age", "policy-key", "allow-rollback"}) {
      const bool is_of_kube = name == "policy-max-age" && out_.settings.kube.is_on;
      if (given_.contains(name) && !is_of_kube) {
        warn(name, "it is about sources, and there is none",
             "add --policy-source, or leave it out");
      }
    }
  }

  void check_kube() {
    const Settings::Kube& kube = out_.settings.kube;
    for (const std::string_view name : {"pod-cidr", "kube-namespace", "kube-name"}) {
      if (kube.is_on || !given_.contains(name)) continue;
      warn(name, "it is about Kubernetes, which is off", "add --kube, or leave it out");
    }
    if (kube.way == Settings::Kube::Way::kKubeconfig) {
      check_file("kube", kube.which, "name a file that kubectl can use");
    }
  }

  const ReadFile* read_;
  LoadedSettings out_;
  GivenByName given_;
};

FlagValue syntax_of(const Setting& setting) {
  if (setting.value.empty()) return FlagValue::kNone;
  return setting.implied.empty() ? FlagValue::kRequired : FlagValue::kOptional;
}

}  // namespace

std::vector<Cidr> default_clients() {
  const auto v4 = [](std::uint32_t address, unsigned prefix) {
    return Cidr::of(IpAddress::v4(address), prefix);
  };
  const auto v6 = [](std::uint8_t first, std::uint8_t last, unsigned prefix) {
    std::array<std::uint8_t, 16> bytes{};
    bytes.front() = first;
    bytes.back() = last;
    return Cidr::of(IpAddress::v6(bytes), prefix);
  };
  return {v4(0x7f000000, 8),  v6(0, 1, 128),      v4(0x0a000000, 8), v4(0xac100000, 12),
          v4(0xc0a80000, 16), v4(0x64400000, 10), v6(0xfc, 0, 7)};
}

std::span<const FlagSyntax> run_flags() {
  static const std::vector<FlagSyntax> kFlags = [] {
    std::vector<FlagSyntax> flags{{"config", FlagValue::kRequired}};
    for (const Setting& setting : detail::setting_table()) {
      flags.push_back({setting.name, syntax_of(setting), setting.implied});
    }
    for (const detail::LaterSetting& later : detail::later_settings()) {
      flags.push_back({later.name, later.value});
    }
    return flags;
  }();
  return kFlags;
}

LoadedSettings load_settings(const Arguments& arguments, const ReadFile& read) {
  return Loader(read).load(arguments);
}

LoadedSettings load_settings(std::span<const char* const> words, const ReadFile& read) {
  Arguments arguments = split_arguments(words, run_flags());
  for (const std::string& operand : arguments.operands) {
    arguments.problems.push_back({.file = escaped_prose(operand, 64),
                                  .message = "`ebbgate run` takes flags only",
                                  .fix = "write --policy FILE for a policy, --allow PATTERN for a "
                                         "name"});
  }
  return load_settings(arguments, read);
}

std::string str(std::span<const Problem> problems) {
  std::string out;
  for (const Problem& problem : problems) out += policy::str(problem) + '\n';
  return out;
}

}  // namespace ebbgate::config
