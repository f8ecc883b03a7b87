#include "webhook/inject.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "webhook/detail/testing.h"

namespace ebbgate::webhook {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Json;
using ::testing::Not;
using testing::patch_of;
using testing::patched;
using testing::response_of;
using testing::review_of;

const Injection kInjection{.proxy_url = "http://ebbgate.ebbgate-system.svc.cluster.local:3128",
                           .no_proxy = "localhost,10.64.0.0/16,.svc,svc",
                           .excluded_namespaces = {"kube-system", "ebbgate-system"}};

Json pod_with(const Json& spec) {
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata", {{"generateName", "build-"}, {"namespace", "shop"}}},
          {"spec", spec}};
}

Json pod_of(const Json& container) {
  Json whole = container;
  whole["name"] = "main";
  whole["image"] = "app";
  return pod_with({{"containers", Json::array({whole})}});
}

// A container's environment by name: the text, or the JSON of where it comes from.
std::map<std::string, std::string> environment(const Json& pod, const char* list = "containers",
                                               std::size_t index = 0) {
  std::map<std::string, std::string> out;
  const Json& container = pod["spec"][list][index];
  if (!container.contains("env")) return out;
  for (const Json& each : container["env"]) {
    const std::string name = each["name"];
    EXPECT_FALSE(out.contains(name)) << name << " twice";
    out[name] = each.contains("valueFrom") ? each["valueFrom"].dump() : each.value("value", "");
  }
  return out;
}

Reply injected(const Json& pod, const Injection& injection = kInjection) {
  return inject(review_of(pod, "Pod").dump(), injection);
}

// What a pod becomes; asked again, nothing more is to be done.
Json after(const Json& pod, const Injection& injection = kInjection) {
  const Json once = patched(pod, injected(pod, injection));
  const Reply again = injected(once, injection);
  EXPECT_THAT(patch_of(again), IsEmpty());
  EXPECT_EQ(again.outcome, Outcome::kUnchanged);
  return once;
}

