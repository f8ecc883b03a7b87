// What is filled in where. What the manifests mean is tested by
// tests/system/kube_manifests_test.py.
#include "deploy/kube/manifests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "deploy/kube/coredns.h"
#include "deploy/kube/detail/fill.h"
#include "deploy/kube/detail/manifest_files.h"
#include "deploy/kube/node_setup.h"

namespace ebbgate::deploy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

KubeAnswers answers() {
  KubeAnswers some;
  some.network.vpc_cidrs = {*Cidr::parse("10.64.0.0/16")};
  some.network.service_cidrs = {*Cidr::parse("172.20.0.0/16")};
  return some;
}

std::string text_of(const KubeAnswers& some, std::string_view path) {
  const auto files = render_manifests(some);
  for (const KubeFile& file : files.value()) {
    if (file.path == path) return file.text;
  }
  return "there is no " + std::string(path);
}

TEST(Fill, PutsAnswersInThePlaceOfDefaults) {
  const detail::Marks marks = {
      {"image", {"a:1", {"b:2"}}}, {"block", {"10.0.0.0/8", {"x", "y"}}}, {"none", {"z", {}}}};
  EXPECT_EQ(detail::filled("a: a:1 # answer: image\n"
                           "b: # a comment that stays\n"
                           "  - {c: 10.0.0.0/8} # each: block\n"
                           "  - z # each: none\n"
                           "end",
                           marks),
            "a: b:2\nb: # a comment that stays\n  - {c: x}\n  - {c: y}\nend");
}

TEST(Manifests, AreTheFilesWhereTheAnswersAreTheirDefaults) {
  std::size_t compared = 0;
  for (const detail::ManifestFile& file : detail::manifest_files()) {
    if (!file.path.starts_with("base/") && !file.path.starts_with("overlays/in-cluster/")) continue;
    std::string expected(file.text);
    for (const std::string_view mark :
         {" # answer: image", " # each: vpc-cidr", " # each: service-cidr", " # each: pod-cidr",
          " # answer: kubernetes-service", " # answer: any-address", " # answer: internet-v6",
          " # answer: arguments"}) {
      expected = detail::replaced(expected, mark, "");
    }
    EXPECT_EQ(text_of(answers(), file.path), expected);
    ++compared;
  }
  EXPECT_GT(compared, 10U);
}

TEST(Manifests, HaveEveryAnswerInItsPlace) {
  KubeAnswers some = answers();
  some.network.vpc_cidrs = {*Cidr::parse("10.1.0.0/16"), *Cidr::parse("2001:db8::/56")};
  some.network.service_cidrs = {*Cidr::parse("10.96.0.0/12"), *Cidr::parse("fd00:1::/108")};
  some.pod_cidrs = {*Cidr::parse("10.1.64.0/18"), *Cidr::parse("2001:db8::/64")};
  some.own_namespace = "egress";
  some.image = "registry.example/ebbgate@sha256:00";
  some.app_namespaces = {"shop"};
  some.has_monitoring = true;
  some.monitoring_namespace = "watch";
  EXPECT_THAT(text_of(some, "overlays/in-cluster/deployment.yaml"),
              HasSubstr("image: registry.example/ebbgate@sha256:00\n"));
  EXPECT_THAT(
      text_of(some, "overlays/in-cluster/network.yaml"),
      HasSubstr("- ipBlock: {cidr: 10.1.0.0/16}\n        - ipBlock: {cidr: 2001:db8::/56}"));
  EXPECT_THAT(text_of(some, "overlays/in-cluster/network.yaml"),
              HasSubstr("- ipBlock: {cidr: 10.96.0.1/32}\n"));
  EXPECT_THAT(text_of(some, "overlays/in-cluster/config.yaml"),
              HasSubstr("      - 10.1.64.0/18\n      - 2001:db8::/64\n"));
  for (const char* file : {"network.yaml", "quota.yaml", "proxy-environment.yaml"}) {
    EXPECT_THAT(text_of(some, std::string("namespaces/shop/") + file),
                HasSubstr("  namespace: shop\n"));
  }
  EXPECT_THAT(
      text_of(some, "namespaces/shop/network.yaml"),
      HasSubstr("- ipBlock: {cidr: 10.96.0.0/12}\n        - ipBlock: {cidr: fd00:1::/108}"));
  EXPECT_THAT(text_of(some, "overlays/monitoring/network.yaml"),
              HasSubstr("{kubernetes.io/metadata.name: watch}\n"));
  EXPECT_THAT(text_of(some, "cluster/proxy-environment.yaml"),
              HasSubstr("http://ebbgate.egress.svc.cluster.local:3128"));
  for (const KubeFile& file : render_manifests(some).value()) {
    EXPECT_THAT(file.text, Not(HasSubstr("ebbgate-system"))) << file.path;
    EXPECT_THAT(file.text, Not(HasSubstr("10.64.0.0/16"))) << file.path;
    EXPECT_THAT(file.text, Not(HasSubstr("# answer:"))) << file.path;
    EXPECT_THAT(file.text, Not(HasSubstr("# each:"))) << file.path;
  }
}

