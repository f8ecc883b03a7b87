#include "deploy/kube_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "kube/testing.h"

namespace ebbgate::deploy {
namespace {

using kube::testing::World;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<Cidr> blocks(const std::vector<std::string>& texts) {
  std::vector<Cidr> out;
  out.reserve(texts.size());
  for (const std::string& each : texts) out.push_back(*Cidr::parse(each));
  return out;
}

std::string list_of(const std::string& items) {
  return R"({"kind":"XList","metadata":{"resourceVersion":"1"},"items":[)" + items + "]}";
}

const std::string kNone = list_of("");
const std::string kAbsent = R"({"kind":"Status","code":404,"reason":"NotFound","message":"no"})";

std::string daemon_set(const std::string& name, const std::string& container) {
  return R"({"metadata":{"name":")" + name + R"(","namespace":"kube-system"},"spec":{"template":)" +
         R"({"spec":{"containers":[)" + container + "]}}}}";
}

// What the API says in the order in which it is asked; what is empty is not there (404).
struct Cluster {
  std::string slices = kNone;
  std::string nodes = kNone;
  std::string service_cidrs = {};
  std::string kubeadm = {};
  std::string probe = {};  // the message of the refusal; asked where nothing else knew
  std::string service = R"({"spec":{"clusterIP":"10.96.0.1"}})";
  std::string daemon_sets = kNone;
  std::string monitoring = {};
  std::string variables = {};
  std::string gateways = {};
};

KubeFacts learn(const Cluster& cluster, const std::string& server = "https://api.example:6443") {
  World world;
  const auto add = [&](const std::string& body) {
    body.empty() ? world.api.status(404, kAbsent) : world.api.add(body);
  };
  world.api.add(R"({"gitVersion":"v1.34.1"})");
  add(cluster.slices);
  add(cluster.nodes);
  add(cluster.service_cidrs);
  add(cluster.kubeadm);
  if (!cluster.probe.empty()) {
    world.api.status(422, R"({"kind":"Status","code":422,"message":")" + cluster.probe + "\"}");
  }
  for (const std::string& each : {cluster.service, cluster.daemon_sets, cluster.monitoring,
                                  cluster.variables, cluster.gateways}) {
    add(each);
  }
  auto facts = world.run(learn_kube(world.client, server, "ebbgate-system"));
  EXPECT_TRUE(world.api.answers.empty()) << "not everything was asked";
  EXPECT_TRUE(facts);
  return facts ? *std::move(facts) : KubeFacts{};
}

TEST(KubeFacts, TheBlockOfServicesIsFoundInThreeWays) {
  Cluster cluster;
  cluster.service_cidrs = list_of(
      R"({"metadata":{"name":"another"},"spec":{"cidrs":["10.200.0.0/16"]}},)"
      R"({"metadata":{"name":"kubernetes"},"spec":{"cidrs":["10.96.0.0/16","fd00:1::/108"]}})");
  EXPECT_EQ(blocks({"10.96.0.0/16", "fd00:1::/108", "10.200.0.0/16"}),
            learn(cluster).service_cidrs);

  cluster.service_cidrs.clear();
  cluster.kubeadm = R"({"data":{"ClusterConfiguration":"networking:\n  podSubnet: 10.244.0.0/16,)"
                    R"(fd00:2::/56\n)"
                    R"(  serviceSubnet: 10.96.0.0/12,fd00:1::/108\n"}})";
  const KubeFacts of_kubeadm = learn(cluster);
  EXPECT_EQ(blocks({"10.96.0.0/12", "fd00:1::/108"}), of_kubeadm.service_cidrs);
  EXPECT_EQ(blocks({"10.244.0.0/16", "fd00:2::/56"}), of_kubeadm.pod_cidrs);

  cluster.kubeadm.clear();
  cluster.probe = "provided IP is not in the valid range. The range of valid IPs is 10.96.0.0/12";
  EXPECT_EQ(blocks({"10.96.0.0/12"}), learn(cluster).service_cidrs);

  cluster.probe = "you may not";
  const KubeFacts unknown = learn(cluster);
  EXPECT_THAT(unknown.service_cidrs, IsEmpty());
  EXPECT_THAT(unknown.gaps, Contains(HasSubstr("10.96.0.1, which is in it: give --service-cidr")));
}

