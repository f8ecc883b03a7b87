// The pages of docs/ that people look words up in have every word, and no other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "base/reason.h"
#include "config/crd.h"
#include "config/detail/setting_table.h"
#include "config/document_yaml.h"
#include "config/settings.h"

namespace ebbgate::config {
namespace {

std::string page(const std::string& name) {
  return read_file(std::string(EBBGATE_SOURCE_DIR) + "/docs/" + name).value_or("");
}

// The first group of each match, in order.
std::vector<std::string> found(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern, std::regex::ECMAScript | std::regex::multiline);
  std::vector<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) {
    out.push_back((*it)[1]);
  }
  return out;
}

std::vector<std::string> with_flags_only(std::vector<std::string> names) {
  names.insert(names.end(), {"config", "help"});
  return names;
}

TEST(ConfigurationPage, HasTheSettingsOfTheHelpInItsOrderWithTheirDefaults) {
  std::vector<std::string> names;
  std::vector<std::string> rows;
  for (const detail::Setting& setting : detail::setting_table()) {
    names.emplace_back(setting.name);
    std::string row = "| `--" + std::string(setting.name);
    const std::string value(setting.value);
    if (!value.empty()) row += setting.implied.empty() ? " " + value : " [" + value + "]";
    for (std::size_t at = row.find('|', 1); at != std::string::npos; at = row.find('|', at + 2)) {
      row.insert(at, "\\");
    }
    row += setting.repeat == detail::Repeat::kList ? "` * | " : "` | ";
    // What could be written stands in ticks.
    const std::string fallback(setting.fallback);
    const bool is_prose = fallback.contains(' ') || fallback == "none" || setting.name == "ca-file";
    rows.push_back(row + (is_prose ? fallback : "`" + fallback + "`") + " | ");
  }
  names = with_flags_only(std::move(names));
  const std::string text = page("configuration.md");
  EXPECT_EQ(found(text, "^\\| `--([a-z0-9-]+)"), names);
  const std::string help = run_help();
  EXPECT_EQ(found(help.substr(0, help.find("Not in this release")), "^  --([a-z0-9-]+)"), names);
  for (const std::string& row : rows) EXPECT_THAT(text, ::testing::HasSubstr("\n" + row));
}

TEST(ConfigurationPage, NamesWhatIsNotInThisRelease) {
  const std::string text = page("configuration.md");
  const std::string section = text.substr(text.find("\n## Not in this release"));
  std::set<std::string> later;
  for (const detail::LaterSetting& setting : detail::later_settings()) {
    later.emplace(setting.name);
  }
  const std::vector<std::string> named = found(section, "`--([a-z-]+)`");
  EXPECT_EQ(std::set<std::string>(named.begin(), named.end()), later);
}

TEST(ReasonsPage, HasASectionForEachReasonInTheOrderOfTheTable) {
  std::vector<std::string> words;
  for (const ReasonInfo& reason : kReasons) words.emplace_back(reason.word);
  const std::string text = page("reasons.md");
  EXPECT_EQ(found(text, "^## (.*)$"), words);
}

TEST(ReasonsPage, TellsTheStatusAndWhetherReportModeRelaxesIt) {
  const std::string text = page("reasons.md");
  for (const ReasonInfo& reason : kReasons) {
    if (reason.reason == Reason::kAllowed) continue;
    const std::size_t begin = text.find("\n## " + std::string(reason.word) + "\n");
    ASSERT_NE(begin, std::string::npos) << reason.word;
    const std::string section = text.substr(begin, text.find("\n#", begin + 1) - begin);
    EXPECT_EQ(section.contains("**report**"), reason.relaxable) << reason.word;
    if (reason.status != 0) {
      EXPECT_THAT(section, ::testing::HasSubstr(std::to_string(reason.status))) << reason.word;
    }
  }
}

TEST(SchemaPage, IsWhatTheParserIsDescribedBy) {
  EXPECT_EQ(page("schema/egresspolicy.json"), json_schema())
      << "write what `ebbgate check --schema` prints to docs/schema/egresspolicy.json";
}

TEST(ResourceDefinitions, AreWhatTheParserIsDescribedBy) {
  const std::string folder = std::string(EBBGATE_SOURCE_DIR) + "/deploy/kubernetes/base/crds/";
  for (const auto& [scope, name] :
       {std::pair(ResourceScope::kCluster, "clusteregresspolicies.yaml"),
        std::pair(ResourceScope::kNamespaced, "egresspolicies.yaml")}) {
    EXPECT_EQ(read_file(folder + name).value_or(""), custom_resource_definition(scope))
        << "write what `ebbgate kube manifests --part crds` prints to deploy/kubernetes/base/crds";
  }
}

}  // namespace
}  // namespace ebbgate::config
