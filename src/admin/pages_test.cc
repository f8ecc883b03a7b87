#include "admin/pages.h"

#include <gtest/gtest.h>

namespace ebbgate::admin {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";

AdminState ready_state() {
  AdminState state;
  state.build = {.version = "1.2.3", .revision = "abc"};
  state.metrics = [](observe::Exposition exposition) {
    return std::string(exposition == observe::Exposition::kOpenMetrics ? "open\n# EOF\n" : "old\n");
  };
  return state;
}

TEST(Pages, ExplainWhatTheQueryAsks) {
  AdminState state = ready_state();
  EXPECT_EQ(answer({.method = "GET", .target = "/explain?target=a", .accept = {}}, state).status,
            404)
      << "a listener that does not serve it";
  state.explain = [](const Query& query, Format format) -> Result<std::string> {
    std::string text = format == Format::kJson ? "json" : "text";
    for (const auto& [name, value] : query) text += " " + name + "=" + value;
    if (query.empty()) return fail(Reason::kMalformedRequest, Side::kClient, "no target\n");
    return text + "\n";
  };
  const struct {
    std::string_view target, accept, body;
    std::uint16_t status;
  } cases[] = {
      {"/explain?target=a.example%3A443&from=10.0.0.1", "",
       "text target=a.example:443 from=10.0.0.1\n", 200},
      {"/explain?target=a+b&x&y=%zz&z=%4", "application/json", "json target=a b x= y=%zz z=%4\n",
       200},
      {"/explain?a=b=c&&d=%20%e2", "", "text a=b=c = d= \xe2\n", 200},
      {"/explain", "", "the query cannot be read: no target%0A\n", 400},
  };
  for (const auto& c : cases) {
    const AdminAnswer seen =
        answer({.method = "GET", .target = c.target, .accept = c.accept}, state);
    EXPECT_EQ(seen.status, c.status) << c.target;
    EXPECT_EQ(seen.body, c.body) << c.target;
  }
}

TEST(Pages, AnswerAsTextAndAsJson) {
  AdminState unready = ready_state();
  unready.unready = {"draining", "no-policy"};
  struct Case {
    std::string_view target, accept;
    bool is_ready;
    std::uint16_t status;
    std::string_view content_type, body;
  };
  const Case cases[] = {
      {"/healthz", "", true, 200, kText, "ok\n"},
      {"/healthz", "", false, 200, kText, "ok\n"},
      {"/healthz", "application/json", true, 200, "application/json", "{\"status\":\"ok\"}\n"},
      {"/readyz", "*/*", true, 200, kText, "ready\n"},
      {"/readyz?verbose", "", true, 200, kText, "ready\n"},
      {"/readyz", "application/json", true, 200, "application/json", "{\"status\":\"ready\"}\n"},
      {"/readyz", "", false, 503, kText, "not ready\ndraining\nno-policy\n"},
      {"/readyz", "application/json", false, 503, "application/json",
       "{\"status\":\"not ready\",\"causes\":[\"draining\",\"no-policy\"]}\n"},
      {"/version", "", true, 200, kText, "ebbgate 1.2.3 (abc)\n"},
      {"/version", "text/html, application/json;q=0.9", true, 200, "application/json",
       "{\"version\":\"1.2.3\",\"revision\":\"abc\"}\n"},
      {"/metrics", "", true, 200, "text/plain; version=0.0.4; charset=utf-8", "old\n"},
      {"/metrics", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
       true, 200, "application/openmetrics-text; version=1.0.0; charset=utf-8", "open\n# EOF\n"},
      {"/", "", true, 404, kText, "not found\n"},
      {"/healthz/", "", true, 404, kText, "not found\n"},
      {"/HEALTHZ", "", true, 404, kText, "not found\n"},
      {"http://gateway/healthz", "", true, 404, kText, "not found\n"},
      {"", "application/json", true, 404, "application/json", "{\"error\":\"not found\"}\n"},
  };
  for (const Case& c : cases) {
    for (const std::string_view method : {"GET", "HEAD"}) {
      const AdminAnswer seen = answer({.method = method, .target = c.target, .accept = c.accept},
                                      c.is_ready ? ready_state() : unready);
      EXPECT_EQ(seen.status, c.status) << c.target;
      EXPECT_EQ(seen.content_type, c.content_type) << c.target;
      EXPECT_EQ(seen.body, c.body) << c.target;
      EXPECT_EQ(seen.allow, "") << c.target;
    }
  }
}

TEST(Pages, RefuseMethodsThatWouldChangeSomething) {
  for (const std::string_view method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", ""}) {
    const AdminAnswer seen =
        answer({.method = method, .target = "/healthz", .accept = ""}, ready_state());
    EXPECT_EQ(seen.status, 405) << method;
    EXPECT_EQ(seen.allow, "GET, HEAD");
    const AdminAnswer elsewhere =
        answer({.method = method, .target = "/x", .accept = ""}, ready_state());
    EXPECT_EQ(elsewhere.status, 404) << method;
  }
}

TEST(Pages, HaveNoMetricsWhereTheListenerServesNone) {
  AdminState state = ready_state();
  state.metrics = {};
  EXPECT_EQ(answer({.method = "GET", .target = "/metrics", .accept = ""}, state).status, 404);
}

TEST(Responses, AreWholeAndHeadHasNoBody) {
  const AdminAnswer ok = answer({.method = "GET", .target = "/healthz", .accept = ""}, {});
  const std::string head =
      "HTTP/1.1 200 OK\r\n"
      "Content-Type: text/plain; charset=utf-8\r\n"
      "Content-Length: 3\r\n"
      "Cache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\n";
  EXPECT_EQ(response_bytes(ok, "GET", Connection::kKeepAlive), head + "\r\nok\n");
  EXPECT_EQ(response_bytes(ok, "HEAD", Connection::kKeepAlive), head + "\r\n");
  EXPECT_EQ(response_bytes(ok, "GET", Connection::kClose), head + "Connection: close\r\n\r\nok\n");
  const AdminAnswer refused = answer({.method = "POST", .target = "/readyz", .accept = ""}, {});
  const std::string bytes = response_bytes(refused, "POST", Connection::kClose);
  EXPECT_TRUE(bytes.starts_with("HTTP/1.1 405 Method Not Allowed\r\n")) << bytes;
  EXPECT_NE(bytes.find("\r\nAllow: GET, HEAD\r\n"), std::string::npos) << bytes;
}

}  // namespace
}  // namespace ebbgate::admin
