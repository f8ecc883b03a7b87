#include "deploy/allowlist.h"

#include <algorithm>
#include <array>

#include "config/bundles.h"

namespace ebbgate::deploy {
namespace {

// In double quotes, as JSON and YAML have them alike. Patterns and arguments hold nothing to escape
// but what this knows.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

policy::BundleArguments arguments_of(const config::EksBundle& use, const std::string& region) {
  policy::BundleArguments arguments = use.arguments;
  const policy::Bundle* bundle = policy::find_bundle(config::builtin_bundles(), use.name);
  if (bundle == nullptr) return arguments;
  const auto is_region = [](const auto& parameter) { return parameter.name == "region"; };
  const auto is_given = [](const auto& argument) { return argument.first == "region"; };
  if (std::ranges::any_of(bundle->parameters, is_region) &&
      std::ranges::none_of(arguments, is_given)) {
    arguments.emplace_back("region", region);
  }
  return arguments;
}

}  // namespace

std::string render_allowlist(const config::EksSettings& settings) {
  std::string name = settings.name.value;  // Kubernetes' rule for names has no capitals
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  while (name.ends_with('-')) name.pop_back();
  std::string text =
      "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {name: " + name +
      "}\nspec:\n  allow:\n";
  for (const config::EksBundle& use : settings.bundles) {
    text += "    - bundle: " + use.name + "\n";
    const auto arguments = arguments_of(use, settings.region.value);
    if (arguments.empty()) continue;
    text += "      parameters: {";
    for (const auto& [key, value] : arguments) {
      if (text.back() != '{') text += ", ";
      text += key + ": " + quoted(value);
    }
    text += "}\n";
  }
  if (settings.domains.empty()) return text;
  text += "    - hosts:\n";
  for (const auto& domain : settings.domains)
    text += "        - " + quoted(domain.value.str()) + "\n";
  return text;
}

std::span<const std::string_view> interface_endpoints() {
  static constexpr auto kNames = std::to_array<std::string_view>(
      {"autoscaling", "cloudformation", "ec2", "ec2messages", "ecr.api", "ecr.dkr", "eks-auth",
       "elasticloadbalancing", "logs", "monitoring", "ssm", "ssmmessages", "sts"});
  return kNames;
}

}  // namespace ebbgate::deploy
