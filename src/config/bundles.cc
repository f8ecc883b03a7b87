// The tables of a bundle's keys, and the reading by them.
#include "config/bundles.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "config/detail/bundle_files.h"
#include "config/detail/key.h"
#include "config/detail/nearest.h"
#include "config/detail/rows.h"
#include "config/detail/yaml.h"

namespace ebbgate::config {
namespace detail {
namespace {

using policy::Bundle;
using policy::BundleHost;
using policy::BundleParameter;

// `form` with a digit for each 0: "0000-00-00".
bool has_form(std::string_view text, std::string_view form) {
  return std::ranges::equal(
      text, form, [](char c, char f) { return f == '0' ? '0' <= c && c <= '9' : c == f; });
}

Parsed<std::string> day(std::string_view text) {
  if (has_form(text, "0000-00-00")) return std::string(text);
  return std::unexpected(Fault{quoted(text) + " is no day", "write it as in 2026-05-31"});
}

Parsed<std::string> month(std::string_view text) {
  if (has_form(text, "0000-00")) return std::string(text);
  return std::unexpected(Fault{quoted(text) + " is no month", "write it as in 2026-05"});
}

constexpr std::array kHostKeys = std::to_array<Key<BundleHost>>({
    {{.name = "host", .is_required = true}, one<"host", &BundleHost::host, parse_text>},
    {{.name = "since"}, one<"since", &BundleHost::since, month>},
    {{.name = "until"}, one<"until", &BundleHost::until, month>},
    {{.name = "unless"}, one<"unless", &BundleHost::unless, parse_text>},
    {{.name = "unsure"}, one<"unsure", &BundleHost::is_unsure, parse_switch>},
    {{.name = "note"}, one<"note", &BundleHost::note, parse_text>},
});

constexpr std::array kParameterKeys = std::to_array<Key<BundleParameter>>({
    {{.name = "name", .is_required = true}, one<"name", &BundleParameter::name, parse_text>},
    {{.name = "doc", .is_required = true}, one<"doc", &BundleParameter::doc, parse_text>},
    {{.name = "example", .is_required = true},
     one<"example", &BundleParameter::example, parse_text>},
    {{.name = "optional"}, one<"optional", &BundleParameter::is_optional, parse_switch>},
});

template <Name kName, auto kMember, const auto& kKeys>
void objects(Reader& reader, const Value& value, Bundle& bundle) {
  if (!reader.want_list(value, kName.shown())) return;
  for (const Value& item : value.children()) {
    auto& element = (bundle.*kMember).emplace_back();
    reader.object<std::remove_reference_t<decltype(element)>>(
        item, "an element of " + kName.shown(), kKeys, element);
  }
}

constexpr std::array kBundleKeys = std::to_array<Key<Bundle>>({
    {{.name = "name", .is_required = true}, one<"name", &Bundle::name, parse_object_name>},
    {{.name = "version", .is_required = true}, one<"version", &Bundle::version, day>},
    {{.name = "verified", .is_required = true}, one<"verified", &Bundle::verified, day>},
    {{.name = "summary", .is_required = true}, one<"summary", &Bundle::summary, parse_text>},
    {{.name = "risk", .is_required = true}, one<"risk", &Bundle::risk, parse_text>},
    {{.name = "caveat"}, one<"caveat", &Bundle::caveat, parse_text>},
    {{.name = "sources", .is_required = true}, list<"sources", &Bundle::sources, parse_text>},
    {{.name = "parameters"}, objects<"parameters", &Bundle::parameters, kParameterKeys>},
    {{.name = "hosts", .is_required = true}, objects<"hosts", &Bundle::hosts, kHostKeys>},
});

// Fills the parameters in, as somebody would who uses the bundle.
void check_hosts(Reader& reader, const Value& root, const Bundle& bundle) {
  policy::BundleArguments all;
  policy::BundleArguments required;
  for (const BundleParameter& parameter : bundle.parameters) {
    all.emplace_back(parameter.name, parameter.example);
    if (!parameter.is_optional) required.emplace_back(parameter.name, parameter.example);
    const bool is_used = std::ranges::any_of(bundle.hosts, [&](const BundleHost& host) {
      return host.host.contains("{" + parameter.name + "}");
    });
    if (!is_used) {
      reader.error(root.position(), "no host has the parameter " + parameter.name, "remove it");
    }
  }
  for (const BundleHost& host : bundle.hosts) {
    Bundle alone = bundle;
    alone.hosts = {host};
    alone.hosts.front().unless.clear();
    const auto expanded = policy::expand(alone, all, policy::BundlePorts::kOwn);
    if (!expanded) {
      reader.error(root.position(), expanded.error().message, expanded.error().fix);
    } else if (expanded->empty() || !expanded->front().pattern.ports()) {
      reader.error(root.position(), host.host + " has an unknown parameter or no port",
                   "name each parameter in `parameters`, and write :443");
    }
  }
  if (const auto least = policy::expand(bundle, required, policy::BundlePorts::kOwn);
      least && least->empty()) {
    reader.error(root.position(), "without its optional parameters the bundle has no host",
                 "make one of them required");
  }
}

}  // namespace
}  // namespace detail

std::expected<policy::Bundle, std::vector<Problem>> parse_bundle(std::string_view text,
                                                                 const std::string& file) {
  const auto yaml = detail::Yaml::parse(text, file);
  if (!yaml) return std::unexpected(yaml.error());
  const DocumentOptions options;
  detail::Reader reader(file, options);
  policy::Bundle bundle;
  const std::vector<detail::Value> roots = yaml->documents();
  if (roots.size() == 1) {
    reader.object<policy::Bundle>(roots[0], "a bundle", detail::kBundleKeys, bundle);
    detail::check_hosts(reader, roots[0], bundle);
  } else {
    reader.error({}, "the file does not hold exactly one bundle", "write one");
  }
  auto problems = reader.take_problems();
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return bundle;
}

const std::vector<policy::Bundle>& builtin_bundles() {
  static const std::vector<policy::Bundle> bundles = [] {
    std::vector<policy::Bundle> parsed;
    for (const detail::BundleFile& file : detail::bundle_files()) {
      auto bundle = parse_bundle(file.text, std::string(file.name));
      // A test parses the very files; this would be a broken build.
      if (!bundle) throw std::logic_error(policy::str(bundle.error().front()));
      parsed.push_back(*std::move(bundle));
    }
    return parsed;
  }();
  return bundles;
}

std::string_view nearest_bundle(std::string_view name) {
  std::vector<std::string_view> known;
  for (const policy::Bundle& bundle : builtin_bundles()) known.push_back(bundle.name);
  return detail::nearest(name, known);
}

}  // namespace ebbgate::config
