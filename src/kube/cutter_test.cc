#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kube/detail/cutter.h"
#include "kube/detail/scan.h"

namespace ebbgate::kube::detail {
namespace {

constexpr std::size_t kMax = 200;

struct Cut {
  std::vector<std::string> objects;
  std::string envelope;
  bool is_whole = false;
  bool is_refused = false;
  bool operator==(const Cut&) const = default;
};

// Feeds the text in pieces that end at the places given.
template <typename Cutter>
Cut cut(const std::string& text, const std::vector<std::size_t>& ends) {
  Cut out;
  Cutter cutter(kMax);
  const TakeObject take = [&](std::string_view object) {
    out.objects.emplace_back(object);
    return true;
  };
  std::size_t begin = 0;
  for (std::size_t end : ends) {
    // A copy, so that a piece that is used for too long is noticed.
    const std::string piece = text.substr(begin, end - begin);
    begin = end;
    if (!cutter.feed(piece, take)) {
      out.is_refused = true;
      return out;
    }
  }
  if constexpr (std::is_same_v<Cutter, ListCutter>) {
    out.envelope = cutter.envelope();
    out.is_whole = cutter.is_whole();
  } else {
    out.is_whole = cutter.is_between();
  }
  return out;
}

template <typename Cutter>
void expect_same_in_pieces(const std::string& text) {
  const Cut whole = cut<Cutter>(text, {text.size()});
  for (std::size_t at = 0; at <= text.size(); ++at) {
    EXPECT_EQ(cut<Cutter>(text, {at, text.size()}), whole) << text << " at " << at;
  }
  std::vector<std::size_t> each;
  for (std::size_t at = 1; at <= text.size(); ++at) each.push_back(at);
  EXPECT_EQ(cut<Cutter>(text, each), whole) << text;
}

TEST(ListCutter, GivesItemsAndKeepsWhatIsAround) {
  const struct {
    const char* text;
    std::vector<std::string> items;
    const char* envelope;
  } cases[] = {
      {R"({"items":[]})", {}, R"({"items":[]})"},
      {R"({"items":null,"kind":"L"})", {}, R"({"items":null,"kind":"L"})"},
      {R"({"kind":"L","items":[{"a":1},{"b":"}]\"{"}],"metadata":{"x":[{}]}})",
       {R"({"a":1})", R"({"b":"}]\"{"})"},
       R"({"kind":"L","items":[],"metadata":{"x":[{}]}})"},
      {" { \"items\" : [ {} , {\"a\":{\"items\":[{}]}}\n]\t}\n",
       {"{}", R"({"a":{"items":[{}]}})"},
       "{ \"items\" : []\t}"},
      {R"({"x":"items","y":[1],"\\":2,"items":[{"q":"\\"}]})",
       {R"({"q":"\\"})"},
       R"({"x":"items","y":[1],"\\":2,"items":[]})"},
      {R"({"metadata":{"items":[{}]}})", {}, R"({"metadata":{"items":[{}]}})"},
  };
  for (const auto& each : cases) {
    const std::string text = each.text;
    const Cut out = cut<ListCutter>(text, {text.size()});
    EXPECT_FALSE(out.is_refused) << text;
    EXPECT_TRUE(out.is_whole) << text;
    EXPECT_EQ(out.objects, each.items) << text;
    EXPECT_EQ(out.envelope, each.envelope) << text;
    expect_same_in_pieces<ListCutter>(text);
  }
}

TEST(ListCutter, RefusesWhatIsNoList) {
  const std::string cases[] = {
      "[]",
      "x",
      R"({"items":[1]})",
      R"({"items":[{}{}]})",
      R"({"items":[,{}]})",
      R"({"items":[{},]})",
      R"({"items":[{},,{}]})",
      R"({"items":[{}],"items":[]})",
      R"({"items":[]}{)",
      R"({"items":[{"a":")" + std::string(kMax, 'x') + "\"}]}",
      R"({"k":")" + std::string(70'000, 'x') + "\"}",
  };
  for (const std::string& text : cases) {
    EXPECT_TRUE(cut<ListCutter>(text, {text.size()}).is_refused) << text.substr(0, 60);
    if (text.size() < 1000) expect_same_in_pieces<ListCutter>(text);
  }
}

TEST(ListCutter, KnowsThatAListIsCutShort) {
  const std::string text = R"({"kind":"L","items":[{"a":1},{"b":2}],"metadata":{}})";
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(cut<ListCutter>(text.substr(0, size), {size}).is_whole) << size;
  }
}

