// The language of policy documents as YAML. Each message is compared to the octet.
#include "config/document_yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/settings.h"

namespace ebbgate::config {
namespace {

using policy::Document;
using policy::Entry;
using policy::Position;
using ::testing::ElementsAre;

constexpr std::string_view kHead =
    "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {name: p}\n";

ParsedDocuments parse(std::string_view text, const DocumentOptions& options = {}) {
  return parse_documents(text, "p.yaml", options);
}

// A document with that spec, which begins on line 4.
ParsedDocuments parse_spec(std::string_view spec, const DocumentOptions& options = {}) {
  return parse(std::string(kHead) + std::string(spec), options);
}

TEST(PolicyYaml, ReadsEveryKey) {
  const ParsedDocuments parsed = parse(R"(apiVersion: ebbgate.dev/v1alpha1
kind: ClusterEgressPolicy
metadata:
  name: ci-builders
  labels: {team: build}
  annotations: {}
  generation: 3
  managedFields: [{manager: kubectl}]
spec:
  subjects:
    - cidr: 10.64.8.0/22
    - cidr: "2001:db8::/32"
  mode: report
  allow:
    - hosts: [".dkr.ecr.eu-west-2.amazonaws.com", api.github.com:443, 203.0.113.0/24]
      ports: [443, "8000-8010"]
      sni: optional
      tls: off
      ech: deny
      addresses: [10.9.0.0/24]
      methods: [GET, HEAD]
      paths: ["/acme/"]
      owner: team-build
      reason: image pulls
      ticket: SEC-1234
      expires: 2026-12-31T00:00:00Z
    - hosts: ["bücher.example"]
  deny:
    - hosts: [gist.github.com]
      reason: anyone can publish there
status: {conditions: []}
)");
  ASSERT_EQ(str(parsed.problems), "");
  ASSERT_EQ(parsed.documents.size(), 1U);
  const Document& document = parsed.documents[0];
  EXPECT_EQ(document.name, "ci-builders");
  EXPECT_EQ(document.file, "p.yaml");
  EXPECT_EQ(document.position, (Position{1, 1}));
  EXPECT_EQ(document.mode, policy::Mode::kReport);
  ASSERT_EQ(document.subjects.size(), 2U);
  EXPECT_EQ(document.subjects[0].cidr, Cidr::parse("10.64.8.0/22"));
  EXPECT_EQ(document.subjects[0].position, (Position{11, 7}));

  ASSERT_EQ(document.allow.size(), 2U);
  const Entry& entry = document.allow[0];
  EXPECT_EQ(entry.position, (Position{15, 7}));
  ASSERT_EQ(entry.hosts.size(), 3U);
  EXPECT_EQ(entry.hosts[0].str(), ".dkr.ecr.eu-west-2.amazonaws.com");
  EXPECT_EQ(entry.hosts[1].str(), "api.github.com:443");
  EXPECT_EQ(entry.hosts.position(1), (Position{15, 51}));
  EXPECT_EQ(entry.hosts[2].str(), "203.0.113.0/24");
  EXPECT_THAT(entry.ports, ElementsAre(policy::PortRange{443, 443}, policy::PortRange{8000, 8010}));
  EXPECT_EQ(entry.sni, policy::SniRule::kOptional);
  EXPECT_EQ(entry.tls, policy::TlsRule::kOff);
  EXPECT_EQ(entry.ech, policy::EchRule::kDeny);
  EXPECT_THAT(entry.addresses, ElementsAre(*Cidr::parse("10.9.0.0/24")));
  EXPECT_THAT(entry.methods, ElementsAre("GET", "HEAD"));
  EXPECT_THAT(entry.paths, ElementsAre("/acme/"));
  EXPECT_EQ(entry.owner, "team-build");
  EXPECT_EQ(entry.reason, "image pulls");
  EXPECT_EQ(entry.ticket, "SEC-1234");
  EXPECT_EQ(entry.expires, WallTime(std::chrono::seconds(1798675200)));

  EXPECT_EQ(document.allow[1].hosts[0].str(), "xn--bcher-kva.example");
  EXPECT_EQ(document.allow[1].sni, std::nullopt);
  EXPECT_EQ(document.allow[1].tls, policy::TlsRule::kRequire);
  EXPECT_EQ(document.allow[1].ech, policy::EchRule::kAllow);
  ASSERT_EQ(document.deny.size(), 1U);
  EXPECT_EQ(document.deny[0].hosts[0].str(), "gist.github.com");
}

TEST(PolicyYaml, ReadsSeveralDocumentsOfAFileAndSkipsEmptyOnes) {
  const std::string one = std::string(kHead) + "spec: {allow: [{hosts: [a.example]}]}\n";
  const std::string other =
      "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {name: q}\n"
      "spec: {deny: [{hosts: [b.example]}]}\n";
  const ParsedDocuments parsed = parse("---\n" + one + "---\n# nothing\n---\n" + other + "---\n");
  ASSERT_EQ(str(parsed.problems), "");
  ASSERT_EQ(parsed.documents.size(), 2U);
  EXPECT_EQ(parsed.documents[0].name, "p");
  EXPECT_EQ(parsed.documents[1].name, "q");
  EXPECT_EQ(parsed.documents[1].position, (Position{9, 1}));
}

TEST(PolicyYaml, ReadsJson) {
  const ParsedDocuments parsed = parse(
      R"({"apiVersion": "ebbgate.dev/v1alpha1", "kind": "EgressPolicy", "metadata": {"name": "p"},
          "spec": {"allow": [{"hosts": ["a.example"], "ports": [443]}]}})");
  ASSERT_EQ(str(parsed.problems), "");
  EXPECT_EQ(parsed.documents[0].allow[0].ports[0], (policy::PortRange{443, 443}));
}

TEST(PolicyYaml, MayHoldOnlyAReportMode) {
  EXPECT_EQ(str(parse_spec("spec: {mode: report}\n").problems), "");
}

TEST(PolicyYaml, TakesABundleForItsHostsInTheEntry) {
  const auto parsed = parse_spec(
      "spec:\n"
      "  allow:\n"
      "    - bundle: ecr\n"
      "      parameters: {region: eu-west-2, account: \"111122223333\"}\n"
      "    - {hosts: [a.example], bundle: quay, ports: [8443]}\n"
      "  deny: [{bundle: ghcr}]\n");
  ASSERT_EQ(str(parsed.problems), "");
  const policy::Document& document = parsed.documents.front();
  const auto hosts = [](const policy::Entry& entry) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < entry.hosts.size(); ++i) out.push_back(entry.hosts[i].str());
    return out;
  };
  EXPECT_EQ(
      hosts(document.allow[0]),
      (std::vector<std::string>{
          "api.ecr.eu-west-2.amazonaws.com:443", "111122223333.dkr.ecr.eu-west-2.amazonaws.com:443",
          "prod-eu-west-2-starport-layer-bucket.s3.eu-west-2.amazonaws.com:443"}));
  EXPECT_EQ(document.allow[0].hosts.position(0), (policy::Position{6, 15}));
  EXPECT_EQ(document.allow[0].bundle->name, "ecr");
  EXPECT_EQ(hosts(document.allow[1]).front(), "a.example");
  EXPECT_EQ(hosts(document.allow[1])[1], "quay.io:443") << "a bundle keeps its own ports";
  EXPECT_EQ(hosts(document.deny[0]),
            (std::vector<std::string>{"ghcr.io", "pkg-containers.githubusercontent.com"}))
      << "a deny entry is for every port";
}

