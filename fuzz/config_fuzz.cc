// fuzz-deps: config
// Every policy and setting, over arbitrary bytes: a policy in YAML, a resource of the Kubernetes
// API, the file of --config, a plain list. Properties: a policy that is accepted compiles; each of
// its patterns, written out and read again, is the same; the same bytes give the same values.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "config/document_yaml.h"
#include "config/resource.h"
#include "config/settings.h"
#include "policy/list.h"
#include "policy/policy.h"

namespace {

using ebbgate::policy::Document;
using ebbgate::policy::Entry;
using ebbgate::policy::Pattern;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_patterns(const Entry& entry) {
  for (std::size_t i = 0; i < entry.hosts.size(); ++i) {
    const Pattern pattern = entry.hosts[i];
    const auto again = Pattern::parse(pattern.str());
    require(again.has_value() && *again == pattern);
  }
}

void check_documents(std::vector<Document> documents) {
  for (const Document& document : documents) {
    for (const Entry& entry : document.allow) check_patterns(entry);
    for (const Entry& entry : document.deny) check_patterns(entry);
  }
  const auto compiled = ebbgate::policy::Policy::compile(std::move(documents));
  require(compiled.policy != nullptr);
}

void read_policy(std::string_view text) {
  for (const bool later : {false, true}) {
    const auto parsed = ebbgate::config::parse_documents(text, "f", {.later_identities = later});
    if (ebbgate::policy::has_errors(parsed.problems)) continue;
    require(!parsed.documents.empty());
    for (const Document& document : parsed.documents) require(!document.name.empty());
    const auto again = ebbgate::config::parse_documents(text, "f", {.later_identities = later});
    require(again.documents == parsed.documents);
    check_documents(parsed.documents);
  }
}

void read_settings(std::string_view text) {
  const char* const words[] = {"--config", "f"};
  const auto read = [&](const std::string& path) -> std::expected<std::string, std::string> {
    if (path == "f") return std::string(text);
    return std::unexpected("there is no other file");
  };
  const auto loaded = ebbgate::config::load_settings(words, read);
  if (loaded.validity != ebbgate::config::Validity::kValid) {
    require(!loaded.problems.empty());
    return;
  }
  const auto& settings = loaded.settings;
  require(!settings.listen.empty());
  for (const auto& client : settings.clients) {
    for (const auto& trusted : settings.trusted) require(!client.overlaps(trusted));
  }
  if (settings.allow) check_documents({*settings.allow});
}

void read_list(std::string_view text) {
  auto parsed = ebbgate::policy::parse_list(text, "f");
  if (!ebbgate::policy::has_errors(parsed.problems)) check_documents({std::move(parsed.document)});
}

// A resource of the Kubernetes API: its text reads as JSON and YAML alike, says the same when it is
// read again, and each problem has its place.
void read_resource(std::string_view json) {
  using ebbgate::config::ResourceText;
  const ebbgate::config::ResourceId id{.kind = "EgressPolicy", .in_namespace = "n", .name = "f"};
  const auto resource = ResourceText::read(json, id);
  if (!resource) return;
  const auto again = ResourceText::read(resource->text(), id);
  require(again.has_value() && again->text() == resource->text());
  const auto parsed =
      ebbgate::config::parse_documents(resource->text(), id.str(), {.are_resources = true});
  const auto located = resource->located(parsed.problems);
  require(located.size() == parsed.problems.size());
  if (ebbgate::policy::has_errors(parsed.problems)) return;
  require(parsed.documents.size() == 1);
  for (const Document& document : parsed.documents) {
    for (const Entry& entry : document.allow) check_patterns(entry);
    for (const Entry& entry : document.deny) check_patterns(entry);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_policy(text);
  read_settings(text);
  read_list(text);
  read_resource(text);
  return 0;
}
