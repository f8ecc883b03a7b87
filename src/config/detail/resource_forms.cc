#include "config/detail/resource_forms.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <utility>

#include "config/detail/digest.h"
#include "config/document_yaml.h"

namespace ebbgate::config::detail {
namespace {

// Whether it is what was looked at before. The API counts the changes of a resource's spec.
bool is_same(const ResourceId& id, const ResourceId& before) {
  return id.generation > 0 && id == before;
}

std::size_t hosts_in(const std::vector<policy::Entry>& entries) {
  std::size_t count = 0;
  for (const policy::Entry& entry : entries) count += entry.hosts.size();
  return count;
}

// Nothing of the namespace passes while it has a policy that nobody can read.
policy::Document closing(const ResourceId& id, const std::string& file) {
  return {.name = id.in_namespace + "/" + id.name,
          .file = file,
          .subjects = {policy::SubjectRule{.pod_namespace = id.in_namespace}},
          .resource_namespace = id.in_namespace,
          .closes = true};
}

// Reads the text: `form` gets its errors, or its good form.
void parse(const PolicyResource& resource, const std::string& name, const ResourceForm* before,
           ResourceForm& form) {
  auto text = ResourceText::read(*resource.text, resource.id);
  if (!text) {
    form.errors = {{.message = text.error(), .fix = "write the resource anew"}};
    return;
  }
  Digest of_text;
  of_text.add(text->text());
  form.digest = of_text.first_hex_digits(kDocumentDigits);
  if (before != nullptr && before->digest == form.digest) {
    form.errors = before->errors;
    form.warnings = before->warnings;
    form.located_warnings = before->located_warnings;
    if (form.errors.empty()) form.good_generation = resource.id.generation;
    return;
  }
  auto parsed = parse_documents(text->text(), name, {.are_resources = true});
  if (!policy::has_errors(parsed.problems) &&
      (parsed.documents.size() != 1 ||
       parsed.documents[0].resource_namespace != resource.id.in_namespace)) {
    parsed.problems.push_back({.file = name, .message = "it is not of its namespace"});
  }
  if (policy::has_errors(parsed.problems)) {
    form.errors = text->located(parsed.problems);
    return;
  }
  Digest digest;
  digest.add(form.digest);
  add_bundles(digest, parsed.documents[0]);
  form.good = std::make_shared<const GoodForm>(
      GoodForm{.document = std::move(parsed.documents[0]),
               .text = *std::move(text),
               .digest = digest.first_hex_digits(kDocumentDigits)});
  form.good_generation = resource.id.generation;
  form.warnings.clear();
  form.located_warnings.clear();
}

}  // namespace

ResourceLoading::ResourceLoading(std::span<const PolicyResource> resources,
                                 const LoadedPolicy& last)
    : last_(last) {
  rows_.reserve(resources.size());
  for (const PolicyResource& resource : resources) {
    rows_.push_back({.resource = &resource, .name = resource.id.str(), .form = {}});
  }
  std::ranges::sort(rows_, {}, &Row::name);
}

void ResourceLoading::take(Row& row, const ResourceForms& known) const {
  const auto found = known.by_name.find(row.name);
  const ResourceForm* before = found == known.by_name.end() ? nullptr : found->second.get();
  const ResourceId& id = row.resource->id;
  // One that was deleted and made anew has nothing of the one before.
  if (before != nullptr && before->id.uid != id.uid) before = nullptr;
  if (before != nullptr && is_same(id, before->id)) {
    row.form = found->second;
    return;
  }
  ResourceForm form;
  form.id = id;
  if (before != nullptr) {
    form.good = before->good;
    form.good_generation = before->good_generation;
    form.warnings = before->warnings;
    form.located_warnings = before->located_warnings;
  }
  parse(*row.resource, row.name, before, form);
  row.form = std::make_shared<const ResourceForm>(std::move(form));
}

void ResourceLoading::read(std::vector<policy::Document>& documents) {
  static const ResourceForms kNone;
  const ResourceForms& known = last_.forms != nullptr ? *last_.forms : kNone;
  for (Row& row : rows_) {
    take(row, known);
    if (is_namespaced(row)) continue;
    if (row.form->good == nullptr) {
      is_invalid_ = true;
      continue;
    }
    const policy::Document& document = row.form->good->document;
    row.allow = document.allow.size();
    row.deny = document.deny.size();
    documents.push_back(document);
  }
}

void ResourceLoading::add_to(Digest& digest) const {
  for (const Row& row : rows_) {
    digest.add(row.name);
    digest.add(row.form->good == nullptr ? "closed" : row.form->good->digest);
  }
}

std::vector<policy::Document> ResourceLoading::bind(std::vector<policy::Document> cluster,
                                                    std::span<const policy::PortRange> ports) {
  std::vector<policy::Document> namespaced;
  std::vector<Row*> rows;  // of `namespaced`
  for (Row& row : rows_) {
    if (!is_namespaced(row) || row.form->good == nullptr) continue;
    namespaced.push_back(row.form->good->document);
    rows.push_back(&row);
  }
  const std::size_t of_cluster = cluster.size();
  policy::Delegated delegated = policy::apply_delegation(std::move(cluster), namespaced, ports);
  // One of which nothing is left is not among them.
  auto row = rows.begin();
  for (std::size_t i = of_cluster; i < delegated.documents.size(); ++i) {
    const policy::Document& bound = delegated.documents[i];
    while ((*row)->name != bound.file) ++row;
    (*row)->allow = bound.allow.size();
    (*row)->deny = bound.deny.size();
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i]->acceptance = std::move(delegated.acceptances[i]);
    rows[i]->warnings = std::exchange(rows[i]->acceptance.problems, {});
  }
  for (const Row& each : rows_) {
    if (is_namespaced(each) && each.form->good == nullptr) {
      delegated.documents.push_back(closing(each.resource->id, each.name));
    }
  }
  return std::move(delegated.documents);
}