TEST(PolicyYaml, RefusesABundleThatDoesNotFit) {
  const struct {
    const char* entry;
    const char* says;
  } rows[] = {
      {"{bundle: dokcer-hub}",
       "p.yaml:5:20: error: there is no bundle \"dokcer-hub\"; write docker-hub\n"},
      {"{bundle: x}",
       "p.yaml:5:20: error: there is no bundle \"x\"; `ebbgate bundles list` names them\n"},
      {"{bundle: ecr}",
       "p.yaml:5:20: error: the bundle ecr needs the parameter region; add `parameters: {region: "
       "eu-west-2}`\n"},
      {"{bundle: ecr, parameters: {region: EU}}",
       "p.yaml:5:20: error: the value of region cannot stand in a host name; write small letters, "
       "digits and hyphens\n"},
      {"{bundle: quay, parameters: {region: eu-west-2}}",
       "p.yaml:5:20: error: the bundle quay has no parameter of that name; leave it out\n"},
      {"{bundle: quay, ports: [443]}",
       "p.yaml:5:11: error: `ports` says nothing here: the hosts of a bundle have their own; leave "
       "it out\n"},
      {"{hosts: [a.example], parameters: {region: x}}",
       "p.yaml:5:11: error: `parameters` without a `bundle`; name the bundle\n"},
      {"{ports: [443]}", "p.yaml:5:11: error: an allow entry has no `hosts` or `bundle`; add it\n"},
  };
  for (const auto& row : rows) {
    const std::string spec = "spec:\n  allow: [" + std::string(row.entry) + "]\n";
    EXPECT_EQ(str(parse_spec(spec).problems), row.says) << row.entry;
  }
}

