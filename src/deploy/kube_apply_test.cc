#include "deploy/kube_apply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "deploy/kube_objects.h"
#include "kube/testing.h"

namespace ebbgate::deploy {
namespace {

using kube::testing::World;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(KubeObjects, EveryPartIsReadAndTheOrderIsThatOfAnApply) {
  KubeAnswers answers;
  answers.network.vpc_cidrs = {*Cidr::parse("10.64.0.0/16")};
  answers.network.service_cidrs = {*Cidr::parse("10.96.0.0/16")};
  answers.has_monitoring = answers.has_webhook = true;
  answers.app_namespaces = {"shop"};
  const auto files = render_manifests(answers);
  ASSERT_TRUE(files);
  const auto objects = objects_of(*files);
  ASSERT_TRUE(objects) << objects.error().detail;
  const auto place = [&](const std::string& text) {
    for (std::size_t i = 0; i < objects->size(); ++i) {
      if ((*objects)[i].str() == text) return i;
    }
    ADD_FAILURE() << text;
    return objects->size();
  };
  const std::vector<std::string> order = {
      "CustomResourceDefinition egresspolicies.ebbgate.dev",
      "Namespace ebbgate-system",
      "ServiceAccount ebbgate-system/ebbgate",
      "ClusterRole ebbgate-gateway",
      "ClusterRoleBinding ebbgate-gateway",
      "ConfigMap kube-system/proxy-environment-variables",
      "Deployment ebbgate-system/ebbgate",
      "DaemonSet kube-system/aws-node",
      "MutatingWebhookConfiguration ebbgate-webhook",
      "ClusterEgressPolicy cluster",
      "NetworkPolicy shop/ebbgate-egress",
  };
  for (std::size_t i = 1; i < order.size(); ++i) {
    EXPECT_LT(place(order[i - 1]), place(order[i])) << order[i];
  }
  const std::vector<KubeFile> bad = {{KubePart::kGateway, "x.yaml", "kind: [", true}};
  EXPECT_THAT(objects_of(bad).error().detail, HasSubstr("x.yaml: line"));
  const std::vector<KubeFile> nameless = {{KubePart::kGateway, "y.yaml", "kind: A", true}};
  EXPECT_THAT(objects_of(nameless).error().detail, HasSubstr("y.yaml: an object without"));
}

std::vector<std::string> shown(const std::string& live, const std::string& after) {
  std::vector<std::string> out;
  for (const FieldChange& each : changes_between(live, after)) {
    out.push_back(each.field + " " + each.before + " > " + each.after);
  }
  return out;
}

TEST(KubeObjects, ChangesAreNamedByTheirFields) {
  EXPECT_THAT(shown(R"({"metadata":{"name":"a","uid":"1","resourceVersion":"7","generation":1},)"
                    R"("status":{"x":1}})",
                    R"({"metadata":{"name":"a","uid":"2","resourceVersion":"8","generation":2},)"
                    R"("status":{"x":2}})"),
              IsEmpty());
  EXPECT_THAT(shown(R"({"metadata":{"labels":{"a":"1"}}})", R"({"metadata":{"labels":{"b":"2"}}})"),
              ElementsAre(R"(.metadata.labels.a "1" > )", R"(.metadata.labels.b  > "2")"));
  EXPECT_THAT(shown(R"({"c":[{"name":"x","image":"1"},{"name":"y"}],"p":[1,2],"q":[1]})",
                    R"({"c":[{"name":"y"},{"name":"x","image":"2"}],"p":[1,3],"q":[1,2]})"),
              ElementsAre(R"(.c[name="x"].image "1" > "2")", ".p[1] 2 > 3", ".q [1] > [1,2]"));
  EXPECT_THAT(shown(R"({"c":[{"name":"x"},{"name":"y"}]})", R"({"c":[{"name":"y"},{"name":"x"}]})"),
              ElementsAre(HasSubstr("another order")));
  EXPECT_THAT(shown(R"({"kind":"Secret","data":{"tls.key":"c2VjcmV0"}})",
                    R"({"kind":"Secret","data":{"tls.key":"b3RoZXI="}})"),
              ElementsAre(".data.tls.key (hidden) > (hidden)"));
  const std::string longer(300, 'x');
  const auto cut = shown(R"({"a":"1"})", R"({"a":")" + longer + "\"}");
  EXPECT_THAT(cut, ElementsAre(HasSubstr("... (302 octets)")));
  EXPECT_THAT(shown("no json", R"({"a":1})"), ElementsAre(HasSubstr("{\"a\":1}")));
}

// An API with one kind, `configmaps`.
const std::string kCore =
    R"({"kind":"APIResourceList","resources":[{"name":"configmaps","kind":"ConfigMap",)"
    R"("namespaced":true},{"name":"configmaps/x","kind":"ConfigMap","namespaced":true}]})";
const std::string kNotFound = R"({"kind":"Status","code":404,"reason":"NotFound","message":"no"})";

KubeObject config_map() {
  return {.api_version = "v1",
          .kind = "ConfigMap",
          .in_namespace = "shop",
          .name = "a",
          .json = R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}})"};
}

