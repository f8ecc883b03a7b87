#include "deploy/kube_judgement.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "deploy/kube_attempts.h"
#include "deploy/kube_report.h"

namespace ebbgate::deploy {
namespace {

using enum Finding;

// Whether it is this finding, says this among other things, and has a next step where it failed.
void expect(const Verdict& verdict, Finding finding, const std::string& said,
            const std::string& next = "") {
  EXPECT_EQ(word(verdict.finding), word(finding)) << verdict.detail;
  EXPECT_NE(verdict.detail.find(said), std::string::npos) << verdict.detail;
  EXPECT_NE(verdict.next.find(next), std::string::npos) << verdict.next;
  if (finding == kFailed) EXPECT_NE(verdict.next, "") << verdict.detail;
  if (finding == kOk) EXPECT_EQ(verdict.next, "");
}

TEST(Attempt, IsAWord) {
  for (const char* word :
       {"connect:1.1.1.1:443", "connect:[2001:db8::1]:80", "tunnel:a.example:443",
        "query:a.example", "query:a.example@8.8.8.8", "query-tcp:a.example@2001:db8::1"}) {
    const auto attempt = Attempt::parse(word);
    ASSERT_TRUE(attempt) << word;
    EXPECT_EQ(attempt->str(), word);
  }
  for (const char* word : {"", "connect", "connect:", "connect:a.example", "tunnel:a.example:0",
                           "query:", "query:a..example", "query:a.example@", "query:a@b.example",
                           "fetch:a.example:80", "connect:user@a.example:80"}) {
    EXPECT_FALSE(Attempt::parse(word)) << word;
  }
}

TEST(Attempt, ItsOutcomeIsALineThatReadsBack) {
  const std::vector<Attempted> all{{"query:a.example", true, 3, 0, "10.0.0.10:53"},
                                   {"connect:1.1.1.1:443", false, 0, 0, "\"no\"\nline\xff"}};
  std::string log = "something else\n{\"attempt\":7}\n[]\n";
  for (const Attempted& each : all) log += to_line(each) + "\n";
  const auto read = read_lines(log + "{\"attempt\":\"cut");
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[0], all[0]);
  EXPECT_EQ(read[1].detail, "\"no\"\nline\xef\xbf\xbd");
}

TEST(Attempt, TheNameServerIsThatOfResolvConf) {
  const auto found = [](std::string_view text) {
    const auto address = name_server_of(text);
    return address ? address->str() : "";
  };
  EXPECT_EQ(found("search a.example\nnameserver 10.96.0.10\nnameserver 10.96.0.11\n"),
            "10.96.0.10");
  EXPECT_EQ(found("# nameserver 1.1.1.1\nnameserver\nnameserverx 1.1.1.1\nnameserver\t::1 "),
            "::1");
  EXPECT_EQ(found("nameserver fe80::1%eth0\r\n"), "fe80::1");
  EXPECT_EQ(found(""), "");
}

TEST(Judgement, OfNodes) {
  const auto node = [](const std::string& name, const std::string& ready) {
    return R"({"metadata":{"name":")" + name +
           R"("},"status":{"conditions":[{"type":"MemoryPressure","status":"False"},)"
           R"({"type":"Ready","status":")" +
           ready + R"(","reason":"KubeletNotReady"}]}})";
  };
  expect(judge_nodes({node("a", "True"), node("b", "True")}), kOk, "2 nodes, all Ready");
  expect(judge_nodes({node("a", "True"), node("b", "Unknown")}), kFailed, "b (KubeletNotReady)");
  expect(judge_nodes({R"({"metadata":{"name":"a"}})"}), kFailed, "a (says nothing)");
  expect(judge_nodes({"no JSON"}), kFailed, "not Ready");
  expect(judge_nodes({}), kFailed, "there are no nodes");
}

std::string daemon_set(const std::string& container, int ready = 2) {
  return R"({"spec":{"template":{"spec":{"containers":[{"name":"a",)" + container +
         R"(}]}}},"status":{"desiredNumberScheduled":2,"numberReady":)" + std::to_string(ready) +
         "}}";
}