struct Refusal {
  const char* spec;
  const char* says;
};

TEST(PolicyYaml, IsRefusedWithThePlaceAndTheFix) {
  const Refusal refusals[] = {
      // Keys.
      {"spec:\n  alow:\n    - hosts: [a.example]\n",
       "p.yaml:5:3: error: unknown key \"alow\" in `spec`; write `allow`\n"},
      {"spec:\n  allow:\n    - host: [a.example]\n",
       "p.yaml:6:7: error: unknown key \"host\" in an allow entry; write `hosts`\n"},
      {"spec:\n  subjects: [{sausage: x}]\n  mode: report\n",
       "p.yaml:5:15: error: unknown key \"sausage\" in a subject; its keys are cidr, user, "
       "certificate, namespace, serviceAccount, podLabels\n"},
      {"spec:\n  deny:\n    - hosts: [a.example]\n      sni: off\n",
       "p.yaml:7:7: error: unknown key \"sni\" in a deny entry; its keys are hosts, ports, "
       "methods, "
       "paths, owner, reason, ticket, expires, bundle, parameters\n"},
      {"spec:\n  allow:\n    - hosts: [a.example]\n      hosts: [b.example]\n",
       "p.yaml:7:7: error: the key \"hosts\" is given twice; remove one of them\n"},
      // Keys of later releases.
      {"spec:\n  allow:\n    - hosts: [a.example]\n      via: http://p:3128\n"
       "      egressAddress: 203.0.113.10\n      intercept: true\n",
       "p.yaml:7:7: error: `via` is not in this release; leave it out\n"
       "p.yaml:8:7: error: `egressAddress` is not in this release; leave it out\n"
       "p.yaml:9:7: error: `intercept` is not in this release; leave it out\n"},
      {"spec:\n  delegate: {namespaces: [ci, a.b]}\n",
       "p.yaml:5:31: error: \"a.b\" is no name of a namespace; write letters, digits and `-`, or "
       "`*` "
       "for every namespace\n"
       "p.yaml:5:13: error: `delegate` has no `hosts`; add it\n"},
      {"spec:\n  delegate: {namespaces: [], hosts: [a/b], ports: [0]}\n",
       "p.yaml:5:26: error: `namespaces` is an empty list; leave it out, or fill it\n"
       "p.yaml:5:38: error: \"a/b\" has a path; write a\n"
       "p.yaml:5:52: error: \"0\" is not a port or a range of ports; write numbers from 1 to "
       "65535, as "
       "in 443 or 8000-8010\n"},
      {"spec:\n  subjects: [{user: ci}, {certificate: CN=ci}]\n  mode: report\n",
       "p.yaml:5:15: error: `user` is not in this release; say who is meant by `cidr`\n"
       "p.yaml:5:27: error: `certificate` is not in this release; say who is meant by `cidr`\n"},
      // Shapes.
      {"spec:\n",
       "p.yaml:4:1: error: `spec` is nothing, and has to be a map; write `key: value`\n"},
      {"spec: {}\n",
       "p.yaml:4:7: error: `spec` neither allows nor denies anything; add `allow` or `deny`\n"},
      {"spec: {subjects: [{cidr: 10.0.0.0/8}]}\n",
       "p.yaml:4:7: error: `spec` neither allows nor denies anything; add `allow` or `deny`\n"},
      {"spec:\n  allow: []\n",
       "p.yaml:5:10: error: `allow` is an empty list; leave it out, or fill it\n"},
      {"spec:\n  deny: []\n",
       "p.yaml:5:9: error: `deny` is an empty list; leave it out, or fill it\n"},
      {"spec:\n  subjects: []\n  mode: report\n",
       "p.yaml:5:13: error: `subjects` is an empty list; leave it out, or fill it\n"},
      {"spec:\n  subjects: [{}]\n  mode: report\n",
       "p.yaml:5:14: error: a subject that asks for nothing would be everyone; name a cidr, or "
       "leave "
       "`subjects` out for everyone\n"},
      {"spec:\n  subjects:\n  mode: report\n",
       "p.yaml:5:3: error: `subjects` is nothing, and has to be a list; begin each element with "
       "`- `\n"},
      {"spec:\n  allow: [{}]\n",
       "p.yaml:5:11: error: an allow entry has no `hosts` or `bundle`; add it\n"},
      {"spec:\n  allow: [a.example]\n",
       "p.yaml:5:11: error: an allow entry is a single value, and has to be a map; write `key: "
       "value`\n"},
      {"spec:\n  allow:\n    hosts: [a.example]\n",
       "p.yaml:6:5: error: `allow` is a map, and has to be a list; begin each element with `- `\n"},
      {"spec:\n  allow:\n    - hosts: []\n",
       "p.yaml:6:14: error: `hosts` is an empty list; leave it out, or fill it\n"},
      {"spec:\n  allow:\n    - hosts: a.example\n",
       "p.yaml:6:14: error: `hosts` is a single value, and has to be a list; write [a.example]\n"},
      {"spec:\n  allow:\n    - hosts: [[a.example]]\n",
       "p.yaml:6:15: error: an element of `hosts` is a list, and has to be a single value; write "
       "it "
       "without brackets or dashes\n"},
      {"spec:\n  allow:\n    - hosts: [~]\n",
       "p.yaml:6:15: error: an element of `hosts` is nothing, and has to be a single value; write "
       "a "
       "value\n"},
      {"spec:\n  allow:\n    - hosts: [a.example]\n      ports: 443\n",
       "p.yaml:7:14: error: `ports` is a single value, and has to be a list; write [443]\n"},
      {"spec:\n  allow:\n    - hosts: [a.example]\n      owner: [x]\n",
       "p.yaml:7:14: error: `owner` is a list, and has to be a single value; write it without "
       "brackets or dashes\n"},
      {"spec:\n  allow:\n    - hosts: [a.example]\n      owner: \"\"\n",
       "p.yaml:7:14: error: it is empty; write a value, or leave it out\n"},
      {"spec:\n  allow:\n    - hosts: [a.example]\n      reason: \"a\\nb\"\n",
       "p.yaml:7:15: error: \"a%0Ab\" holds control characters; write it on one line\n"},
      // Values.
      {"spec:\n  mode: observe\n  allow: [{hosts: [a.example]}]\n",
       "p.yaml:5:9: error: \"observe\" is none of its values; write enforce or report\n"},
      {"spec:\n  allow:\n    - hosts: [a.example]\n      sni: maybe\n      tls: on\n      ech: "
       "no\n",
       "p.yaml:7:12: error: \"maybe\" is none of its values; write require, optional or off\n"
       "p.yaml:8:12: error: \"on\" is none of its values; write require or off\n"
       "p.yaml:9:12: error: \"no\" is none of its values; write allow or deny\n"},
      {"spec:\n  allow:\n    - hosts: [a.example]\n      ports: [0, 70000, 9-8, http]\n",
       "p.yaml:7:15: error: \"0\" is not a port or a range of ports; write numbers from 1 to "
       "65535, "
       "as in 443 or 8000-8010\n"
       "p.yaml:7:18: error: \"70000\" is not a port or a range of ports; write numbers from 1 to "
       "65535, as in 443 or 8000-8010\n"
       "p.yaml:7:25: error: \"9-8\" is not a port or a range of ports; write numbers from 1 to "
       "65535, as in 443 or 8000-8010\n"
       "p.yaml:7:30: error: \"http\" is not a port or a range of ports; write numbers from 1 to "
       "65535, as in 443 or 8000-8010\n"},
      {"spec:\n  allow:\n    - hosts: [a.example]\n      methods: [get, CONNECT]\n",
       "p.yaml:7:17: error: \"get\" has lower-case letters, and methods are case-sensitive; write "
       "GET\n"
       "p.yaml:7:22: error: an entry with methods never lets a tunnel pass; leave CONNECT out\n"},
      {"spec:\n  allow:\n    - hosts: [a.example]\n      paths: [acme, \"/a?b\"]\n",
       "p.yaml:7:15: error: \"acme\" does not begin with a slash; write the path from its first /, "
       "as in /acme/\n"
       "p.yaml:7:21: error: \"/a?b\" holds what a path cannot; leave out the query, and write "
       "other "
       "octets as %XX\n"},
      {"spec:\n  allow:\n    - hosts: [a.example]\n      addresses: [10.0.0.1/8, ten]\n",
       "p.yaml:7:19: error: \"10.0.0.1/8\" has bits set beyond its prefix; write 10.0.0.0/8 or "
       "10.0.0.1\n"
       "p.yaml:7:31: error: \"ten\" is not a block of addresses; write it as in 10.0.0.0/8 or "
       "2001:db8::/32\n"},
      {"spec:\n  allow:\n    - hosts: [a.example]\n      expires: 2026-12-31\n",
       "p.yaml:7:16: error: \"2026-12-31\" is not a time of RFC 3339; write it as in "
       "2026-12-31T00:00:00Z\n"},
      {"spec:\n  allow:\n    - hosts: [a.example]\n      expires: 9999-12-31T00:00:00Z\n",
       "p.yaml:7:16: error: \"9999-12-31T00:00:00Z\" is not within the years 1970 to 2261; leave "
       "it "
       "out where nothing expires\n"},
      {"spec:\n  subjects: [{cidr: everyone}]\n  mode: report\n",
       "p.yaml:5:21: error: \"everyone\" is not a block of addresses; write it as in 10.0.0.0/8 or "
       "2001:db8::/32\n"},
      {"spec:\n  allow:\n    - hosts:\n        - a.example\n        - https://b.example\n",
       "p.yaml:8:11: error: \"https://b.example\" has a scheme; write b.example\n"},
  };
  for (const Refusal& refusal : refusals) {
    EXPECT_EQ(str(parse_spec(refusal.spec).problems), refusal.says) << refusal.spec;
  }
}

