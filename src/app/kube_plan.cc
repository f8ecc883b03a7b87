// `ebbgate kube plan` and `ebbgate kube apply`: what a cluster itself tells of its networks, what
// it would be given by that, and how it differs from what is there; apply gives it, if told --yes.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/exit_code.h"
#include "app/kube_answers.h"
#include "app/kube_command.h"
#include "app/kube_session.h"
#include "base/escape.h"
#include "deploy/kube_apply.h"
#include "deploy/kube_facts.h"
#include "net/run.h"

namespace ebbgate::app {
namespace {

using deploy::KubeJudgement;
using deploy::KubeVerdict;
using Json = nlohmann::ordered_json;

constexpr const char* kHelp =
    R"(usage: ebbgate kube plan [FLAGS]
       ebbgate kube apply [FLAGS] [--yes]

Asks a cluster for its networks, renders what `ebbgate kube manifests` does, and says how that
differs from what is there: created, changed (with the fields), unchanged, or in conflict with others
who own a field. The API judges each in a dry run. `apply` does no more without --yes; with it, what
differs is written by server-side apply, under the field manager `ebbgate`, types first. Applied
again, nothing is written. What changes the cluster's own parts (daemonsets, coredns) and the policy
to begin with is only applied where --part names it.

Examples:
  ebbgate kube plan --vpc-cidr 10.64.0.0/16 --app-namespace shop
  ebbgate kube apply --vpc-cidr 10.64.0.0/16 --app-namespace shop --webhook --yes
  ebbgate kube apply --vpc-cidr 10.64.0.0/16 --for eks-ec2-fleet --part daemonsets \
      --proxy-url http://nlb.example:3128 --yes

Flags:
  --kubeconfig FILE     Default: that of KUBECONFIG, then ~/.kube/config.
  --context NAME        Default: the file's current one.
  --yes                 apply: changes the cluster.
  --force-conflicts     apply: takes over fields that others own.
  --format text|json    plan: default: text.
  --help                This text.

And those of `ebbgate kube manifests`, but --output. The cluster is asked for --service-cidr,
--cluster-endpoint, --region and --cluster-name where they are absent, and for --pod-cidr where it
was made by kubeadm; --vpc-cidr is needed, since the API does not tell where nodes get addresses.

Exit codes: 0 fine, 1 something cannot be applied, or was not, 2 usage, 3 an invalid policy.
)";

struct PlanOptions {
  KubeOrder order;
  KubeSessionOptions session;
  std::string format = "text";
  bool is_apply = false;
  bool yes = false;
  bool forces = false;
};

struct Plan {
  deploy::KubeFacts facts;
  std::vector<std::string> notes;
  std::vector<KubeJudgement> judgements;