void ResourceLoading::take_warnings(std::vector<Problem>& problems) {
  std::unordered_map<std::string_view, Row*> by_name;
  for (Row& row : rows_) by_name.emplace(row.name, &row);
  std::erase_if(problems, [&](Problem& problem) {
    const auto row = by_name.find(problem.file);
    if (row == by_name.end()) return false;
    row->second->warnings.push_back(std::move(problem));
    return true;
  });
}

void ResourceLoading::locate_warnings(Row& row) {
  if (row.form->good == nullptr || row.form->warnings == row.warnings) return;
  ResourceForm form = *row.form;
  form.located_warnings = form.good->text.located(row.warnings);
  form.warnings = std::move(row.warnings);
  row.form = std::make_shared<const ResourceForm>(std::move(form));
}

ResourceOutcome ResourceLoading::outcome_of(const Row& row) {
  const ResourceForm& form = *row.form;
  ResourceOutcome out{.id = row.resource->id, .problems = form.errors, .digest = {}};
  if (form.good == nullptr) {
    out.state = is_namespaced(row) ? ResourceState::kClosed : ResourceState::kMissing;
    return out;
  }
  if (row.acceptance.closes) {
    out.state = ResourceState::kClosed;
    std::ranges::copy(form.located_warnings, std::back_inserter(out.problems));
    return out;
  }
  out.state = form.errors.empty() ? ResourceState::kInForce : ResourceState::kKept;
  if (form.errors.empty()) out.problems = form.located_warnings;
  out.generation_in_force = form.good_generation;
  out.digest = form.good->digest;
  out.allow = row.allow;
  out.deny = row.deny;
  out.whole = is_namespaced(row) ? row.acceptance.whole : hosts_in(form.good->document.allow);
  out.partly = row.acceptance.partly;
  out.none = row.acceptance.none;
  return out;
}

void ResourceLoading::finish(LoadedPolicy& out) {
  take_warnings(out.problems);
  auto forms = std::make_shared<ResourceForms>();
  out.resources.reserve(rows_.size());
  for (Row& row : rows_) {
    if (out.policy != nullptr) locate_warnings(row);
    forms->by_name.emplace_hint(forms->by_name.end(), row.name, row.form);
    out.resources.push_back(outcome_of(row));
  }
  out.forms = std::move(forms);
  if (out.policy == nullptr) hold_up(out.resources, last_.resources);
}

}  // namespace ebbgate::config::detail

namespace ebbgate::config {

void hold_up(std::vector<ResourceOutcome>& outcomes, std::span<const ResourceOutcome> in_force) {
  std::unordered_map<std::string, const ResourceOutcome*> by_name;
  for (const ResourceOutcome& each : in_force) by_name.emplace(each.id.str(), &each);
  static const ResourceOutcome kNone;
  for (ResourceOutcome& outcome : outcomes) {
    const auto found = by_name.find(outcome.id.str());
    const ResourceOutcome& before = found == by_name.end() ? kNone : *found->second;
    const bool is_there = found != by_name.end() && before.id.uid == outcome.id.uid &&
                          before.digest == outcome.digest;
    if (outcome.state == ResourceState::kInForce && !is_there) {
      outcome.state = ResourceState::kHeldUp;
    }
    outcome.generation_in_force = before.generation_in_force;
    outcome.digest = before.digest;
    outcome.allow = before.allow;
    outcome.deny = before.deny;
    outcome.whole = before.whole;
    outcome.partly = before.partly;
    outcome.none = before.none;
  }
}

}  // namespace ebbgate::config