TEST(PolicyYaml, IsRefusedWhereItIsNoPolicy) {
  const std::pair<std::string, const char*> refusals[] = {
      {"", "p.yaml: error: the file holds no document; write one, or leave the file out\n"},
      {"# x\n---\n",
       "p.yaml: error: the file holds no document; write one, or leave the file out\n"},
      {".amazonaws.com, registry.hub.docker.io\n",
       "p.yaml:1:1: error: this is not a policy document; give a plain list to --allow-file, or "
       "name it *.list\n"},
      {"- a.example\n",
       "p.yaml:1:1: error: the document is a list, and has to be a map; write `key: value`\n"},
      {"apiVersion: v1\nkind: ConfigMap\ndata: {}\n",
       "p.yaml:1:13: error: `apiVersion` is \"v1\", which is no policy's; write "
       "ebbgate.dev/v1alpha1\n"},
      {"kind: NetworkPolicy\napiVersion: ebbgate.dev/v1alpha1\nspec: {}\n",
       "p.yaml:1:7: error: `kind` is \"NetworkPolicy\", which is no policy's; write "
       "EgressPolicy\n"},
      {"metadata: {name: p}\nspec: {allow: [{hosts: [a.example]}]}\n",
       "p.yaml:1:1: error: the document has no `apiVersion`; add it\n"
       "p.yaml:1:1: error: the document has no `kind`; add it\n"},
      {"apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\n"
       "metadata: {name: CI Builders, namespace: ci}\nspec: {mode: report}\n",
       "p.yaml:3:18: error: \"CI Builders\" is not a name that Kubernetes would take; write "
       "lower-case letters, digits, - and ., as in ci-builders\n"
       "p.yaml:3:31: error: `namespace` is for resources of Kubernetes, and this is a file; say "
       "who "
       "is meant in `subjects`\n"},
      {"apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {labels: {}}\n"
       "spec: {mode: report}\n",
       "p.yaml:3:11: error: `metadata` has no `name`; add it\n"},
      {std::string(kHead) + "spec: *all\n",
       "p.yaml:4:7: error: this is not YAML: the referenced anchor is not defined; check the "
       "indentation (no tabs), the quotes and the brackets\n"},
  };
  for (const auto& [text, says] : refusals) EXPECT_EQ(str(parse(text).problems), says) << text;
}

