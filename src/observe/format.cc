#include "observe/format.h"

#include <algorithm>

#include "base/escape.h"
#include "observe/detail/json_writer.h"
#include "observe/detail/target.h"
#include "observe/detail/text.h"

namespace ebbgate::observe {
namespace {

// One field of Squid's line: a word, or `otherwise` where there is none.
void append_field(std::string& out, std::string_view text, std::string_view otherwise) {
  append_text(out, text.empty() ? otherwise : text, TextKind::kToken);
}

void append_subject(std::string& out, const SubjectName& subject) {
  if (subject.kind.empty()) return;
  JsonWriter json(out);
  json.text(R"(,"subject":{"kind":)", subject.kind);
  json.text(R"(,"name":)", subject.name, TextKind::kJsonProse);
  json.text(R"(,"namespace":)", subject.name_space);
  out.push_back('}');
}

}  // namespace

void append_target(std::string& out, const Record& record, TextKind kind) {
  std::string_view target = record.target;
  std::size_t authority = 0;
  if (record.method != "CONNECT") {
    target = target.substr(0, std::min(target.find('?'), target.size() - 1) + 1);
    const std::size_t scheme_end = target.find("://");
    authority = scheme_end == std::string_view::npos ? target.size() : scheme_end + 3;
  }
  const std::string_view rest = target.substr(authority);
  const std::size_t userinfo_end = rest.substr(0, rest.find('/')).rfind('@') + 1;  // npos: none
  append_text(out, target.substr(0, authority), kind);
  // Both together are cut where one text is.
  append_text(out, rest.substr(userinfo_end, kMaxShown - std::min(authority, kMaxShown)), kind);
}

void append_squid(std::string& out, const Record& record) {
  if (record.phase == Phase::kOpen) return;
  const std::uint64_t now = milliseconds(record.time.time_since_epoch());
  append_number(out, now / 1000);
  out.push_back('.');
  append_number(out, now % 1000, 3, '0');
  out.push_back(' ');
  append_number(out, milliseconds(record.duration), 6, ' ');
  out.push_back(' ');
  append_address(out, record.client);
  out.push_back(' ');
  out += word(record.squid_result);
  out.push_back('/');
  append_number(out, record.status, 3, '0');
  out.push_back(' ');
  append_number(out, record.bytes_out);
  out.push_back(' ');
  append_field(out, record.method, "-");
  out.push_back(' ');
  if (record.target.empty()) {
    out += "error:invalid-request";
  } else {
    append_target(out, record, TextKind::kToken);
  }
  out.push_back(' ');
  append_field(out, record.user, "-");
  if (record.address) {
    out += " HIER_DIRECT/";
    append_address(out, *record.address);
  } else {
    out += " HIER_NONE/-";
  }
  out.push_back(' ');
  // The media type, as Squid has it, without its parameters.
  append_field(out, record.content_type.substr(0, record.content_type.find_first_of("; \t")), "-");
  if (record.count != 1) {
    out += " count=";
    append_number(out, record.count);
  }
  out.push_back('\n');
}

void append_json(std::string& out, const Record& record) {
  JsonWriter json(out);
  out += R"({"time":")";
  append_rfc3339(out, record.time);
  out.push_back('"');
  json.text(R"(,"id":)", record.id);
  json.word(R"(,"phase":)", word(record.phase));
  json.number(R"(,"count":)", record.count);
  json.address(R"(,"client":)", record.client);
  json.text(R"(,"vpcEndpoint":)", record.vpc_endpoint);
  append_subject(out, record.subject);
  json.text(R"(,"user":)", record.user);
  if (record.ech) out += *record.ech ? R"(,"ech":true)" : R"(,"ech":false)";
  json.text(R"(,"listener":)", record.listener);
  json.text(R"(,"method":)", record.method);
  if (!record.target.empty()) {
    out += R"(,"target":")";
    append_target(out, record, TextKind::kJsonToken);
    out.push_back('"');
  }
  json.text(R"(,"host":)", record.host);
  if (record.port != 0) json.number(R"(,"port":)", record.port);
  json.text(R"(,"sni":)", record.sni);
  json.word(R"(,"verdict":)", word(record.verdict));
  json.word(R"(,"reason":)", word(record.reason));
  json.text(R"(,"policy":)", record.policy, TextKind::kJsonProse);
  json.text(R"(,"rule":)", record.rule, TextKind::kJsonProse);
  json.text(R"(,"policyVersion":)", record.policy_version, TextKind::kJsonProse);
  if (record.address) json.address(R"(,"address":)", *record.address);
  json.number(R"(,"bytesIn":)", record.bytes_in);
  json.number(R"(,"bytesOut":)", record.bytes_out);
  if (record.status != 0) json.number(R"(,"status":)", record.status);
  json.number(R"(,"durationMs":)", milliseconds(record.duration));
  if (record.connect) json.number(R"(,"connectMs":)", milliseconds(*record.connect));
  json.text(R"(,"error":)", record.error, TextKind::kJsonProse);
  out += "}\n";
}

void append_emf(std::string& out, const Record& record) {
  // An opening counts its request, and the end of the tunnel what went through it.
  constexpr std::string_view kCount = R"({"Name":"count","Unit":"Count"})";
  constexpr std::string_view kTraffic =
      R"({"Name":"bytesIn","Unit":"Bytes"},{"Name":"bytesOut","Unit":"Bytes"},)"
      R"({"Name":"durationMs","Unit":"Milliseconds"})";
  JsonWriter json(out);
  json.number(R"({"_aws":{"Timestamp":)", milliseconds(record.time.time_since_epoch()));
  out += R"(,"CloudWatchMetrics":[{"Namespace":"Ebbgate",)"
         R"("Dimensions":[["verdict"],["verdict","reason"]],"Metrics":[)";
  if (record.phase != Phase::kClose) out += kCount;
  if (record.phase == Phase::kRequest) out.push_back(',');
  if (record.phase != Phase::kOpen) out += kTraffic;
  out += "]}]},";
  const std::size_t event = out.size();
  append_json(out, record);
  out.erase(event, 1);  // its brace
}

std::optional<LogFormat> log_format_of(std::string_view word) {
  for (const LogFormatInfo& row : kLogFormats) {
    if (row.word == word) return row.format;
  }
  return std::nullopt;
}

}  // namespace ebbgate::observe