TEST(Manifests, ListenOnBothFamiliesWhereThereIsAnIpv6Block) {
  const auto listening = [](const KubeAnswers& some) {
    return text_of(some, "overlays/in-cluster/config.yaml") +
           text_of(some, "webhook/deployment.yaml");
  };
  KubeAnswers of_pods = answers();
  of_pods.has_webhook = true;
  EXPECT_THAT(listening(of_pods), Not(HasSubstr("::]:")));
  KubeAnswers of_services = of_pods;
  of_pods.network.vpc_cidrs.push_back(*Cidr::parse("2001:db8::/56"));
  of_services.network.service_cidrs.push_back(*Cidr::parse("fd00:1::/108"));
  for (const KubeAnswers& some : {of_pods, of_services}) {
    const std::string text = listening(some);
    EXPECT_THAT(text, Not(HasSubstr("0.0.0.0:")));
    for (const char* each : {"listen: [\"[::]:3128\"]", "health: \"[::]:8080\"",
                             "--listen=[::]:8443", "--health=[::]:8080"}) {
      EXPECT_THAT(text, HasSubstr(each));
    }
  }
}

// A cluster's own global addresses would be outside otherwise.
TEST(Manifests, DoNotLetGatewaysBackInByIpv6) {
  KubeAnswers some = answers();
  const auto rule = [&] { return text_of(some, "overlays/in-cluster/network.yaml"); };
  EXPECT_THAT(rule(), HasSubstr("- ipBlock: {cidr: 2000::/3}\n"));
  some.network.vpc_cidrs.push_back(*Cidr::parse("fd00:2::/56"));  // is not outside anyhow
  EXPECT_THAT(rule(), HasSubstr("- ipBlock: {cidr: 2000::/3}\n"));
  some.network.vpc_cidrs.push_back(*Cidr::parse("2600:1f13:a:b00::/56"));
  some.network.vpc_cidrs.push_back(*Cidr::parse("2600:1f13:b::/56"));
  EXPECT_THAT(rule(), HasSubstr("{cidr: 2000::/3, except: [\"2600:1f13:a:b00::/56\", "
                                "\"2600:1f13:b::/56\"]}\n"));
}

TEST(Manifests, OpenMetricsWhereTheyAreAskedForOnly) {
  KubeAnswers some = answers();
  const std::string path = "overlays/in-cluster/deployment.yaml";
  EXPECT_THAT(text_of(some, path), HasSubstr("/config.yaml]\n"));
  some.has_monitoring = true;
  EXPECT_THAT(text_of(some, path), HasSubstr("/config.yaml, --health-metrics]\n"));
}

TEST(Manifests, AskForAProxyForAwsNodeUnlessThereIsAnEndpoint) {
  KubeAnswers some = answers();
  some.network.region = "eu-west-2";
  const std::string apply =
      "\nkubectl apply --server-side --field-manager=ebbgate -f "
      "cluster/aws-node.yaml\n";
  EXPECT_THAT(text_of(some, "commands.sh"), HasSubstr(apply));
  some.network.vpc_endpoints = {"ec2"};
  EXPECT_THAT(text_of(some, "commands.sh"), Not(HasSubstr(apply)));
}