TEST(KubeFacts, EksIsKnownByItsEndpointAndItsNodes) {
  Cluster cluster;
  cluster.service_cidrs =
      list_of(R"({"metadata":{"name":"kubernetes"},"spec":{"cidrs":["10.96.0.0/16"]}})");
  cluster.slices = list_of(R"({"endpoints":[{"addresses":["10.64.9.9","junk"]}]})");
  cluster.nodes =
      list_of(R"({"metadata":{"name":"n","labels":{"eks.amazonaws.com/nodegroup":"a"}},)"
              R"("spec":{"providerID":"aws:///eu-west-2a/i-1","podCIDRs":7},)"
              R"("status":{"addresses":[{"type":"InternalIP","address":"10.64.1.5"},)"
              R"({"type":"Hostname","address":"ip-10-64-1-5"}]}},{"spec":null},{})");
  cluster.daemon_sets = list_of(
      daemon_set("aws-node", R"({"env":[{"name":"CLUSTER_NAME","value":"prod"}]},)"
                             R"({"args":["--enable-network-policy=true"]})") +
      "," +
      daemon_set("kube-proxy",
                 R"({"envFrom":[{"configMapRef":{"name":"proxy-environment-variables"}}]})"));
  const KubeFacts facts = learn(cluster, "https://0A1B.gr7.eu-west-2.eks.amazonaws.com");
  EXPECT_TRUE(facts.is_eks);
  EXPECT_EQ("eu-west-2", facts.region);
  EXPECT_EQ("prod", facts.cluster_name);
  EXPECT_EQ(3U, facts.nodes);
  EXPECT_THAT(facts.node_addresses, ElementsAre(*IpAddress::parse("10.64.1.5")));
  EXPECT_THAT(facts.endpoint_addresses, ElementsAre(*IpAddress::parse("10.64.9.9")));
  EXPECT_EQ(Enforcement::kYes, facts.enforcement);
  EXPECT_THAT(facts.daemon_sets, ElementsAre(KubeFacts::DaemonSet{"aws-node", false},
                                             KubeFacts::DaemonSet{"kube-proxy", true}));
  KubeAnswers answers;
  answers.network.vpc_cidrs = blocks({"10.64.0.0/16"});
  EXPECT_THAT(take_facts(facts, answers), IsEmpty());
  EXPECT_EQ("0a1b.gr7.eu-west-2.eks.amazonaws.com", answers.network.cluster_endpoint->str());
  EXPECT_EQ("eu-west-2", answers.network.region);
  EXPECT_THAT(answers.network.extras, IsEmpty());  // the API server's address is in the VPC
  EXPECT_EQ("", fault_of(answers));
}

TEST(KubeFacts, WhoEnforcesPoliciesIsKnownByTheDaemonSets) {
  const std::vector<std::pair<std::vector<std::string>, Enforcement>> cases = {
      {{}, Enforcement::kUnknown},
      {{"aws-node"}, Enforcement::kNo},
      {{"aws-node", "calico-node"}, Enforcement::kYes},
      {{"calico-node", "aws-node"}, Enforcement::kYes},
      {{"cilium"}, Enforcement::kYes},
      {{"kube-flannel-ds"}, Enforcement::kNo},
      {{"kindnet"}, Enforcement::kUnknown},
  };
  for (const auto& [names, enforcement] : cases) {
    Cluster cluster;
    cluster.service_cidrs = list_of(R"({"spec":{"cidrs":["10.96.0.0/16"]}})");
    std::string items;
    for (const std::string& each : names) {
      items += (items.empty() ? "" : ",") + daemon_set(each, "");
    }
    cluster.daemon_sets = list_of(items);
    EXPECT_EQ(enforcement, learn(cluster).enforcement) << items;
  }
}

TEST(KubeFacts, WhatIsForbiddenIsAGapAndTheRestIsFoundAllTheSame) {
  World world;
  const std::string forbidden =
      R"({"kind":"Status","code":403,"reason":"Forbidden","message":"you may not"})";
  world.api.add(R"({"gitVersion":"v1.34.1"})");
  for (int i = 0; i < 9; ++i) world.api.status(403, forbidden);
  world.api.add(R"({"spec":{"template":{"spec":{"containers":[{"image":"x:1"}]}}}})");
  const auto facts = world.run(learn_kube(world.client, "https://api.example", "own"));
  ASSERT_TRUE(facts);
  EXPECT_EQ(9U, facts->gaps.size());
  EXPECT_THAT(facts->gaps, Contains(HasSubstr("the nodes: the API answered 403 Forbidden")));
  EXPECT_EQ("x:1", facts->image);

  World silent;
  for (int i = 0; i < 4; ++i) silent.api.breaks(Reason::kConnectFailed);
  EXPECT_FALSE(silent.run(learn_kube(silent.client, "https://api.example", "own")));
}

