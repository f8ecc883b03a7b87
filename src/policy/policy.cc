#include "policy/policy.h"

#include <algorithm>

#include "policy/detail/namespace_part.h"
#include "policy/detail/review.h"

namespace ebbgate::policy {
namespace {

// The number of those terms in `known`, appended where they are new. Few entries have any.
TermsId intern(std::vector<Terms>& known, Terms terms) {
  std::ranges::sort(terms.addresses);
  const auto found = std::ranges::find(known, terms);
  const auto id = static_cast<std::uint32_t>(found - known.begin());
  if (found == known.end()) known.push_back(std::move(terms));
  return TermsId{id};
}

bool is_about_pods(const SubjectRule& rule) {
  return rule.pod_namespace.has_value();
}

// The cluster's documents first, then namespace by namespace; else in their order.
std::vector<Document> by_namespace(std::vector<Document> documents) {
  if (std::ranges::is_sorted(documents, {}, &Document::resource_namespace)) return documents;
  std::multimap<std::string, Document> sorted;
  for (Document& document : documents) {
    sorted.emplace(document.resource_namespace, std::move(document));
  }
  documents.clear();
  for (auto& row : sorted) documents.push_back(std::move(row.second));
  return documents;
}

bool is_report(const Document& document) {
  return document.mode == Mode::kReport;
}

}  // namespace

std::string Citation::where() const {
  return str(std::string(file), position);
}

Policy::Policy(std::vector<Document> documents, PolicySettings settings)
    : documents_(std::move(documents)), settings_(std::move(settings)) {
  terms_.push_back({.sni = settings_.sni});  // kDefaultTerms
  for (std::uint32_t d = 0; d < documents_.size(); ++d) {
    if (documents_[d].resource_namespace.empty()) ++of_cluster_;
    add_rules(d);
  }
  has_report_mode_ = std::ranges::any_of(documents_, is_report);
  index_patterns();
  index_subjects();
}

void Policy::add_rules(std::uint32_t document) {
  const auto add = [&](const Entry& entry, bool denies) {
    detail::Rule rule{.entry = &entry,
                      .document = document,
                      .first_pattern = patterns_,
                      .denies = denies,
                      .ports = entry.ports};
    if (!denies) {
      if (rule.ports.empty()) rule.ports = settings_.default_ports;
      rule.terms = intern(terms_, {.sni = entry.sni.value_or(settings_.sni),
                                   .tls = entry.tls,
                                   .ech = entry.ech,
                                   .addresses = entry.addresses});
    }
    rules_.push_back(std::move(rule));
    patterns_ += static_cast<std::uint32_t>(entry.hosts.size());
  };
  for (const Entry& entry : documents_[document].allow) add(entry, false);
  for (const Entry& entry : documents_[document].deny) add(entry, true);
}

void Policy::index_patterns() {
  const auto rules_of = [&](std::size_t first, std::size_t end) {
    const auto at = [&](std::size_t document) {
      return std::ranges::lower_bound(rules_, document, {}, &detail::Rule::document);
    };
    return std::span<const detail::Rule>(at(first), at(end));
  };
  index_ = std::make_unique<detail::PatternIndex>(rules_of(0, of_cluster_), settings_.hash_seed);
  has_closing_ = std::ranges::any_of(std::span(documents_).first(of_cluster_), &Document::closes);
  for (std::size_t first = of_cluster_, end = first; first < documents_.size(); first = end) {
    const std::string_view name = documents_[first].resource_namespace;
    while (end < documents_.size() && documents_[end].resource_namespace == name) ++end;
    auto part = std::make_unique<detail::NamespacePart>(detail::NamespacePart{
        .documents = std::span(documents_).subspan(first, end - first),
        .closing = {},
        .index = detail::PatternIndex(rules_of(first, end), settings_.hash_seed)});
    for (const Document& document : part->documents) {
      if (document.closes) part->closing.push_back(&document);
    }
    parts_.emplace_hint(parts_.end(), name, std::move(part));
  }
}

void Policy::index_subjects() {
  for (std::uint32_t d = 0; d < of_cluster_; ++d) {
    const std::vector<SubjectRule>& subjects = documents_[d].subjects;
    if (subjects.empty() || !std::ranges::all_of(subjects, is_about_pods)) {
      about_others_.push_back(d);
      continue;
    }
    for (const SubjectRule& rule : subjects) {
      std::vector<std::uint32_t>& about = about_pods_of_[*rule.pod_namespace];
      if (about.empty() || about.back() != d) about.push_back(d);
    }
  }
}

template <typename Visit>
void Policy::visit_about(const Subject& subject, Visit&& visit) const {
  const auto visit_one = [&](std::uint32_t number) { return visit(documents_[number]); };
  if (subject.pod == nullptr && subject.may_be_pod) {
    (void)std::ranges::all_of(std::span(documents_).first(of_cluster_), visit);
    return;
  }
  if (!std::ranges::all_of(about_others_, visit_one) || subject.pod == nullptr) return;
  const auto own = about_pods_of_.find(subject.pod->pod_namespace);
  if (own != about_pods_of_.end()) (void)std::ranges::all_of(own->second, visit_one);
}

const detail::NamespacePart* Policy::part_of(std::string_view pod_namespace) const {
  const auto part = parts_.find(pod_namespace);
  return part == parts_.end() ? nullptr : part->second.get();
}

const detail::PatternIndex& Policy::index_of(const Document& document) const {
  const std::string& of = document.resource_namespace;
  return of.empty() ? *index_ : part_of(of)->index;
}

detail::Hit Policy::hit(PatternId pattern) const {
  const auto i = static_cast<std::uint32_t>(pattern);
  const auto after = std::ranges::upper_bound(rules_, i, {}, &detail::Rule::first_pattern);
  const detail::Rule& rule = *std::prev(after);
  return {pattern, &rule, i - rule.first_pattern};
}

Policy::~Policy() = default;

Policy::Compiled Policy::compile(std::vector<Document> documents, const PolicySettings& settings) {
  Compiled compiled;
  detail::check_documents(documents, compiled.problems);
  if (has_errors(compiled.problems)) return compiled;
  compiled.policy =
      std::shared_ptr<const Policy>(new Policy(by_namespace(std::move(documents)), settings));
  detail::review(*compiled.policy, compiled.problems);
  return compiled;
}

Citation Policy::cite(PatternId pattern) const {
  const detail::Hit hit = this->hit(pattern);
  const detail::Rule& rule = *hit.rule;
  const Document& document = documents_[rule.document];
  return {.document = document.name,
          .file = document.file,
          .position = hit.hosts().position(hit.place),
          .denies = rule.denies,
          .pattern = hit.hosts()[hit.place].str(),
          .entry = rule.entry};
}

std::size_t Policy::pattern_count() const {
  return patterns_;
}

bool Policy::reports_only(const Subject& subject) const {
  if (settings_.report_only) return true;
  if (!has_report_mode_) return false;
  bool concerned = false;
  bool is_enforced = false;
  const auto look_at = [&](const Document& document) {
    if (!may_concern(document, subject)) return true;
    is_enforced = !is_report(document);
    if (concerns(document, subject)) concerned = true;
    return !is_enforced;
  };
  visit_about(subject, look_at);
  const detail::NamespacePart* own = is_enforced ? nullptr : part_for(subject);
  if (own != nullptr) (void)std::ranges::all_of(own->documents, look_at);
  return concerned && !is_enforced;
}

const Document* Policy::find_closing(const Subject& subject,
                                     const detail::NamespacePart* own) const {
  const Document* found = nullptr;
  const auto look_at = [&](const Document& document) {
    if (document.closes && may_concern(document, subject)) found = &document;
    return found == nullptr;
  };
  if (has_closing_) visit_about(subject, look_at);
  if (found != nullptr || own == nullptr) return found;
  const auto closing = std::ranges::find_if(
      own->closing, [&](const Document* document) { return may_concern(*document, subject); });
  return closing == own->closing.end() ? nullptr : *closing;
}

}  // namespace ebbgate::policy
