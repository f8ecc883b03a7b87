#include "deploy/kube_apply.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace ebbgate::deploy {
namespace {

using Json = nlohmann::json;
using kube::Failure;
using kube::Outcome;
using kube::Resource;

const char* const kManager = "ebbgate";

std::string text_at(const Json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::pair<std::string, std::string> group_and_version(const std::string& api_version) {
  const std::size_t slash = api_version.find('/');
  if (slash == std::string::npos) return {"", api_version};
  return {api_version.substr(0, slash), api_version.substr(slash + 1)};
}

bool is_type(const KubeObject& object) {
  return object.kind == "CustomResourceDefinition";
}

// "conflict with "kubectl" using apps/v1" without what every such message begins with.
std::string manager_in(const std::string& message) {
  static constexpr std::string_view kBefore = "conflict with ";
  return message.starts_with(kBefore) ? message.substr(kBefore.size()) : message;
}

bool is_established(std::string_view definition) {
  const Json parsed = Json::parse(definition, nullptr, false);
  if (!parsed.is_object()) return false;
  const Json conditions = parsed.value("/status/conditions"_json_pointer, Json::array());
  return std::ranges::any_of(conditions, [](const Json& each) {
    return text_at(each, "type") == "Established" && text_at(each, "status") == "True";
  });
}

// What else a person can do about it.
std::string advice(const Failure& failure) {
  if (failure.is_forbidden()) return "; ask for that right, or let somebody who has it apply this";
  if (failure.is_not_found()) return "; what it stands in has to be there first";
  if (failure.status == 422) return "; where a field cannot be changed, delete the object first";
  return "";
}

}  // namespace

std::string_view word(KubeVerdict verdict) {
  static constexpr std::array<std::string_view, 6> kWords = {"create",   "change", "unchanged",
                                                             "conflict", "absent", "blocked"};
  return kWords.at(static_cast<std::size_t>(verdict));
}

net::Task<Outcome<KubeApplier::Types>> KubeApplier::types_of(std::string api_version) {
  if (const auto known = served_.find(api_version); known != served_.end()) co_return known->second;
  const auto [group, version] = group_and_version(api_version);
  auto text =
      co_await client_->get_path((group.empty() ? "/api/" : "/apis/" + group + "/") + version);
  Types types;
  if (!text && !text.error().is_not_found()) co_return std::unexpected(std::move(text.error()));
  const Json list = text ? Json::parse(*text, nullptr, false) : Json();
  if (list.is_object() && list.contains("resources") && list["resources"].is_array()) {
    for (const Json& each : list["resources"]) {
      const std::string name = text_at(each, "name");
      if (name.empty() || name.contains('/')) continue;
      const auto namespaced = each.find("namespaced");
      const bool is_namespaced =
          namespaced != each.end() && namespaced->is_boolean() && namespaced->get<bool>();
      types[text_at(each, "kind")] = {name, is_namespaced};
    }
  }
  served_[api_version] = types;
  co_return types;
}

net::Task<Outcome<std::vector<KubeJudgement>>> KubeApplier::judge(std::vector<KubeObject> objects) {
  std::vector<KubeJudgement> out;
  for (KubeObject& object : objects) {
    auto judgement = co_await judge_one(std::move(object));
    if (!judgement) co_return std::unexpected(std::move(judgement.error()));
    if (judgement->verdict == KubeVerdict::kCreate) {
      created_.insert(judgement->object.name);
      if (judgement->object.kind == "Namespace") namespaces_.insert(judgement->object.name);
    }
    if (is_type(judgement->object)) {
      const Json definition = Json::parse(judgement->object.json, nullptr, false);
      const Json spec = definition.value("spec", Json::object());
      const Json names = spec.value("names", Json::object());
      for (const Json& version : spec.value("versions", Json::array())) {
        brought_[text_at(spec, "group") + "/" + text_at(version, "name")][text_at(names, "kind")] =
            {text_at(names, "plural"), text_at(spec, "scope") == "Namespaced"};
      }
    }
    out.push_back(*std::move(judgement));
  }
  co_return out;
}

net::Task<Outcome<KubeJudgement>> KubeApplier::judge_one(KubeObject object) {
  KubeJudgement out{.object = std::move(object)};
  auto types = co_await types_of(out.object.api_version);
  if (!types) co_return std::unexpected(std::move(types.error()));
  const auto find = [&](const Types& among) {
    const auto found = among.find(out.object.kind);
    return found == among.end() ? nullptr : &found->second;
  };
  const bool is_served = find(*types) != nullptr;
  const Type* type = find(is_served ? *types : brought_[out.object.api_version]);
  if (type == nullptr) {
    out.why = "the cluster does not serve " + out.object.api_version + " " + out.object.kind;
    co_return out;
  }
  const auto [group, version] = group_and_version(out.object.api_version);
  out.resource = {.group = group, .version = version, .plural = type->plural};
  if (type->is_namespaced) {
    if (out.object.in_namespace.empty()) out.object.in_namespace = "default";
    out.resource.in_namespace = out.object.in_namespace;
  }
  if (!is_served || namespaces_.contains(out.resource.in_namespace)) {
    out.verdict = KubeVerdict::kCreate;  // what it stands in is to be created itself
    co_return out;
  }
  co_return co_await compare(std::move(out));
}

// Such as the role of a binding, which the API looks up.
bool KubeApplier::waits_for_another(const Failure& failure) const {
  return failure.is_not_found() && std::ranges::any_of(created_, [&](const std::string& name) {
           return failure.message.contains("\"" + name + "\"");
         });
}

net::Task<Outcome<KubeJudgement>> KubeApplier::compare(KubeJudgement out) {
  const auto is_fatal = [](const Failure& failure) {
    return failure.kind != Failure::Kind::kStatus;
  };
  auto live = co_await client_->get(out.resource, out.object.name);
  const bool is_there = live.has_value();
  if (!is_there && !live.error().is_not_found()) {
    if (is_fatal(live.error())) co_return std::unexpected(std::move(live.error()));
    out.why = live.error().describe("it cannot be read") + advice(live.error());
    co_return out;
  }
  if (!is_there && out.object.part == KubePart::kDaemonSets) {
    out.verdict = KubeVerdict::kAbsent;
    co_return out;
  }
  auto after = co_await client_->apply(out.resource, out.object.name, out.object.json,
                                       {.field_manager = kManager, .dry_run = true});
  if (!after && after.error().is_conflict() && is_there) {
    for (const Failure::Cause& cause : after.error().causes) {
      if (cause.reason != "FieldManagerConflict") continue;
      out.owners.push_back({cause.field, manager_in(cause.message)});
    }
    out.verdict = KubeVerdict::kConflict;
    after = co_await client_->apply(out.resource, out.object.name, out.object.json,
                                    {.field_manager = kManager, .force = true, .dry_run = true});
  }
  if (!after && !is_there && waits_for_another(after.error())) {
    out.verdict = KubeVerdict::kCreate;
    co_return out;
  }
  if (!after) {
    if (is_fatal(after.error())) co_return std::unexpected(std::move(after.error()));
    out.verdict = KubeVerdict::kBlocked;
    out.why = after.error().describe("the API does not take it") + advice(after.error());
    co_return out;
  }
  if (!is_there) {
    out.verdict = KubeVerdict::kCreate;
    co_return out;
  }
  out.changes = changes_between(*live, *after);
  if (out.verdict == KubeVerdict::kConflict) co_return out;
  const bool is_same = out.changes.empty() && has_same_fields(*live, *after, kManager);
  out.verdict = is_same ? KubeVerdict::kUnchanged : KubeVerdict::kChange;
  co_return out;
}

net::Task<std::string> KubeApplier::wait_for_type(std::string name) {
  const Resource definitions{.group = "apiextensions.k8s.io",
                             .plural = "customresourcedefinitions"};
  const MonotonicTime latest = client_->loop().now() + options_.type_time;
  for (;;) {
    auto definition = co_await client_->get(definitions, name);
    if (!definition) co_return definition.error().describe("the type cannot be read");
    if (is_established(*definition)) co_return "";
    if (client_->loop().now() >= latest) co_return "the API does not serve the type (Established)";
    const Deadline next = client_->loop().after(options_.type_look);
    if (co_await net::sleep_until(client_->loop(), next) == net::Wait::End::kStopped) {
      co_return "interrupted";
    }
  }
}

net::Task<KubeApplier::Report> KubeApplier::apply(const std::vector<KubeJudgement>& judgements) {
  Report report;
  for (std::size_t i = 0; i < judgements.size(); ++i) {
    const KubeJudgement& each = judgements[i];
    const bool is_conflict = each.verdict == KubeVerdict::kConflict && options_.forces;
    if (each.verdict == KubeVerdict::kCreate || each.verdict == KubeVerdict::kChange ||
        is_conflict) {
      auto written = co_await client_->apply(each.resource, each.object.name, each.object.json,
                                             {.field_manager = kManager, .force = is_conflict});
      if (!written) {
        report.failed = i;
        report.why = written.error().describe(each.object.str()) + advice(written.error());
        co_return report;
      }
      ++report.written;
      if (options_.done) options_.done(each);
    }
    // A run before this one may have ended before it was served.
    if (!is_type(each.object) || each.verdict == KubeVerdict::kBlocked) continue;
    std::string fault = co_await wait_for_type(each.object.name);
    if (!fault.empty()) {
      report.failed = i;
      report.why = each.object.str() + ": " + fault;
      co_return report;
    }
  }
  co_return report;
}

}  // namespace ebbgate::deploy
