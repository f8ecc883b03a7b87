#include "observe/format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <sstream>

#include "observe/detail/testing.h"

namespace ebbgate::observe {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

std::string squid(const Record& record) {
  std::string line;
  append_squid(line, record);
  return line;
}

json parsed(const Record& record) {
  std::string line;
  append_json(line, record);
  return json::parse(line);
}

// The lines that Squid 5.7 wrote for the same requests, but for times and lengths.
TEST(SquidFormat, IsSquidsToTheByte) {
  struct Case {
    std::string_view method, target, content_type;
    SquidResult result;
    std::uint16_t status;
    bool has_address;
    std::string_view line;
  };
  const Case cases[] = {
      {"GET", "http://127.0.0.1:13998/a?secret=1&b=2", "text/html; charset=utf-8",
       SquidResult::kMiss, 200, true,
       "1795501324.331      1 127.0.0.1 TCP_MISS/200 262 GET http://127.0.0.1:13998/a? - "
       "HIER_DIRECT/127.0.0.1 text/html\n"},
      {"GET", "http://x.bad.test/a?b", "text/html", SquidResult::kDenied, 403, false,
       "1795501324.331      1 127.0.0.1 TCP_DENIED/403 262 GET http://x.bad.test/a? - HIER_NONE/- "
       "text/html\n"},
      {"CONNECT", "127.0.0.1:13998", "", SquidResult::kTunnel, 200, true,
       "1795501324.331      1 127.0.0.1 TCP_TUNNEL/200 262 CONNECT 127.0.0.1:13998 - "
       "HIER_DIRECT/127.0.0.1 -\n"},
      {"GARBAGE", "", "text/html", SquidResult::kNone, 400, false,
       "1795501324.331      1 127.0.0.1 NONE_NONE/400 262 GARBAGE error:invalid-request - "
       "HIER_NONE/- text/html\n"},
      {"GET", "http://127.0.0.1:13998/%ff~", "text/html", SquidResult::kMiss, 200, true,
       "1795501324.331      1 127.0.0.1 TCP_MISS/200 262 GET http://127.0.0.1:13998/%ff~ - "
       "HIER_DIRECT/127.0.0.1 text/html\n"},
      {"", "", "", SquidResult::kNone, 0, false,
       "1795501324.331      1 127.0.0.1 NONE_NONE/000 262 - error:invalid-request - HIER_NONE/- "
       "-\n"},
  };
  for (const Case& c : cases) {
    Record record;
    record.time = WallTime(1795501324331ms);
    record.duration = 1ms + 999us;
    record.client = *IpAddress::parse("127.0.0.1");
    record.bytes_out = 262;
    record.method = c.method;
    record.target = c.target;
    record.content_type = c.content_type;
    record.squid_result = c.result;
    record.status = c.status;
    if (c.has_address) record.address = IpAddress::parse("127.0.0.1");
    EXPECT_EQ(squid(record), c.line);
  }
}

TEST(SquidFormat, PadsTheElapsedTimeToSixAndLetsItGrow) {
  Record record;
  const std::pair<Duration, std::string_view> cases[] = {{0ms, "0.000      0 "},
                                                         {999999ms, "0.000 999999 "},
                                                         {1000000ms, "0.000 1000000 "},
                                                         {-5ms, "0.000      0 "}};
  for (const auto& [duration, start] : cases) {
    record.duration = duration;
    EXPECT_EQ(squid(record).substr(0, start.size()), start);
  }
}

TEST(SquidFormat, WritesATunnelAtItsEndOnly) {
  Record record = full_record();
  record.phase = Phase::kOpen;
  EXPECT_EQ(squid(record), "");
  record.phase = Phase::kClose;
  EXPECT_NE(squid(record), "");
}

TEST(SquidFormat, NamesTheUserAndTheCountOfFoldedRefusals) {
  Record record;
  record.user = "a b\"\n";
  record.count = 17;
  const std::string line = squid(record);
  EXPECT_NE(line.find(" a%20b\"%0A HIER_NONE/- - count=17\n"), std::string::npos) << line;
}

TEST(SquidFormat, WritesIpv6AddressesAsText) {
  Record record;
  record.client = *IpAddress::parse("2001:db8::1");
  record.address = IpAddress::parse("2001:db8:0:1:1:1:1:1");
  const std::string line = squid(record);
  EXPECT_NE(line.find(" 2001:db8::1 NONE"), std::string::npos) << line;
  EXPECT_NE(line.find(" HIER_DIRECT/2001:db8:0:1:1:1:1:1 "), std::string::npos) << line;
}

TEST(JsonFormat, HasEveryFieldOfTheEventInItsOrder) {
  std::string line;
  append_json(line, full_record());
  EXPECT_EQ(line,
            R"({"time":"2026-07-31T23:59:59.007Z","id":"0123456789abcdef","phase":"close",)"
            R"("count":3,"client":"10.64.8.9","vpcEndpoint":"vpce-0123","subject":{"kind":"pod",)"
            R"("name":"builder-1","namespace":"ci"},"user":"ci","ech":true,"listener":"explicit",)"
            R"("method":"CONNECT","target":"api.github.com:443","host":"api.github.com",)"
            R"("port":443,"sni":"api.github.com","verdict":"ALLOW","reason":"origin-closed",)"
            R"("policy":"ci-builders","rule":"api.github.com:443","policyVersion":"v7",)"
            R"("address":"203.0.113.7","bytesIn":517,"bytesOut":20111,"status":200,)"
            R"("durationMs":1234,"connectMs":12,"error":"read: Connection reset by peer"})"
            "\n");
}

TEST(JsonFormat, LeavesOutWhatIsNotKnown) {
  const json event = parsed(Record{});
  std::set<std::string> keys;
  for (const auto& [key, value] : event.items()) keys.insert(key);
  EXPECT_EQ(keys, (std::set<std::string>{"time", "phase", "count", "client", "verdict", "reason",
                                         "bytesIn", "bytesOut", "durationMs"}));
}

TEST(JsonFormat, WritesTimesOfAnyDay) {
  const std::pair<std::int64_t, std::string_view> cases[] = {
      {0, "1970-01-01T00:00:00.000Z"},
      {951782400123, "2000-02-29T00:00:00.123Z"},
      {1785542399999, "2026-07-31T23:59:59.999Z"},
      {4102444800000, "2100-01-01T00:00:00.000Z"},
      {-1, "1969-12-31T23:59:59.999Z"}};
  for (const auto& [ms, text] : cases) {
    Record record;
    record.time = WallTime(std::chrono::milliseconds(ms));
    EXPECT_EQ(parsed(record)["time"], text);
  }
}

TEST(EcsFormat, HasTheEventInTheSchemasNames) {
  std::string line;
  append_ecs(line, full_record());
  EXPECT_EQ(json::parse(line), json::parse(R"({
    "@timestamp": "2026-07-31T23:59:59.007Z", "ecs": {"version": "8.11.0"},
    "observer": {"vendor": "Ebbgate", "type": "proxy"},
    "event": {"kind": "event", "category": ["network"], "type": ["connection", "allowed"],
              "outcome": "success", "id": "0123456789abcdef", "action": "close",
              "reason": "origin-closed", "duration": 1234000000},
    "source": {"ip": "10.64.8.9", "bytes": 517},
    "destination": {"bytes": 20111, "address": "api.github.com", "port": 443, "ip": "203.0.113.7"},
    "user": {"name": "ci"}, "url": {"original": "api.github.com:443"},
    "http": {"request": {"method": "CONNECT"}, "response": {"status_code": 200}},
    "tls": {"client": {"server_name": "api.github.com"}},
    "rule": {"category": "egress", "name": "api.github.com:443", "ruleset": "ci-builders",
             "version": "v7"},
    "error": {"message": "read: Connection reset by peer"},
    "ebbgate": {"verdict": "ALLOW", "count": 3, "listener": "explicit",
                "vpc_endpoint": "vpce-0123",
                "subject": {"kind": "pod", "name": "builder-1", "namespace": "ci"}, "ech": true,
                "connect_ms": 12}})"));
}

TEST(EcsFormat, LeavesOutWhatIsNotKnown) {
  std::string line;
  append_ecs(line, Record{});
  std::set<std::string> keys;
  for (const auto& [key, value] : json::parse(line).items()) keys.insert(key);
  EXPECT_EQ(keys, (std::set<std::string>{"@timestamp", "ecs", "observer", "event", "source",
                                         "destination", "ebbgate"}));
}

TEST(EmfFormat, IsTheJsonEventWithTheMetricsThatItsPhaseHas) {
  const std::pair<Phase, std::vector<std::string>> cases[] = {
      {Phase::kOpen, {"count"}},
      {Phase::kClose, {"bytesIn", "bytesOut", "durationMs"}},
      {Phase::kRequest, {"count", "bytesIn", "bytesOut", "durationMs"}}};
  for (const auto& [phase, names] : cases) {
    Record record = full_record();
    record.phase = phase;
    std::string line;
    append_emf(line, record);
    json event = json::parse(line);
    const json about = event["_aws"];
    EXPECT_EQ(about["Timestamp"], 1785542399007);
    std::vector<std::string> metrics;
    for (const json& metric : about["CloudWatchMetrics"][0]["Metrics"]) {
      metrics.push_back(metric["Name"]);
      EXPECT_TRUE(event[metrics.back()].is_number());
    }
    EXPECT_EQ(metrics, names);
    for (const json& dimensions : about["CloudWatchMetrics"][0]["Dimensions"]) {
      for (const json& name : dimensions) EXPECT_TRUE(event[name.get<std::string>()].is_string());
    }
    event.erase("_aws");
    EXPECT_EQ(event, parsed(record));
  }
}

TEST(Formats, KeepSecretsOfATargetOut) {
  struct Case {
    std::string_view method, target, shown;
  };
  const Case cases[] = {
      {"GET", "http://a.example/p?token=1", "http://a.example/p?"},
      {"GET", "http://u:pw@a.example/p@q?x", "http://a.example/p@q?"},
      {"GET", "http://u@x:p@w@a.example", "http://a.example"},
      {"GET", "/p@q?x", "/p@q?"},
      {"GET", "?", "?"},
      {"GET", "http://", "http://"},
      {"CONNECT", "u:pw@a.example:443", "a.example:443"},
      {"CONNECT", "a.example:443?x", "a.example:443?x"},
  };
  for (const Case& c : cases) {
    Record record;
    record.method = c.method;
    record.target = c.target;
    EXPECT_EQ(parsed(record)["target"], c.shown);
    EXPECT_NE(squid(record).find(" " + std::string(c.shown) + " - "), std::string::npos)
        << squid(record);
  }
}

TEST(Formats, CutATargetAfterTwoKibibytes) {
  Record record;
  const std::string long_target = "http://a.example/" + std::string(5000, 'x');
  record.target = long_target;
  record.method = "GET";
  EXPECT_EQ(parsed(record)["target"].get<std::string>().size(), 2048U);
  const std::string hostile(5000, '\xff');
  record.target = hostile;
  EXPECT_EQ(parsed(record)["target"].get<std::string>().size(), 3 * 2048U);
}

// Property: whatever a client sends, an event is one line of printable ASCII, as JSON it parses,
// and its texts read as the escaped ones.
TEST(Formats, MakeOnePrintableLineOfAnyBytes) {
  std::mt19937 random(7);  // NOLINT: the same bytes in every run
  std::uniform_int_distribution<int> byte(0, 255);
  std::uniform_int_distribution<std::size_t> size(0, 40);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> texts(16);
    for (std::string& text : texts) {
      text.resize(round % 100 == 0 ? 3000 : size(random));
      std::ranges::generate(text, [&] { return static_cast<char>(byte(random)); });
    }
    const Record record = record_of_texts(texts);
    for (const LogFormatInfo& format : kLogFormats) {
      std::string line;
      format.append(line, record);
      ASSERT_LE(line.size(), kMaxLine);
      ASSERT_EQ(std::ranges::count(line, '\n'), 1);
      ASSERT_EQ(line.back(), '\n');
      ASSERT_TRUE(std::ranges::all_of(line.begin(), line.end() - 1,
                                      [](char c) { return c >= 0x20 && c <= 0x7e; }));
    }
    std::string line;
    for (const auto append : {append_ecs, append_emf}) {
      line.clear();
      append(line, record);
      ASSERT_TRUE(json::accept(line)) << line;
    }
    line.clear();
    append_json(line, record);
    const json event = json::parse(line);
    if (!record.host.empty()) ASSERT_EQ(event["host"], escaped(record.host));
    if (!record.error.empty()) ASSERT_EQ(event["error"], escaped_prose(record.error));
    const std::string ten_fields = squid(record);
    ASSERT_EQ(std::ranges::count(ten_fields.substr(ten_fields.find('.') + 11), ' '), 8)
        << ten_fields;
  }
}

