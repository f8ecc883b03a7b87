#include "config/load_policy.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "config/detail/digest.h"
#include "config/detail/resource_forms.h"
#include "config/document_yaml.h"
#include "policy/list.h"

namespace ebbgate::config {
namespace {

namespace fs = std::filesystem;
using detail::Digest;

constexpr std::size_t kVersionDigits = 12;
constexpr Duration kExpiryNotice = std::chrono::hours(7 * 24);

enum class Form : std::uint8_t { kYaml, kList };

// The form that a file in a directory has; nothing where the directory does not mean it.
std::optional<Form> form_of(const fs::path& file) {
  const std::string name = file.filename().string();
  if (name.starts_with('.')) return std::nullopt;
  if (name.ends_with(".yaml") || name.ends_with(".yml")) return Form::kYaml;
  if (name.ends_with(".list")) return Form::kList;
  return std::nullopt;
}

class PolicyLoader {
 public:
  PolicyLoader(const LoadedPolicy& last, std::span<const PolicyResource> resources)
      : last_(&last), resources_(resources, last) {}

  void let_documents_be_resources() { are_pods_known_ = are_resources_known_ = true; }

  LoadedPolicy load(const Settings& settings, std::uint64_t hash_seed,
                    const std::vector<PolicyText>& texts) {
    const policy::PolicySettings policy_settings{.default_ports = settings.allow_ports,
                                                 .sni = settings.sni,
                                                 .report_only = settings.report_only,
                                                 .hash_seed = hash_seed};
    are_pods_known_ |= settings.kube.is_on;
    digest_settings(policy_settings);
    if (settings.allow) take_flags(*settings.allow);
    for (const std::string& file : settings.allow_files) take_file(file, file, Form::kList);
    for (const std::string& path : settings.policies) take_path(path);
    for (const PolicyText& each : texts) {
      take_text(each.text, each.name, each.is_list ? Form::kList : Form::kYaml);
    }
    resources_.read(documents_);
    warn_of_equal_names();
    if (!is_invalid_ && !resources_.is_invalid()) compile(settings, policy_settings);
    resources_.finish(out_);
    return std::move(out_);
  }

 private:
  void compile(const Settings& settings, const policy::PolicySettings& policy_settings) {
    if (settings.kube.is_on || !resources_.empty()) {
      Digest digest;
      resources_.add_to(digest);
      out_.resources_digest = digest.first_hex_digits(detail::kDocumentDigits);
      if (!resources_.empty()) digest_.add(out_.resources_digest);
    }
    bind_those_of_files(policy_settings.default_ports);
    documents_ = resources_.bind(std::move(documents_), policy_settings.default_ports);
    if (documents_.empty() && !settings.report_only && settings.policy_sources.empty() &&
        !settings.kube.is_on) {
      out_.problems.push_back({.severity = policy::Severity::kWarning,
                               .file = {},
                               .message = "nothing is allowed",
                               .fix = "name a policy with --policy, --allow-file or --allow"});
    }
    auto compiled = policy::Policy::compile(std::move(documents_), policy_settings);
    out_.problems.insert(out_.problems.end(), std::make_move_iterator(compiled.problems.begin()),
                         std::make_move_iterator(compiled.problems.end()));
    out_.policy = std::move(compiled.policy);
    out_.digest = digest_.first_hex_digits(detail::kAllDigits);
    out_.version = out_.digest.substr(0, kVersionDigits);
  }

  // Resources of namespaces that are looked at in files: what is delegated to them there counts.
  void bind_those_of_files(std::span<const policy::PortRange> default_ports) {
    std::vector<policy::Document> namespaced;
    std::erase_if(documents_, [&](policy::Document& document) {
      if (document.resource_namespace.empty()) return false;
      namespaced.push_back(std::move(document));
      return true;
    });
    if (namespaced.empty()) return;
    auto bound = policy::apply_delegation(std::move(documents_), namespaced, default_ports);
    documents_ = std::move(bound.documents);
    for (policy::Acceptance& acceptance : bound.acceptances) {
      std::ranges::move(acceptance.problems, std::back_inserter(out_.problems));
    }
  }

