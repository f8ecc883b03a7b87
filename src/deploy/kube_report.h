// What a pod tried, and what `ebbgate kube verify` concludes from it: the lines of its log come in,
// findings with the next step go out.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "deploy/kube_judgement.h"
#include "deploy/kube_probe_pod.h"

namespace ebbgate::deploy {

// By the word of each attempt.
class Report {
 public:
  explicit Report(std::vector<Attempted> attempted) : attempted_(std::move(attempted)) {}

  [[nodiscard]] const Attempted* find(const std::string& attempt) const;
  // Whether anything at all was reached inside of the cluster: a gateway or a name server. Where
  // nothing was, that nothing outside was reached says nothing.
  [[nodiscard]] bool has_network() const;
  [[nodiscard]] const std::vector<Attempted>& all() const { return attempted_; }

 private:
  std::vector<Attempted> attempted_;
};

[[nodiscard]] Verdict judge_allowed(const Report& report, const std::string& attempt);
[[nodiscard]] Verdict judge_refused(const Report& report, const std::string& attempt);
[[nodiscard]] Verdict judge_cluster_dns(const Report& report, const std::string& attempt);
// Questions for names that are none of the cluster's: all of them have to be answered that there
// are none, by the cluster's server itself.
[[nodiscard]] Verdict judge_dns_tunnel(const Report& report, std::span<const std::string> attempts);
// What must not be reached at all. `next`: what to do where it is.
[[nodiscard]] Verdict judge_unreached(const Report& report, std::span<const std::string> attempts,
                                      std::string next);

}  // namespace ebbgate::deploy