TEST(PolicyYaml, TakesLaterIdentitiesWhereTheyAreTurnedOn) {
  const DocumentOptions on{.later_identities = true};
  const ParsedDocuments parsed = parse_spec(
      "spec:\n  mode: report\n  subjects:\n"
      "    - {namespace: ci, serviceAccount: builder, podLabels: {tier: build, a: \"1\"}}\n"
      "    - {user: ci, certificate: CN=ci}\n",
      on);
  ASSERT_EQ(str(parsed.problems), "");
  const std::vector<policy::SubjectRule>& subjects = parsed.documents[0].subjects;
  EXPECT_EQ(subjects[0].pod_namespace, "ci");
  EXPECT_EQ(subjects[0].service_account, "builder");
  EXPECT_THAT(subjects[0].pod_labels, ElementsAre(std::pair("tier", "build"), std::pair("a", "1")));
  EXPECT_EQ(subjects[1].user, "ci");
  EXPECT_EQ(subjects[1].certificate, "CN=ci");
  EXPECT_EQ(
      str(parse_spec("spec:\n  mode: report\n  subjects: [{podLabels: {a: b}}]\n", on).problems),
      "p.yaml:6:14: error: `serviceAccount` and `podLabels` need `namespace`; add it\n");
}

TEST(PolicyYaml, ReadsWhatIsDelegatedToNamespaces) {
  const ParsedDocuments parsed = parse_spec(
      "spec:\n  delegate:\n    namespaces: [shop, \"*\"]\n    hosts: [.example, a.test:443]\n"
      "    ports: [443, 8000-8010]\n");
  ASSERT_EQ(str(parsed.problems), "");
  const policy::Delegation& delegate = parsed.documents.at(0).delegate.value();
  EXPECT_THAT(delegate.namespaces, ElementsAre("shop", "*"));
  ASSERT_EQ(delegate.hosts.size(), 2U);
  EXPECT_EQ(delegate.hosts[1].str(), "a.test:443");
  EXPECT_EQ(delegate.hosts.position(1), (Position{7, 23}));
  EXPECT_THAT(delegate.ports,
              ElementsAre(policy::PortRange{443, 443}, policy::PortRange{8000, 8010}));
  EXPECT_EQ(delegate.position, (Position{6, 5}));
}

