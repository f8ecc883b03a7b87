// The plan against the templates themselves: what is passed exists there, is allowed, and nothing
// that they ask for is left out.
#include "deploy/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "config/settings.h"
#include "deploy/check.h"
#include "deploy/manifests.h"
#include "deploy/prepared.h"
#include "deploy/script.h"

namespace ebbgate::deploy {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string sample() {
  return *config::read_file(std::string(EBBGATE_SOURCE_DIR) + "/deploy/eks.yaml");
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

struct Case {
  const char* what;
  std::string text;
};
void PrintTo(const Case& each, std::ostream* out) {
  *out << each.what;
}

std::vector<Case> cases() {
  const std::string text = sample();
  std::string without_bastion = text;
  const std::size_t begin = text.find("bastion:");
  without_bastion.erase(begin, text.find("bundles:") - begin);
  return {
      {"the sample", text},
      {"no bastion", without_bastion},
      {"three zones",
       replaced(replaced(text, "eu-west-2b]", "eu-west-2b, euw2-az3]"), "min: 2", "min: 3")},
      {"nat", replaced(text, "addresses: eip", "addresses: nat")},
      {"the smallest block", replaced(text, "10.64.0.0/16", "10.64.8.0/21")},
      {"no endpoints", replaced(text, "[ec2, eks-auth]", "[]")},
      {"every endpoint",
       replaced(text, "[ec2, eks-auth]",
                "[autoscaling, cloudformation, ec2, ec2messages, ecr.api, ecr.dkr, eks-auth, "
                "elasticloadbalancing, logs, monitoring, ssm, ssmmessages, sts]")},
      {"Bottlerocket", replaced(text, "al2023 ", "bottlerocket ")},
      {"aws-auth", replaced(text, "version:", "access: configmap\nversion:")},
      {"another account",
       replaced(replaced(text, "111122223333:role/bastion\n", "444455556666:role/bastion\n"),
                "  securityGroup:",
                "  account: \"444455556666\"\n  peerRole: arn:aws:iam::444455556666:role/peer\n"
                "  securityGroup:")},
      {"DNS servers and another port",
       replaced(text, "gateway:\n", "dns: [10.64.0.2, 10.0.0.53]\ngateway:\n  port: 8443\n")},
      {"a fleet that asks the cluster", replaced(text, "gateway:\n", "gateway:\n  kube: true\n")},
      {"a topic", replaced(text, "email: platform@example.com",
                           "topic: arn:aws:sns:eu-west-2:111122223333:alerts")},
  };
}

struct Made {
  config::EksSettings settings;
  Plan plan;
};
Made made(const std::string& text) {
  auto loaded = config::parse_eks(text, "eks.yaml");
  EXPECT_FALSE(policy::has_errors(loaded.problems)) << config::str(loaded.problems);
  const Checked checked = check(loaded.settings);
  EXPECT_FALSE(policy::has_errors(checked.problems)) << config::str(checked.problems);
  Plan plan = make_plan(loaded.settings, checked.allowlist);
  return {std::move(loaded.settings), std::move(plan)};
}

class Plans : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(OfSettings, Plans, testing::ValuesIn(cases()));

TEST_P(Plans, PassWhatTheTemplatesHaveAndWantAndAllow) {
  const Made it = made(GetParam().text);
  std::set<std::string> done;
  for (const Step& step : it.plan.steps) {
    const Template* found = find_template(builtin_templates(), step.id);
    ASSERT_NE(found, nullptr) << step.id;
    std::set<std::string> passed;
    for (const Argument& argument : step.arguments) {
      const std::string where = step.id + "." + argument.name;
      EXPECT_TRUE(passed.insert(argument.name).second) << where << " is passed twice";
      const TemplateParameter* parameter = found->parameter(argument.name);
      ASSERT_NE(parameter, nullptr) << where << " is no parameter of the template";
      if (const auto* from = std::get_if<FromOutput>(&argument.source)) {
        EXPECT_TRUE(done.contains(from->step)) << where << " needs a later step";
        const Template* other = find_template(builtin_templates(), from->step);
        ASSERT_NE(other, nullptr);
        EXPECT_THAT(other->outputs, Contains(from->output)) << where;
      }
      if (const auto* text = std::get_if<std::string>(&argument.source)) {
        if (!parameter->allowed.empty()) EXPECT_THAT(parameter->allowed, Contains(*text)) << where;
        EXPECT_LE(text->size(), 4096U) << where;
      }
    }
    for (const TemplateParameter& parameter : found->parameters) {
      EXPECT_TRUE(parameter.fallback || passed.contains(parameter.name))
          << step.id << "." << parameter.name << " has no default and is not passed";
    }
    for (const std::string& before : step.after) EXPECT_TRUE(done.contains(before)) << before;
    done.insert(step.id);
  }
}

TEST(Plan, HasTheStacksInTheOrderOfTheText) {
  const Made it = made(sample());
  std::vector<std::string> stacks;
  for (const Step& step : it.plan.steps) stacks.push_back(step.stack);
  EXPECT_THAT(stacks, ElementsAre("EKSdemo-vpc", "EKSdemo-peering", "EKSdemo-service-role",
                                  "EKSdemo-cluster", "EKSdemo-gateway", "EKSdemo-monitoring",
                                  "EKSdemo-nodegroup"));
}

std::string argument(const Made& it, const std::string& step, const std::string& name,
                     const Facts& facts = {}) {
  for (const Argument& each : it.plan.step(step)->arguments) {
    if (each.name == name) return resolve(each, it.settings, facts).text;
  }
  return "absent";
}

TEST(Plan, TellsTheFleetOfTheClusterOnceThatIsPrepared) {
  const Made it = made(replaced(sample(), "gateway:\n", "gateway:\n  kube: true\n"));
  Facts facts;
  EXPECT_THAT(argument(it, "gateway", "KubeCluster"), HasSubstr("once it has what gateways ask"));
  facts.kube_cluster = "";
  EXPECT_EQ(argument(it, "gateway", "KubeCluster", facts), "");
  facts.kube_cluster = "EKSdemo";
  EXPECT_EQ(argument(it, "gateway", "KubeCluster", facts), "EKSdemo");
  // Said even where it is off: a fleet that was told stops asking.
  EXPECT_EQ(argument(made(sample()), "gateway", "KubeCluster", facts), "");
}

TEST(Plan, WhatIsPreparedIsEnoughForTheGroupOfTheFleet) {
  const Made it = made(replaced(sample(), "gateway:\n", "gateway:\n  kube: true\n"));
  const std::string text = gateway_access(it.settings, {});
  EXPECT_THAT(text, HasSubstr("name: clusteregresspolicies.ebbgate.dev"));
  EXPECT_THAT(text, HasSubstr("    name: " + std::string(kGatewayGroup) + "\n"));
  EXPECT_THAT(text, Not(HasSubstr("gateways.invalid")));
  EXPECT_THAT(text, Not(HasSubstr("kustomize.config.k8s.io")));
  const std::string script = bastion_script(it.plan, it.settings);
  const std::size_t access = script.find("gateway-access.yaml");
  EXPECT_LT(access, script.find("KubeCluster=$cluster")) << "gateways would not get ready";
  EXPECT_EQ(script.find("KubeCluster="), script.find("KubeCluster=$cluster"));
}

TEST(Plan, CutsTheBlockAsTheTemplateWould) {
  const Made it = made(sample());
  for (const TemplateParameter& parameter : find_template(builtin_templates(), "vpc")->parameters) {
    if (parameter.name.ends_with("Cidr")) {
      EXPECT_EQ(argument(it, "vpc", parameter.name), *parameter.fallback) << parameter.name;
    }
  }
}

TEST(Plan, SubnetsAreApartAndWithinTheBlockWhateverItsSize) {
  for (int prefix = 16; prefix <= 21; ++prefix) {
    const std::string vpc = "10.64.0.0/" + std::to_string(prefix);
    const Made it = made(replaced(sample(), "10.64.0.0/16", vpc));
    std::vector<Cidr> blocks;
    for (const Argument& each : it.plan.step("vpc")->arguments) {
      if (!each.name.ends_with("Cidr") || each.name == "VpcCidr") continue;
      const Cidr block = *Cidr::parse(std::get<std::string>(each.source));
      EXPECT_TRUE(Cidr::parse(vpc)->contains(block)) << each.name << " " << block.str();
      EXPECT_LE(block.prefix(), 28U);
      for (const Cidr& other : blocks) EXPECT_FALSE(other.overlaps(block)) << vpc << each.name;
      blocks.push_back(block);
    }
    EXPECT_EQ(blocks.size(), 9U);
  }
}

TEST(Plan, ZonesByNameWaitForTheAccountAndZonesByIdDoNot) {
  const Made it = made(replaced(sample(), "eu-west-2b]", "euw2-az3]"));
  EXPECT_EQ(argument(it, "vpc", "Zone1Id"), "the id of the zone eu-west-2a in the account");
  EXPECT_EQ(argument(it, "vpc", "Zone2Id"), "euw2-az3");
  Facts facts;
  facts.zones["eu-west-2a"] = "euw2-az2";
  EXPECT_EQ(argument(it, "vpc", "Zone1Id", facts), "euw2-az2");
}

Facts facts_with_cluster() {
  Facts facts;
  facts.outputs["cluster"] = {
      {"ClusterEndpoint",
       "https://683CE8237FD9D8D8359CB071C0ACB258.yl4.eu-west-2.eks.amazonaws.com"}};
  return facts;
}

TEST(Plan, NoProxyIsMadeOfWhatExists) {
  const Made it = made(sample());
  Facts facts = facts_with_cluster();
  facts.vpc_cidrs = {*Cidr::parse("10.64.0.0/16"), *Cidr::parse("100.64.0.0/16")};
  facts.vpc_endpoints = {"s3", "sts"};
  const std::string value = "," + argument(it, "nodegroup", "NoProxy", facts) + ",";
  for (const char* entry :
       {"10.100.0.0/16", "10.64.0.0/16", "100.64.0.0/16", "172.31.0.0/16", "169.254.169.254",
        "169.254.170.23", ".svc", ".cluster.local", ".internal", "sts.eu-west-2.amazonaws.com",
        ".s3.eu-west-2.amazonaws.com",
        "683ce8237fd9d8d8359cb071c0acb258.yl4.eu-west-2.eks.amazonaws.com"}) {
    EXPECT_THAT(value, HasSubstr("," + std::string(entry) + ","));
  }
  // An endpoint of the settings that does not exist would be black-holed.
  EXPECT_THAT(value, Not(HasSubstr("ec2.eu-west-2.amazonaws.com")));
}

TEST(Plan, AnOrderWaitsForEveryValue) {
  const Made it = made(sample());
  const Template& nodes = *find_template(builtin_templates(), "nodegroup");
  const auto order = order_of(it.plan, *it.plan.step("nodegroup"), nodes, it.settings, {});
  ASSERT_FALSE(order);
  EXPECT_THAT(order.error().detail,
              HasSubstr("ClusterName needs the output ClusterName of cluster"));
}

TEST(Plan, EveryResourceIsTagged) {
  const Made it = made(sample());
  EXPECT_THAT(it.plan.tags, Contains(std::pair<std::string, std::string>("team", "platform")));
  EXPECT_THAT(it.plan.tags,
              Contains(std::pair<std::string, std::string>("ebbgate:cluster", "EKSdemo")));
}

TEST(Plan, TheRoutesOfAnotherAccountAreForAPerson) {
  const Made it = made(cases()[9].text);
  ASSERT_EQ(it.plan.by_hand.size(), 1U);
  EXPECT_THAT(it.plan.by_hand.front().commands.front(), HasSubstr("aws ec2 create-route"));
  EXPECT_EQ(argument(it, "peering", "Part"), "connection");
}

TEST(Templates, AreReadAsTheyAre) {
  for (const Template& each : builtin_templates()) {
    EXPECT_FALSE(each.resources.empty()) << each.name;
    EXPECT_FALSE(each.outputs.empty()) << each.name;
    EXPECT_LE(each.text.size(), 51'200U) << each.name << " is too long for a call";
    for (const TemplateParameter& parameter : each.parameters) {
      EXPECT_FALSE(parameter.type.empty()) << each.name << "." << parameter.name;
    }
    for (const TemplateResource& resource : each.resources) {
      EXPECT_THAT(resource.type, HasSubstr("::")) << each.name << "." << resource.name;
    }
  }
}

}  // namespace
}  // namespace ebbgate::deploy
