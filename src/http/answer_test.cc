#include "http/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "http/response_head.h"

namespace ebbgate::http {
namespace {

using testing::HasSubstr;
using testing::Not;

RequestHead request(std::string_view fields, std::string_view line = "GET http://a/ HTTP/1.1") {
  RequestReader reader;
  const auto consumed =
      reader.read(std::string(line) + "\r\nHost: a\r\n" + std::string(fields) + "\r\n");
  EXPECT_TRUE(consumed && *consumed != 0);
  return reader.take();
}

std::string text(const Answer& answer) {
  std::string out;
  append_answer(out, answer);
  return out;
}

const Error kDenied{Reason::kNotAllowed, Side::kClient, "no entry allows a.example:443"};

TEST(Answer, SaysTheReasonInStatusLineFieldAndBody) {
  EXPECT_EQ(text(answer_to(kDenied, "7f3a")),
            "HTTP/1.1 403 not-allowed: no entry allows a.example:443 (id 7f3a)\r\n"
            "Proxy-Status: ebbgate; error=http_request_denied; "
            "details=\"not-allowed: no entry allows a.example:443 (id 7f3a)\"\r\n"
            "Cache-Control: no-store\r\nConnection: close\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 121\r\n\r\n"
            "The gateway (ebbgate) did not serve this request.\nreason: not-allowed\n"
            "detail: no entry allows a.example:443\nid:     7f3a\n");
}

TEST(Answer, IsJsonWhereAcceptNamesIt) {
  for (const std::string_view accept :
       {"application/json", "text/html;q=0.5, Application/JSON ; q=0.9",
        "*/*\r\nAccept: application/json"}) {
    const RequestHead head = request("Accept: " + std::string(accept) + "\r\n");
    EXPECT_THAT(text(answer_to(kDenied, "7f3a", &head)),
                HasSubstr("Content-Type: application/json\r\nContent-Length: 91\r\n\r\n"
                          "{\"status\":403,\"reason\":\"not-allowed\","
                          "\"detail\":\"no entry allows a.example:443\",\"id\":\"7f3a\"}\n"))
        << accept;
  }
  for (const std::string_view accept :
       {"*/*", "text/html", "application/json;q=0.0", "application/jsonp", "application/json+x"}) {
    EXPECT_FALSE(wants_json(request("Accept: " + std::string(accept) + "\r\n"))) << accept;
  }
  EXPECT_FALSE(wants_json(request("")));
}

TEST(Answer, CannotBeBrokenOutOf) {
  const Error nasty{Reason::kMalformedRequest, Side::kClient,
                    "\"a\\\r\nSet-Cookie: x\xff" + std::string(1000, 'x')};
  Answer answer = answer_to(nasty, "id\r\n<b>\"");
  for (const auto body : {Answer::Body::kText, Answer::Body::kJson}) {
    answer.body = body;
    const std::string out = text(answer);
    EXPECT_THAT(out, Not(HasSubstr("\r\nSet-Cookie")));
    EXPECT_THAT(out, HasSubstr("details=\"malformed-request: \\\"a\\\\%0D%0ASet-Cookie: x%FF"));
    EXPECT_LT(out.find("\r\n"), 420u);
    // Our own reader takes it for one message.
    ResponseReader reader;
    const auto consumed = reader.read(out, {});
    ASSERT_TRUE(consumed) << consumed.error().detail;
    EXPECT_EQ(reader.head().body, BodyFraming::of(out.size() - *consumed));
  }
  EXPECT_THAT(text(answer), HasSubstr("\"detail\":\"\\\"a\\\\%0D%0ASet-Cookie"));
}

TEST(Answer, HasNoBodyForHeadButItsLength) {
  const RequestHead head = request("", "HEAD http://a/ HTTP/1.1");
  const std::string out = text(answer_to(kDenied, "7f3a", &head));
  EXPECT_TRUE(out.ends_with("Content-Length: 121\r\n\r\n")) << out;
}

TEST(Answer, CarriesMoreFieldsAndKeepsTheConnectionWhenTold) {
  Answer answer = answer_to({Reason::kSubjectRequired, Side::kClient, ""}, "1");
  answer.more_fields = "Proxy-Authenticate: Basic realm=\"ebbgate\"\r\n";
  answer.persistence = Persistence::kKeepAlive;
  const std::string out = text(answer);
  EXPECT_THAT(out,
              HasSubstr("HTTP/1.1 407 subject-required: the gateway has to know who is asking"));
  EXPECT_THAT(out, HasSubstr("\r\nProxy-Authenticate: Basic realm=\"ebbgate\"\r\n"));
  EXPECT_THAT(out, Not(HasSubstr("Connection:")));
}

TEST(Answer, HasAnErrorTypeOfRfc9209ForEachReason) {
  EXPECT_EQ(proxy_error_type(Reason::kNotAllowed), "http_request_denied");
  EXPECT_EQ(proxy_error_type(Reason::kForbiddenAddress), "destination_ip_prohibited");
  EXPECT_EQ(proxy_error_type(Reason::kMalformedRequest), "http_request_error");
  EXPECT_EQ(proxy_error_type(Reason::kDnsFailed), "dns_error");
  EXPECT_EQ(proxy_error_type(Reason::kLoop), "proxy_loop_detected");
  EXPECT_EQ(proxy_error_type(Reason::kOriginInvalid), "http_protocol_error");
}

TEST(TraceAnswer, NeverEchoesCredentials) {
  std::string out;
  append_trace_answer(
      out,
      request("Authorization: Basic c2VjcmV0\r\nProxy-Authorization: s3cr3t\r\n"
              "COOKIE: s3cr3t\r\nX-Amz-Security-Token: s3cr3t\r\nX-Api-Key: s3cr3t\r\n"
              "Accept: */*\r\nVia: 1.1 a\r\n",
              "TRACE http://a/x?sig=s3cr3t HTTP/1.1"),
      Persistence::kKeepAlive);
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Type: message/http\r\n"
            "Content-Length: 63\r\n\r\n"
            "TRACE http://a/x HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nVia: 1.1 a\r\n\r\n");
}

TEST(OptionsAnswer, NamesTheMethods) {
  std::string out;
  append_options_answer(out, Persistence::kClose);
  EXPECT_THAT(out, HasSubstr("\r\nAllow: CONNECT, "));
  EXPECT_TRUE(out.ends_with("Connection: close\r\nContent-Length: 0\r\n\r\n"));
}

}  // namespace
}  // namespace ebbgate::http
