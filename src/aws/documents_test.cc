// What AWS answers with: XML, JSON, times, errors, credentials.
#include <gtest/gtest.h>

#include "aws/detail/credential_document.h"
#include "aws/detail/digest.h"
#include "aws/detail/json.h"
#include "aws/detail/service_error.h"
#include "aws/detail/time.h"
#include "aws/detail/xml.h"

namespace ebbgate::aws::detail {
namespace {

using std::chrono::seconds;

[[nodiscard]] std::string repeated(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

TEST(Xml, ReadsNamesAndTextsByPath) {
  const auto root = parse_xml(
      "<?xml version=\"1.0\"?>\n<R xmlns=\"http://x/\"><A><B>1 &lt; 2</B><B>x</B></A>"
      "<L><member>a</member><other>b</other><item>c&#x20;d</item></L><T>true</T></R>");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->name, "R");
  EXPECT_EQ(root->text_at("A/B"), "1 < 2");
  EXPECT_EQ(root->text_at("A/C"), "");
  EXPECT_EQ(root->at("A/C"), nullptr);
  EXPECT_TRUE(root->is_true_at("T"));
  ASSERT_EQ(root->items("L").size(), 2U);
  EXPECT_EQ(root->items("L")[1]->text, "c d");
  EXPECT_TRUE(root->items("none").empty());
}

TEST(Xml, RefusesWhatIsNotPlain) {
  const std::vector<std::pair<const char*, std::string>> rows = {
      {"nothing", ""},
      {"no XML", "Service Unavailable"},
      {"cut short", "<a><b>x</b>"},
      {"two roots", "<a/><b/>"},
      {"an entity of its own", "<!DOCTYPE a [<!ENTITY e \"x\">]><a>&e;</a>"},
      {"any document type", "<!DOCTYPE html><html/>"},
      {"an external entity", "<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><a>&e;</a>"},
      {"not UTF-8", "<a>\xff</a>"},
      {"too deep", repeated("<a>", kMaxXmlDepth + 1) + repeated("</a>", kMaxXmlDepth + 1)},
      {"too many", "<a>" + repeated("<b/>", kMaxXmlElements) + "</a>"},
      {"too long", "<a>" + std::string(kMaxXmlOctets, ' ') + "</a>"},
  };
  for (const auto& [what, text] : rows) EXPECT_FALSE(parse_xml(text)) << what;
  EXPECT_TRUE(parse_xml(repeated("<a>", kMaxXmlDepth) + repeated("</a>", kMaxXmlDepth)));
}

TEST(Json, ReadsAnotherTypeAsNone) {
  const auto json = parse_json(R"({"s": "x", "n": 7, "f": 1.5, "b": true, "a": ["x", 1, "y"]})");
  ASSERT_TRUE(json);
  EXPECT_EQ(text_at(*json, "s"), "x");
  EXPECT_EQ(text_at(*json, "n"), "");
  EXPECT_EQ(integer_at(*json, "n"), 7);
  EXPECT_EQ(integer_at(*json, "f"), std::nullopt);
  EXPECT_EQ(integer_at(*json, "s"), std::nullopt);
  EXPECT_TRUE(is_true_at(*json, "b"));
  EXPECT_FALSE(is_true_at(*json, "s"));
  EXPECT_EQ(texts_at(*json, "a"), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(at(*json, "none"), nullptr);
}

TEST(Json, RefusesWhatIsNotPlain) {
  const std::vector<std::pair<const char*, std::string>> rows = {
      {"nothing", ""},
      {"no object", "[]"},
      {"cut short", "{\"a\": \"b"},
      {"cut in an escape", "{\"a\": \"b\\"},
      {"HTML", "<html></html>"},
      {"not UTF-8", "{\"a\": \"\xff\"}"},
      {"too deep", "{\"a\":" + repeated("[", kMaxJsonDepth) + repeated("]", kMaxJsonDepth) + "}"},
      {"too many", "{\"a\":[" + repeated("1,", kMaxJsonValues) + "1]}"},
      {"too long", "{" + std::string(kMaxJsonOctets, ' ') + "}"},
  };
  for (const auto& [what, text] : rows) EXPECT_FALSE(parse_json(text)) << what;
  EXPECT_TRUE(parse_json("{\"a\": \"" + repeated("[", 100) + "\\\"" + repeated("{", 100) + "\"}"))
      << "brackets in a string are no depth";
}

TEST(Json, WritesWhateverOctetsALogHolds) {
  EXPECT_EQ(to_text(Json{{"m", "a\xff\"b"}}), "{\"m\":\"a\xef\xbf\xbd\\\"b\"}");
}

TEST(Time, IsWrittenAndRead) {
  const WallTime time{seconds(1'440'938'160)};
  EXPECT_EQ(basic_iso8601(time + std::chrono::milliseconds(999)), "20150830T123600Z");
  EXPECT_EQ(iso8601(time), "2015-08-30T12:36:00Z");
  EXPECT_EQ(parse_iso8601("2015-08-30T12:36:00Z"), time);
  EXPECT_EQ(parse_iso8601("2015-08-30T12:36:00.123456Z"), time);
  EXPECT_EQ(parse_iso8601("2015-08-30T14:36:00+02:00"), time);
  EXPECT_EQ(parse_iso8601("2015-08-30T12:06:00-0030"), time);
  for (const char* text :
       {"", "2015-08-30", "2015-08-30 12:36:00Z", "2015-02-30T12:36:00Z", "2015-08-30T24:36:00Z",
        "2015-08-30T12:36:00", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
        "2015-08-30T12:36:00Zx", "+015-08-30T12:36:00Z"}) {
    EXPECT_FALSE(parse_iso8601(text)) << text;
  }
  EXPECT_EQ(parse_http_date("Sun, 30 Aug 2015 12:36:00 GMT"), time);
  for (const char* text : {"", "Sun, 30 Aug 2015 12:36:00", "Sunday, 30-Aug-15 12:36:00 GMT",
                           "Sun, 30 ugS 2015 12:36:00 GMT", "Sun, 30 Aug 2015 12:36:00 CET"}) {
    EXPECT_FALSE(parse_http_date(text)) << text;
  }
}

TEST(Digest, Base64IsStrict) {
  EXPECT_EQ(base64url("\xfb\xff?>"), "-_8_Pg");
  EXPECT_EQ(base64_decoded("YWI="), "ab");
  EXPECT_EQ(base64_decoded("YWJj"), "abc");
  EXPECT_EQ(base64_decoded(""), "");
  for (const char* text : {"YWI", "YW=I", "Y===", "YWJj\n", " YWJ", "YW-_"}) {
    EXPECT_FALSE(base64_decoded(text)) << text;
  }
}

TEST(ServiceError, IsReadInEachProtocolsForm) {
  struct Row {
    const char* what;
    Protocol protocol;
    https::Response response;
    const char* code;
    const char* message;
    const char* request_id;
    bool is_throttling;
    bool is_retryable;
  };
  const std::vector<Row> rows = {
      {"JSON 1.1",
       Protocol::kJson,
       {400,
        {{"x-amzn-requestid", "r1"}},
        R"({"__type":"com.amazonaws.ssm#ParameterNotFound","message":"gone"})"},
       "ParameterNotFound",
       "gone",
       "r1",
       false,
       false},
      {"JSON with a capital M",
       Protocol::kJson,
       {400, {}, R"({"__type":"AccessDeniedException","Message":"no"})"},
       "AccessDeniedException",
       "no",
       "",
       false,
       false},
      {"REST-JSON",
       Protocol::kRestJson,
       {404, {{"x-amzn-errortype", "ResourceNotFoundException:http://x/"}}, R"({"message":"m"})"},
       "ResourceNotFoundException",
       "m",
       "",
       false,
       false},
      {"query",
       Protocol::kQuery,
       {400,
        {},
        "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>"
        "<Message>No updates are to be performed.</Message></Error>"
        "<RequestId>r2</RequestId></ErrorResponse>"},
       "ValidationError",
       "No updates are to be performed.",
       "r2",
       false,
       false},
      {"EC2",
       Protocol::kQuery,
       {400,
        {},
        "<Response><Errors><Error><Code>Resource.AlreadyAssociated</Code><Message>m</Message>"
        "</Error></Errors><RequestID>r3</RequestID></Response>"},
       "Resource.AlreadyAssociated",
       "m",
       "r3",
       false,
       false},
      {"S3",
       Protocol::kRestXml,
       {404,
        {{"x-amz-request-id", "r4"}},
        "<Error><Code>NoSuchKey</Code><Message>m</Message><RequestId>x</RequestId></Error>"},
       "NoSuchKey",
       "m",
       "r4",
       false,
       false},
      {"S3 HEAD", Protocol::kRestXml, {403, {}, ""}, "403", "", "", false, false},
      {"throttling is 400 as well",
       Protocol::kQuery,
       {400, {}, "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>"},
       "Throttling",
       "",
       "",
       true,
       true},
      {"429", Protocol::kJson, {429, {}, ""}, "429", "", "", true, true},
      {"HTML of something between",
       Protocol::kJson,
       {503, {}, "<html>"},
       "503",
       "",
       "",
       false,
       true},
      {"a code that is no word",
       Protocol::kJson,
       {400, {}, R"({"__type":"a b\u0000<"})"},
       "400",
       "",
       "",
       false,
       false},
      {"what was to be signed is not shown",
       Protocol::kQuery,
       {403,
        {},
        "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>The request signature "
        "differs.\n\nThe Canonical String for this request should have been\n'POST"
        "\nx-amz-security-token:SECRET'</Message></Error></ErrorResponse>"},
       "SignatureDoesNotMatch",
       "The request signature differs.",
       "",
       false,
       false},
  };
  for (const Row& row : rows) {
    const Failure failure = read_service_error(row.protocol, row.response);
    EXPECT_EQ(failure.kind, Failure::Kind::kService) << row.what;
    EXPECT_EQ(failure.code, row.code) << row.what;
    EXPECT_EQ(failure.message, row.message) << row.what;
    EXPECT_EQ(failure.request_id, row.request_id) << row.what;
    EXPECT_EQ(failure.is_throttling, row.is_throttling) << row.what;
    EXPECT_EQ(failure.is_retryable, row.is_retryable) << row.what;
    EXPECT_EQ(failure.status, row.response.status) << row.what;
  }
}

TEST(ServiceError, NeverHoldsASecretNorHalfOfOne) {
  const Secret token(std::string(600, 't'));
  Failure failure;
  failure.message = std::string(400, 'x') + token.reveal() + "y" + token.reveal();
  failure.request_id = token.reveal();
  redact(failure, {&token});
  EXPECT_EQ(failure.message, std::string(400, 'x') + "…y…");
  EXPECT_EQ(failure.request_id, "…");
  failure.message = std::string(5000, 'x');
  redact(failure, {&token});
  EXPECT_EQ(failure.message.size(), kMaxMessage);
}

TEST(CredentialDocument, OfAnEndpoint) {
  const auto good = read_credentials(
      std::string_view(R"({"Code":"Success","AccessKeyId":"A","SecretAccessKey":"S","Token":"T",)"
                       R"("Expiration":"2015-08-30T12:36:00Z"})"));
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, (Credentials{"A", Secret("S"), Secret("T"), WallTime(seconds(1'440'938'160))}));
  EXPECT_TRUE(read_credentials(std::string_view(R"({"AccessKeyId":"A","SecretAccessKey":"S"})")));

  const std::vector<std::pair<const char*, const char*>> bad = {
      {"nothing", ""},
      {"HTML", "<html></html>"},
      {"no object", "[]"},
      {"without a secret", R"({"AccessKeyId":"A","Secret":"SEKRET"})"},
      {"another type", R"({"AccessKeyId":1,"SecretAccessKey":"SEKRET"})"},
      {"an error", R"({"Code":"AssumeRoleUnauthorizedAccess","Message":"no"})"},
      {"a time that is none",
       R"({"AccessKeyId":"A","SecretAccessKey":"SEKRET","Expiration":"soon"})"},
      {"a time of another type",
       R"({"AccessKeyId":"A","SecretAccessKey":"SEKRET","Expiration":1440938160})"},
      {"a line break in the token",
       R"({"AccessKeyId":"A","SecretAccessKey":"SEKRET","Token":"a\r\nX: y"})"},
      {"a slash in the id", R"({"AccessKeyId":"A/B","SecretAccessKey":"SEKRET"})"},
  };
  for (const auto& [what, text] : bad) {
    const auto read = read_credentials(std::string_view(text));
    ASSERT_FALSE(read) << what;
    EXPECT_EQ(read.error().kind, Failure::Kind::kCredentials) << what;
    EXPECT_FALSE(read.error().message.contains("SEKRET")) << what;
  }
}

}  // namespace
}  // namespace ebbgate::aws::detail
