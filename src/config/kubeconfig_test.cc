#include "config/kubeconfig.h"

#include <gtest/gtest.h>

namespace ebbgate::config {
namespace {

const std::string kFile = R"(apiVersion: v1
kind: Config
preferences: {}
current-context: one
clusters:
- name: c1
  cluster:
    server: https://10.0.0.1:6443/
    certificate-authority-data: UEVN
    tls-server-name: kubernetes
- name: c2
  cluster: {server: "https://api.example/prefix", certificate-authority: ca.crt}
contexts:
- {name: one, context: {cluster: c1, user: u1, namespace: shop}}
- {name: two, context: {cluster: c2, user: u2}}
- {name: three, context: {cluster: c2, user: u3}}
- {name: four, context: {cluster: c2}}
users:
- name: u1
  user: {token: secret}
- name: u2
  user: {client-certificate: keys/c.pem, client-key-data: S0VZ}
- name: u3
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: aws
      args: [eks, get-token, --cluster-name, demo]
      env: [{name: AWS_PROFILE, value: p}]
      provideClusterInfo: true
      installHint: install aws
      interactiveMode: IfAvailable
)";

Kubeconfig read(const std::string& context) {
  const LoadedKubeconfig loaded = parse_kubeconfig(kFile, "/home/u/.kube/config", context);
  for (const Problem& each : loaded.problems) ADD_FAILURE() << str(each);
  return loaded.config;
}

TEST(Kubeconfig, GivesOneContextWhole) {
  const Kubeconfig one = read("");
  EXPECT_EQ(one.context, "one");
  EXPECT_EQ(one.server, "https://10.0.0.1:6443");
  EXPECT_EQ(one.ca_pem, "PEM");
  EXPECT_EQ(one.ca_file, "");
  EXPECT_EQ(one.tls_name, "kubernetes");
  EXPECT_EQ(one.home_namespace, "shop");
  EXPECT_EQ(one.token.reveal(), "secret");
  const Kubeconfig two = read("two");
  EXPECT_EQ(two.server, "https://api.example/prefix");
  EXPECT_EQ(two.ca_file, "/home/u/.kube/ca.crt");
  EXPECT_EQ(two.certificate_file, "/home/u/.kube/keys/c.pem");
  EXPECT_EQ(two.key_pem.reveal(), "KEY");
  EXPECT_EQ(two.home_namespace, "default");
  const Kubeconfig three = read("three");
  EXPECT_EQ(three.exec, (KubeExec{.api_version = "client.authentication.k8s.io/v1beta1",
                                  .command = "aws",
                                  .arguments = {"eks", "get-token", "--cluster-name", "demo"},
                                  .environment = {{"AWS_PROFILE", "p"}},
                                  .install_hint = "install aws",
                                  .is_told_the_cluster = true}));
  EXPECT_TRUE(read("four").token.empty());
}

std::string with(const std::string& cluster, const std::string& user) {
  return "current-context: x\ncontexts:\n- {name: x, context: {cluster: x, user: x}}\n"
         "clusters:\n- {name: x, cluster: {" +
         cluster +
         "}}\n"
         "users:\n- {name: x, user: {" +
         user + "}}\n";
}

TEST(Kubeconfig, TakesWhatIsHarmless) {
  for (const char* user : {"", "as: ''", "tokenFile: t, token: t",
                           "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./x}"}) {
    const auto loaded = parse_kubeconfig(
        with("server: https://a, insecure-skip-tls-verify: false, proxy-url: '', x: [1]", user),
        "dir/f");
    EXPECT_TRUE(loaded.problems.empty()) << user << ": " << str(loaded.problems.front());
  }
  const auto exec =
      parse_kubeconfig(with("server: https://a",
                            "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./x}"),
                       "dir/f");
  EXPECT_EQ(exec.config.exec->command, "dir/./x");
  const auto both = parse_kubeconfig(with("server: https://a", "tokenFile: t, token: t"), "dir/f");
  EXPECT_EQ(both.config.token_file, "dir/t");
  EXPECT_TRUE(both.config.token.empty());
}

TEST(Kubeconfig, RefusesWithAReason) {
  const std::string v1 = "apiVersion: client.authentication.k8s.io/v1";
  const struct {
    std::string text;
    const char* said;
  } cases[] = {
      {"", "this is no kubeconfig"},
      {"[]", "this is no kubeconfig"},
      {"kind: Pod", "is a \"Pod\", no kubeconfig"},
      {"a: &b 1", ""},
      {"kind: Config", "no current-context"},
      {"current-context: x", "there is no context \"x\""},
      {"current-context: x\ncontexts: [{name: x, context: {cluster: y}}]",
       "there is no cluster \"y\""},
      {with("server: http://a", ""), "has to be an https URL"},
      {with("", ""), "has to be an https URL"},
      {with("server: https://a, insecure-skip-tls-verify: true", ""),
       "`insecure-skip-tls-verify` turns off the check"},
      {with("server: https://a, proxy-url: http://p", ""), "`proxy-url` is not supported"},
      {with("server: https://a, certificate-authority-data: '%'", ""), "is no base64"},
      {with("server: [https://a]", ""), "`server` is no text"},
      {with("server: https://a", "username: u"), "taken out"},
      {with("server: https://a", "auth-provider: {name: gcp}"), "taken out"},
      {with("server: https://a", "as: root"), "`as` is not supported"},
      {with("server: https://a", "client-key: k"), "a client certificate or a key, not both"},
      {with("server: https://a", "token: t, exec: {" + v1 + ", command: x}"), "another way"},
      {with("server: https://a", "exec: {" + v1 + "}"), "exec has no command"},
      {with("server: https://a", "exec: {" + v1 + "alpha1, command: x}"), "is not known"},
      {with("server: https://a", "exec: {" + v1 + ", command: x, interactiveMode: Always}"),
       "has to ask a person"},
      {with("server: https://a", "exec: {" + v1 + ", command: x, env: [{value: v}]}"),
       "has no name"},
  };
  for (const auto& each : cases) {
    const auto loaded = parse_kubeconfig(each.text, "f");
    ASSERT_FALSE(loaded.problems.empty()) << each.text;
    EXPECT_TRUE(str(loaded.problems.front()).contains(each.said)) << str(loaded.problems.front());
    EXPECT_FALSE(str(loaded.problems.front()).contains("secret"));
  }
}

}  // namespace
}  // namespace ebbgate::config
