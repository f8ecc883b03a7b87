// The tables of the keys, and the reading by them.
#include "config/policy_tests.h"

#include <array>
#include <filesystem>
#include <memory>
#include <utility>

#include "config/detail/key.h"
#include "config/detail/rows.h"
#include "config/detail/yaml.h"

namespace ebbgate::config {
namespace detail {
namespace {

// A case while it is read: a pod is a value that is complete only at the end.
struct Draft {
  PolicyCase made;
  policy::Pod pod;
  bool has_pod = false;
};

Parsed<policy::Verdict> verdict(std::string_view text) {
  return word<policy::Verdict>(text, std::array<std::string_view, 3>{"allow", "deny", "report"});
}

Parsed<Reason> reason(std::string_view text) {
  if (const auto found = reason_of(text)) return *found;
  return std::unexpected(Fault{quoted(text) + " is no reason", "docs/reasons.md has them"});
}

Parsed<std::string> pattern(std::string_view text) {
  auto parsed = policy::Pattern::parse(text);
  if (parsed) return parsed->str();
  return std::unexpected(Fault{parsed.error().message, parsed.error().fix});
}

Parsed<IpAddress> address(std::string_view text) {
  if (const auto parsed = IpAddress::parse(text)) return *parsed;
  return std::unexpected(Fault{quoted(text) + " is no address", "write one as in 10.64.8.3"});
}

Parsed<Hostname> server_name(std::string_view text) {
  auto parsed = Hostname::parse(text);
  if (parsed) return *std::move(parsed);
  return std::unexpected(Fault{quoted(text) + " is no host name", "write one"});
}

// A row that puts one value somewhere into the case.
template <Name kName, auto kParse, auto kPut>
void put(Reader& reader, const Value& value, Draft& draft) {
  take<kParse>(reader, value, kName.shown(), [&](auto parsed) { kPut(draft, std::move(parsed)); });
}

void read_resolves(Reader& reader, const Value& value, Draft& draft) {
  if (!reader.want_list(value, "`resolves`")) return;
  policy::Lookup& lookup = draft.made.inquiry.lookup.emplace();
  for (const Value& item : value.children()) {
    take<address>(reader, item, "an element of `resolves`",
                  [&](const IpAddress& each) { lookup.addresses.push_back(each); });
  }
}

constexpr std::array kCaseKeys =
    std::to_array<Key<Draft>>(
        {
            {{.name = "name"},
             put<"name", parse_text,
                 [](Draft& draft, std::string name) { draft.made.name = std::move(name); }>},
            {{.name = "target", .is_required = true},
             put<"target", parse_text,
                 [](Draft& draft, std::string to) { draft.made.inquiry.target = std::move(to); }>},
            {{.name = "expect", .is_required = true},
             put<"expect", verdict,
                 [](Draft& draft, policy::Verdict it) { draft.made.expect = it; }>},
            {{.name = "from"},
             put<"from", address,
                 [](Draft& draft, IpAddress from) { draft.made.inquiry.subject.address = from; }>},
            {{.name = "user"},
             put<"user", parse_text,
                 [](Draft& draft, std::string user) {
                   draft.made.inquiry.subject.user = std::move(user);
                 }>},
            {{.name = "namespace"},
             put<"namespace", parse_text,
                 [](Draft& draft, std::string name) {
                   draft.pod.pod_namespace = std::move(name);
                   draft.has_pod = true;
                 }>},
            {{.name = "serviceAccount"},
             put<"serviceAccount", parse_text,
                 [](Draft& draft, std::string name) {
                   draft.pod.service_account = std::move(name);
                   draft.has_pod = true;
                 }>},
            {{.name = "method"},
             put<"method", parse_text,
                 [](Draft& draft, std::string method) {
                   draft.made.inquiry.method = std::move(method);
                 }>},
            {{.name = "sni"},
             put<"sni", server_name,
                 [](Draft& draft, Hostname name) {
                   draft.made.inquiry.handshake =
                       policy::Handshake{.is_tls = true, .server_name = std::move(name)};
                 }>},
            {{.name = "resolves"}, read_resolves},
            {{.name = "at"},
             put<"at", parse_time, [](Draft& draft, WallTime at) { draft.made.at = at; }>},
            {{.name = "reason"},
             put<"reason", reason, [](Draft& draft, Reason why) { draft.made.reason = why; }>},
            {{.name = "rule"},
             put<"rule", pattern,
                 [](Draft& draft, std::string rule) { draft.made.rule = std::move(rule); }>},
            {{.name = "document"},
             put<"document", parse_text,
                 [](Draft& draft, std::string name) { draft.made.document = std::move(name); }>},
        });

void read_cases(Reader& reader, const Value& value, PolicyTests& tests) {
  if (!reader.want_list(value, "`cases`")) return;
  for (const Value& item : value.children()) {
    Draft draft;
    draft.made.position = item.position();
    reader.object<Draft>(item, "a case", kCaseKeys, draft);
    if (draft.has_pod) {
      draft.made.inquiry.subject.pod = std::make_shared<const policy::Pod>(std::move(draft.pod));
    }
    if (draft.made.name.empty()) draft.made.name = draft.made.inquiry.target;
    tests.cases.push_back(std::move(draft.made));
  }
}

constexpr std::array kTestKeys = std::to_array<Key<PolicyTests>>({
    {{.name = "policy"}, list<"policy", &PolicyTests::policies, parse_text>},
    {{.name = "cases", .is_required = true}, read_cases},
});

}  // namespace
}  // namespace detail

PolicyTests parse_policy_tests(std::string_view text, const std::string& file) {
  PolicyTests tests;
  tests.file = file;
  const auto yaml = detail::Yaml::parse(text, file);
  if (!yaml) {
    tests.problems = yaml.error();
    return tests;
  }
  const DocumentOptions options;
  detail::Reader reader(tests.file, options);
  const std::vector<detail::Value> roots = yaml->documents();
  for (const detail::Value& root : roots) {
    reader.object<PolicyTests>(root, "the file", detail::kTestKeys, tests);
  }
  if (roots.empty()) reader.error({}, "the file holds no cases", "write `cases:`");
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  for (std::string& each : tests.policies) each = (folder / each).string();
  tests.problems = reader.take_problems();
  return tests;
}

}  // namespace ebbgate::config
