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
    if (documents_[d].closes) closing_.push_back(d);
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
  for (const Document& document : documents_) {
    if (!may_concern(document, subject)) continue;
    if (!is_report(document)) return false;
    if (concerns(document, subject)) concerned = true;
  }
  return concerned;
}

const Document* Policy::find_closing(const Subject& subject) const {
  const auto found = std::ranges::find_if(
      closing_, [&](std::uint32_t number) { return may_concern(documents_[number], subject); });
  return found == closing_.end() ? nullptr : &documents_[*found];
}

}  // namespace ebbgate::policy