TEST(Manifests, AreRefusedForAnswersThatWouldMeanSomethingElse) {
  const std::pair<std::function<void(KubeAnswers&)>, std::string_view> rows[] = {
      {[](KubeAnswers&) {}, ""},
      {[](KubeAnswers& a) { a.own_namespace = "a: b"; }, "--namespace is no name"},
      {[](KubeAnswers& a) { a.app_namespaces = {"kube-system"}; }, "is none of applications"},
      {[](KubeAnswers& a) { a.app_namespaces = {"x\ny"}; }, "is no name of a namespace"},
      {[](KubeAnswers& a) { a.image = "a b"; }, "--image is no image"},
      {[](KubeAnswers& a) { a.proxy_url = "http://p"; }, "--proxy-url is not"},
      {[](KubeAnswers& a) { a.place = GatewayPlace::kEksEc2Fleet; }, "--proxy-url is missing"},
      {[](KubeAnswers& a) { a.network.vpc_cidrs.clear(); }, "--vpc-cidr is missing"},
      {[](KubeAnswers& a) { a.network.service_cidrs.clear(); }, "--service-cidr is missing"},
      {[](KubeAnswers& a) { a.pod_cidrs = {*Cidr::parse("10.244.0.0/16")}; }, "in no --vpc-cidr"},
      {[](KubeAnswers& a) { a.network.service_cidrs = {*Cidr::parse("fd00:1::/108")}; },
       "there is no --vpc-cidr: pods would be no clients"},
      {[](KubeAnswers& a) {
         a.network.service_cidrs = {*Cidr::parse("fd00:1::/108")};
         a.network.vpc_cidrs.push_back(*Cidr::parse("2001:db8::/56"));
         a.pod_cidrs = {*Cidr::parse("10.64.0.0/17")};
       },
       "there is no --pod-cidr: pods"},
      {[](KubeAnswers& a) { a.cluster_name = "$(reboot)"; }, "--cluster-name is no name"},
      {[](KubeAnswers& a) { a.network.region = "x;y"; }, "--region is no region"},
      {[](KubeAnswers& a) { a.node_roles = {"arn:aws:iam::1:user/x"}; }, "is no ARN of a role"},
      {[](KubeAnswers& a) { a.gateway_role = "arn:aws:iam::1:role/x y"; }, "is no ARN of a role"},
  };
  for (const auto& [change, says] : rows) {
    KubeAnswers some = answers();
    change(some);
    if (says.empty()) {
      EXPECT_EQ(fault_of(some), "");
    } else {
      EXPECT_THAT(fault_of(some), HasSubstr(std::string(says)));
    }
  }
}

TEST(ProxyUrl, IsASchemeAHostAndAPort) {
  for (const char* url : {"http://p:3128", "https://p.example:443", "http://10.0.0.1:3128",
                          "http://[2001:db8::1]:3128"}) {
    EXPECT_TRUE(is_proxy_url(url)) << url;
  }
  for (const char* url : {"p:3128", "http://p", "http://p:3128/", "http://u:x@p:3128", "ftp://p:1",
                          "http://p:3128\"", "http://p:0", "http://p'q:1", "", "http://"}) {
    EXPECT_FALSE(is_proxy_url(url)) << url;
  }
}

TEST(Corefile, SaysWhatOfAZoneExists) {
  std::vector<policy::Pattern> names;
  for (const char* text : {"a.example", ".b.example:443", "x.b.example", "*.c.example",
                           "203.0.113.0/24", "c.example"}) {
    names.push_back(policy::Pattern::parse(text).value());
  }
  const std::string text = corefile(names, "my.local");
  EXPECT_THAT(text, HasSubstr("a.example:53 {\n"
                              "    errors\n"
                              "    prometheus :9153\n"
                              "    cache 30\n"
                              "    template ANY ANY a.example {\n"
                              "        match \"[.]a[.]example[.]$\"\n"
                              "        rcode NXDOMAIN\n"
                              "        fallthrough\n"
                              "    }\n"
                              "    forward . /etc/resolv.conf\n"
                              "}\n"
                              "b.example:53 {\n"
                              "    errors\n"
                              "    prometheus :9153\n"
                              "    cache 30\n"
                              "    forward . /etc/resolv.conf\n"
                              "}\n"
                              "c.example:53 {\n"
                              "    errors\n"
                              "    prometheus :9153\n"
                              "    cache 30\n"
                              "    forward . /etc/resolv.conf\n"
                              "}\n"
                              "# Everything else"));
  EXPECT_THAT(text, HasSubstr("my.local:53 in-addr.arpa:53 ip6.arpa:53 {"));
  names = {policy::Pattern::parse("*.c.example").value()};
  EXPECT_THAT(corefile(names), HasSubstr("        match \"^c[.]example[.]$\"\n"));
}

TEST(NodeSetup, EscapesWhatSystemdWouldReadOtherwise) {
  const std::string text = node_setup({.proxy = "http://p%zone:3128", .no_proxy = "a,b"});
  EXPECT_THAT(text, HasSubstr("Environment=\"http_proxy=http://p%%zone:3128\"\n"));
  EXPECT_THAT(text, HasSubstr("Environment=\"no_proxy=a,b\"\n"));
  EXPECT_THAT(text, HasSubstr("Acquire::https::Proxy \"http://p%zone:3128\";\n"));
}

}  // namespace
}  // namespace ebbgate::deploy
