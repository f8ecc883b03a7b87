// Policies of the Kubernetes API in load_policy(): each with its own last good form, and what
// becomes of each told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/load_policy.h"
#include "policy/decide.h"

namespace ebbgate::config {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

Settings with_kube() {
  Settings settings;
  settings.kube.is_on = true;
  return settings;
}

// The cluster as the API has it, and the loading that is in force.
class LoadResources : public ::testing::Test {
 protected:
  // `name`: `shop/checkout`, or of a ClusterEgressPolicy `base`.
  void put(const std::string& name, const std::string& spec) {
    PolicyResource& resource = resources_[name];
    const std::size_t slash = name.find('/');
    const bool is_namespaced = slash != std::string::npos;
    resource.id.kind = is_namespaced ? "EgressPolicy" : "ClusterEgressPolicy";
    resource.id.in_namespace = is_namespaced ? name.substr(0, slash) : "";
    resource.id.name = is_namespaced ? name.substr(slash + 1) : name;
    if (resource.id.uid.empty()) resource.id.uid = "uid-" + std::to_string(++uids_);
    ++resource.id.generation;
    std::string text = R"({"apiVersion":"ebbgate.dev/v1alpha1","kind":")" + resource.id.kind +
                       R"(","metadata":{"name":")" + resource.id.name + '"';
    if (is_namespaced) text += R"(,"namespace":")" + resource.id.in_namespace + '"';
    resource.text = std::make_shared<const std::string>(text + R"(},"spec":)" + spec + "}");
  }
  void put_text(const std::string& name, const std::string& text) {
    put(name, "{}");
    resources_[name].text = std::make_shared<const std::string>(text);
  }
  void remove(const std::string& name) { resources_.erase(name); }

  // Puts it in force where it is a policy.
  LoadedPolicy load(const std::vector<PolicyText>& texts = {}) {
    std::vector<PolicyResource> resources;
    for (const auto& [name, resource] : resources_) resources.push_back(resource);
    LoadedPolicy loaded = load_policy(with_kube(), 1, in_force_, texts, resources);
    in_force_.forms = loaded.forms;
    if (loaded.policy != nullptr) in_force_ = loaded;
    return loaded;
  }

  [[nodiscard]] static ResourceOutcome outcome(const LoadedPolicy& loaded,
                                               const std::string& name) {
    for (const ResourceOutcome& each : loaded.resources) {
      if (each.id.str() == name) return each;
    }
    ADD_FAILURE() << "there is no outcome of " << name;
    return {};
  }

  // The reason for a tunnel of a pod of the namespace; of no pod where it is empty.
  [[nodiscard]] std::string ask(const std::string& pod_namespace, const std::string& target) const {
    if (in_force_.policy == nullptr) return "no policy";
    policy::Subject subject;
    subject.address = IpAddress::parse("10.0.0.1");
    if (!pod_namespace.empty()) {
      subject.pod = std::make_shared<const policy::Pod>(
          policy::Pod{.name = "p", .pod_namespace = pod_namespace});
    }
    const auto authority = Authority::parse(target);
    const auto decision = policy::decide(
        *in_force_.policy, subject, {.host = authority->host, .port = authority->port}, WallTime{});
    return std::string(word(decision.reason));
  }

  std::map<std::string, PolicyResource> resources_;
  LoadedPolicy in_force_;
  int uids_ = 0;
};

const char* const kDelegate =
    R"({"delegate":{"namespaces":["shop"],"hosts":[".example"]},"deny":[{"hosts":["bad.example"]}]})";
const char* const kAllowA = R"({"allow":[{"hosts":["a.example"]}]})";
const char* const kInvalid = R"({"allow":[{"hosts":["*a.example"]}]})";

