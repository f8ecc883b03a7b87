#include "config/detail/yaml.h"

#include <gtest/gtest.h>

#include "config/settings.h"

namespace ebbgate::config::detail {
namespace {

// The tree in one line: lists in [], maps in {}, quoted scalars in "", null as ~.
std::string shown(const Value& value) {
  std::string out;
  switch (value.kind()) {
    case NodeKind::kNull:
      return "~";
    case NodeKind::kPlain:
      return std::string(value.text());
    case NodeKind::kQuoted:
      return '"' + std::string(value.text()) + '"';
    case NodeKind::kList:
      for (const Value& item : value.children()) out += (out.empty() ? "" : ",") + shown(item);
      return "[" + out + "]";
    case NodeKind::kMap:
      for (const auto& [key, member] : value.members()) {
        out += (out.empty() ? "" : ",") + shown(key) + ":" + shown(member);
      }
      return "{" + out + "}";
  }
  return out;
}

TEST(Yaml, IsReadIntoATree) {
  const std::pair<const char*, const char*> cases[] = {
      {"a: 1\nb: [x, 'y', \"z\", ~]\n", "{a:1,b:[x,\"y\",\"z\",~]}"},
      {"a:\n  - b: c\n    d: e\n  - f\n", "{a:[{b:c,d:e},f]}"},
      {"a:\nb: {}\nc: []\n", "{a:~,b:{},c:[]}"},
      {"{\"a\": [1, {\"b\": null}]}", "{\"a\":[1,{\"b\":~}]}"},
      {"a: |\n  one\n  two\n", "{a:\"one\ntwo\n\"}"},
      {"--- a\n---\n# nothing\n---\nb\n...\n", "a b"},
      {"\xef\xbb\xbf"
       "a: ü\n",
       "{a:ü}"},
      {"a: b\r\nc: d\r\n", "{a:b,c:d}"},
      {"", ""},
      {"# only\n---\n", ""},
  };
  for (const auto& [text, tree] : cases) {
    const auto yaml = Yaml::parse(text, "f");
    ASSERT_TRUE(yaml) << text << str(yaml.error());
    std::string all;
    for (const Value& root : yaml->documents()) all += (all.empty() ? "" : " ") + shown(root);
    EXPECT_EQ(all, tree) << text;
  }
}

TEST(Yaml, KnowsWhereEverythingStands) {
  const auto yaml = Yaml::parse("a: 1\nbc:\n  - x\n  - {y: z}\nd:\n", "f");
  const Value root = yaml->documents().at(0);
  EXPECT_EQ(root.position(), (policy::Position{1, 1}));
  EXPECT_EQ(root.members()[1].first.position(), (policy::Position{2, 1}));
  const std::vector<Value> list = root.members()[1].second.children();
  EXPECT_EQ(list[0].position(), (policy::Position{3, 5}));
  EXPECT_EQ(list[1].members()[0].second.position(), (policy::Position{4, 9}));
  EXPECT_EQ(root.members()[2].second.position(), (policy::Position{5, 1}));  // nothing: its key
}

TEST(Yaml, IsRefusedWhereItIsDangerousOrBroken) {
  const std::string not_yaml = "check the indentation (no tabs), the quotes and the brackets\n";
  const std::pair<std::string, std::string> cases[] = {
      {"a: &x 1\n", "f:1:4: error: an anchor (&); write the value out where it is needed\n"},
      {"a: &x 1\nb: *x\n",
       "f:1:4: error: an anchor (&); write the value out where it is needed\n"
       "f:2:4: error: an alias (*); write out what it stands for\n"},
      {"a: !!str 1\n", "f:1:4: error: a tag (tag:yaml.org,2002:str); remove it\n"},
      {"a: !x [1]\n", "f:1:4: error: a tag (!x); remove it\n"},
      {"a: 1\nb: 2\na: 3\n", "f:3:1: error: the key \"a\" is given twice; remove one of them\n"},
      {"a: 1\n\"a\": 3\n", "f:2:1: error: the key \"a\" is given twice; remove one of them\n"},
      {"[a]: 1\n", "f:1:1: error: a key has to be text, and this is a list; write `key: value`\n"},
      {"a: 1\n\tb: 2\n",
       "f:2:1: error: this is not YAML: illegal tab when looking for indentation; " + not_yaml},
      {"a: [1\n", "f:2:1: error: this is not YAML: end of sequence flow not found; " + not_yaml},
      {",\n", "f:1:1: error: this is not YAML: nothing can stand here; " + not_yaml},
      {"a: 1\n---\n&a,b 1\n",
       "f:3:1: error: an anchor (&); write the value out where it is "
       "needed\nf:3:3: error: this is not YAML: nothing can stand here; " +
           not_yaml},
      {"a: b: c\n", "f:1:5: error: this is not YAML: illegal map value; " + not_yaml},
      {std::string("a: 1\n\x04\nb: 2\n"), "f:2:1: error: a control character (%04); remove it\n"},
      {std::string("a: 1\0b", 6), "f:1:5: error: a control character (%00); remove it\n"},
      {"\xff\xfe"
       "a",
       "f:1:1: error: this is not UTF-8; save the file as UTF-8\n"},
      {"a: \xc0\xaf\n", "f:1:4: error: this is not UTF-8; save the file as UTF-8\n"},
      {"a: \xed\xa0\x80\n", "f:1:4: error: this is not UTF-8; save the file as UTF-8\n"},
      {"a: \xe2\x82", "f:1:4: error: this is not UTF-8; save the file as UTF-8\n"},
      {std::string(33, '[') + std::string(33, ']'),
       "f:1:33: error: more than 32 levels; nest less deeply\n"},
      // yaml-cpp takes each of these for the beginning of a key, too.
      {std::string(100'000, '['), "f:1:17: error: more than 32 levels; nest less deeply\n"},
      {std::string(kMaxYamlSize + 1, '#'),
       "f: error: more than 16 MiB of YAML; split the file, or write the names as plain lists\n"},
  };
  for (const auto& [text, says] : cases) {
    const auto yaml = Yaml::parse(text, "f");
    ASSERT_FALSE(yaml) << text;
    EXPECT_EQ(str(yaml.error()), says);
  }
}

TEST(Yaml, HasRoomForThirtyTwoLevels) {
  EXPECT_TRUE(Yaml::parse(std::string(32, '[') + std::string(32, ']'), "f"));
}

// A bomb of keys may not cost the square of their number.
TEST(Yaml, FindsTheSameKeyAmongManyInTime) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "k" + std::to_string(i) + ": 1\n";
  EXPECT_TRUE(Yaml::parse(text, "f"));
  const auto yaml = Yaml::parse(text + "k77777: 2\n", "f");
  ASSERT_FALSE(yaml);
  EXPECT_EQ(str(yaml.error()),
            "f:100001:1: error: the key \"k77777\" is given twice; remove one of them\n");
}

}  // namespace
}  // namespace ebbgate::config::detail