std::string live(const std::string& value, const std::string& fields) {
  return R"({"data":{"k":")" + value +
         R"("},"metadata":{"managedFields":[{"manager":"ebbgate","operation":"Apply",)"
         R"("fieldsV1":)" +
         fields + "}]}}";
}

struct Judged {
  std::vector<KubeJudgement> judgements;
  std::vector<std::string> asked;  // method and path
};

Judged judge(World& world, std::vector<KubeObject> objects) {
  KubeApplier applier(world.client, {});
  auto judged = world.run(applier.judge(std::move(objects)));
  EXPECT_TRUE(judged) << (judged ? "" : judged.error().message);
  Judged out{judged ? *std::move(judged) : std::vector<KubeJudgement>{}, {}};
  for (std::size_t i = 0; i < world.api.seen.size(); ++i) {
    out.asked.push_back(world.api.seen[i].method + " " + world.api.path(i));
  }
  return out;
}

TEST(KubeApplier, JudgesByDryRunsAndNeverWritesThen) {
  World world;
  world.api.add(kCore).add(live("1", "{}")).add(live("1", "{}"));
  const Judged same = judge(world, {config_map()});
  EXPECT_EQ(KubeVerdict::kUnchanged, same.judgements.front().verdict);
  const std::string path = "/api/v1/namespaces/shop/configmaps/a";
  EXPECT_THAT(same.asked,
              ElementsAre("GET /api/v1", "GET " + path,
                          "PATCH " + path + "?fieldManager=ebbgate&force=false&dryRun=All"));

  World changed;
  changed.api.add(kCore).add(live("1", "{}")).add(live("2", "{}"));
  const Judged other = judge(changed, {config_map()});
  EXPECT_EQ(KubeVerdict::kChange, other.judgements.front().verdict);
  EXPECT_EQ(".data.k", other.judgements.front().changes.front().field);

  World owned;  // the same to look at, but not ours yet
  owned.api.add(kCore).add(live("1", "{}")).add(live("1", R"({"f:data":{}})"));
  const Judged taken = judge(owned, {config_map()});
  EXPECT_EQ(KubeVerdict::kChange, taken.judgements.front().verdict);
  EXPECT_THAT(taken.judgements.front().changes, IsEmpty());
}

TEST(KubeApplier, TellsWhoOwnsWhatIsInConflict) {
  World world;
  world.api.add(kCore)
      .add(live("1", "{}"))
      .status(409, R"({"kind":"Status","code":409,"reason":"Conflict","message":"Apply failed",)"
                   R"("details":{"causes":[{"reason":"FieldManagerConflict","message":)"
                   R"("conflict with \"kubectl\" using v1","field":".data.k"}]}})")
      .add(live("2", "{}"));
  const Judged judged = judge(world, {config_map()});
  const KubeJudgement& it = judged.judgements.front();
  EXPECT_EQ(KubeVerdict::kConflict, it.verdict);
  EXPECT_THAT(it.owners, ElementsAre(FieldOwner{".data.k", "\"kubectl\" using v1"}));
  EXPECT_THAT(it.changes, ElementsAre(FieldChange{".data.k", "\"1\"", "\"2\""}));
  EXPECT_THAT(judged.asked.back(), HasSubstr("force=true&dryRun=All"));
}

TEST(KubeApplier, WhatStandsOnWhatIsYetToComeIsNew) {
  KubeObject space{.api_version = "v1", .kind = "Namespace", .name = "shop", .json = "{}"};
  World world;
  world.api
      .add(R"({"resources":[{"name":"namespaces","kind":"Namespace","namespaced":false},)"
           R"({"name":"configmaps","kind":"ConfigMap","namespaced":true}]})")
      .status(404, kNotFound)
      .add("{}");
  const Judged judged = judge(world, {space, config_map()});
  EXPECT_EQ(KubeVerdict::kCreate, judged.judgements[1].verdict);
  EXPECT_EQ(3U, judged.asked.size());  // nothing is asked of what cannot be there
}