TEST_F(LoadResources, AllowsANamespaceWhatIsDelegatedToIt) {
  put("base", kDelegate);
  put("shop/checkout",
      R"({"allow":[{"hosts":["a.example","bad.example","a.test"]},{"hosts":["b.test"]}],)"
      R"("deny":[{"hosts":["c.test"]}]})");
  put("other/x", kAllowA);
  const LoadedPolicy loaded = load();
  EXPECT_EQ(str(loaded.problems), "") << "they are in the outcomes";
  EXPECT_EQ(ask("shop", "a.example:443"), "allowed");
  EXPECT_EQ(ask("shop", "bad.example:443"), "denied-by-rule");
  EXPECT_EQ(ask("shop", "a.test:443"), "not-allowed");
  EXPECT_EQ(ask("shop", "c.test:443"), "denied-by-rule");
  EXPECT_EQ(ask("other", "a.example:443"), "not-allowed");
  EXPECT_EQ(ask("", "a.example:443"), "not-allowed");

  ASSERT_THAT(loaded.resources, SizeIs(3));
  const ResourceOutcome shop = outcome(loaded, "EgressPolicy shop/checkout");
  EXPECT_EQ(shop.state, ResourceState::kInForce);
  EXPECT_EQ(shop.generation_in_force, 1);
  EXPECT_EQ(shop.id.uid, resources_["shop/checkout"].id.uid);
  EXPECT_EQ(shop.allow, 1U);
  EXPECT_EQ(shop.deny, 1U);
  EXPECT_EQ(shop.whole, 2U);
  EXPECT_EQ(shop.none, 2U);
  ASSERT_THAT(shop.problems, SizeIs(2));
  EXPECT_EQ(shop.problems[0].where, "spec.allow[0].hosts[2]");
  EXPECT_EQ(shop.problems[1].where, "spec.allow[1].hosts[0]");
  EXPECT_EQ(shop.problems[0].severity, policy::Severity::kWarning);
  EXPECT_THAT(shop.problems[0].message, HasSubstr("not delegated to `shop`"));
  const ResourceOutcome other = outcome(loaded, "EgressPolicy other/x");
  EXPECT_EQ(other.allow, 0U);
  EXPECT_EQ(other.none, 1U);
  EXPECT_EQ(outcome(loaded, "ClusterEgressPolicy base").deny, 1U);
}

TEST_F(LoadResources, TakesTheDelegationOfDocumentsThatAreNoResources) {
  put("shop/checkout", kAllowA);
  const PolicyText text{.name = "ssm:/p",
                        .text =
                            "apiVersion: ebbgate.dev/v1alpha1\nkind: ClusterEgressPolicy\n"
                            "metadata: {name: base}\nspec:\n"
                            "  subjects: [{namespace: ci, serviceAccount: x}]\n"
                            "  allow: [{hosts: [b.example]}]\n"
                            "  delegate: {namespaces: [\"*\"], hosts: [a.example]}\n"};
  const LoadedPolicy loaded = load({text});
  EXPECT_EQ(str(loaded.problems), "");
  EXPECT_EQ(ask("shop", "a.example:443"), "allowed");
  EXPECT_EQ(ask("ci", "b.example:443"), "not-allowed") << "another account's";
}

TEST_F(LoadResources, LetsFilesNameNeitherUsersNorNamespacesOfTheirOwn) {
  const auto problems = [&](const std::string& metadata, const std::string& subject) {
    return str(load_policy(with_kube(), 1, {},
                           {{.name = "p",
                             .text = "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\n"
                                     "metadata: {" +
                                     metadata + "}\nspec:\n  subjects: [{" + subject +
                                     "}]\n  allow: [{hosts: [b.example]}]\n"}})
                   .problems);
  };
  EXPECT_EQ(problems("name: x", "namespace: ci"), "");
  EXPECT_THAT(problems("name: x", "user: ci"), HasSubstr("`user` is not in this release"));
  EXPECT_THAT(problems("name: x", "certificate: CN=x"), HasSubstr("`certificate` is not in"));
  EXPECT_THAT(problems("name: x, namespace: y", "namespace: y"),
              HasSubstr("`namespace` is for resources"));
  EXPECT_THAT(str(load_policy({}, 1, {},
                              {{.name = "p",
                                .text = "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\n"
                                        "metadata: {name: x}\nspec:\n"
                                        "  subjects: [{namespace: ci}]\n"
                                        "  allow: [{hosts: [b.example]}]\n"}})
                      .problems),
              HasSubstr("`namespace` is of pods, which only --kube tells apart"));
}

TEST_F(LoadResources, LetsWhoOnlyLooksReadOfPods) {
  const std::vector<PolicyText> about_pods{
      {.name = "p",
       .text = "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {name: x}\n"
               "spec: {subjects: [{namespace: ci}], allow: [{hosts: [b.example]}]}\n"}};
  EXPECT_EQ(load_policy({}, 0, {}, about_pods).policy, nullptr);
  const LoadedPolicy seen = look_at_policy({}, 0, about_pods);
  EXPECT_EQ(str(seen.problems), "");
  // The version is the gateway's, whatever is said of Kubernetes.
  EXPECT_EQ(seen.version, load_policy(with_kube(), 0, {}, about_pods).version);
}

