// Signatures that AWS has published. That they agree with botocore on thousands of generated
// requests is tested by tests/system/aws_signing_test.py.
#include "aws/sigv4.h"

#include <gtest/gtest.h>

#include "aws/testing.h"

namespace ebbgate::aws {
namespace {

using testing::example_credentials;
using testing::header_of;

constexpr WallTime kExampleTime{std::chrono::seconds(1'440'938'160)};  // 20150830T123600Z

[[nodiscard]] std::string signature_in(const std::string& authorization) {
  return authorization.substr(authorization.rfind('=') + 1);
}

TEST(Sigv4, SignsTheExamplesOfTheDocumentation) {
  struct Row {
    const char* what;
    https::Request request;
    SigningScope scope;
    WallTime time;
    Credentials credentials;
    const char* signature;
  };
  const Credentials s3_pair{
      "AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), {}, std::nullopt};
  const WallTime s3_time{std::chrono::seconds(1'369'353'600)};  // 20130524T000000Z
  const std::vector<Row> rows = {
      {"get-vanilla of the test suite",
       {.url = "https://example.amazonaws.com/"},
       {"us-east-1", "service"},
       kExampleTime,
       example_credentials(),
       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"IAM ListUsers",
       {.url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        .headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}}},
       {"us-east-1", "iam"},
       kExampleTime,
       example_credentials(),
       "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
      {"S3 GET Object with a range",
       {.url = "https://examplebucket.s3.amazonaws.com/test.txt",
        .headers = {{"Range", "bytes=0-9"}}},
       {"us-east-1", "s3"},
       s3_time,
       s3_pair,
       "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
      {"S3 GET Bucket, valueless query",
       {.url = "https://examplebucket.s3.amazonaws.com/?lifecycle"},
       {"us-east-1", "s3"},
       s3_time,
       s3_pair,
       "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
      {"S3 list, sorted query",
       {.url = "https://examplebucket.s3.amazonaws.com/?prefix=J&max-keys=2"},
       {"us-east-1", "s3"},
       s3_time,
       s3_pair,
       "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
  };
  for (const Row& row : rows) {
    const auto signed_request = sign(row.request, row.credentials, row.scope, row.time);
    ASSERT_TRUE(signed_request) << row.what;
    EXPECT_EQ(signature_in(header_of(*signed_request, "Authorization")), row.signature) << row.what;
  }
}

TEST(Sigv4, WhatIsSentIsWhatWasSigned) {
  https::Request request{.method = "POST",
                         .url = "https://SSM.eu-west-2.amazonaws.com:443/",
                         .headers = {{"host", "elsewhere"},
                                     {"User-Agent", "ebbgate"},
                                     {"Content-Length", "4"},
                                     {"X-Two", "b"},
                                     {"x-two", " a  c "}},
                         .body = "body"};
  Credentials credentials = example_credentials();
  credentials.session_token = Secret("token");
  const auto once = sign(request, credentials, {"eu-west-2", "ssm"}, kExampleTime);
  ASSERT_TRUE(once);
  EXPECT_EQ(header_of(*once, "Host"), "ssm.eu-west-2.amazonaws.com");
  EXPECT_EQ(header_of(*once, "host"), "");
  EXPECT_EQ(header_of(*once, "X-Amz-Date"), "20150830T123600Z");
  EXPECT_EQ(header_of(*once, "X-Amz-Security-Token"), "token");
  EXPECT_EQ(header_of(*once, "X-Amz-Content-Sha256"), "") << "of S3 only";
  EXPECT_TRUE(header_of(*once, "Authorization")
                  .contains("Credential=AKIDEXAMPLE/20150830/eu-west-2/ssm/aws4_request, "
                            "SignedHeaders=host;x-amz-date;x-amz-security-token;x-two, "));
  // Signing again, as a retry does, replaces what was signed.
  const auto twice = sign(*once, credentials, {"eu-west-2", "ssm"}, kExampleTime);
  ASSERT_TRUE(twice);
  EXPECT_EQ(header_of(*twice, "Authorization"), header_of(*once, "Authorization"));
  EXPECT_EQ(twice->headers.size(), once->headers.size());
}

TEST(Sigv4, RefusesWhatCannotBeSent) {
  for (const char* url : {"ftp://example.com/", "https://", "/path", "https://a@example.com/",
                          "https://example.com/#x", "https://example.com/ x"}) {
    EXPECT_FALSE(sign({.url = url}, example_credentials(), {"r", "s"}, kExampleTime)) << url;
    EXPECT_FALSE(presign({.url = url}, example_credentials(), {"r", "s"}, kExampleTime,
                         std::chrono::seconds(60)))
        << url;
  }
  Credentials split = example_credentials();
  split.session_token = Secret("a\r\nX-Evil: 1");
  EXPECT_FALSE(sign({.url = "https://example.com/"}, split, {"r", "s"}, kExampleTime));
}

TEST(Sigv4, EncodesAllButUnreservedCharacters) {
  EXPECT_EQ(percent_encoded("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(percent_encoded("a b+c/d=é%"), "a%20b%2Bc%2Fd%3D%C3%A9%25");
  EXPECT_EQ(percent_encoded("a/b c", "/"), "a/b%20c");
  EXPECT_EQ(percent_encoded(std::string_view("\0\xff", 2)), "%00%FF");
}

}  // namespace
}  // namespace ebbgate::aws
