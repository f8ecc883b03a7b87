#include "policy/policy.h"

#include <algorithm>

#include "policy/detail/pattern_index.h"
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
  std::uint32_t patterns = 0;
  for (std::uint32_t d = 0; d < documents_.size(); ++d) {
    has_closing_ |= documents_[d].closes;
    const auto add = [&](const Entry& entry, bool denies) {
      detail::Rule rule{.entry = &entry,
                        .document = d,
                        .first_pattern = patterns,
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
      patterns += static_cast<std::uint32_t>(entry.hosts.size());
    };
    for (const Entry& entry : documents_[d].allow) add(entry, false);
    for (const Entry& entry : documents_[d].deny) add(entry, true);
  }
  index_ = std::make_unique<detail::PatternIndex>(rules_, settings_.hash_seed);
  has_report_mode_ = std::ranges::any_of(documents_, is_report);
  index_subjects();
}

void Policy::index_subjects() {
  for (std::uint32_t d = 0; d < documents_.size(); ++d) {
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
    (void)std::ranges::all_of(documents_, visit);
    return;
  }
  if (!std::ranges::all_of(about_others_, visit_one) || subject.pod == nullptr) return;
  const auto own = about_pods_of_.find(subject.pod->pod_namespace);
  if (own != about_pods_of_.end()) (void)std::ranges::all_of(own->second, visit_one);
}

Policy::~Policy() = default;

Policy::Compiled Policy::compile(std::vector<Document> documents, const PolicySettings& settings) {
  Compiled compiled;
  detail::check_documents(documents, compiled.problems);
  if (has_errors(compiled.problems)) return compiled;
  compiled.policy = std::shared_ptr<const Policy>(new Policy(std::move(documents), settings));
  detail::review(*compiled.policy, compiled.problems);
  return compiled;
}

Citation Policy::cite(PatternId pattern) const {
  const detail::Hit hit = index_->hit(pattern);
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
  return index_->size();
}

bool Policy::reports_only(const Subject& subject) const {
  if (settings_.report_only) return true;
  if (!has_report_mode_) return false;
  bool concerned = false;
  bool is_enforced = false;
  visit_about(subject, [&](const Document& document) {
    if (!may_concern(document, subject)) return true;
    is_enforced = !is_report(document);
    if (concerns(document, subject)) concerned = true;
    return !is_enforced;
  });
  return concerned && !is_enforced;
}

const Document* Policy::find_closing(const Subject& subject) const {
  const Document* found = nullptr;
  visit_about(subject, [&](const Document& document) {
    if (document.closes && may_concern(document, subject)) found = &document;
    return found == nullptr;
  });
  return found;
}

}  // namespace ebbgate::policy
