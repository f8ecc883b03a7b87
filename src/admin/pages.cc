#include "admin/pages.h"

#include <algorithm>
#include <array>

#include "base/escape.h"
#include "http/status.h"

namespace ebbgate::admin {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kJson = "application/json";

// Whether Accept names the media type. Weights are not weighed: who names one of these wants it.
bool accepts(const AdminRequest& request, std::string_view media_type) {
  return request.accept.find(media_type) != std::string_view::npos;
}

// Words of our own and a version: nothing that JSON would have to escape.
std::string quoted(std::string_view text) {
  return '"' + std::string(text) + '"';
}

AdminAnswer page(const AdminRequest& request, std::uint16_t status, std::string_view text,
                 std::string_view json) {
  AdminAnswer answer{.status = status, .content_type = {}, .allow = {}, .body = {}};
  const bool is_json = accepts(request, kJson);
  answer.content_type = is_json ? kJson : kText;
  answer.body = is_json ? json : text;
  answer.body += '\n';
  return answer;
}

AdminAnswer healthz(const AdminRequest& request, const AdminState& /*state*/) {
  return page(request, 200, "ok", R"({"status":"ok"})");
}

AdminAnswer readyz(const AdminRequest& request, const AdminState& state) {
  if (state.unready.empty()) return page(request, 200, "ready", R"({"status":"ready"})");
  std::string text = "not ready";
  std::string json;
  for (const std::string& cause : state.unready) {
    text += "\n" + cause;
    json += (json.empty() ? "" : ",") + quoted(cause);
  }
  return page(request, 503, text, R"({"status":"not ready","causes":[)" + json + "]}");
}

AdminAnswer metrics(const AdminRequest& request, const AdminState& state) {
  if (!state.metrics) return page(request, 404, "not found", R"({"error":"not found"})");
  const auto exposition = accepts(request, "application/openmetrics-text")
                              ? observe::Exposition::kOpenMetrics
                              : observe::Exposition::kPrometheus;
  AdminAnswer answer;
  answer.content_type = observe::content_type(exposition);
  answer.body = state.metrics(exposition);
  return answer;
}

AdminAnswer version(const AdminRequest& request, const AdminState& state) {
  const observe::BuildInfo& build = state.build;
  return page(
      request, 200, "ebbgate " + build.version + " (" + build.revision + ")",
      R"({"version":)" + quoted(build.version) + R"(,"revision":)" + quoted(build.revision) + "}");
}

int hex_digit(char c) {
  if ('0' <= c && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return 'a' <= lower && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Undoes application/x-www-form-urlencoded; a `%` that begins no octet stands for itself.
std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_escape = text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
                           hex_digit(text[i + 2]) >= 0;
    if (is_escape) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

Query query_of(std::string_view target) {
  Query query;
  std::size_t begin = target.find('?');
  while (begin != std::string_view::npos) {
    const std::size_t end = target.find('&', ++begin);
    const std::string_view field = target.substr(begin, end - begin);
    const std::size_t equals = std::min(field.find('='), field.size());
    const std::size_t value = std::min(equals + 1, field.size());
    query.emplace_back(decoded(field.substr(0, equals)), decoded(field.substr(value)));
    begin = end;
  }
  return query;
}

AdminAnswer explanation(const AdminRequest& request, const AdminState& state) {
  if (!state.explain) return page(request, 404, "not found", R"({"error":"not found"})");
  const bool is_json = accepts(request, kJson);
  const auto told =
      state.explain(query_of(request.target), is_json ? Format::kJson : Format::kText);
  if (!told) {
    return page(request, 400, "the query cannot be read: " + escaped_prose(told.error().detail),
                R"({"error":"the query cannot be read"})");
  }
  AdminAnswer answer;
  answer.content_type = is_json ? kJson : kText;
  answer.body = *told;
  return answer;
}

struct Page {
  std::string_view path;
  AdminAnswer (*answer)(const AdminRequest& request, const AdminState& state);
};
constexpr std::array kPages = {
    Page{"/healthz", healthz}, Page{"/readyz", readyz},       Page{"/metrics", metrics},
    Page{"/version", version}, Page{"/explain", explanation},
};

}  // namespace

AdminAnswer answer(const AdminRequest& request, const AdminState& state) {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  for (const Page& row : kPages) {
    if (row.path != path) continue;
    if (request.method == "GET" || request.method == "HEAD") return row.answer(request, state);
    AdminAnswer refused =
        page(request, 405, "method not allowed", R"({"error":"method not allowed"})");
    refused.allow = "GET, HEAD";
    return refused;
  }
  return page(request, 404, "not found", R"({"error":"not found"})");
}

std::string response_bytes(const AdminAnswer& answer, std::string_view method,
                           Connection connection) {
  std::string bytes = "HTTP/1.1 " + std::to_string(answer.status) + ' ';
  bytes += http::reason_phrase(answer.status);
  bytes += "\r\nContent-Type: " + answer.content_type;
  bytes += "\r\nContent-Length: " + std::to_string(answer.body.size());
  bytes += "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
  if (!answer.allow.empty()) bytes += "Allow: " + answer.allow + "\r\n";
  if (connection == Connection::kClose) bytes += "Connection: close\r\n";
  bytes += "\r\n";
  if (method != "HEAD") bytes += answer.body;
  return bytes;
}

}  // namespace ebbgate::admin