  // The version tells decisions apart, and these settings are part of them.
  void digest_settings(const policy::PolicySettings& settings) {
    for (const policy::PortRange& range : settings.default_ports) digest_.add(range.str());
    digest_.add(settings.report_only ? "report" : "enforce");
    digest_.add(std::to_string(static_cast<int>(settings.sni)));
  }

  void take_flags(const policy::Document& document) {
    for (const policy::Entry& entry : document.allow) {
      for (std::size_t i = 0; i < entry.hosts.size(); ++i) digest_.add(entry.hosts[i].str());
    }
    documents_.push_back(document);
  }

  void take_path(const std::string& path) {
    std::error_code error;
    if (fs::is_directory(path, error)) {
      take_directory(path);
    } else {
      take_file(path, path, form_of(path).value_or(Form::kYaml));
    }
  }

  void take_directory(const std::string& path) {
    std::error_code error;
    std::vector<fs::path> files;
    for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
      std::error_code ignored;
      if (form_of(it->path()) && !it->is_directory(ignored)) files.push_back(it->path());
    }
    if (error) {
      refuse(path, "it cannot be read: " + error.message(), "name a directory of policies");
      return keep_last(path);
    }
    if (files.empty()) {
      refuse(path, "the directory holds no policy", "put files *.yaml, *.yml or *.list there");
      return keep_last(path);
    }
    std::ranges::sort(files);
    const fs::path revision = config_map_revision(path);
    for (const fs::path& file : files) {
      const fs::path in_revision = revision / file.filename();
      const bool is_there = !revision.empty() && fs::exists(in_revision, error);
      take_file(is_there ? in_revision.string() : file.string(), file.string(), *form_of(file));
    }
  }

  // The kubelet mounts a ConfigMap as links through `..data`, a link to the directory of one
  // revision that is swapped whole: resolved once, all files are of one revision.
  static fs::path config_map_revision(const fs::path& directory) {
    std::error_code error;
    const fs::path data = directory / "..data";
    const fs::path target = fs::is_symlink(data, error) ? fs::canonical(data, error) : fs::path();
    return error ? fs::path() : target;
  }

  void take_file(const std::string& path, const std::string& name, Form form) {
    const auto text = read_file(path);
    if (text) return take_text(*text, name, form);
    refuse(name, text.error(), "name a file that the gateway may read");
    keep_last(name);
  }

  void take_text(std::string_view text, const std::string& name, Form form) {
    Digest digest;
    digest.add(form == Form::kList ? "list" : "yaml");
    digest.add(text);
    std::vector<policy::Document> documents;
    std::vector<Problem> problems;
    if (form == Form::kList) {
      auto list = policy::parse_list(text, name);
      documents.push_back(std::move(list.document));
      problems = std::move(list.problems);
    } else {
      auto parsed = parse_documents(
          text, name,
          {.pods_in_subjects = are_pods_known_, .may_be_resources = are_resources_known_});
      for (const policy::Document& document : parsed.documents) {
        detail::add_bundles(digest, document);
      }
      documents = std::move(parsed.documents);
      problems = std::move(parsed.problems);
    }
    const bool is_good = !policy::has_errors(problems);
    std::ranges::move(problems, std::back_inserter(out_.problems));
    if (!is_good) return keep_last(name);
    contribute(name, digest.first_hex_digits(detail::kDocumentDigits), std::move(documents));
  }

  void contribute(const std::string& name, std::string version,
                  std::vector<policy::Document> documents) {
    digest_.add(version);
    out_.versions.insert_or_assign(name, std::move(version));
    std::ranges::move(documents, std::back_inserter(documents_));
  }

  // The file, or each file of the directory, is what it was in the policy in force.
  void keep_last(const std::string& path) {
    const fs::path directory = (fs::path(path) / "").parent_path();
    bool is_known = false;
    for (const auto& [name, version] : last_->versions) {
      if (name != path && fs::path(name).parent_path() != directory) continue;
      is_known = true;
      std::vector<policy::Document> documents;
      std::ranges::copy_if(last_->policy->documents(), std::back_inserter(documents),
                           [&](const policy::Document& document) { return document.file == name; });
      out_.kept.push_back(name);
      contribute(name, version, std::move(documents));
    }
    if (!is_known) is_invalid_ = true;
  }

