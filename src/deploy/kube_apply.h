// Gives a cluster its objects by server-side apply, under our own field manager: judged first, each
// by a dry run, then written one after the other where something would change, and no more.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "deploy/kube_objects.h"
#include "kube/client.h"
#include "net/task.h"

namespace ebbgate::deploy {

enum class KubeVerdict : std::uint8_t {
  kCreate,
  kChange,
  kUnchanged,
  kConflict,  // others own fields that would be another
  kAbsent,    // a part of the cluster's own that it has not got: nothing is to be done
  kBlocked,   // it cannot be applied as it is, or not be told
};
[[nodiscard]] std::string_view word(KubeVerdict verdict);

struct FieldOwner {
  std::string field = {};
  std::string manager = {};  // as the API names it: `"kubectl" using apps/v1`
  bool operator==(const FieldOwner&) const = default;
};

struct KubeJudgement {
  KubeObject object = {};
  kube::Resource resource = {};
  KubeVerdict verdict = KubeVerdict::kBlocked;
  std::vector<FieldChange> changes = {};  // of kChange and kConflict; none: only who owns fields
  std::vector<FieldOwner> owners = {};    // of kConflict
  std::string why = {};                   // of kBlocked, and what else is to be known
};

struct KubeApplyOptions {
  bool forces = false;                            // takes fields over that others own
  Duration type_time = std::chrono::seconds(60);  // for a type to be served
  Duration type_look = std::chrono::milliseconds(250);
  std::function<void(const KubeJudgement&)> done = {};  // as each is written
};

class KubeApplier {
 public:
  // The client outlives it.
  KubeApplier(kube::Client& client, KubeApplyOptions options)
      : client_(&client), options_(std::move(options)) {}
  KubeApplier(const KubeApplier&) = delete;
  KubeApplier& operator=(const KubeApplier&) = delete;

  // What an apply would do, in its order; changes nothing. `objects`: as objects_of() orders them.
  // Errors: where nobody answers.
  [[nodiscard]] net::Task<kube::Outcome<std::vector<KubeJudgement>>> judge(
      std::vector<KubeObject> objects);

  struct Report {
    std::size_t written = 0;
    std::optional<std::size_t> failed = {};  // the index of the one that could not be written
    std::string why = {};
  };
  // Writes those that are judged to be new or other, and conflicts where that is wanted; the first
  // that fails is the end. Types are waited for.
  [[nodiscard]] net::Task<Report> apply(const std::vector<KubeJudgement>& judgements);

 private:
  struct Type {
    std::string plural;
    bool is_namespaced = false;
  };
  using Types = std::map<std::string, Type>;  // by kind

  [[nodiscard]] net::Task<kube::Outcome<Types>> types_of(std::string api_version);
  [[nodiscard]] net::Task<kube::Outcome<KubeJudgement>> judge_one(KubeObject object);
  [[nodiscard]] net::Task<kube::Outcome<KubeJudgement>> compare(KubeJudgement judgement);
  [[nodiscard]] bool waits_for_another(const kube::Failure& failure) const;
  [[nodiscard]] net::Task<std::string> wait_for_type(std::string name);

  kube::Client* client_;
  KubeApplyOptions options_;
  std::map<std::string, Types> served_;   // by apiVersion
  std::map<std::string, Types> brought_;  // by types that are to be created
  std::set<std::string> created_;         // names of what is to be created
  std::set<std::string> namespaces_;      // of those
};

}  // namespace ebbgate::deploy