constexpr DocumentOptions kResources{.are_resources = true};

TEST(PolicyYaml, ReadsAResourceOfANamespace) {
  const ParsedDocuments parsed = parse(R"(apiVersion: ebbgate.dev/v1alpha1
kind: EgressPolicy
metadata:
  name: web
  namespace: shop
  uid: 0c4ba9a5-6d8b-44b4-b9a4-5d3a4e9a7a11
  resourceVersion: "4711"
  generation: 2
  creationTimestamp: "2026-01-01T00:00:00Z"
  deletionTimestamp: "2026-01-01T00:00:00Z"
  deletionGracePeriodSeconds: 0
  finalizers: [example.com/x]
  ownerReferences: [{kind: Deployment}]
  selfLink: /x
  generateName: web-
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}
  managedFields: [{manager: kubectl, fieldsV1: {"f:spec": {}}}]
spec:
  subjects:
    - serviceAccount: builder
    - podLabels: {app: web}
    - namespace: shop
  allow:
    - {hosts: [a.example], ports: [443], methods: [GET], paths: [/a/], owner: x, reason: x,
       ticket: x, expires: "2030-01-01T00:00:00Z"}
    - {bundle: quay}
  deny: [{hosts: [b.example]}]
status: {conditions: [], observedGeneration: 1}
)",
                                       kResources);
  ASSERT_EQ(str(parsed.problems), "");
  const Document& document = parsed.documents.at(0);
  EXPECT_EQ(document.resource_namespace, "shop");
  EXPECT_EQ(document.subjects.at(0).service_account, "builder");
  EXPECT_EQ(document.subjects.at(0).pod_namespace, std::nullopt) << "binding it is for delegation";
}

