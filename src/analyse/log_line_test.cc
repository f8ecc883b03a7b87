#include "analyse/log_line.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "analyse/detail/json_line.h"

namespace ebbgate::analyse {
namespace {

constexpr std::string_view kJson =
    R"({"time":"2026-01-31T12:00:00.250Z","id":"a","phase":"open","count":1,"client":"10.1.2.3",)"
    R"("subject":{"kind":"address","name":"10.1.2.3"},"ech":false,"method":"CONNECT",)"
    R"("target":"api.example:443","host":"api.example","port":443,"sni":"api.example",)"
    R"("verdict":"ALLOW","reason":"allowed","address":"203.0.113.7","bytesIn":5,"bytesOut":6})";
constexpr std::string_view kSquid =
    "1795501324.331      1 10.1.2.3 TCP_TUNNEL/200 193 CONNECT API.github.com:443 - "
    "HIER_DIRECT/203.0.113.7 -";

LogEvent parse(std::string_view line) {
  static LineParser parser;
  LogEvent event;
  EXPECT_EQ(LineKind::kEvent, parser.parse(line, event)) << line;
  return event;
}

LineKind kind_of(std::string_view line) {
  LineParser parser;
  LogEvent event;
  return parser.parse(line, event);
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out(text);
  const std::size_t at = out.find(from);
  EXPECT_NE(std::string::npos, at) << from;
  return out.replace(at, from.size(), to);
}

TEST(LogLine, JsonOfOurs) {
  const LogEvent event = parse(kJson);
  EXPECT_EQ(1769860800250, event.time);
  EXPECT_EQ(Phase::kOpen, event.phase);
  EXPECT_EQ(Ending::kPassed, event.ending);
  EXPECT_EQ(Access::kTunnel, event.access);
  EXPECT_EQ(Hello::kNamesHost, event.hello);
  EXPECT_EQ("api.example", event.host);
  EXPECT_EQ(443, event.port);
  EXPECT_EQ("10.1.2.3", event.client);
  EXPECT_EQ("address", event.subject_kind);
  EXPECT_EQ("203.0.113.7", event.address);
}

TEST(LogLine, SquidNative) {
  const LogEvent event = parse(kSquid);
  EXPECT_EQ(1795501324331, event.time);
  EXPECT_EQ("api.github.com", event.host);
  EXPECT_EQ(443, event.port);
  EXPECT_EQ("10.1.2.3", event.client);
  EXPECT_EQ(Hello::kUnknown, event.hello);
  EXPECT_EQ("203.0.113.7", event.address);
  EXPECT_EQ("", event.user);
}

TEST(LogLine, WhatTheClientHelloWas) {
  const struct {
    std::string_view from, to;
    Hello hello;
  } kRows[] = {
      {R"("sni":"api.example")", R"("sni":"API.example.")", Hello::kNamesHost},
      {R"("sni":"api.example",)", "", Hello::kNamesNobody},
      {R"("sni":"api.example")", R"("sni":"other.example")", Hello::kNamesAnother},
      {R"("ech":false,)", "", Hello::kNotTls},
      {R"("verdict":"ALLOW","reason":"allowed")", R"("verdict":"REPORT","reason":"not-tls")",
       Hello::kNotTls},
      {R"("verdict":"ALLOW","reason":"allowed")", R"("verdict":"REPORT","reason":"sni-missing")",
       Hello::kNamesNobody},
      {R"("host":"api.example")", R"("host":"192.0.2.1")", Hello::kNamesHost},
      {R"("method":"CONNECT")", R"("method":"GET")", Hello::kUnknown},
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(row.hello, parse(replaced(kJson, row.from, row.to)).hello) << row.to;
  }
}

TEST(LogLine, WhatBecameOfIt) {
  const struct {
    std::string_view verdict, reason;
    Ending ending;
  } kRows[] = {
      {"ALLOW", "client-closed", Ending::kPassed},    {"REPORT", "not-allowed", Ending::kReported},
      {"DENY", "not-allowed", Ending::kDenied},       {"DENY", "denied-by-rule", Ending::kDenied},
      {"DENY", "forbidden-address", Ending::kDenied}, {"DENY", "sni-mismatch", Ending::kDenied},
      {"DENY", "dns-failed", Ending::kUnresolved},    {"DENY", "connect-failed", Ending::kPassed},
      {"DENY", "over-limit", Ending::kOther},         {"DENY", "malformed-request", Ending::kOther},
      {"DENY", "a-word-of-later", Ending::kDenied},
  };
  for (const auto& row : kRows) {
    const std::string line = replaced(kJson, R"("verdict":"ALLOW","reason":"allowed")",
                                      R"("verdict":")" + std::string(row.verdict) +
                                          R"(","reason":")" + std::string(row.reason) + '"');
    EXPECT_EQ(row.ending, parse(line).ending) << row.reason;
  }
  EXPECT_EQ(Ending::kDenied, parse(replaced(kSquid, "TCP_TUNNEL/200", "TCP_DENIED/403")).ending);
  EXPECT_EQ(Ending::kOther, parse(replaced(kSquid, "TCP_TUNNEL/200", "TCP_DENIED/407")).ending);
  EXPECT_EQ(Ending::kUnresolved,
            parse("1.000 1 ::1 NONE_NONE/503 0 CONNECT no.example:443 - HIER_NONE/- -").ending);
}

TEST(LogLine, TargetsOfSquid) {
  const struct {
    std::string_view method, target;
    LineKind kind;
    std::string_view host;
    unsigned port;
    Access access;
    std::string_view path;
  } kRows[] = {
      {"GET", "http://A.example/x?", LineKind::kEvent, "a.example", 80, Access::kClear, "/x?"},
      {"GET", "http://u:p@a.example.:8080/", LineKind::kEvent, "a.example", 8080, Access::kClear,
       "/"},
      {"GET", "https://a.example/x", LineKind::kEvent, "a.example", 443, Access::kTunnel, ""},
      {"GET", "ftp://a.example/x", LineKind::kEvent, "a.example", 21, Access::kClear, "/x"},
      {"CONNECT", "[2001:db8::1]:443", LineKind::kEvent, "[2001:db8::1]", 443, Access::kTunnel, ""},
      {"CONNECT", "a.example", LineKind::kWithoutTarget, "", 0, Access::kTunnel, ""},
      {"CONNECT", "a.example:0", LineKind::kWithoutTarget, "", 0, Access::kTunnel, ""},
      {"-", "error:invalid-request", LineKind::kWithoutTarget, "", 0, Access::kTunnel, ""},
      {"GET", "/only/a/path", LineKind::kWithoutTarget, "", 0, Access::kTunnel, ""},
  };
  for (const auto& row : kRows) {
    const std::string line = "1795501324.331  1 10.1.2.3 TCP_MISS/200 1 " +
                             std::string(row.method) + ' ' + std::string(row.target) +
                             " - HIER_DIRECT/192.0.2.1 text/html";
    LineParser parser;
    LogEvent event;
    ASSERT_EQ(row.kind, parser.parse(line, event)) << row.target;
    if (row.kind != LineKind::kEvent) continue;
    EXPECT_EQ(row.host, event.host);
    EXPECT_EQ(row.port, event.port);
    EXPECT_EQ(row.access, event.access);
    EXPECT_EQ(row.path, event.path);
  }
}

TEST(LogLine, FoldedRefusalsCountThemselves) {
  EXPECT_EQ(17U, parse(std::string(kSquid) + " count=17").count);
  EXPECT_EQ(17U, parse(replaced(kJson, R"("count":1)", R"("count":17)")).count);
  EXPECT_EQ(1U, parse(replaced(kJson, R"("count":1)", R"("count":0)")).count);
}

TEST(LogLine, WhatIsNoLineOfALog) {
  const std::string_view kLines[] = {
      "x",
      "{",
      "{}",
      "[]",
      "null",
      R"({"time":"2026-01-31T12:00:00Z"})",
      "a b c d e f g h i j",
      "1795501324.331 1 10.1.2.3 TCP_MISS 1 GET http://a/ - HIER_NONE/- -",
      "99999999999.331 1 10.1.2.3 TCP_MISS/200 1 GET http://a/ - HIER_NONE/- -",
      "1795501324.33 1 10.1.2.3 TCP_MISS/200 1 GET http://a/ - HIER_NONE/- -"};
  for (const std::string_view line : kLines) {
    EXPECT_EQ(LineKind::kUnreadable, kind_of(line)) << line;
  }
  EXPECT_EQ(LineKind::kWithoutTarget,
            kind_of(R"({"time":"2026-01-31T12:00:00Z","verdict":"DENY"})"));
}

// The fields by nlohmann's parser, the second opinion; nothing where it refuses the text.
std::optional<std::vector<std::string>> second_opinion(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  std::vector<std::string> out;
  const auto text_at = [](const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
  };
  for (const char* key : {"time", "phase", "client", "user", "method", "target", "host", "sni",
                          "verdict", "reason", "address"}) {
    out.push_back(text_at(json, key));
  }
  const auto subject = json.find("subject");
  for (const char* key : {"kind", "name", "namespace"}) {
    out.push_back(subject != json.end() && subject->is_object() ? text_at(*subject, key) : "");
  }
  const auto port = json.find("port");
  const bool is_number = port != json.end() && port->is_number_unsigned();
  out.push_back(std::to_string(is_number ? port->get<std::uint64_t>() : 0));
  const auto ech = json.find("ech");
  out.push_back(ech != json.end() && ech->is_boolean() ? (ech->get<bool>() ? "t" : "f") : "");
  return out;
}

std::optional<std::vector<std::string>> our_opinion(const std::string& text) {
  detail::JsonFields fields;
  std::string unescaped;
  if (!detail::scan_json(text, fields, unescaped)) return std::nullopt;
  std::vector<std::string> out;
  for (const std::string_view field :
       {fields.time, fields.phase, fields.client, fields.user, fields.method, fields.target,
        fields.host, fields.sni, fields.verdict, fields.reason, fields.address, fields.subject_kind,
        fields.subject_name, fields.subject_namespace}) {
    out.emplace_back(field);
  }
  out.push_back(std::to_string(fields.port));
  out.emplace_back(fields.ech ? (*fields.ech ? "t" : "f") : "");
  return out;
}

TEST(JsonLine, ReadsWhatNlohmannReads) {
  const std::string kTexts[] = {
      std::string(kJson),
      R"( { "host" : "a\u0041\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t" , "port" : 1 } )",
      R"({"host":5,"port":"443","ech":"true","subject":[1,{"a":null}],"x":{"host":"no"}})",
      R"({"subject":{"kind":"pod","name":"p","x":[[],{}],"namespace":"n"},"subject":{"name":"q"}})",
      R"({"host":"first","host":"second","port":-0.5e+3,"y":[1,2.5,true,false,null]})",
      R"({"port":18446744073709551616})",
      R"({"a":01})",
      R"({"a":1,})",
      R"({"a" 1})",
      R"({"a":"\ud800"})",
      R"({"a":"\x"})",
      R"({"a":tru})",
      R"({"a":1} x)",
      R"({"a":[1,]})",
      R"({"a":+1})",
      R"({"a":1.})",
      R"({"a":"})",
      "{\"a\":\"\x01\"}",
      R"({"a":.5})",
      R"({"a":1e})",
      "{}",
      " {} ",
      R"({"":""})",
  };
  for (const std::string& text : kTexts) EXPECT_EQ(second_opinion(text), our_opinion(text)) << text;
}

TEST(JsonLine, AgreesWithNlohmannOnDamagedLines) {
  std::mt19937 random(7);
  static constexpr std::string_view kOctets = R"({}[]":,\u0aeE+-.1tfn )";
  std::size_t accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text(kJson);
    const unsigned changes = 1 + random() % 3;
    for (unsigned i = 0; i < changes; ++i) {
      const std::size_t at = random() % text.size();
      const char octet = kOctets[random() % kOctets.size()];
      switch (random() % 3) {
        case 0:
          text[at] = octet;
          break;
        case 1:
          text.erase(at, 1);
          break;
        default:
          text.insert(at, 1, octet);
      }
    }
    const auto ours = our_opinion(text);
    ASSERT_EQ(second_opinion(text), ours) << text;
    if (ours) ++accepted;
  }
  EXPECT_GT(accepted, 1000U);
}

}  // namespace
}  // namespace ebbgate::analyse