TEST(SequenceCutter, GivesOneEventAfterTheOther) {
  const struct {
    const char* text;
    std::vector<std::string> objects;
    bool is_between;
  } cases[] = {
      {"", {}, true},
      {"\n\n", {}, true},
      {"{\"a\":[{}]}\n{}\n", {"{\"a\":[{}]}", "{}"}, true},
      {"{}{}", {"{}", "{}"}, true},
      {"{\"a\":\"\\\\\\\"}\"}{", {"{\"a\":\"\\\\\\\"}\"}"}, false},
  };
  for (const auto& each : cases) {
    const std::string text = each.text;
    const Cut out = cut<SequenceCutter>(text, {text.size()});
    EXPECT_FALSE(out.is_refused) << text;
    EXPECT_EQ(out.objects, each.objects) << text;
    EXPECT_EQ(out.is_whole, each.is_between) << text;
    expect_same_in_pieces<SequenceCutter>(text);
  }
  for (const char* text : {"x", "[]", "{}]", "\"a\"", "{} 1"}) {
    EXPECT_TRUE(cut<SequenceCutter>(text, {std::string(text).size()}).is_refused) << text;
  }
  const std::string giant = "{\"a\":\"" + std::string(kMax, 'x') + "\"}";
  EXPECT_TRUE(cut<SequenceCutter>(giant, {giant.size()}).is_refused);
  EXPECT_TRUE(cut<SequenceCutter>(giant, {100, giant.size()}).is_refused);
}

TEST(SequenceCutter, StopsWhereNoMoreIsWanted) {
  SequenceCutter cutter(kMax);
  int count = 0;
  const auto more = cutter.feed("{}{}{}", [&](std::string_view) { return ++count < 2; });
  EXPECT_EQ(more, false);
  EXPECT_EQ(count, 2);
}

TEST(Scan, ShowsEachScalarWithItsKeys) {
  std::string shown;
  const bool is_json = scan(R"({"a":{"b":["x",{"c":"y"}],"d":true},"e":1,"f":null})",
                            [&](Path path, const Scalar& value) {
                              for (const std::string& key : path) shown += "/" + key;
                              if (value.text) shown += "=" + std::string(*value.text);
                              if (value.is_true) shown += "!";
                              shown += " ";
                            });
  EXPECT_TRUE(is_json);
  EXPECT_EQ(shown, "/a/b/=x /a/b//c=y /a/d! /e /f ");
  const auto ignore = [](Path, const Scalar&) {};
  EXPECT_TRUE(scan(R"({"a":{"b":{"c":{"d":{"e":{"f":{"g":[[[1]]]}}}}}}})", ignore));
  for (const char* text : {"", "{", "{}x", R"({"a":)", "{\"a\":\"\xff\"}", "nul"}) {
    EXPECT_FALSE(scan(text, ignore)) << text;
  }
}

TEST(Member, IsTheRawTextOfAValue) {
  const std::string text = R"({ "a" : {"b":[1,2]} , "c":"x,}\"","d": 5 , "b":true})";
  EXPECT_EQ(member(text, "a"), R"({"b":[1,2]})");
  EXPECT_EQ(member(text, "c"), R"("x,}\"")");
  EXPECT_EQ(member(text, "d"), "5");
  EXPECT_EQ(member(text, "b"), "true");
  EXPECT_EQ(member(text, "x"), "");
  EXPECT_EQ(member("{}", "x"), "");
}

TEST(Event, HasATypeAndAnObject) {
  const auto event =
      read_event(R"({"type":"ADDED","object":{"metadata":{"resourceVersion":"7"},"x":[]}})");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->type, "ADDED");
  EXPECT_EQ(event->version, "7");
  EXPECT_EQ(event->object, R"({"metadata":{"resourceVersion":"7"},"x":[]})");
  for (const char* text : {"{}", R"({"type":"ADDED"})", R"({"type":"ADDED","object":1})",
                           R"({"type":1,"object":{}})", R"({"object":{}})", "[]"}) {
    EXPECT_FALSE(read_event(text)) << text;
  }
}

TEST(Time, IsTheFormOfTheApi) {
  const auto at = [](std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); };
  EXPECT_EQ(parse_time("1970-01-01T00:00:00Z"), at(0));
  EXPECT_EQ(parse_time("2026-11-24T10:57:50Z"), at(1'795'517'870));
  EXPECT_EQ(parse_time("2026-11-24T10:57:50.123456Z"), at(1'795'517'870));
  for (const char* text : {"", "2026-11-24", "2026-11-24T10:57:50", "2026-11-24T10:57:50+01:00",
                           "2026-13-24T10:57:50Z", "2026-02-30T10:57:50Z", "2026-11-24T24:57:50Z",
                           "2026-11-24 10:57:50Z", "2026-11-24T10:57:50.Z", "9999-11-24T10:57:50Z",
                           "x026-11-24T10:57:50Z"}) {
    EXPECT_EQ(parse_time(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace ebbgate::kube::detail
