// A Record in the names of the Elastic Common Schema (elastic.co/guide/en/ecs/8.11), so that its
// tools need no mapping.
#include "observe/detail/json_writer.h"
#include "observe/detail/target.h"
#include "observe/format.h"

namespace ebbgate::observe {
namespace {

void append_event_object(std::string& out, const Record& record) {
  const bool is_refused = record.verdict == Verdict::kDeny;
  JsonWriter json(out);
  out += R"(,"event":{"kind":"event","category":["network"],"type":["connection",)";
  out += is_refused ? R"("denied"])" : R"("allowed"])";
  json.word(R"(,"outcome":)", is_refused ? "failure" : "success");
  json.text(R"(,"id":)", record.id);
  json.word(R"(,"action":)", word(record.phase));
  json.word(R"(,"reason":)", word(record.reason));
  // In nanoseconds, as the schema has it.
  json.number(R"(,"duration":)", milliseconds(record.duration) * 1'000'000);
  out.push_back('}');
}

void append_ends(std::string& out, const Record& record) {
  JsonWriter json(out);
  json.address(R"(,"source":{"ip":)", record.client);
  json.number(R"(,"bytes":)", record.bytes_in);
  json.number(R"(},"destination":{"bytes":)", record.bytes_out);
  json.text(R"(,"address":)", record.host);
  if (record.port != 0) json.number(R"(,"port":)", record.port);
  if (record.address) json.address(R"(,"ip":)", *record.address);
  out.push_back('}');
  if (!record.user.empty()) {
    json.text(R"(,"user":{"name":)", record.user);
    out.push_back('}');
  }
}

void append_request(std::string& out, const Record& record) {
  JsonWriter json(out);
  if (!record.target.empty()) {
    out += R"(,"url":{"original":")";
    append_target(out, record, TextKind::kJsonToken);
    out += R"("})";
  }
  if (!record.method.empty()) {
    json.text(R"(,"http":{"request":{"method":)", record.method);
    out.push_back('}');
    if (record.status != 0) {
      json.number(R"(,"response":{"status_code":)", record.status);
      out.push_back('}');
    }
    out.push_back('}');
  }
  if (!record.sni.empty()) {
    json.text(R"(,"tls":{"client":{"server_name":)", record.sni);
    out += "}}";
  }
  if (!record.policy.empty() || !record.rule.empty()) {
    // Its first member is always there.
    out += R"(,"rule":{"category":"egress")";
    json.text(R"(,"name":)", record.rule, TextKind::kJsonProse);
    json.text(R"(,"ruleset":)", record.policy, TextKind::kJsonProse);
    json.text(R"(,"version":)", record.policy_version, TextKind::kJsonProse);
    out.push_back('}');
  }
  if (!record.error.empty()) {
    json.text(R"(,"error":{"message":)", record.error, TextKind::kJsonProse);
    out.push_back('}');
  }
}

// What the schema has no name for.
void append_own(std::string& out, const Record& record) {
  JsonWriter json(out);
  json.word(R"(,"ebbgate":{"verdict":)", word(record.verdict));
  json.number(R"(,"count":)", record.count);
  json.text(R"(,"listener":)", record.listener);
  json.text(R"(,"vpc_endpoint":)", record.vpc_endpoint);
  if (!record.subject.kind.empty()) {
    json.text(R"(,"subject":{"kind":)", record.subject.kind);
    json.text(R"(,"name":)", record.subject.name, TextKind::kJsonProse);
    json.text(R"(,"namespace":)", record.subject.name_space);
    out.push_back('}');
  }
  if (record.ech) out += *record.ech ? R"(,"ech":true)" : R"(,"ech":false)";
  if (record.connect) json.number(R"(,"connect_ms":)", milliseconds(*record.connect));
  out.push_back('}');
}

}  // namespace

void append_ecs(std::string& out, const Record& record) {
  out += R"({"@timestamp":")";
  append_rfc3339(out, record.time);
  out += R"(","ecs":{"version":"8.11.0"},"observer":{"vendor":"Ebbgate","type":"proxy"})";
  append_event_object(out, record);
  append_ends(out, record);
  append_request(out, record);
  append_own(out, record);
  out += "}\n";
}

}  // namespace ebbgate::observe
