#include "deploy/kube_report.h"

#include <algorithm>
#include <utility>

namespace ebbgate::deploy {
namespace {

Verdict untried() {
  return {Finding::kCannotBeTold, "the pod ended before it had tried",
          "try again; where it runs out of time, with a longer --wait"};
}

Verdict unreachable_gateway(const Attempted& tried) {
  return {
      Finding::kFailed, "no answer of a gateway: " + tried.detail,
      "the pod has to have the proxy's variables (see the checks webhook and proxy-variables), "
      "its name has to resolve, and the namespace's NetworkPolicy has to let it reach the proxy "
      "port"};
}

std::string target_of(const std::string& attempt) {
  return attempt.substr(attempt.find(':') + 1) +
         (attempt.starts_with("query-tcp:") ? " over TCP" : "");
}

}  // namespace

const Attempted* Report::find(const std::string& attempt) const {
  const auto found = std::ranges::find(attempted_, attempt, &Attempted::attempt);
  return found == attempted_.end() ? nullptr : &*found;
}

bool Report::has_network() const {
  return std::ranges::any_of(attempted_, [](const Attempted& each) {
    const auto attempt = Attempt::parse(each.attempt);
    if (!attempt || !each.is_answered) return false;
    return attempt->kind == Attempt::Kind::kTunnel ||
           (attempt->kind == Attempt::Kind::kQuery && !attempt->server);
  });
}

Verdict judge_allowed(const Report& report, const std::string& attempt) {
  const Attempted* tried = report.find(attempt);
  if (tried == nullptr) return untried();
  if (!tried->is_answered) return unreachable_gateway(*tried);
  const std::string seen =
      target_of(attempt) + " was answered " + std::to_string(tried->code) + " by " + tried->detail;
  if (tried->code == 200) return {Finding::kOk, seen};
  if (tried->code == 502 || tried->code == 504) {
    return {Finding::kFailed, seen + ": let pass, and not reached",
            "look whether the gateways resolve the name and leave the network; or name another by "
            "--allowed"};
  }
  return {Finding::kFailed, seen,
          "allow it to pods of the namespace, or name by --allowed what is allowed to them; the "
          "gateways' log has the reason"};
}

Verdict judge_refused(const Report& report, const std::string& attempt) {
  const Attempted* tried = report.find(attempt);
  if (tried == nullptr) return untried();
  if (!tried->is_answered) return unreachable_gateway(*tried);
  const std::string seen =
      target_of(attempt) + " was answered " + std::to_string(tried->code) + " by " + tried->detail;
  if (tried->code == 403) return {Finding::kOk, seen};
  if (tried->code == 200 || tried->code == 502 || tried->code == 504) {
    return {Finding::kFailed, seen + ": it was let pass",
            "some policy allows it, or is in report mode: `ebbgate explain` says which; or name by "
            "--refused what has to be refused"};
  }
  return {Finding::kCannotBeTold, seen, "look in the gateways' log for the reason"};
}

Verdict judge_cluster_dns(const Report& report, const std::string& attempt) {
  const Attempted* tried = report.find(attempt);
  if (tried == nullptr) return untried();
  const std::string name = target_of(attempt);
  if (!tried->is_answered) {
    return {Finding::kFailed, "no answer: " + tried->detail,
            "look whether CoreDNS runs, and whether the namespace's NetworkPolicy lets port 53 of "
            "it be reached (with NodeLocal DNSCache, 169.254.20.10)"};
  }
  if (tried->code == 0 && tried->records > 0) {
    return {Finding::kOk, name + " is known to " + tried->detail};
  }
  return {
      Finding::kFailed,
      name + " is not known to " + tried->detail + " (RCODE " + std::to_string(tried->code) + ")",
      "look at the Corefile's zone of the cluster (--cluster-domain where it is not "
      "cluster.local)"};
}

Verdict judge_dns_tunnel(const Report& report, std::span<const std::string> attempts) {
  constexpr int kNoError = 0, kNxDomain = 3, kRefused = 5;  // RFC 1035, 4.1.1
  const std::string next =
      "DNS is a way out: `ebbgate kube manifests --part coredns --policy FILE` renders a Corefile "
      "that answers only the names that are needed";
  std::string vague;
  for (const std::string& attempt : attempts) {
    const Attempted* tried = report.find(attempt);
    if (tried == nullptr) return untried();
    const std::string name = target_of(attempt);
    if (!tried->is_answered) {
      vague = name + " was not answered: " + tried->detail;
    } else if (tried->code == kNoError) {
      return {Finding::kFailed, name + " was asked for outside and found, by " + tried->detail,
              next};
    } else if (tried->code != kNxDomain && tried->code != kRefused) {
      vague = name + " was answered with RCODE " + std::to_string(tried->code) + " by " +
              tried->detail + ", which has asked others";
    }
  }
  if (!vague.empty()) return {Finding::kCannotBeTold, vague, next};
  return {Finding::kOk, "names that no policy knows do not exist"};
}

Verdict judge_unreached(const Report& report, std::span<const std::string> attempts,
                        std::string next) {
  std::vector<std::string> reached;
  std::vector<std::string> held;
  for (const std::string& attempt : attempts) {
    const Attempted* tried = report.find(attempt);
    if (tried == nullptr) return untried();
    if (tried->is_answered) {
      reached.push_back(target_of(attempt) + " (" + tried->detail + ")");
    } else {
      held.push_back(target_of(attempt));
    }
  }
  if (!reached.empty()) return {Finding::kFailed, "reached: " + listed(reached), std::move(next)};
  if (!report.has_network()) {
    return {Finding::kCannotBeTold, "the pod reaches nothing at all, so this says nothing",
            "see the checks allowed-request and cluster-dns"};
  }
  return {Finding::kOk, "not reached: " + listed(held)};
}

}  // namespace ebbgate::deploy
