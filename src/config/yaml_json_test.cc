#include "config/yaml_json.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ebbgate::config {
namespace {

using Texts = std::vector<std::string>;

TEST(YamlAsJson, WritesEachDocumentAsKubernetesReadsIt) {
  const std::vector<std::pair<std::string, Texts>> cases = {
      {"", {}},
      {"# nothing\n---\n", {}},
      {"a: 1\n---\nb: [x, 'y']\n", {R"({"a":1})", R"({"b":["x","y"]})"}},
      {R"(v: ["1", 1, -2, 1.5, true, "true", ~, null, 10.0.0.0/16, 1.34.2, 25%, no, 0x10])",
       {R"({"v":["1",1,-2,1.5,true,"true",null,null,"10.0.0.0/16","1.34.2","25%","no","0x10"]})"}},
      {"text: |\n  one\n  two\nfolded: >-\n  a\n  b\nempty: ''\nnone:\n",
       {R"({"text":"one\ntwo\n","folded":"a b","empty":"","none":null})"}},
      {"a: &x {k: [v]}\nb: *x\n", {R"({"a":{"k":["v"]},"b":{"k":["v"]}})"}},
      {"1: one\ntrue: two\n", {R"({"1":"one","true":"two"})"}},
      {"5", {"5"}},
  };
  for (const auto& [yaml, json] : cases) {
    const auto read = yaml_as_json(yaml);
    ASSERT_TRUE(read) << yaml << read.error().detail;
    EXPECT_EQ(json, *read) << yaml;
  }
}

TEST(YamlAsJson, RefusesWhatItWouldHaveToGuess) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a: [1\nb: 2\n", "line "},
      {"a: 1\nb: !!binary aGk=\n", "line 2: a tag"},
      {"a: &x {k: v}\nb:\n  <<: *x\n", "line 3: a merge key"},
      {"? [a]\n: b\n", "line 1: a key that is no text"},
      {"a: *nobody\n", "line 1"},
  };
  for (const auto& [yaml, message] : cases) {
    const auto read = yaml_as_json(yaml);
    ASSERT_FALSE(read) << yaml;
    EXPECT_EQ(0U, read.error().detail.find(message)) << read.error().detail;
  }
}

TEST(YamlAsJson, EndsWhereAliasesGrowBeyondAllMeasure) {
  std::string yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    std::string list = before;
    for (int j = 1; j < 10; ++j) list += ", " + before;
    yaml += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + list + "]\n";
  }
  const auto read = yaml_as_json(yaml);
  ASSERT_FALSE(read);
  EXPECT_NE(std::string::npos, read.error().detail.find("too much"));
}

}  // namespace
}  // namespace ebbgate::config