TEST_F(LoadResources, LetsWhoOnlyLooksReadResourcesFromFiles) {
  const std::vector<PolicyText> applied{
      {.name = "p",
       .text = "apiVersion: ebbgate.dev/v1alpha1\nkind: ClusterEgressPolicy\nmetadata: {name: x}\n"
               "spec: {delegate: {namespaces: [shop], hosts: [a.example]}}\n---\n"
               "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\n"
               "metadata: {name: y, namespace: shop}\n"
               "spec: {subjects: [{serviceAccount: z}],\n"
               "  allow: [{hosts: [a.example, b.example]}]}\n"}};
  const LoadedPolicy seen = look_at_policy({}, 0, applied);
  ASSERT_NE(seen.policy, nullptr) << str(seen.problems);
  EXPECT_THAT(str(seen.problems), HasSubstr("p:10:31: warning: b.example does not count"));
  EXPECT_THAT(str(seen.problems), ::testing::Not(HasSubstr("p:10:20")));
  EXPECT_EQ(seen.policy->documents().back().name, "shop/y");
  EXPECT_EQ(seen.policy->pattern_count(), 1);
  EXPECT_EQ(load_policy(with_kube(), 0, {}, applied).policy, nullptr);  // who serves takes none
}

TEST_F(LoadResources, ClosesTheNamespaceOfOneThatNeverWasValid) {
  put("base", kDelegate);
  put("shop/checkout", kAllowA);
  put("shop/bad", kInvalid);
  LoadedPolicy loaded = load();
  EXPECT_EQ(ask("shop", "a.example:443"), "policy-invalid");
  EXPECT_EQ(ask("other", "bad.example:443"), "denied-by-rule");
  ResourceOutcome bad = outcome(loaded, "EgressPolicy shop/bad");
  EXPECT_EQ(bad.state, ResourceState::kClosed);
  EXPECT_EQ(bad.generation_in_force, 0);
  EXPECT_EQ(bad.digest, "");
  ASSERT_THAT(bad.problems, SizeIs(1));
  EXPECT_EQ(bad.problems[0].where, "spec.allow[0].hosts[0]");
  EXPECT_EQ(bad.problems[0].severity, policy::Severity::kError);
  EXPECT_EQ(outcome(loaded, "EgressPolicy shop/checkout").state, ResourceState::kInForce);

  const std::string closed = loaded.version;
  put("shop/bad", kAllowA);
  loaded = load();
  EXPECT_NE(loaded.version, closed);
  EXPECT_EQ(ask("shop", "a.example:443"), "allowed");
  EXPECT_EQ(outcome(loaded, "EgressPolicy shop/bad").generation_in_force, 2);

  put_text("shop/worse", "{");
  load();
  EXPECT_EQ(ask("shop", "a.example:443"), "policy-invalid");
  remove("shop/worse");
  load();
  EXPECT_EQ(ask("shop", "a.example:443"), "allowed");
}