  void warn_of_equal_names() {
    std::map<std::pair<std::string_view, std::string_view>, const policy::Document*> by_name;
    for (const policy::Document& document : documents_) {
      const auto [known, is_new] =
          by_name.try_emplace({document.resource_namespace, document.name}, &document);
      if (is_new || document.name.empty()) continue;
      const policy::Document& other = *known->second;
      out_.problems.push_back({.severity = policy::Severity::kWarning,
                               .file = document.file,
                               .position = document.position,
                               .message = "another document has the name \"" + document.name +
                                          "\" too, at " + policy::str(other.file, other.position),
                               .fix = "give each its own, so that records tell them apart"});
    }
  }

  void refuse(std::string file, std::string message, std::string fix) {
    out_.problems.push_back(
        {.file = std::move(file), .message = std::move(message), .fix = std::move(fix)});
  }

  const LoadedPolicy* last_;
  detail::ResourceLoading resources_;
  LoadedPolicy out_;
  bool are_pods_known_ = false;
  bool are_resources_known_ = false;
  bool is_invalid_ = false;  // a file with errors has no last good form
  std::vector<policy::Document> documents_;
  Digest digest_;
};

// Calls visit(Document, Entry) for each entry that has expired or will within a week.
template <typename Visit>
void visit_ending(const policy::Policy& policy, WallTime now, Visit&& visit) {
  for (const policy::Document& document : policy.documents()) {
    for (const auto* entries : {&document.allow, &document.deny}) {
      for (const policy::Entry& entry : *entries) {
        if (entry.expires && *entry.expires < now + kExpiryNotice) visit(document, entry);
      }
    }
  }
}

}  // namespace

ExpiryCounts count_expiries(const policy::Policy& policy, WallTime now) {
  ExpiryCounts counts;
  visit_ending(policy, now, [&](const policy::Document&, const policy::Entry& entry) {
    ++(*entry.expires <= now ? counts.expired : counts.expiring);
  });
  return counts;
}

std::vector<Problem> expiry_warnings(const policy::Policy& policy, WallTime now) {
  std::vector<Problem> warnings;
  visit_ending(policy, now, [&](const policy::Document& document, const policy::Entry& entry) {
    warnings.push_back({.severity = policy::Severity::kWarning,
                        .file = document.file,
                        .position = entry.position,
                        .message = *entry.expires <= now
                                       ? "the entry has expired, and matches nothing"
                                       : "the entry expires within a week",
                        .fix = "move its `expires`, or remove it"});
  });
  return warnings;
}

LoadedPolicy load_policy(const Settings& settings, std::uint64_t hash_seed,
                         const LoadedPolicy& last, const std::vector<PolicyText>& texts,
                         std::span<const PolicyResource> resources) {
  return PolicyLoader(last, resources).load(settings, hash_seed, texts);
}

LoadedPolicy look_at_policy(const Settings& settings, std::uint64_t hash_seed,
                            const std::vector<PolicyText>& texts) {
  const LoadedPolicy none;
  PolicyLoader loader(none, {});
  loader.let_documents_be_resources();
  return loader.load(settings, hash_seed, texts);
}

std::vector<Problem> take_expiry_warnings(LoadedPolicy& loaded, WallTime now) {
  std::vector<Problem> warnings = expiry_warnings(*loaded.policy, now);
  if (warnings.empty() || loaded.resources.empty()) return warnings;
  std::map<std::string, std::vector<Problem>> of_resources;
  for (const ResourceOutcome& outcome : loaded.resources) {
    of_resources.try_emplace(outcome.id.str());
  }
  std::erase_if(warnings, [&](Problem& warning) {
    const auto found = of_resources.find(warning.file);
    if (found == of_resources.end()) return false;
    found->second.push_back(std::move(warning));
    return true;
  });
  for (ResourceOutcome& outcome : loaded.resources) {
    const std::string name = outcome.id.str();
    const std::vector<Problem>& own = of_resources.at(name);
    // Of what is invalid people are to hear that.
    if (own.empty() || outcome.state != ResourceState::kInForce) continue;
    const auto& good = loaded.forms->by_name.find(name)->second->good;
    std::ranges::move(good->text.located(own), std::back_inserter(outcome.problems));
  }
  return warnings;
}

}  // namespace ebbgate::config