TEST(KubeApplier, WhatCannotBeToldIsBlockedWithItsReason) {
  const std::string forbidden =
      R"({"kind":"Status","code":403,"reason":"Forbidden","message":"you may not"})";
  World world;
  world.api.add(kCore).status(403, forbidden);
  const Judged unread = judge(world, {config_map()});
  EXPECT_EQ(KubeVerdict::kBlocked, unread.judgements.front().verdict);
  EXPECT_THAT(unread.judgements.front().why, HasSubstr("it cannot be read: the API answered 403"));

  World invalid;
  invalid.api.add(kCore)
      .status(404, kNotFound)
      .status(422, R"({"kind":"Status","code":422,"reason":"Invalid","message":"data: bad"})");
  EXPECT_THAT(judge(invalid, {config_map()}).judgements.front().why,
              HasSubstr("422 Invalid: data: bad"));

  World unserved;
  unserved.api.status(404, kNotFound);
  KubeObject monitor = config_map();
  monitor.api_version = "monitoring.coreos.com/v1";
  monitor.kind = "ServiceMonitor";
  EXPECT_EQ("the cluster does not serve monitoring.coreos.com/v1 ServiceMonitor",
            judge(unserved, {monitor}).judgements.front().why);

  World absent;  // a part of the cluster's own is changed where it is, and not made
  absent.api.add(kCore).status(404, kNotFound);
  KubeObject part = config_map();
  part.part = KubePart::kDaemonSets;
  EXPECT_EQ(KubeVerdict::kAbsent, judge(absent, {part}).judgements.front().verdict);
}

TEST(KubeApplier, WritesInOrderAndEndsAtTheFirstThatFails) {
  const auto judgement = [](KubeVerdict verdict, const std::string& name) {
    KubeJudgement out;
    out.object = config_map();
    out.object.name = name;
    out.resource = {.plural = "configmaps", .in_namespace = "shop"};
    out.verdict = verdict;
    return out;
  };
  const std::vector<KubeJudgement> all = {
      judgement(KubeVerdict::kCreate, "a"),   judgement(KubeVerdict::kUnchanged, "b"),
      judgement(KubeVerdict::kConflict, "c"), judgement(KubeVerdict::kAbsent, "d"),
      judgement(KubeVerdict::kChange, "e"),   judgement(KubeVerdict::kCreate, "f")};
  World world;
  world.api.add("{}").add("{}").status(
      403, R"({"kind":"Status","code":403,"reason":"Forbidden","message":"you may not"})");
  std::vector<std::string> done;
  KubeApplyOptions options;
  options.forces = true;
  options.done = [&](const KubeJudgement& each) { done.push_back(each.object.name); };
  KubeApplier applier(world.client, options);
  const auto report = world.run(applier.apply(all));
  EXPECT_THAT(done, ElementsAre("a", "c"));
  EXPECT_EQ(2U, report.written);
  EXPECT_EQ(4U, report.failed);
  EXPECT_THAT(report.why, HasSubstr("ConfigMap shop/e: the API answered 403 Forbidden"));
  EXPECT_THAT(world.api.path(0), HasSubstr("/a?fieldManager=ebbgate&force=false"));
  EXPECT_THAT(world.api.path(1), HasSubstr("/c?fieldManager=ebbgate&force=true"));
}

TEST(KubeApplier, WaitsForATypeToBeServed) {
  KubeJudgement type;
  type.object = {.kind = "CustomResourceDefinition", .name = "x.example", .json = "{}"};
  type.resource = {.group = "apiextensions.k8s.io", .plural = "customresourcedefinitions"};
  type.verdict = KubeVerdict::kCreate;
  const std::vector<KubeJudgement> types = {type};
  const std::string pending = R"({"status":{"conditions":[{"type":"NamesAccepted"}]}})";
  const std::string ready = R"({"status":{"conditions":[{"type":"Established","status":"True"}]}})";
  World world;
  world.api.add("{}").add("{}").add(pending).add(ready);
  KubeApplier applier(world.client, {.type_look = std::chrono::milliseconds(1)});
  EXPECT_FALSE(world.run(applier.apply(types)).failed);

  World never;
  never.api.add("{}").add(pending);
  KubeApplier impatient(never.client, {.type_time = Duration(0)});
  const auto report = never.run(impatient.apply(types));
  EXPECT_EQ(0U, report.failed);
  EXPECT_THAT(report.why, HasSubstr("does not serve the type"));
}

}  // namespace
}  // namespace ebbgate::deploy