TEST_F(LoadResources, ClosesTheNamespaceOfOneThatDeniesMoreThanThereIsRoomFor) {
  put("shop/a", R"({"deny":[{"hosts":["a.example"]}]})");
  std::string hosts;
  for (int port = 1; port <= 50'000; ++port)
    hosts += R"(".x.test:)" + std::to_string(port) + R"(",)";
  hosts.pop_back();
  put("shop/b", R"({"deny":[{"hosts":[)" + hosts + "]}]}");
  LoadedPolicy loaded = load();
  ASSERT_NE(loaded.policy, nullptr);
  EXPECT_EQ(outcome(loaded, "EgressPolicy shop/a").state, ResourceState::kInForce);
  EXPECT_EQ(outcome(loaded, "EgressPolicy shop/a").deny, 1U);
  const ResourceOutcome closed = outcome(loaded, "EgressPolicy shop/b");
  EXPECT_EQ(closed.state, ResourceState::kClosed);
  EXPECT_EQ(closed.deny, 0U);
  ASSERT_FALSE(closed.problems.empty());
  EXPECT_THAT(closed.problems[0].message,
              HasSubstr("the policies of `shop` may have 50000 hosts in all"));
  EXPECT_EQ(loaded.policy->pattern_count(), 1U);
  policy::Subject pod;
  pod.pod = std::make_shared<const policy::Pod>(policy::Pod{.name = "x", .pod_namespace = "shop"});
  ASSERT_NE(loaded.policy->closed_by(pod), nullptr);
  EXPECT_EQ(loaded.policy->closed_by(pod)->name, "shop/b");
  put("shop/b", R"({"deny":[{"hosts":[".x.test"]}]})");
  loaded = load();
  EXPECT_EQ(outcome(loaded, "EgressPolicy shop/b").state, ResourceState::kInForce);
  EXPECT_EQ(loaded.policy->closed_by(pod), nullptr);
}

TEST_F(LoadResources, KeepsTheLastGoodFormOfEach) {
  put("base", kDelegate);
  put("shop/checkout", kAllowA);
  const std::string version = load().version;
  put("shop/checkout", kInvalid);
  LoadedPolicy loaded = load();
  ResourceOutcome kept = outcome(loaded, "EgressPolicy shop/checkout");
  EXPECT_EQ(kept.state, ResourceState::kKept);
  EXPECT_EQ(kept.id.generation, 2);
  EXPECT_EQ(kept.generation_in_force, 1);
  EXPECT_EQ(kept.allow, 1U);
  ASSERT_THAT(kept.problems, SizeIs(1));
  EXPECT_EQ(kept.problems[0].severity, policy::Severity::kError);
  EXPECT_EQ(loaded.version, version) << "what decisions go by is the same";
  EXPECT_EQ(ask("shop", "a.example:443"), "allowed");
  // It is the form before delegation: what is delegated may change meanwhile.
  put("base", R"({"delegate":{"namespaces":["shop"],"hosts":["b.example"]}})");
  loaded = load();
  EXPECT_EQ(ask("shop", "a.example:443"), "not-allowed");
  EXPECT_EQ(outcome(loaded, "EgressPolicy shop/checkout").none, 1U);
  // And for the cluster's.
  put("base", kInvalid);
  loaded = load();
  EXPECT_EQ(outcome(loaded, "ClusterEgressPolicy base").state, ResourceState::kKept);
  EXPECT_EQ(loaded.version, in_force_.version);
  put("base", kDelegate);
  put("shop/checkout", R"({"deny":[{"hosts":["x.test"]}]})");
  load();
  EXPECT_EQ(ask("shop", "x.test:443"), "denied-by-rule");
  EXPECT_EQ(ask("shop", "a.example:443"), "not-allowed");
}

TEST_F(LoadResources, GivesNothingOfTheOldOneToANewOneOfItsName) {
  put("base", kDelegate);
  put("shop/checkout", kAllowA);
  load();
  put("shop/checkout", kInvalid);
  resources_["shop/checkout"].id.uid = "another";
  EXPECT_EQ(outcome(load(), "EgressPolicy shop/checkout").state, ResourceState::kClosed);
  EXPECT_EQ(ask("shop", "a.example:443"), "policy-invalid");
}

TEST_F(LoadResources, HasNoPolicyWithoutAClusterEgressPolicyThatNeverWasValid) {
  put("shop/checkout", kAllowA);
  put("base", kInvalid);
  LoadedPolicy loaded = load();
  EXPECT_EQ(loaded.policy, nullptr);
  EXPECT_EQ(outcome(loaded, "ClusterEgressPolicy base").state, ResourceState::kMissing);
  EXPECT_EQ(outcome(loaded, "EgressPolicy shop/checkout").state, ResourceState::kHeldUp);
  EXPECT_EQ(outcome(loaded, "EgressPolicy shop/checkout").generation_in_force, 0);
  put("base", kDelegate);
  loaded = load();
  EXPECT_EQ(ask("shop", "a.example:443"), "allowed");

  // A further one holds up the changes of all the others.
  put("second", kInvalid);
  put("shop/checkout", R"({"allow":[{"hosts":["b.example"]}]})");
  loaded = load();
  EXPECT_EQ(loaded.policy, nullptr);
  const ResourceOutcome held = outcome(loaded, "EgressPolicy shop/checkout");
  EXPECT_EQ(held.state, ResourceState::kHeldUp);
  EXPECT_EQ(held.id.generation, 2);
  EXPECT_EQ(held.generation_in_force, 1);
  EXPECT_EQ(outcome(loaded, "ClusterEgressPolicy base").state, ResourceState::kInForce);
  EXPECT_EQ(ask("shop", "a.example:443"), "allowed");
  remove("second");
  EXPECT_EQ(outcome(load(), "EgressPolicy shop/checkout").generation_in_force, 2);
  EXPECT_EQ(ask("shop", "b.example:443"), "allowed");
}

TEST_F(LoadResources, TellsWhatIsDoubtfulAtItsField) {
  put("base",
      R"({"allow":[{"hosts":[".s3.amazonaws.com"]},{"hosts":["a.test"],"methods":["GET"]}]})");
  const ResourceOutcome base = outcome(load(), "ClusterEgressPolicy base");
  ASSERT_THAT(base.problems, SizeIs(2));
  EXPECT_EQ(base.problems[0].where, "spec.allow[0].hosts[0]");
  EXPECT_EQ(base.problems[1].where, "spec.allow[1]");
  // And again where nothing is parsed.
  EXPECT_EQ(outcome(load(), "ClusterEgressPolicy base").problems, base.problems);
}

TEST_F(LoadResources, TellsOfExpiriesInTheOutcomesAndOfOtherDocumentsApart) {
  const std::string expired =
      R"({"allow":[{"hosts":["a.test"],"expires":"2026-01-01T00:00:00Z"}]})";
  put("base", expired);
  put("second", expired);
  LoadedPolicy loaded = load({{.name = "file",
                               .text = "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\n"
                                       "metadata: {name: x}\nspec: " +
                                       expired}});
  put("second", kInvalid);
  loaded = load({{.name = "file",
                  .text = "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\n"
                          "metadata: {name: x}\nspec: " +
                          expired}});
  const WallTime now = std::chrono::sys_days(std::chrono::year(2026) / 6 / 1);
  const auto warnings = take_expiry_warnings(loaded, now);
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_EQ(warnings[0].file, "file");
  const ResourceOutcome base = outcome(loaded, "ClusterEgressPolicy base");
  ASSERT_THAT(base.problems, SizeIs(1));
  EXPECT_EQ(base.problems[0].str(),
            "spec.allow[0]: the entry has expired, and matches nothing; move its `expires`, or "
            "remove it");
  const ResourceOutcome second = outcome(loaded, "ClusterEgressPolicy second");
  EXPECT_THAT(second.problems, SizeIs(1)) << "what makes it invalid alone";
  EXPECT_EQ(second.state, ResourceState::kKept);
}

TEST_F(LoadResources, HasADigestThatTellsSetsOfFormsApart) {
  const std::string none = load().resources_digest;
  EXPECT_THAT(none, SizeIs(32));
  put("base", kDelegate);
  const std::string one = load().resources_digest;
  EXPECT_NE(one, none);
  put("base", kDelegate);  // another generation that says the same
  const LoadedPolicy same = load();
  EXPECT_EQ(same.resources_digest, one);
  EXPECT_EQ(same.resources[0].generation_in_force, 2);
  put("shop/checkout", kInvalid);
  const std::string closed = load().resources_digest;
  EXPECT_NE(closed, one);
  put("shop/checkout", kAllowA);
  EXPECT_NE(load().resources_digest, closed);
  remove("shop/checkout");
  EXPECT_EQ(load().resources_digest, one);
  EXPECT_EQ(load_policy({}).resources_digest, "");
}

TEST_F(LoadResources, TellsPoliciesFromObjectsThatAreNone) {
  put("base", kDelegate);
  put_text("shop/a", R"({"apiVersion":"ebbgate.dev/v7","kind":"EgressPolicy",)"
                     R"("metadata":{"name":"a","namespace":"shop"},"spec":{}})");
  put_text("shop/b", R"({"apiVersion":"ebbgate.dev/v1alpha1","kind":"ClusterEgressPolicy",)"
                     R"("metadata":{"name":"b"},"spec":{"mode":"report"}})");
  put_text("shop/c", "[]");
  put_text("shop/d", R"({"apiVersion":"ebbgate.dev/v1alpha1","spec":)" + std::string(200, '[') +
                         std::string(200, ']') + "}");
  put_text("shop/e", R"({"apiVersion":"ebbgate.dev/v1alpha1","kind":"EgressPolicy",)"
                     R"("metadata":{"name":"e","namespace":"other"},)"
                     R"("spec":{"deny":[{"hosts":["x"]}]}})");
  const LoadedPolicy loaded = load();
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    const ResourceOutcome each = outcome(loaded, std::string("EgressPolicy shop/") + name);
    EXPECT_EQ(each.state, ResourceState::kClosed) << name;
    EXPECT_THAT(each.problems, SizeIs(1)) << name;
  }
  EXPECT_EQ(outcome(loaded, "EgressPolicy shop/a").problems[0].where, "apiVersion");
}

}  // namespace
}  // namespace ebbgate::config