TEST(Judgement, OfDaemonSets) {
  const std::string by_value =
      R"("env":[{"name":"HTTPS_PROXY","value":"http://p:1"},{"name":"NO_PROXY","value":"x"}])";
  const std::string by_map = R"("envFrom":[{"configMapRef":{"name":"proxy"}}])";
  const std::string by_key =
      R"("env":[{"name":"https_proxy","valueFrom":{"configMapKeyRef":{"name":"proxy",)"
      R"("key":"HTTPS_PROXY"}}},{"name":"no_proxy","value":"x"}])";
  EXPECT_EQ(config_maps_of(daemon_set(by_map)), std::vector<std::string>{"proxy"});
  EXPECT_EQ(config_maps_of(daemon_set(by_key)), std::vector<std::string>{"proxy"});
  EXPECT_EQ(config_maps_of(daemon_set(by_value)), std::vector<std::string>{});
  const ConfigMaps maps{{"proxy", R"({"data":{"HTTPS_PROXY":"http://p:1","NO_PROXY":"x"}})"}};
  const ConfigMaps none{{"proxy", std::nullopt}};
  for (const std::string& how : {by_value, by_map, by_key}) {
    expect(judge_daemon_set("aws-node", daemon_set(how), maps, {}), kOk, "2 of 2 pods ready");
  }
  expect(judge_daemon_set("aws-node", daemon_set(by_map), none, {}), kCannotBeTold,
         "no proxy variables", "endpoint for ec2");
  expect(judge_daemon_set("aws-node", daemon_set(by_value, 1), maps, {}), kFailed, "1 of 2");
  expect(judge_daemon_set("aws-node",
                          daemon_set(R"("env":[{"name":"HTTPS_PROXY","value":"http://p:1"}])"),
                          maps, {}),
         kFailed, "without NO_PROXY");
  const std::string plain = daemon_set(R"("env":[])");
  expect(judge_daemon_set("kube-proxy", plain, {}, true), kOk, "none needed");
  expect(judge_daemon_set("kube-proxy", plain, {}, false), kFailed, "public", "daemonsets");
  expect(judge_daemon_set("kube-proxy", plain, {}, {}), kCannotBeTold, "no proxy variables");
}

TEST(Judgement, OfProxyVariables) {
  const auto map = [](const std::string& no_proxy, const std::string& lower) {
    const std::string proxy = R"("http://p.example:3128")";
    return R"({"data":{"HTTPS_PROXY":)" + proxy + R"(,"https_proxy":)" + proxy +
           R"(,"HTTP_PROXY":)" + proxy + R"(,"http_proxy":)" + proxy + R"(,"NO_PROXY":")" +
           no_proxy + R"(","no_proxy":")" + lower + "\"}}";
  };
  const std::string good = "localhost,127.0.0.1,172.20.0.1,.svc,.cluster.local";
  const auto judged = [&](std::optional<std::string> in_system,
                          std::optional<std::string> in_shop = {}, bool is_injected = false) {
    return judge_proxy_variables(
        {{"kube-system", std::move(in_system)}, {"shop", std::move(in_shop)}}, "172.20.0.1",
        is_injected);
  };
  expect(judged(map(good, good)), kOk, "in kube-system");
  expect(judged(map(good, good), map(good, good)), kOk, "in kube-system, shop");
  expect(judged(map(good, "localhost")), kFailed, "NO_PROXY and no_proxy are not alike");
  expect(judged(map(good, good), R"({"data":{}})"), kFailed, "in shop: HTTPS_PROXY is missing");
  expect(judged(map("localhost,.svc", "localhost,.svc")), kFailed, "172.20.0.1 would be asked");
  expect(judged(map("172.20.0.1", "172.20.0.1")), kFailed, "kubernetes.default.svc would");
  expect(judged(map(good + ",*", good + ",*")), kFailed, "*");
  expect(judged({}), kFailed, "there is no ConfigMap", "proxy-environment");
  expect(judged({}, {}, true), kSkipped, "of the webhook");
}

TEST(Judgement, OfInjection) {
  const auto pod = [](const std::string& env) {
    return R"({"spec":{"containers":[{"name":"probe","env":[)" + env +
           R"(],"envFrom":[{"configMapRef":{"name":"x","optional":true}}]}]}})";
  };
  std::string six;
  for (const char* name :
       {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"}) {
    six += std::string(six.empty() ? "" : ",") + R"({"name":")" + name + R"(","value":"v"})";
  }
  expect(judge_injection(pod(six), true), kOk, "six");
  expect(judge_injection(pod(""), true), kFailed, "gets no variables", "caBundle");
  expect(judge_injection(pod(""), std::nullopt), kFailed, "gets no variables");
  expect(judge_injection(pod(""), false), kSkipped, "not installed");
  expect(judge_injection(pod(R"({"name":"HTTP_PROXY","value":"v"})"), true), kFailed,
         "lacks HTTPS_PROXY");
}

TEST(Judgement, OfGateways) {
  const Renewals before{{"ebbgate-a", "1"}, {"ebbgate-b", "1"}};
  expect(judge_gateways(before, {{"ebbgate-a", "2"}, {"ebbgate-b", "1"}}, 1, {}), kOk,
         "1 gateway renews its Lease; no more: ebbgate-b");
  expect(judge_gateways({}, before, 1, {}), kOk, "2 gateways renew");
  expect(judge_gateways(before, before, 1, {}), kFailed, "ebbgate-a, ebbgate-b", "--kube");
  expect(judge_gateways({}, {}, 1, {}), kFailed, "nobody goes by 1 policy");
  expect(judge_gateways({}, {}, 0, {}), kCannotBeTold, "no gateway keeps a Lease");
  expect(judge_gateways({}, {}, 0, R"({"status":{"readyReplicas":2}})"), kCannotBeTold,
         "2 gateways ready, without Leases");
  expect(judge_gateways({}, {}, 0, R"({"status":{}})"), kFailed, "no gateway that is ready");
  EXPECT_EQ(renewals_of({R"({"metadata":{"name":"a"},"spec":{"renewTime":"t"}})"}),
            (Renewals{{"a", "t"}}));
}

TEST(Judgement, OfPolicies) {
  const auto policy = [](const std::string& conditions, int observed = 2) {
    return R"({"metadata":{"name":"p","namespace":"shop","generation":2},"status":)"
           R"({"observedGeneration":)" +
           std::to_string(observed) + R"(,"conditions":[)" + conditions + "]}}";
  };
  const std::string accepted = R"({"type":"Accepted","status":"True"})";
  const std::string programmed = R"(,{"type":"Programmed","status":"True"})";
  expect(judge_policies({policy(accepted + programmed)}), kOk, "1 policy");
  expect(judge_policies({}), kSkipped, "no policies");
  expect(judge_policies({policy(accepted)}), kFailed, "shop/p (not Programmed)");
  expect(judge_policies({policy(accepted + programmed, 1)}), kFailed, "last change");
  expect(judge_policies({policy(R"({"type":"Accepted","status":"False","message":"spec.x"})")}),
         kFailed, "not Accepted: spec.x");
  expect(judge_policies(std::vector<std::string>(7, policy(""))), kFailed, "and 2 more");
}

TEST(Judgement, AnAllowedTargetIsANameForEveryone) {
  const auto policy = [](const std::string& spec, const std::string& kind = "ClusterEgressPolicy") {
    return R"({"kind":")" + kind + R"(","spec":{)" + spec + "}}";
  };
  const struct {
    std::string policy;
    const char* target;
  } cases[] = {
      {policy(R"("allow":[{"hosts":[".a.example","*.b.example","c.example"]}])"), "c.example:443"},
      {policy(R"("allow":[{"hosts":["c.example:8443"]}])"), "c.example:8443"},
      {policy(R"("allow":[{"hosts":["c.example"],"ports":[80]}])"), "c.example:80"},
      {policy(R"("allow":[{"hosts":["192.0.2.1"]},{"bundle":"x"}])"), ""},
      {policy(R"("allow":[{"hosts":["c.example"],"methods":["GET"]}])"), ""},
      {policy(R"("subjects":[{"namespace":"x"}],"allow":[{"hosts":["c.example"]}])"), ""},
      {policy(R"("allow":[{"hosts":["c.example"]}])", "EgressPolicy"), ""},
      {"no JSON", ""},
  };
  for (const auto& each : cases) EXPECT_EQ(an_allowed_target({each.policy}), each.target);
}

TEST(Judgement, OfThePodsProgress) {
  const auto state = [](const std::string& phase, const std::string& container) {
    return R"({"status":{"phase":")" + phase +
           R"(","containerStatuses":[{"name":"sidecar","state":{"terminated":{}}},)"
           R"({"name":"probe","state":)" +
           container + "}]}}";
  };
  std::string why;
  EXPECT_FALSE(judge_progress(R"({"status":{"phase":"Pending"}})", why));
  EXPECT_FALSE(judge_progress(state("Running", R"({"running":{}})"), why));
  EXPECT_FALSE(judge_progress(
      state("Pending", R"({"waiting":{"reason":"ErrImagePull","message":"no"}})"), why));
  EXPECT_EQ(why, "ErrImagePull: no");
  EXPECT_FALSE(judge_progress(R"({"status":{"phase":"Pending","conditions":[{"type":)"
                              R"("PodScheduled","status":"False","message":"0/3 nodes"}]}})",
                              why));
  EXPECT_EQ(why, "0/3 nodes");
  // A sidecar may go on.
  EXPECT_EQ(judge_progress(state("Running", R"({"terminated":{"exitCode":0}})"), why)->finding,
            kOk);
  EXPECT_EQ(judge_progress(R"({"status":{"phase":"Failed"}})", why)->finding, kOk);
  expect(*judge_progress(R"({"status":{"phase":"Failed","reason":"Evicted"}})", why), kFailed,
         "Evicted");
  expect(*judge_progress(state("Pending", R"({"waiting":{"reason":"ImagePullBackOff"}})"), why),
         kFailed, "ImagePullBackOff", "--image");
}

TEST(Judgement, OfWhatThePodTried) {
  const std::string allowed = "tunnel:a.example:443";
  const std::string dns = "query:kubernetes.default.svc.cluster.local";
  const std::vector<std::string> outside{"connect:1.1.1.1:443", "connect:example.com:443"};
  const std::vector<std::string> names{"query:example.com", "query:x.example.com"};
  const auto tunnel = [&](int code) { return Report({{allowed, true, code, 0, "10.0.0.1:3128"}}); };
  const Report cut(std::vector<Attempted>{});
  const Report no_gateway({{allowed, false, 0, 0, "no route"}});

  expect(judge_allowed(tunnel(200), allowed), kOk, "a.example:443 was answered 200");
  expect(judge_allowed(tunnel(403), allowed), kFailed, "403", "--allowed");
  expect(judge_allowed(tunnel(502), allowed), kFailed, "let pass, and not reached");
  expect(judge_allowed(no_gateway, allowed), kFailed, "no route", "NetworkPolicy");
  expect(judge_allowed(cut, allowed), kCannotBeTold, "before");

  expect(judge_refused(tunnel(403), allowed), kOk, "403");
  expect(judge_refused(tunnel(200), allowed), kFailed, "let pass", "explain");
  expect(judge_refused(tunnel(502), allowed), kFailed, "let pass");
  expect(judge_refused(tunnel(429), allowed), kCannotBeTold, "429");
  expect(judge_refused(no_gateway, allowed), kFailed, "no answer of a gateway");

  const auto answered = [&](int code, int records) {
    return Report({{dns, true, code, records, "10.0.0.10:53"}});
  };
  expect(judge_cluster_dns(answered(0, 1), dns), kOk, "known to 10.0.0.10:53");
  expect(judge_cluster_dns(answered(0, 0), dns), kFailed, "not known");
  expect(judge_cluster_dns(answered(3, 0), dns), kFailed, "RCODE 3", "--cluster-domain");
  expect(judge_cluster_dns(Report({{dns, false, 0, 0, "timed out"}}), dns), kFailed, "timed out");

  const auto tried = [&](int first, int second, bool is_answered = true) {
    return Report({{names[0], true, first, 0, "s"}, {names[1], is_answered, second, 0, "s"}});
  };
  expect(judge_dns_tunnel(tried(3, 3), names), kOk, "do not exist");
  expect(judge_dns_tunnel(tried(5, 5), names), kOk, "do not exist");
  // The name above is found, so it is others who say that the one below does not exist.
  expect(judge_dns_tunnel(tried(0, 3), names), kFailed, "example.com was asked for", "coredns");
  expect(judge_dns_tunnel(tried(3, 0), names), kFailed, "x.example.com was asked for");
  expect(judge_dns_tunnel(tried(3, 2), names), kCannotBeTold, "RCODE 2");
  expect(judge_dns_tunnel(tried(3, 3, false), names), kCannotBeTold, "was not answered");
  expect(judge_dns_tunnel(cut, names), kCannotBeTold, "before");

  const auto direct = [&](bool is_first, bool is_second, bool has_network) {
    return Report({{outside[0], is_first, 0, 0, "1.1.1.1"},
                   {outside[1], is_second, 0, 0, "n"},
                   {dns, has_network, 0, 1, "s"}});
  };
  expect(judge_unreached(direct(false, false, true), outside, "n"), kOk, "1.1.1.1:443, example");
  expect(judge_unreached(direct(true, false, true), outside, "close it"), kFailed,
         "reached: 1.1.1.1:443 (1.1.1.1)", "close it");
  expect(judge_unreached(direct(false, true, false), outside, "n"), kFailed, "example.com:443");
  expect(judge_unreached(direct(false, false, false), outside, "n"), kCannotBeTold, "nothing");
  expect(judge_unreached(cut, outside, "n"), kCannotBeTold, "before");
  const std::vector<std::string> servers{"query:a.example@8.8.8.8", "query-tcp:a.example@8.8.8.8"};
  expect(judge_unreached(Report({{servers[0], false, 0, 0, "n"}, {servers[1], true, 5, 0, "s"}}),
                         servers, "n"),
         kFailed, "reached: a.example@8.8.8.8 over TCP (s)");
}

}  // namespace
}  // namespace ebbgate::deploy