TEST(Inject, GivesAPodTheProxy) {
  const Json pod = pod_of(Json::object());
  const Reply reply = injected(pod);
  EXPECT_EQ(reply.outcome, Outcome::kInjected);
  EXPECT_EQ(reply.about, "Pod shop/build-");
  const Json response = response_of(reply);
  EXPECT_EQ(response["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
  EXPECT_EQ(response["allowed"], true);
  EXPECT_FALSE(response.contains("warnings"));

  const Json now = after(pod);
  const auto env = environment(now);
  for (const char* name : {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"}) {
    EXPECT_EQ(env.at(name), kInjection.proxy_url);
  }
  EXPECT_EQ(env.at("NO_PROXY"), kInjection.no_proxy);
  EXPECT_EQ(env.at("no_proxy"), kInjection.no_proxy);
  EXPECT_EQ(env.at("NODE_USE_ENV_PROXY"), "1");
  EXPECT_EQ(env.at("JAVA_TOOL_OPTIONS"),
            "-Dhttp.proxyHost=ebbgate.ebbgate-system.svc.cluster.local -Dhttp.proxyPort=3128 "
            "-Dhttps.proxyHost=ebbgate.ebbgate-system.svc.cluster.local -Dhttps.proxyPort=3128 "
            "-Dhttp.nonProxyHosts=localhost|10.64.*|*.svc|svc");
  EXPECT_EQ(env.size(), 8U);
  EXPECT_EQ(now["metadata"]["annotations"]["ebbgate.dev/injected"], fingerprint(kInjection));
  EXPECT_EQ(now["metadata"]["generateName"], "build-");
}

TEST(Inject, GivesItToEveryContainer) {
  const Json pod =
      pod_with({{"initContainers", {{{"name", "a"}}, {{"name", "b"}, {"restartPolicy", "Always"}}}},
                {"containers", {{{"name", "c"}}, {{"name", "d"}, {"env", Json::array()}}}},
                {"hostNetwork", true}});
  const Json now = after(pod);
  for (const char* list : {"initContainers", "containers"}) {
    for (const std::size_t i : {0U, 1U}) EXPECT_EQ(environment(now, list, i).size(), 8U) << list;
  }
}

TEST(Inject, KeepsWhatAContainerSays) {
  struct Case {
    const char* what;
    Json env;
    std::map<std::string, std::optional<std::string>> then;  // nothing: not there
  };
  const Json from_secret = {{"secretKeyRef", {{"name", "proxy"}, {"key", "url"}}}};
  const Case cases[] = {
      {"another variable", {{{"name", "PORT"}, {"value", "80"}}}, {{"PORT", "80"}}},
      {"a proxy of its own, in either spelling",
       {{{"name", "http_proxy"}, {"value", "http://own:1"}}},
       {{"http_proxy", "http://own:1"},
        {"HTTP_PROXY", std::nullopt},
        {"HTTPS_PROXY", kInjection.proxy_url},
        {"JAVA_TOOL_OPTIONS", std::nullopt}}},
      {"no proxy at all",
       {{{"name", "HTTPS_PROXY"}}, {{"name", "HTTP_PROXY"}, {"value", ""}}},
       {{"HTTPS_PROXY", ""},
        {"https_proxy", std::nullopt},
        {"http_proxy", std::nullopt},
        {"JAVA_TOOL_OPTIONS", std::nullopt}}},
      {"a proxy from a secret",
       {{{"name", "HTTPS_PROXY"}, {"valueFrom", from_secret}}},
       {{"HTTPS_PROXY", from_secret.dump()},
        {"https_proxy", std::nullopt},
        {"JAVA_TOOL_OPTIONS", std::nullopt}}},
      {"exceptions of its own, which Java gets, too",
       {{{"name", "NO_PROXY"}, {"value", "mine.test, .mine.test,a b\"c"}}},
       {{"NO_PROXY", "mine.test, .mine.test,a b\"c"},
        {"no_proxy", std::nullopt},
        {"JAVA_TOOL_OPTIONS", java_options(kInjection.proxy_url, "mine.test,.mine.test")}}},
      {"other options of Java",
       {{{"name", "JAVA_TOOL_OPTIONS"}, {"value", "-Xmx1g"}}, {{"name", "LAST"}, {"value", "x"}}},
       {{"JAVA_TOOL_OPTIONS", "-Xmx1g " + java_options(kInjection.proxy_url, kInjection.no_proxy)},
        {"LAST", "x"}}},
      {"empty options of Java",
       {{{"name", "JAVA_TOOL_OPTIONS"}}},
       {{"JAVA_TOOL_OPTIONS", java_options(kInjection.proxy_url, kInjection.no_proxy)}}},
      {"a proxy among the options of Java",
       {{{"name", "JAVA_TOOL_OPTIONS"}, {"value", "-Dhttps.proxyHost=own"}}},
       {{"JAVA_TOOL_OPTIONS", "-Dhttps.proxyHost=own"}}},
      {"options of Java from elsewhere",
       {{{"name", "JAVA_TOOL_OPTIONS"}, {"valueFrom", from_secret}}},
       {{"JAVA_TOOL_OPTIONS", from_secret.dump()}}},
      {"Node's switch",
       {{{"name", "NODE_USE_ENV_PROXY"}, {"value", "0"}}},
       {{"NODE_USE_ENV_PROXY", "0"}}},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.what);
    const Json pod = pod_of({{"env", each.env}});
    const Json now = after(pod);
    const auto env = environment(now);
    for (const auto& [name, value] : each.then) {
      if (value) {
        ASSERT_TRUE(env.contains(name)) << name;
        EXPECT_EQ(env.at(name), *value) << name;
      } else {
        EXPECT_FALSE(env.contains(name)) << name;
      }
    }
    // What was there stands where it stood: one may refer to those before it.
    for (std::size_t i = 0; i < each.env.size(); ++i) {
      EXPECT_EQ(now["spec"]["containers"][0]["env"][i]["name"], each.env[i]["name"]);
    }
  }
}

TEST(Inject, RefersToAConfigMapWhereThatIsAsked) {
  Injection injection = kInjection;
  injection.config_map = "proxy-environment-variables";
  injection.proxy_url.clear();
  const auto source = [](const char* name) -> Json {
    return {{"configMapRef", {{"name", name}, {"optional", true}}}};
  };

  Json now = after(pod_of(Json::object()), injection);
  const Json& container = now["spec"]["containers"][0];
  EXPECT_EQ(container["envFrom"], Json::array({source("proxy-environment-variables")}));
  EXPECT_EQ(environment(now), (std::map<std::string, std::string>{{"NODE_USE_ENV_PROXY", "1"}}));

  // In front of the pod's own: those win.
  now = after(pod_of({{"envFrom", Json::array({source("own")})}}), injection);
  EXPECT_EQ(now["spec"]["containers"][0]["envFrom"],
            Json::array({source("proxy-environment-variables"), source("own")}));

  // It is there already.
  const Json twice = pod_of({{"envFrom", Json::array({source("proxy-environment-variables")})}});
  EXPECT_EQ(after(twice, injection)["spec"]["containers"][0]["envFrom"].size(), 1U);

  // A pair that the pod sets is not mixed with the other spelling's value.
  now = after(pod_of({{"env", {{{"name", "HTTP_PROXY"}, {"value", "http://own:1"}}}}}), injection);
  const auto env = environment(now);
  EXPECT_FALSE(now["spec"]["containers"][0].contains("envFrom"));
  EXPECT_EQ(env.at("HTTP_PROXY"), "http://own:1");
  EXPECT_FALSE(env.contains("http_proxy"));
  EXPECT_THAT(env.at("no_proxy"), HasSubstr(R"("key":"no_proxy")"));
}

TEST(Inject, MountsTheAuthoritiesWhereTheyAreConfigured) {
  Injection injection = kInjection;
  injection.ca_config_map = "ebbgate-ca-bundle";
  const Json pod = pod_with(
      {{"volumes", {{{"name", "data"}, {"emptyDir", Json::object()}}}},
       {"initContainers", {{{"name", "a"}}}},
       {"containers",
        {{{"name", "b"}, {"volumeMounts", {{{"name", "data"}, {"mountPath", "/data"}}}}},
         {{"name", "c"}, {"env", {{{"name", "SSL_CERT_FILE"}, {"value", "/own.pem"}}}}}}}});
  const Json now = after(pod, injection);
  ASSERT_EQ(now["spec"]["volumes"].size(), 2U);
  EXPECT_EQ(now["spec"]["volumes"][1]["configMap"]["name"], "ebbgate-ca-bundle");
  EXPECT_EQ(now["spec"]["containers"][0]["volumeMounts"].size(), 2U);
  EXPECT_EQ(now["spec"]["initContainers"][0]["volumeMounts"][0]["mountPath"], "/etc/ebbgate/ca");
  EXPECT_EQ(environment(now).at("SSL_CERT_FILE"), "/etc/ebbgate/ca/ca-bundle.crt");
  EXPECT_EQ(environment(now).at("REQUESTS_CA_BUNDLE"), "/etc/ebbgate/ca/ca-bundle.crt");
  EXPECT_EQ(environment(now, "containers", 1).at("SSL_CERT_FILE"), "/own.pem");
  EXPECT_EQ(environment(now, "containers", 1).at("NODE_EXTRA_CA_CERTS"),
            "/etc/ebbgate/ca/ca-bundle.crt");
  EXPECT_NE(fingerprint(injection), fingerprint(kInjection));
}

TEST(Inject, GivesWindowsEachVariableOnce) {
  Injection injection = kInjection;
  injection.ca_config_map = "ebbgate-ca-bundle";
  Json pod = pod_of(Json::object());
  pod["spec"]["os"] = {{"name", "windows"}};
  const auto env = environment(after(pod, injection));
  EXPECT_TRUE(env.contains("HTTPS_PROXY"));
  EXPECT_FALSE(env.contains("https_proxy"));
  EXPECT_FALSE(env.contains("SSL_CERT_FILE"));
}

TEST(Inject, GivesItToANewEphemeralContainerOnly) {
  Json pod = pod_of(Json::object());
  pod["spec"]["ephemeralContainers"] = {{{"name", "old"}}, {{"name", "new"}}};
  Json review = review_of(pod, "Pod");
  review["request"]["operation"] = "UPDATE";
  review["request"]["subResource"] = "ephemeralcontainers";
  review["request"]["oldObject"] = pod_of(Json::object());
  review["request"]["oldObject"]["spec"]["ephemeralContainers"] = {{{"name", "old"}}};
  Injection injection = kInjection;
  injection.ca_config_map = "ebbgate-ca-bundle";
  const Json now = patched(pod, inject(review.dump(), injection));
  EXPECT_THAT(environment(now), IsEmpty());
  EXPECT_THAT(environment(now, "ephemeralContainers", 0), IsEmpty());
  EXPECT_EQ(environment(now, "ephemeralContainers", 1).size(), 8U);
  // Neither a volume nor an annotation can come with it.
  EXPECT_FALSE(now["spec"].contains("volumes"));
  EXPECT_FALSE(now["metadata"].contains("annotations"));
  review["request"]["object"] = now;
  EXPECT_THAT(patch_of(inject(review.dump(), injection)), IsEmpty());
}

TEST(Inject, LeavesAlone) {
  struct Case {
    const char* what;
    std::function<void(Json& review)> change;
  };
  const Case cases[] = {
      {"the pod's wish",
       [](Json& r) {
         r["request"]["object"]["metadata"]["annotations"] = {{"ebbgate.dev/inject", "false"}};
       }},
      {"an excluded namespace", [](Json& r) { r["request"]["namespace"] = "kube-system"; }},
      {"its own namespace", [](Json& r) { r["request"]["namespace"] = "ebbgate-system"; }},
      {"a static pod",
       [](Json& r) {
         r["request"]["object"]["metadata"]["annotations"] = {
             {"kubernetes.io/config.mirror", "0123"}};
       }},
      {"a pod that runs", [](Json& r) { r["request"]["operation"] = "UPDATE"; }},
      {"a pod that goes", [](Json& r) { r["request"]["operation"] = "DELETE"; }},
      {"another part of it", [](Json& r) { r["request"]["subResource"] = "status"; }},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.what);
    Json review = review_of(pod_of(Json::object()), "Pod");
    each.change(review);
    const Reply reply = inject(review.dump(), kInjection);
    EXPECT_EQ(reply.outcome, Outcome::kUnchanged);
    EXPECT_EQ(response_of(reply)["allowed"], true);
    EXPECT_FALSE(response_of(reply).contains("patch"));
  }
}

TEST(Inject, KeepsOtherAnnotationsAndCorrectsItsOwn) {
  Json pod = pod_of(Json::object());
  pod["metadata"]["annotations"] = {{"a/b", "c"}, {"ebbgate.dev/injected", "of-old"}};
  const Json now = after(pod);
  EXPECT_EQ(now["metadata"]["annotations"]["a/b"], "c");
  EXPECT_EQ(now["metadata"]["annotations"]["ebbgate.dev/injected"], fingerprint(kInjection));
}

TEST(Inject, AddsToAContainerThatAnotherWebhookAddedMeanwhile) {
  Json pod = after(pod_of(Json::object()));
  pod["spec"]["containers"].push_back({{"name", "sidecar"}});
  const Json now = after(pod);
  EXPECT_EQ(environment(now, "containers", 1).size(), 8U);
}

TEST(Inject, LetsAPodPassThatItCannotRead) {
  const Json cases[] = {
      Json(nullptr),
      Json("pod"),
      Json::object(),
      {{"metadata", Json::object()}},
      {{"metadata", Json::object()}, {"spec", {{"containers", "none"}}}},
      {{"metadata", Json::object()}, {"spec", {{"containers", {7}}}}},
      {{"metadata", Json::object()}, {"spec", {{"containers", {{{"env", "A=B"}}}}}}},
      {{"metadata", Json::object()}, {"spec", {{"containers", {{{"env", {7}}}}}}}},
      {{"metadata", Json::object()}, {"spec", {{"containers", {{{"env", {{{"value", "x"}}}}}}}}}},
      {{"metadata", Json::object()}, {"spec", {{"containers", {{{"envFrom", "map"}}}}}}},
      {{"spec", {{"containers", {{{"name", "a"}}}}}}},
      {{"metadata", "x"}, {"spec", {{"containers", {{{"name", "a"}}}}}}},
      {{"metadata", {{"annotations", Json::array()}}},
       {"spec", {{"containers", {{{"name", "a"}}}}}}},
  };
  for (const Json& pod : cases) {
    SCOPED_TRACE(pod.dump());
    Json review = review_of(Json::object(), "Pod");
    review["request"]["object"] = pod;
    const Reply reply = inject(review.dump(), kInjection);
    EXPECT_EQ(reply.outcome, Outcome::kPassed);
    EXPECT_EQ(response_of(reply)["allowed"], true);
    EXPECT_FALSE(response_of(reply).contains("patch"));
    EXPECT_THAT(response_of(reply)["warnings"][0].get<std::string>(),
                HasSubstr("gives this pod no proxy"));
  }
  const Reply other = inject(review_of(Json::object(), "Deployment", "apps").dump(), kInjection);
  EXPECT_EQ(other.outcome, Outcome::kPassed);
  EXPECT_EQ(response_of(other)["allowed"], true);
}

TEST(Inject, SaysWhatIsNoReview) {
  Json v1beta1 = review_of(Json::object(), "Pod");
  v1beta1["apiVersion"] = "admission.k8s.io/v1beta1";
  Json without_uid = review_of(Json::object(), "Pod");
  without_uid["request"].erase("uid");
  Json without_kind = review_of(Json::object(), "Pod");
  without_kind["request"].erase("kind");
  struct Case {
    std::string body;
    const char* says;
  };
  const Case cases[] = {
      {"", "not JSON"},
      {"{", "not JSON"},
      {"\xff", "not JSON"},
      {"[]", "no AdmissionReview"},
      {R"({"kind":"Pod"})", "no AdmissionReview"},
      {v1beta1.dump(), "admissionReviewVersions"},
      {R"({"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"})", "no `request`"},
      {without_uid.dump(), "no `uid`"},
      {without_kind.dump(), "what `kind`"},
      {std::string(std::size_t{3} << 20, '['), "nested too deeply"},
      {R"({"kind":"AdmissionReview","request":)" + std::string(200, '[') + std::string(200, ']') +
           "}",
       "nested too deeply"},
  };
  for (const Case& each : cases) {
    const Reply reply = inject(each.body, kInjection);
    EXPECT_EQ(reply.status, 400) << each.says;
    EXPECT_EQ(reply.outcome, Outcome::kMalformed);
    EXPECT_THAT(reply.body, HasSubstr(each.says));
  }
}

TEST(Inject, IsNotSlowedDownByWhatIsLarge) {
  // Each would take minutes if anything looked through all of it for each element.
  std::string keys;
  std::string objects;
  for (int i = 0; i < 100000; ++i) {
    keys += (i == 0 ? "" : ",") + std::string("\"k") + std::to_string(i) + "\":0";
    objects += i == 0 ? "{}" : ",{}";
  }
  std::string body = review_of("OBJECT", "Pod").dump();
  body.replace(body.find("\"OBJECT\""), 8,
               R"({"metadata":{"annotations":{)" + keys + R"(}},"spec":{"volumes":[)" + objects +
                   R"(],"containers":[{}]}})");
  EXPECT_EQ(inject(body, kInjection).outcome, Outcome::kInjected);
}

TEST(Inject, TellsJavaOfEachKindOfProxy) {
  EXPECT_EQ(java_options("http://[2001:db8::1]:3128", "::1,10.0.0.0/8"),
            "-Dhttp.proxyHost=2001:db8::1 -Dhttp.proxyPort=3128 -Dhttps.proxyHost=2001:db8::1 "
            "-Dhttps.proxyPort=3128 -Dhttp.nonProxyHosts=[::1]|10.*");
  EXPECT_EQ(java_options("http://p.test:1/", ""),
            "-Dhttp.proxyHost=p.test -Dhttp.proxyPort=1 -Dhttps.proxyHost=p.test "
            "-Dhttps.proxyPort=1");
  EXPECT_EQ(java_options("https://p.test:443", "a"), "");
}

TEST(Inject, SaysWhatIsWrongWithItsSettings) {
  EXPECT_EQ(fault_of(kInjection), "");
  EXPECT_EQ(fault_of({.config_map = "x"}), "");
  EXPECT_THAT(fault_of({}), HasSubstr("neither"));
  EXPECT_THAT(fault_of({.proxy_url = "proxy:3128"}), HasSubstr("http://"));
  EXPECT_THAT(fault_of({.proxy_url = "http://u:p@proxy:3128"}), HasSubstr("HOST:PORT"));
  EXPECT_THAT(fault_of({.proxy_url = "http://proxy"}), HasSubstr("HOST:PORT"));
}

}  // namespace
}  // namespace ebbgate::webhook
