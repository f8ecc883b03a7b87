#include "config/load_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "policy/decide.h"

namespace ebbgate::config {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class LoadPolicy : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "load_policy_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { fs::remove_all(directory_); }

  // Writes a file of the test's directory; its path.
  std::string write(const std::string& name, std::string_view text) {
    const fs::path path = directory_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }

  [[nodiscard]] std::string path(const std::string& name) const {
    return (directory_ / name).string();
  }

  // The problems, with the test's directory as D.
  [[nodiscard]] std::string shown(const LoadedPolicy& loaded) const {
    std::string text = str(loaded.problems);
    for (std::size_t at; (at = text.find(directory_.string())) != std::string::npos;) {
      text.replace(at, directory_.string().size(), "D");
    }
    return text;
  }

  fs::path directory_;
};

std::string policy_named(const std::string& name, const std::string& host) {
  return "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {name: " + name +
         "}\nspec: {allow: [{hosts: [" + host + "]}]}\n";
}

// "yes" and "no" for whether each name is let pass on 443.
std::string allowed(const LoadedPolicy& loaded, const std::vector<const char*>& names) {
  if (loaded.policy == nullptr) return "there is no policy";
  std::string out;
  for (const char* name : names) {
    const Host host = Host::parse(name).value();
    const policy::Request request{.host = host, .port = kHttpsPort};
    const auto decision = policy::decide(*loaded.policy, {}, request, WallTime());
    if (!out.empty()) out += ' ';
    out += decision.verdict == policy::Verdict::kDeny ? "no" : "yes";
  }
  return out;
}

TEST_F(LoadPolicy, AddsUpFlagsListsFilesAndDirectories) {
  policy::Document flags;
  flags.name = flags.file = "--allow";
  flags.allow.emplace_back().hosts.add(*policy::Pattern::parse("flag.example"));
  Settings settings;
  settings.allow = flags;
  settings.allow_files = {write("plain.txt", "list.example, other.example\n")};
  settings.policies = {write("one.yaml", policy_named("one", "one.example")), path("more")};
  write("more/a.yaml", policy_named("a", "a.example"));
  write("more/b.yml", policy_named("b", "b.example"));
  write("more/c.list", "c.example\n");
  write("more/.hidden.yaml", "not: a policy");
  write("more/README.md", "not a policy");
  write("more/deeper/d.yaml", "not: a policy");
  const LoadedPolicy loaded = load_policy(settings);
  ASSERT_EQ(shown(loaded), "");
  EXPECT_EQ(loaded.policy->documents().size(), 6U);
  EXPECT_EQ(allowed(loaded, {"flag.example", "list.example", "other.example", "one.example",
                             "a.example", "b.example", "c.example", "d.example"}),
            "yes yes yes yes yes yes yes no");
}

TEST_F(LoadPolicy, TakesTheSettingsThatDecisionsGoBy) {
  Settings settings;
  settings.allow_files = {write("a.list", "a.example")};
  settings.allow_ports = {{8443, 8443}};
  settings.sni = policy::SniRule::kOptional;
  settings.report_only = true;
  const LoadedPolicy loaded = load_policy(settings, 7);
  const policy::PolicySettings& taken = loaded.policy->settings();
  EXPECT_EQ(taken.default_ports, settings.allow_ports);
  EXPECT_EQ(taken.sni, policy::SniRule::kOptional);
  EXPECT_TRUE(taken.report_only);
  EXPECT_EQ(taken.hash_seed, 7U);
}