TEST(PolicyYaml, ReadsAResourceOfTheCluster) {
  const ParsedDocuments parsed = parse(
      "apiVersion: ebbgate.dev/v1alpha1\nkind: ClusterEgressPolicy\nmetadata: {name: all}\n"
      "spec:\n  mode: report\n  subjects: [{cidr: 10.0.0.0/8}, {namespace: ci, podLabels: {a: "
      "b}}]\n"
      "  allow: [{hosts: [a.example], sni: off, addresses: [10.9.0.0/24]}]\n"
      "  delegate: {namespaces: [shop], hosts: [.example]}\n",
      kResources);
  EXPECT_EQ(str(parsed.problems), "");
  EXPECT_EQ(parsed.documents.at(0).resource_namespace, "");
}

TEST(PolicyYaml, RefusesInANamespaceWhatOnlyTheClusterMaySay) {
  constexpr std::string_view kNot =
      " is not for a namespace to say; leave it out, or ask for a "
      "ClusterEgressPolicy\n";
  const std::string head =
      "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\n"
      "metadata: {name: p, namespace: shop}\n";
  const auto refused = [&](const std::string& key, const std::string& spec, int line, int column) {
    EXPECT_EQ(str(parse(head + spec, kResources).problems),
              "p.yaml:" + std::to_string(line) + ":" + std::to_string(column) + ": error: `" + key +
                  "`" + std::string(kNot));
  };
  for (const auto& [key, value] :
       std::initializer_list<std::pair<std::string, std::string>>{{"sni", "off"},
                                                                  {"tls", "off"},
                                                                  {"ech", "deny"},
                                                                  {"via", "http://p:1"},
                                                                  {"intercept", "true"},
                                                                  {"egressAddress", "203.0.113.1"},
                                                                  {"addresses", "[10.0.0.0/8]"}}) {
    refused(key, "spec:\n  allow:\n    - hosts: [a.example]\n      " + key + ": " + value + "\n", 7,
            7);
  }
  refused("mode", "spec:\n  mode: report\n  deny: [{hosts: [a.example]}]\n", 5, 3);
  refused("delegate", "spec:\n  delegate: {namespaces: [x], hosts: [y]}\n", 5, 3);
  for (const std::string key : {"cidr", "user", "certificate"}) {
    refused(key,
            "spec:\n  subjects:\n    - " + key + ": 10.0.0.0/8\n  deny: [{hosts: [a.example]}]\n",
            6, 7);
  }
  const std::string cluster =
      "---\napiVersion: ebbgate.dev/v1alpha1\nkind: ClusterEgressPolicy\n"
      "metadata: {name: q}\nspec: {mode: report}\n";
  EXPECT_EQ(str(parse(head + "spec: {deny: [{hosts: [x]}]}\n" + cluster, kResources).problems), "")
      << "each document by its own kind";
}

TEST(PolicyYaml, KnowsAResourcesKindByItsNamespace) {
  constexpr std::string_view kVersion = "apiVersion: ebbgate.dev/v1alpha1\n";
  constexpr std::string_view kSpec = "spec: {deny: [{hosts: [a.example]}]}\n";
  const auto says = [&](std::string_view rest) {
    return str(
        parse(std::string(kVersion) + std::string(rest) + std::string(kSpec), kResources).problems);
  };
  EXPECT_EQ(says("kind: EgressPolicy\nmetadata: {name: p}\n"),
            "p.yaml:3:11: error: an EgressPolicy of a cluster has a `namespace`; add it, or write "
            "ClusterEgressPolicy\n");
  EXPECT_EQ(says("kind: ClusterEgressPolicy\nmetadata: {name: p, namespace: x}\n"),
            "p.yaml:3:11: error: a ClusterEgressPolicy has no `namespace`; leave it out, or write "
            "EgressPolicy\n");
}

TEST(PolicyYaml, ShowsTheFirstHundredProblemsOnly) {
  std::string spec = "spec:\n  allow:\n    - hosts:\n";
  for (int i = 0; i < 250; ++i) spec += "        - a/b\n";
  const ParsedDocuments parsed = parse_spec(spec);
  ASSERT_EQ(parsed.problems.size(), 101U);
  EXPECT_EQ(policy::str(parsed.problems.back()), "p.yaml: error: there are 150 more problems");
}

}  // namespace
}  // namespace ebbgate::config
