#include "admin/pages.h"

#include <array>

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

struct Page {
  std::string_view path;
  AdminAnswer (*answer)(const AdminRequest& request, const AdminState& state);
};
constexpr std::array kPages = {
    Page{"/healthz", healthz},
    Page{"/readyz", readyz},
    Page{"/metrics", metrics},
    Page{"/version", version},
};

std::string_view reason_phrase(std::uint16_t status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 503:
      return "Service Unavailable";
    default:
      return "";
  }
}

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
  bytes += reason_phrase(answer.status);
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
