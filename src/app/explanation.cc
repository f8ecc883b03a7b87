#include "app/explanation.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <ranges>
#include <utility>

namespace ebbgate::app {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const policy::Citation& citation) {
  Json out{{"pattern", citation.pattern}, {"document", citation.document}};
  if (!citation.file.empty()) out["file"] = citation.file;
  if (citation.position.line > 0) out["line"] = citation.position.line;
  if (citation.position.column > 0) out["column"] = citation.position.column;
  out["denies"] = citation.denies;
  if (const auto& bundle = citation.entry->bundle;
      bundle && bundle->position == citation.position) {
    out["bundle"] = bundle->name;
  }
  return out;
}

Error malformed(std::string detail) {
  return {Reason::kMalformedRequest, Side::kClient, std::move(detail)};
}

Result<policy::PodLabels> labels_of(std::string_view text) {
  policy::PodLabels labels;
  for (const auto part : std::views::split(text, ',')) {
    const std::string_view label(part.begin(), part.end());
    const std::size_t equals = label.find('=');
    if (equals == 0 || equals == std::string_view::npos) {
      return std::unexpected(malformed("labels are name=value, with commas between them"));
    }
    labels.emplace(label.substr(0, equals), label.substr(equals + 1));
  }
  return labels;
}

}  // namespace

Result<ExplainWords> explain_words(const admin::Query& query) {
  ExplainWords words;
  for (const auto& [name, value] : query) {
    const auto field = std::ranges::find(kExplainFields, name, &ExplainField::name);
    if (field == kExplainFields.end()) {
      return fail(Reason::kMalformedRequest, Side::kClient, "there is no field \"" + name + "\"");
    }
    std::string& word = words.*field->word;
    if (!word.empty()) {
      return fail(Reason::kMalformedRequest, Side::kClient, name + " is given twice");
    }
    word = value;
  }
  if (words.target.empty()) {
    return fail(Reason::kMalformedRequest, Side::kClient, "name a target: ?target=host:port");
  }
  return words;
}

Result<policy::Inquiry> inquiry_of(const ExplainWords& words) {
  policy::Inquiry inquiry{.target = words.target, .method = words.method};
  if (!words.from.empty()) {
    inquiry.subject.address = IpAddress::parse(words.from);
    if (!inquiry.subject.address) {
      return fail(Reason::kMalformedRequest, Side::kClient, "\"" + words.from + "\" is no address");
    }
  }
  if (!words.user.empty()) inquiry.subject.user = words.user;
  if (!words.pod_namespace.empty()) {
    policy::Pod pod;
    pod.pod_namespace = words.pod_namespace;
    pod.service_account = words.service_account;
    if (!words.pod_labels.empty()) {
      auto labels = labels_of(words.pod_labels);
      if (!labels) return std::unexpected(std::move(labels.error()));
      pod.labels = std::make_shared<const policy::PodLabels>(*std::move(labels));
    }
    inquiry.subject.pod = std::make_shared<const policy::Pod>(std::move(pod));
  } else if (!words.service_account.empty() || !words.pod_labels.empty()) {
    return std::unexpected(malformed("service-account and pod-labels need namespace"));
  }
  if (!words.sni.empty()) {
    auto name = Hostname::parse(words.sni);
    if (!name) return std::unexpected(std::move(name.error()));
    inquiry.handshake = policy::Handshake{.is_tls = true, .server_name = *std::move(name)};
  }
  return inquiry;
}

void identify(policy::Inquiry& inquiry, identity::PodReader& pods, WallTime wall,
              MonotonicTime now) {
  policy::Subject& subject = inquiry.subject;
  if (!subject.address || subject.pod) return;
  const identity::Found found = pods.find(*subject.address, wall, now);
  identity::identify(subject, found);
  inquiry.is_ambiguous = found.presence == identity::Presence::kAmbiguous;
}

std::string json(const policy::Finding& finding) {
  Json out{{"target", finding.target},
           {"verdict", ebbgate::word(finding.verdict)},
           {"reason", ebbgate::word(finding.reason)},
           {"summary", info(finding.reason).summary}};
  Json steps = Json::array();
  for (const policy::Step& step : finding.steps) {
    Json row{{"step", step.name}, {"outcome", policy::word(step.outcome)}, {"text", step.text}};
    if (step.matched) row["matched"] = json_of(*step.matched);
    steps.push_back(std::move(row));
  }
  out["steps"] = std::move(steps);
  if (finding.nearest) {
    out["nearestMiss"] = {{"text", finding.nearest->text},
                          {"matched", json_of(finding.nearest->citation)}};
  }
  if (!finding.bundles.empty()) out["bundles"] = finding.bundles;
  if (!finding.fix.empty()) out["fix"] = finding.fix;
  if (!finding.line.empty()) out["line"] = finding.line;
  // Targets and file names may hold any octet.
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace ebbgate::app