  [[nodiscard]] std::size_t count(KubeVerdict verdict) const {
    return static_cast<std::size_t>(
        std::ranges::count(judgements, verdict, &KubeJudgement::verdict));
  }
};

int fail_with(std::string_view message) {
  std::fprintf(stderr, "ebbgate kube: %s\n", escaped_prose(message, 4096).c_str());
  return kFailed;
}

void print_facts(const KubeSession& session, const Plan& plan, std::FILE* out) {
  std::fprintf(out, "cluster %s, by %s\n", escaped_prose(session.access().server).c_str(),
               escaped_prose(session.origin()).c_str());
  for (const deploy::KubeFinding& each : plan.facts.findings) {
    const std::string from = each.from.empty() ? "" : " (" + each.from + ")";
    std::fprintf(out, "  %-22s %s%s\n", escaped_prose(each.what).c_str(),
                 escaped_prose(each.value).c_str(), escaped_prose(from).c_str());
  }
  for (const std::string& each : plan.facts.gaps) {
    std::fprintf(out, "  not known: %s\n", escaped_prose(each, 2048).c_str());
  }
  for (const std::string& each : plan.notes) {
    std::fprintf(out, "  note: %s\n", escaped_prose(each, 2048).c_str());
  }
}

void print_judgement(const KubeJudgement& each) {
  static constexpr std::string_view kMarks = "+~=!-x";
  std::printf("  %c %-10s %s\n", kMarks[static_cast<std::size_t>(each.verdict)],
              std::string(deploy::word(each.verdict)).c_str(),
              escaped_prose(each.object.str()).c_str());
  const auto line = [](const std::string& text) {
    std::printf("                 %s\n", escaped_prose(text, 2048).c_str());
  };
  for (const deploy::FieldChange& change : each.changes) {
    if (change.before.empty()) {
      line(change.field + ": set to " + change.after);
    } else if (change.after.empty()) {
      line(change.field + ": " + change.before + " is taken away");
    } else {
      line(change.field + ": " + change.before + " -> " + change.after);
    }
  }
  if (each.verdict == KubeVerdict::kChange && each.changes.empty()) {
    line("only who owns the fields: ebbgate, too");
  }
  for (const deploy::FieldOwner& owner : each.owners) {
    line(owner.field + " is owned by " + owner.manager);
  }
  if (!each.why.empty()) line(each.why);
}

void print_counts(const Plan& plan) {
  static constexpr std::array<std::pair<KubeVerdict, const char*>, 6> kCounts = {{
      {KubeVerdict::kCreate, "to create"},
      {KubeVerdict::kChange, "to change"},
      {KubeVerdict::kConflict, "in conflict"},
      {KubeVerdict::kBlocked, "blocked"},
      {KubeVerdict::kAbsent, "absent"},
      {KubeVerdict::kUnchanged, "unchanged"},
  }};
  std::string text;
  for (const auto& [verdict, what] : kCounts) {
    const std::size_t count = plan.count(verdict);
    if (count != 0) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + what;
  }
  std::printf("%s\n", text.empty() ? "nothing to apply" : text.c_str());
}

Json to_json(const KubeSession& session, const Plan& plan) {
  Json found = Json::array();
  for (const auto& each : plan.facts.findings) {
    found.push_back({{"what", each.what}, {"value", each.value}, {"from", each.from}});
  }
  Json objects = Json::array();
  for (const KubeJudgement& each : plan.judgements) {
    Json object{{"part", deploy::word(each.object.part)},
                {"apiVersion", each.object.api_version},
                {"kind", each.object.kind},
                {"name", each.object.name},
                {"verdict", deploy::word(each.verdict)}};
    if (!each.object.in_namespace.empty()) object["namespace"] = each.object.in_namespace;
    if (!each.why.empty()) object["why"] = each.why;
    for (const auto& change : each.changes) {
      Json line{{"field", change.field}};
      if (!change.before.empty()) line["before"] = change.before;
      if (!change.after.empty()) line["after"] = change.after;
      object["changes"].push_back(std::move(line));
    }
    for (const auto& owner : each.owners) {
      object["owners"].push_back({{"field", owner.field}, {"manager", owner.manager}});
    }
    objects.push_back(std::move(object));
  }
  return {{"cluster", session.access().server},
          {"origin", session.origin()},
          {"found", std::move(found)},
          {"notKnown", plan.facts.gaps},
          {"notes", plan.notes},
          {"objects", std::move(objects)}};
}

// What is to be said of the parts that nobody named.
void note_parts(const PlanOptions& options, Plan& plan) {
  const bool is_in_cluster = options.order.answers.place == deploy::GatewayPlace::kInCluster;
  if (is_in_cluster && options.order.answers.image.empty()) {
    plan.notes.emplace_back("the image is ebbgate:0.1.0, which nodes have to have: see --image");
  }
  if (!options.order.parts.empty()) return;
  for (const auto& each : plan.facts.daemon_sets) {
    if (each.has_proxy) continue;
    plan.notes.push_back(each.name +
                         " has no variables of the proxy; where it needs them, say "
                         "--part daemonsets --proxy-url URL");
  }
  plan.notes.emplace_back(
      "not among these unless --part names them: daemonsets, coredns, policies");
}

// The objects that are asked for; nothing where they cannot be rendered, which is told.
Result<std::vector<deploy::KubeObject>> objects_for(const KubeOrder& order) {
  auto files = deploy::render_manifests(order.answers);
  if (!files) return std::unexpected(std::move(files.error()));
  std::erase_if(*files, [&](const deploy::KubeFile& file) {
    if (order.parts.empty()) return !file.is_applied;
    return std::ranges::find(order.parts, deploy::word(file.part)) == order.parts.end();
  });
  return deploy::objects_of(*files);
}

net::Task<int> write(KubeSession& session, const PlanOptions& options, const Plan& plan) {
  deploy::KubeApplyOptions apply;
  apply.forces = options.forces;
  apply.done = [](const KubeJudgement& each) {
    std::printf("  %s %s\n", each.verdict == KubeVerdict::kCreate ? "created" : "changed",
                escaped_prose(each.object.str()).c_str());
    std::fflush(stdout);
  };
  std::printf("\napply\n");
  deploy::KubeApplier applier(session.client(), std::move(apply));
  const auto report = co_await applier.apply(plan.judgements);
  if (!report.failed) {
    std::printf(
        "%zu written, %zu unchanged; next: `ebbgate kube status`, then `ebbgate kube verify`\n",
        report.written, plan.count(KubeVerdict::kUnchanged));
    co_return kFine;
  }
  std::fflush(stdout);
  const std::size_t to_write = plan.count(KubeVerdict::kCreate) + plan.count(KubeVerdict::kChange) +
                               plan.count(KubeVerdict::kConflict);
  co_return fail_with("it ended before its end: " + report.why + "; " +
                      std::to_string(report.written) + " of " + std::to_string(to_write) +
                      " were written and stay; say the same again to go on from there");
}

int refuse_to_write(const PlanOptions& options, const Plan& plan) {
  if (plan.count(KubeVerdict::kBlocked) != 0) {
    return fail_with("nothing was changed: what is blocked comes first");
  }
  if (plan.count(KubeVerdict::kConflict) != 0 && !options.forces) {
    return fail_with(
        "nothing was changed: others own fields that would be another; --force-conflicts takes "
        "them over");
  }
  return kFine;
}

net::Task<int> work(KubeSession& session, PlanOptions& options) {
  Plan plan;
  auto facts = co_await deploy::learn_kube(session.client(), session.access().server,
                                           options.order.answers.own_namespace);
  if (!facts) co_return fail_with(facts.error().describe(session.access().server));
  plan.facts = *std::move(facts);
  deploy::KubeAnswers& answers = options.order.answers;
  plan.notes = deploy::take_facts(plan.facts, answers);
  if (const std::string fault = deploy::fault_of(answers); !fault.empty()) {
    print_facts(session, plan, stderr);
    co_return refuse_kube(fault);
  }
  if (std::ranges::find(options.order.parts, "daemonsets") != options.order.parts.end() &&
      answers.proxy_url.empty()) {
    co_return refuse_kube(
        "--proxy-url is missing: aws-node is on the nodes' network, which knows no names of "
        "services");
  }
  note_parts(options, plan);
  auto objects = objects_for(options.order);
  if (!objects) co_return refuse_kube(objects.error().detail);
  deploy::KubeApplier judge(session.client(), {});
  auto judgements = co_await judge.judge(*std::move(objects));
  if (!judgements) co_return fail_with(judgements.error().describe("the plan"));
  plan.judgements = *std::move(judgements);
  if (options.format == "json") {
    const Json json = to_json(session, plan);
    std::printf("%s\n", json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  } else {
    print_facts(session, plan, stdout);
    std::printf("\nplan\n");
    for (const KubeJudgement& each : plan.judgements) print_judgement(each);
    print_counts(plan);
  }
  std::fflush(stdout);
  if (!options.is_apply) co_return plan.count(KubeVerdict::kBlocked) == 0 ? kFine : kFailed;
  const std::size_t settled =
      plan.count(KubeVerdict::kUnchanged) + plan.count(KubeVerdict::kAbsent);
  if (settled == plan.judgements.size()) {
    std::printf("unchanged: there is nothing to write\n");
    co_return kFine;
  }
  if (const int code = refuse_to_write(options, plan); code != kFine) co_return code;
  if (!options.yes) {
    std::printf("nothing was changed; say --yes to apply this\n");
    co_return kFine;
  }
  co_return co_await write(session, options, plan);
}

// What is wrong with the parts that are named; some bring others with them.
std::string settle_parts(KubeOrder& order) {
  if (const std::string part = unknown_part(order); !part.empty()) {
    return "--part " + part + " is none";
  }
  const auto has = [&](std::string_view part) {
    return std::ranges::find(order.parts, part) != order.parts.end();
  };
  if (has("commands")) return "--part commands is no resource: see `ebbgate kube manifests`";
  if (has("aws-auth")) {
    return "--part aws-auth would replace the roles that the cluster has: add yours by hand, see "
           "`ebbgate kube manifests --part aws-auth`";
  }
  order.answers.has_webhook |= has("webhook");
  order.answers.has_monitoring |= has("monitoring");
  if (!has("daemonsets")) return "";
  // The pods of a DaemonSet do not start without the ConfigMap.
  if (!has("proxy-environment")) order.parts.emplace_back("proxy-environment");
  return "";
}

}  // namespace

int run_kube_plan(std::span<const char* const> words) {
  PlanOptions options;
  options.is_apply = std::string_view(words.front()) == "apply";
  std::vector<OwnFlag> flags = kube_answer_flags(options.order);
  std::ranges::move(kube_session_flags(options.session), std::back_inserter(flags));
  if (options.is_apply) {
    flags.push_back(switch_flag("yes", options.yes));
    flags.push_back(switch_flag("force-conflicts", options.forces));
  } else {
    flags.push_back(format_flag(options.format));
  }
  const KubeWords line = read_kube_words(words.subspan(1), flags);
  if (line.help) {
    std::fputs(kHelp, stdout);
    return kFine;
  }
  if (line.code != kFine) return line.code;
  if (!line.operands.empty()) return refuse_kube("'" + line.operands.front() + "' is no flag");
  if (const std::string fault = settle_parts(options.order); !fault.empty()) {
    return refuse_kube(fault);
  }
  if (!take_policy_names(options.order)) return kInvalid;
  auto loop = net::Loop::make();
  if (!loop) return fail_with(loop.error().detail);
  const SystemClock clock;
  options.session.client.timeout = std::chrono::seconds(20);
  auto session = KubeSession::make(**loop, clock, options.session);
  if (!session) return fail_with(session.error().detail);
  const net::Interrupt interrupt(**loop);
  return net::run_to_end(**loop, work(**session, options));
}

}  // namespace ebbgate::app