TEST_F(LoadPolicy, TellsEveryProblemOfEveryFileAtOnce) {
  Settings settings;
  settings.allow_files = {write("a.list", "*.ok.example\nhttps://b.example\n"), path("none.list")};
  settings.policies = {write("c.yaml", "kind: [\n"), path("none.yaml"), path("empty")};
  fs::create_directory(directory_ / "empty");
  const LoadedPolicy loaded = load_policy(settings);
  EXPECT_EQ(loaded.policy, nullptr);
  EXPECT_EQ(loaded.version, "");
  EXPECT_EQ(
      shown(loaded),
      "D/a.list:2:1: error: \"https://b.example\" has a scheme; write b.example\n"
      "D/none.list: error: it cannot be read: No such file or directory; name a file that the "
      "gateway may read\n"
      "D/c.yaml:2:1: error: this is not YAML: end of sequence flow not found; check the "
      "indentation "
      "(no tabs), the quotes and the brackets\n"
      "D/none.yaml: error: it cannot be read: No such file or directory; name a file that the "
      "gateway may read\n"
      "D/empty: error: the directory holds no policy; put files *.yaml, *.yml or *.list there\n");
}

TEST_F(LoadPolicy, GivesTheWarningsOfTheCompilation) {
  Settings settings;
  settings.allow_files = {write("template.list", ".amazonaws.com, registry.hub.docker.io")};
  const LoadedPolicy loaded = load_policy(settings);
  EXPECT_NE(loaded.policy, nullptr);
  EXPECT_THAT(shown(loaded), StartsWith("D/template.list:1:1: warning: "));
}

TEST_F(LoadPolicy, WarnsWhereNothingIsAllowed) {
  const LoadedPolicy loaded = load_policy({});
  EXPECT_EQ(shown(loaded),
            "warning: nothing is allowed; name a policy with --policy, --allow-file or --allow\n");
  ASSERT_NE(loaded.policy, nullptr);
  EXPECT_EQ(allowed(loaded, {"a.example"}), "no");
  Settings report_only;
  report_only.report_only = true;
  EXPECT_EQ(shown(load_policy(report_only)), "");
}

TEST_F(LoadPolicy, WarnsOfDocumentsWithOneName) {
  Settings settings;
  settings.policies = {write("a.yaml", policy_named("p", "a.example")),
                       write("b.yaml", policy_named("p", "b.example"))};
  EXPECT_EQ(shown(load_policy(settings)),
            "D/b.yaml:1:1: warning: another document has the name \"p\" too, at D/a.yaml:1:1; give "
            "each its own, so that records tell them apart\n");
}

