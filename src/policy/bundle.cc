#include "policy/bundle.h"

#include <algorithm>
#include <iterator>
#include <optional>

namespace ebbgate::policy {
namespace {

constexpr std::string_view kLabelBytes = "abcdefghijklmnopqrstuvwxyz0123456789-";

std::unexpected<PatternError> wrong(std::string message, std::string fix) {
  return std::unexpected(PatternError{std::move(message), std::move(fix)});
}

const std::string* value_of(const BundleArguments& arguments, std::string_view name) {
  const auto found = std::ranges::find(arguments, name, &BundleArguments::value_type::first);
  return found == arguments.end() ? nullptr : &found->second;
}

// The parameter that the text names first, without its braces, and where it stands.
struct Place {
  std::size_t begin;
  std::size_t end;
  std::string_view name;
};

std::optional<Place> first_place(std::string_view text) {
  const std::size_t begin = text.find('{');
  const std::size_t end = text.find('}', begin);
  if (begin == std::string_view::npos || end == std::string_view::npos) return std::nullopt;
  return Place{begin, end + 1, text.substr(begin + 1, end - begin - 1)};
}

// The text with its parameters filled in; nothing where one has no value.
std::optional<std::string> filled(std::string text, const BundleArguments& arguments) {
  while (const auto place = first_place(text)) {
    const std::string* value = value_of(arguments, place->name);
    if (value == nullptr) return std::nullopt;
    text.replace(place->begin, place->end - place->begin, *value);
  }
  return text;
}

std::optional<PatternError> fault_of(const Bundle& bundle, const BundleArguments& arguments) {
  const auto& parameters = bundle.parameters;
  for (auto it = arguments.begin(); it != arguments.end(); ++it) {
    const auto& [name, value] = *it;
    if (std::ranges::find(parameters, name, &BundleParameter::name) == parameters.end()) {
      std::string known;
      for (const BundleParameter& each : parameters) {
        known += (known.empty() ? "" : ", ") + each.name;
      }
      return PatternError{"the bundle " + bundle.name + " has no parameter of that name",
                          known.empty() ? "leave it out" : "it has " + known};
    }
    if (std::find_if(arguments.begin(), it,
                     [&](const auto& other) { return other.first == name; }) != it) {
      return PatternError{"the parameter " + name + " is given twice", "give it once"};
    }
    if (value.empty() || value.size() > 63 ||
        value.find_first_not_of(kLabelBytes) != std::string::npos) {
      return PatternError{"the value of " + name + " cannot stand in a host name",
                          "write small letters, digits and hyphens"};
    }
  }
  for (const BundleParameter& parameter : parameters) {
    if (parameter.is_optional || value_of(arguments, parameter.name) != nullptr) continue;
    return PatternError{"the bundle " + bundle.name + " needs the parameter " + parameter.name,
                        "add `parameters: {" + parameter.name + ": " + parameter.example + "}`"};
  }
  return std::nullopt;
}

// Takes the last label off.
std::string_view pop_label(std::string_view& name) {
  const std::size_t dot = name.rfind('.');
  const std::string_view label = dot == std::string_view::npos ? name : name.substr(dot + 1);
  name = dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
  return label;
}

// Whether the label is what `form` says, which may hold one parameter.
bool fits_label(std::string_view form, std::string_view label, BundleArguments& arguments) {
  const auto place = first_place(form);
  if (!place) return form == label;
  const std::string_view before = form.substr(0, place->begin);
  const std::string_view after = form.substr(place->end);
  if (label.size() <= before.size() + after.size() || !label.starts_with(before) ||
      !label.ends_with(after)) {
    return false;
  }
  label.remove_prefix(before.size());
  label.remove_suffix(after.size());
  if (const std::string* known = value_of(arguments, place->name)) return *known == label;
  arguments.emplace_back(place->name, label);
  return true;
}

// With which arguments the form is a pattern for the name.
std::optional<BundleArguments> match(std::string_view form, std::string_view name, Port port) {
  const std::size_t colon = form.rfind(':');
  if (colon != std::string_view::npos) {
    const auto ports = PortRange::parse(form.substr(colon + 1));
    if (!ports || !ports->contains(port)) return std::nullopt;
    form = form.substr(0, colon);
  }
  const bool is_below = form.starts_with("*.");
  const bool is_wide = is_below || form.starts_with('.');
  if (is_wide) form.remove_prefix(is_below ? 2 : 1);
  BundleArguments arguments;
  while (!form.empty()) {
    if (name.empty() || !fits_label(pop_label(form), pop_label(name), arguments)) {
      return std::nullopt;
    }
  }
  if (name.empty() ? is_below : !is_wide) return std::nullopt;
  return arguments;
}

bool is_wide(const BundleHost& host) {
  return host.host.starts_with('.') || host.host.starts_with('*');
}

}  // namespace

std::expected<std::vector<ExpandedHost>, PatternError> expand(const Bundle& bundle,
                                                              const BundleArguments& arguments,
                                                              BundlePorts ports) {
  if (auto fault = fault_of(bundle, arguments)) return std::unexpected(std::move(*fault));
  std::vector<ExpandedHost> out;
  for (const BundleHost& host : bundle.hosts) {
    if (!host.unless.empty() && value_of(arguments, host.unless) != nullptr) continue;
    auto text = filled(host.host, arguments);
    if (!text) continue;
    if (ports == BundlePorts::kNone) text->resize(std::min(text->size(), text->rfind(':')));
    auto pattern = Pattern::parse(*text);
    if (!pattern) return wrong("the bundle " + bundle.name + ": " + pattern.error().message, "");
    out.push_back({&host, *std::move(pattern)});
  }
  return out;
}

const Bundle* find_bundle(std::span<const Bundle> bundles, std::string_view name) {
  const auto found = std::ranges::find(bundles, name, &Bundle::name);
  return found == bundles.end() ? nullptr : &*found;
}

std::vector<BundleMatch> bundles_with(std::span<const Bundle> bundles, const Host& host,
                                      Port port) {
  std::vector<BundleMatch> found;
  std::vector<BundleMatch> wide;
  const Hostname* name = host.name();
  if (name == nullptr) return found;
  for (const Bundle& bundle : bundles) {
    std::optional<BundleMatch> best;
    for (const BundleHost& each : bundle.hosts) {
      auto arguments = match(each.host, name->view(), port);
      if (!arguments) continue;
      if (!best || !is_wide(each)) best = BundleMatch{&bundle, &each, *std::move(arguments)};
      if (!is_wide(each)) break;
    }
    if (best) (is_wide(*best->host) ? wide : found).push_back(*std::move(best));
  }
  found.insert(found.end(), std::make_move_iterator(wide.begin()),
               std::make_move_iterator(wide.end()));
  return found;
}

std::string describe(const BundleMatch& match) {
  std::string text = "the bundle " + match.bundle->name;
  if (!match.arguments.empty()) {
    text += " with ";
    for (const auto& [name, value] : match.arguments) {
      if (text.back() != ' ') text += ", ";
      text += name + " " + value;
    }
  }
  text += match.host->until.empty() ? " has it" : " had it until " + match.host->until;
  if (match.host->until.empty() && !match.host->since.empty())
    text += " since " + match.host->since;
  if (match.host->is_unsure) text += ", though unsure";
  return text;
}

}  // namespace ebbgate::policy