TEST(KubeFacts, AnswersAreFilledInAndThoseThatDoNotFitAreTold) {
  KubeFacts facts;
  facts.service_cidrs = blocks({"10.96.0.0/12", "fd00:1::/108"});
  facts.pod_cidrs = blocks({"10.244.0.0/16", "fd00:2::/56"});
  facts.node_pod_cidrs = blocks({"10.244.1.0/24"});
  facts.node_addresses = {*IpAddress::parse("192.168.9.5")};
  facts.endpoint_addresses = {*IpAddress::parse("203.0.113.5"), *IpAddress::parse("127.0.0.1"),
                              *IpAddress::parse("10.0.0.9")};
  facts.enforcement = Enforcement::kNo;
  facts.network_plugin = "Flannel";
  facts.proxy_url = "http://nlb.example:3128";
  facts.image = "registry.example/ebbgate:1";
  KubeAnswers answers;
  KubeAnswers none;
  EXPECT_THAT(take_facts(facts, none),
              Contains(HasSubstr("--vpc-cidr is missing: the API does not tell")));

  answers.network.vpc_cidrs = blocks({"10.0.0.0/16"});
  const auto notes = take_facts(facts, answers);
  EXPECT_THAT(notes, ElementsAre(HasSubstr("192.168.9.5, which is in no --vpc-cidr"),
                                 HasSubstr("not enforced by Flannel")));
  EXPECT_EQ(facts.service_cidrs, answers.network.service_cidrs);
  EXPECT_EQ(blocks({"10.0.0.0/16", "10.244.0.0/16", "fd00:2::/56"}), answers.network.vpc_cidrs);
  EXPECT_EQ(facts.pod_cidrs, answers.pod_cidrs);
  EXPECT_THAT(answers.network.extras, ElementsAre("203.0.113.5"));
  EXPECT_EQ("http://nlb.example:3128", answers.proxy_url);
  EXPECT_EQ("registry.example/ebbgate:1", answers.image);

  KubeAnswers other;  // what was said stays, and is told where it does not fit
  other.network.vpc_cidrs = blocks({"192.168.0.0/16", "10.0.0.0/8"});
  other.network.service_cidrs = blocks({"10.1.0.0/16"});
  other.image = "mine:2";
  EXPECT_THAT(
      take_facts(facts, other),
      Contains(HasSubstr("--service-cidr is 10.1.0.0/16, and the cluster's is 10.96.0.0/12")));
  EXPECT_EQ("mine:2", other.image);
  EXPECT_EQ(blocks({"10.1.0.0/16"}), other.network.service_cidrs);
}

TEST(KubeFacts, RegionsAreReadOfZonesAndEndpoints) {
  const std::map<std::string, std::string> zones = {{"eu-west-2a", "eu-west-2"},
                                                    {"us-gov-east-1b", "us-gov-east-1"},
                                                    {"us-west-2-lax-1a", "us-west-2"},
                                                    {"eu-west-2", "eu-west-2"},
                                                    {"", ""},
                                                    {"zone1", ""},
                                                    {"2a", ""},
                                                    {"eu--2", ""}};
  for (const auto& [zone, region] : zones) EXPECT_EQ(region, region_of_zone(zone)) << zone;
  const std::map<std::string, std::string> hosts = {
      {"0a.gr7.eu-west-2.eks.amazonaws.com", "eu-west-2"},
      {"0a.gr7.cn-north-1.eks.amazonaws.com.cn", "cn-north-1"},
      {"eu-west-2.eks.amazonaws.com.evil.example", ""},
      {"0a.gr7.eu-west-2a.eks.amazonaws.com", ""},
      {".eks.amazonaws.com", ""},
      {"api.example", ""}};
  for (const auto& [host, region] : hosts) EXPECT_EQ(region, region_of_endpoint(host)) << host;
}

}  // namespace
}  // namespace ebbgate::deploy