TEST_F(LoadPolicy, HasAVersionThatGoesByTheContentAlone) {
  Settings settings;
  settings.policies = {write("a.yaml", policy_named("a", "a.example"))};
  const std::string version = load_policy(settings).version;
  EXPECT_EQ(version.size(), 12U);
  EXPECT_EQ(version.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(load_policy(settings).digest.size(), 64U) << "few digits could be made to be alike";
  EXPECT_TRUE(load_policy(settings).digest.starts_with(version));

  Settings same = settings;
  same.policies = {write("elsewhere/b.yaml", policy_named("a", "a.example"))};
  same.workers = 7;
  EXPECT_EQ(load_policy(same, 99).version, version);

  write("a.yaml", policy_named("a", "b.example"));
  EXPECT_NE(load_policy(settings).version, version);
  write("a.yaml", policy_named("a", "a.example"));
  EXPECT_EQ(load_policy(settings).version, version);

  for (void (*change)(Settings&) : {+[](Settings& s) { s.report_only = true; },
                                    +[](Settings& s) { s.sni = policy::SniRule::kOff; },
                                    +[](Settings& s) { s.allow_ports = {{443, 443}}; }}) {
    Settings changed = settings;
    change(changed);
    EXPECT_NE(load_policy(changed).version, version);
  }
}

TEST_F(LoadPolicy, KeepsTheLastGoodFormOfAFileAlone) {
  Settings settings;
  settings.policies = {write("d/a.yaml", policy_named("a", "a.test")), path("d/b.yaml")};
  settings.allow_files = {write("c.list", "c.test\n")};
  const std::string b =
      write("d/b.yaml", policy_named("b", "b.test") + "---\n" + policy_named("b2", "b2.test"));
  const LoadedPolicy before = load_policy(settings);
  ASSERT_EQ(shown(before), "");
  const std::vector<const char*> names = {"a.test", "b.test", "b2.test", "c.test", "new.test"};
  EXPECT_EQ(allowed(before, names), "yes yes yes yes no");

  write("d/a.yaml", policy_named("a", "new.test"));  // a good change beside a broken file
  write("d/b.yaml", policy_named("b", "b.test/path"));
  LoadedPolicy after = load_policy(settings, 0, before);
  EXPECT_THAT(shown(after), StartsWith("D/d/b.yaml:4:"));
  EXPECT_THAT(after.kept, ::testing::ElementsAre(b));
  EXPECT_EQ(allowed(after, names), "no yes yes yes yes");
  EXPECT_NE(after.version, before.version);

  // It stays through any number of reloads, by a list as by YAML, and where a file has gone.
  write("c.list", "c.test:0\n");
  fs::remove(b);
  after = load_policy(settings, 0, after);
  EXPECT_THAT(after.kept, ::testing::ElementsAre(path("c.list"), b));
  EXPECT_EQ(allowed(after, names), "no yes yes yes yes");
  EXPECT_EQ(load_policy(settings, 0, after).version, after.version);

  write("d/b.yaml", policy_named("b", "b.test"));
  write("c.list", "c.test\n");
  after = load_policy(settings, 0, after);
  EXPECT_EQ(shown(after), "");
  EXPECT_TRUE(after.kept.empty());
  EXPECT_EQ(allowed(after, names), "no yes no yes yes");
}

TEST_F(LoadPolicy, IsInvalidWhereABrokenFileHasNoLastGoodForm) {
  Settings settings;
  settings.policies = {path("d")};
  write("d/a.yaml", policy_named("a", "a.test"));
  const LoadedPolicy before = load_policy(settings);
  ASSERT_NE(before.policy, nullptr);
  write("d/a.yaml", policy_named("a", "new.test"));
  write("d/deny.yaml", "kind: nothing\n");
  EXPECT_EQ(load_policy(settings, 0, before).policy, nullptr);
  fs::remove(path("d/deny.yaml"));  // taken out of the directory, it is no part of the policy
  EXPECT_EQ(allowed(load_policy(settings, 0, before), {"a.test", "new.test"}), "no yes");
}

TEST_F(LoadPolicy, KeepsADirectoryThatHasGoneOrIsEmpty) {
  Settings settings;
  settings.policies = {path("d"), write("other.yaml", policy_named("o", "o.test"))};
  write("d/a.yaml", policy_named("a", "a.test"));
  write("d/b.list", "b.test\n");
  write("d/sub/no.list", "no.test\n");
  const LoadedPolicy before = load_policy(settings);
  fs::remove_all(path("d"));
  write("other.yaml", policy_named("o", "new.test"));
  LoadedPolicy after = load_policy(settings, 0, before);
  EXPECT_EQ(allowed(after, {"a.test", "b.test", "o.test", "new.test"}), "yes yes no yes");
  fs::create_directories(path("d"));
  after = load_policy(settings, 0, after);
  EXPECT_EQ(after.kept.size(), 2U);
  EXPECT_EQ(allowed(after, {"a.test", "b.test", "o.test", "new.test"}), "yes yes no yes");
}

TEST_F(LoadPolicy, TakesTextsThatAreNoFilesAsFiles) {
  const Settings settings;
  LoadedPolicy loaded = load_policy(settings, 0, {},
                                    {{.name = "ssm:///list", .text = "a.test\n", .is_list = true},
                                     {.name = "s3://b/k", .text = policy_named("b", "b.test")}});
  EXPECT_EQ(allowed(loaded, {"a.test", "b.test"}), "yes yes");
  loaded = load_policy(settings, 0, loaded,
                       {{.name = "ssm:///list", .text = "a.test/\n", .is_list = true},
                        {.name = "s3://b/k", .text = policy_named("b", "new.test")}});
  EXPECT_THAT(shown(loaded), StartsWith("ssm:///list:1:"));
  EXPECT_THAT(loaded.kept, ::testing::ElementsAre("ssm:///list"));
  EXPECT_EQ(allowed(loaded, {"a.test", "b.test", "new.test"}), "yes no yes");
}

TEST_F(LoadPolicy, WarnsAWeekBeforeAnEntryExpires) {
  Settings settings;
  settings.policies = {write("a.yaml",
                             "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\n"
                             "metadata: {name: a}\nspec:\n  allow:\n"
                             "    - {hosts: [a.example], expires: 2026-06-08T00:00:00Z}\n"
                             "    - {hosts: [b.example]}\n  deny:\n"
                             "    - {hosts: [c.example], expires: 2026-06-20T00:00:00Z}\n")};
  const LoadedPolicy loaded = load_policy(settings);
  ASSERT_EQ(shown(loaded), "");
  const auto at = [&](int month, int day, int second) {
    const std::chrono::sys_days date = std::chrono::year(2026) / month / day;
    LoadedPolicy warned;
    warned.problems = expiry_warnings(*loaded.policy, date + std::chrono::seconds(second));
    return shown(warned);
  };
  EXPECT_EQ(at(6, 1, 0), "");
  EXPECT_EQ(at(6, 1, 1),
            "D/a.yaml:6:7: warning: the entry expires within a week; move its `expires`, or remove "
            "it\n");
  EXPECT_EQ(
      at(6, 8, 0),
      "D/a.yaml:6:7: warning: the entry has expired, and matches nothing; move its `expires`, "
      "or remove it\n");
  EXPECT_EQ(
      at(6, 14, 0),
      "D/a.yaml:6:7: warning: the entry has expired, and matches nothing; move its `expires`, "
      "or remove it\n"
      "D/a.yaml:9:7: warning: the entry expires within a week; move its `expires`, or remove "
      "it\n");
  const std::chrono::sys_days date = std::chrono::year(2026) / 6 / 14;
  EXPECT_EQ(count_expiries(*loaded.policy, date), (ExpiryCounts{.expiring = 1, .expired = 1}));
  EXPECT_EQ(count_expiries(*loaded.policy, date - std::chrono::days(30)), ExpiryCounts{});
}

// As the kubelet mounts one: names link through ..data, which is swapped from one revision to the
// next.
TEST_F(LoadPolicy, ReadsAMountedConfigMap) {
  write("map/..2026_01/a.yaml", policy_named("a", "first.example"));
  write("map/..2026_02/a.yaml", policy_named("a", "second.example"));
  const auto link_data = [&](const char* revision) {
    fs::create_directory_symlink(revision, directory_ / "map/..new");
    fs::rename(directory_ / "map/..new", directory_ / "map/..data");
  };
  link_data("..2026_01");
  fs::create_symlink("..data/a.yaml", directory_ / "map/a.yaml");
  Settings settings;
  settings.policies = {path("map")};
  const LoadedPolicy before = load_policy(settings);
  ASSERT_EQ(shown(before), "");
  EXPECT_EQ(before.policy->documents()[0].file, path("map/a.yaml"));
  link_data("..2026_02");
  const LoadedPolicy after = load_policy(settings);
  EXPECT_EQ(allowed(before, {"first.example", "second.example"}), "yes no");
  EXPECT_EQ(allowed(after, {"first.example", "second.example"}), "no yes");
  EXPECT_NE(before.version, after.version);
}

TEST_F(LoadPolicy, ReadsFilesOfAnySizeUpToTheLimit) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{65535}, std::size_t{65536},
                                 std::size_t{65537}, std::size_t{131072}, std::size_t{1000000}}) {
    const std::string text(size, 'x');
    EXPECT_EQ(read_file(write("f", text)), text);
  }
  EXPECT_THAT(read_file(directory_.string()).error(), HasSubstr("Is a directory"));
}

}  // namespace
}  // namespace ebbgate::config