TEST(Formats, NeverExceedTheLongestLine) {
  for (const char worst : {'\xff', '"', '\\', ' '}) {
    const std::vector<std::string> texts(16, std::string(4000, worst));
    for (const LogFormatInfo& format : kLogFormats) {
      std::string line;
      format.append(line, record_of_texts(texts));
      EXPECT_LE(line.size(), kMaxLine);
    }
  }
}

TEST(Formats, AreFoundByTheirWord) {
  EXPECT_EQ(log_format_of("squid"), LogFormat::kSquid);
  EXPECT_EQ(log_format_of("json"), LogFormat::kJson);
  EXPECT_EQ(log_format_of("JSON"), std::nullopt);
  for (std::size_t i = 0; i < kLogFormats.size(); ++i) {
    EXPECT_EQ(kLogFormats[i].format, static_cast<LogFormat>(i));
  }
}

// docs/events.md has one row `| `key` | …` for each field, nested ones with a dot.
TEST(JsonFormat, IsWhatTheDocumentationLists) {
  std::set<std::string> written;
  const json event = parsed(full_record());
  for (const auto& [key, value] : event.items()) {
    written.insert(key);
    if (!value.is_object()) continue;
    for (const auto& [inner, unused] : value.items()) written.insert(key + "." + inner);
  }
  EXPECT_EQ(first_column_of(document("events.md")), written);
}

}  // namespace
}  // namespace ebbgate::observe
