#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "aws/client.h"
#include "aws/credentials.h"
#include "net/run.h"
#include "net/testing.h"
#include "source/aws_sources.h"
#include "source/detail/testing.h"
#include "source/detail/text.h"
#include "source/https_source.h"

namespace ebbgate::source {
namespace {

using https::Response;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ScriptedTransport;
using testing::SetClock;
using ::testing::StartsWith;
using Answer = Result<std::optional<Fetched>>;

// A source is asked on a loop of its own each time; nothing of the script waits.
template <typename T>
T run(net::Task<T> task) {
  const auto loop = net::testing::make_loop();
  return net::run_to_end(*loop, std::move(task));
}

std::string sent(const https::Request& request, std::string_view name) {
  for (const https::Header& header : request.headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

// --- https ---

struct Https {
  ScriptedTransport transport;
  HttpsSource source{"https://policies.example/p.yaml?v=1", transport};

  Answer ask(Response response, const std::string& token = {}) {
    transport.answer = [&](const https::Request&) { return response; };
    return run(source.fetch(token));
  }
};

TEST(HttpsSource, GivesWhatTheServerHas) {
  Https https;
  const auto got =
      https.ask({.status = 200,
                 .headers = {{"etag", "\"a\""}, {"last-modified", "Thu, 01 Jan 1970 00:01:00 GMT"}},
                 .body = "a.example"});
  ASSERT_TRUE(got && *got);
  const Fetched expected{.text = "a.example", .token = "\"a\"", .version = "\"a\"", .sequence = 60};
  EXPECT_EQ(**got, expected);
  EXPECT_EQ(https.transport.seen[0].url, "https://policies.example/p.yaml?v=1");
  EXPECT_EQ(https.transport.seen[0].max_body, kMaxText);
  EXPECT_EQ(sent(https.transport.seen[0], "If-None-Match"), "");
}

TEST(HttpsSource, AsksOnlyForWhatIsNew) {
  Https https;
  const auto same = https.ask({.status = 304}, "\"a\"");
  ASSERT_TRUE(same);
  EXPECT_FALSE(same->has_value());
  EXPECT_EQ(sent(https.transport.seen[0], "If-None-Match"), "\"a\"");

  const std::string date = "Thu, 01 Jan 1970 00:01:00 GMT";
  const auto dated = https.ask({.status = 200, .headers = {{"last-modified", date}}, .body = "x"});
  const auto same_date = https.ask({.status = 304}, (*dated)->token);
  ASSERT_TRUE(same_date);
  EXPECT_FALSE(same_date->has_value());
  EXPECT_EQ(sent(https.transport.seen[2], "If-Modified-Since"), date);

  // A server that says neither is asked for all of it each time.
  const auto bare = https.ask({.status = 200, .body = "x"});
  EXPECT_EQ((*bare)->token, "");
  EXPECT_EQ((*bare)->version.size(), 12U);
}

TEST(HttpsSource, AnythingElseIsAnError) {
  struct Case {
    Response response;
    const char* says;
  };
  const Case cases[] = {
      {{.status = 304}, "304"},  // to who has nothing
      {{.status = 302, .headers = {{"location", "https://evil.example/"}}, .body = "a.example"},
       "redirects (302 to https://evil.example/)"},
      {{.status = 204}, "204"},
      {{.status = 206, .body = "a.ex"}, "206"},
      {{.status = 401, .body = "a.example"}, "refuses"},
      {{.status = 403}, "refuses"},
      {{.status = 404}, "has none"},
      {{.status = 500}, "500"},
      {{.status = 200, .headers = {{"content-encoding", "gzip"}}, .body = "x"}, "compressed"},
  };
  for (const Case& each : cases) {
    Https https;
    const auto got = https.ask(each.response);
    ASSERT_FALSE(got) << each.response.status;
    EXPECT_THAT(got.error().detail, HasSubstr(each.says));
  }
}

TEST(HttpsSource, ShowsNobodyItsQuery) {
  ScriptedTransport transport;
  const HttpsSource bare("https://policies.example/p.yaml", transport);
  EXPECT_EQ(bare.name(), "https://policies.example/p.yaml");
  const HttpsSource one("https://policies.example/p.yaml?token=SECRET", transport);
  EXPECT_THAT(one.name(), StartsWith("https://policies.example/p.yaml?"));
  EXPECT_THAT(one.name(), Not(HasSubstr("SECRET")));
  // Metrics, and the file of the last good policy, are told apart by it.
  const HttpsSource other("https://policies.example/p.yaml?token=OTHER", transport);
  EXPECT_NE(other.name(), one.name());
  EXPECT_EQ(HttpsSource("https://policies.example/p.yaml?token=SECRET", transport).name(),
            one.name());

  Https https;
  const auto got = https.ask(
      {.status = 302, .headers = {{"location", "https://evil.example/login?back=token=SECRET"}}});
  EXPECT_THAT(got.error().detail, HasSubstr("to https://evil.example/login)"));
}

TEST(HttpsSource, HasItsSignatureBesideIt) {
  Https https;
  https.transport.answer = [](const https::Request& request) -> Result<Response> {
    if (request.url == "https://policies.example/p.yaml.sig?v=1") {
      return Response{.status = 200, .body = "c2ln"};
    }
    return Response{.status = 404};
  };
  EXPECT_EQ(run(https.source.fetch_signature()).value(), "c2ln");
  https.transport.answer = [](const https::Request&) { return Response{.status = 404}; };
  EXPECT_FALSE(run(https.source.fetch_signature()));
}

// --- AWS ---

struct Aws {
  std::unique_ptr<net::Loop> loop = net::testing::make_loop();
  ScriptedTransport transport;
  std::deque<Response> answers;
  SetClock clock;
  aws::Context context{.loop = *loop,
                       .transport = transport,
                       .clock = clock,
                       .random = [] { return 0; },
                       .environment = [](const std::string&) { return std::nullopt; },
                       .read_file = [](const std::string&) -> Result<std::string> {
                         return fail(Reason::kInternal, Side::kSelf, "no file");
                       }};
  aws::StaticCredentials credentials{{"AKID", aws::Secret("secret"), {}, std::nullopt}};
  aws::Client client{context, credentials, {.region = "eu-west-2", .max_attempts = 1}};

  Aws() {
    transport.answer = [this](const https::Request&) -> Result<Response> {
      if (answers.empty()) return fail(Reason::kInternal, Side::kSelf, "not in the script");
      Response answer = std::move(answers.front());
      answers.pop_front();
      return answer;
    };
  }

  std::unique_ptr<PolicySource> source(const char* url) {
    return std::move(
        make_source(*config::parse_source_url(url), {.transport = transport, .aws = &client})
            .value());
  }
  Aws& parameter(int version, const std::string& json_value) {
    answers.push_back({.status = 200,
                       .body = R"({"Parameter": {"Name": "/p", "Type": "String", "Version": )" +
                               std::to_string(version) + R"(, "Value": )" + json_value + "}}"});
    return *this;
  }
  Aws& object(const std::string& body, const std::string& etag = "\"e\"") {
    answers.push_back({.status = 200,
                       .headers = {{"etag", etag},
                                   {"x-amz-version-id", "v1"},
                                   {"last-modified", "Thu, 01 Jan 1970 00:01:00 GMT"}},
                       .body = body});
    return *this;
  }
};

TEST(SsmSource, GivesTheParametersValueAndItsVersion) {
  Aws aws;
  const auto source = aws.source("ssm:///p");
  aws.parameter(7, "\"a.example\"");
  const auto got = run(source->fetch({}));
  ASSERT_TRUE(got) << got.error().detail;
  const std::string token = (*got)->token;
  const Fetched expected{
      .text = "a.example", .token = token, .version = "version 7", .sequence = 7};
  EXPECT_EQ(**got, expected);
  EXPECT_THAT(aws.transport.seen[0].body, HasSubstr("\"/p\""));

  aws.parameter(7, "\"a.example\"");
  EXPECT_EQ(run(source->fetch(token)).value(), std::nullopt);
  aws.parameter(8, "\"b.example\"");
  EXPECT_EQ(run(source->fetch(token)).value()->text, "b.example");
}

// One that was deleted and made again counts from 1, and may arrive at the same number.
TEST(SsmSource, KnowsAnotherParameterOfTheSameVersion) {
  const auto pinned = [](const std::string& body) {
    return R"("{\"bucket\":\"the-bucket\",\"key\":\"k\",\"sha256\":\")" + detail::sha256_hex(body) +
           R"(\"}")";
  };
  Aws aws;
  const auto source = aws.source("ssm:///p");
  aws.parameter(1, "\"a.example\"");
  std::string token = run(source->fetch({})).value()->token;
  aws.parameter(1, "\"b.example\"");
  auto got = run(source->fetch(token));
  ASSERT_TRUE(got && *got);
  EXPECT_EQ((*got)->text, "b.example");

  aws.parameter(1, pinned("a.example")).object("a.example");
  token = run(source->fetch({})).value()->token;
  aws.parameter(1, pinned("b.example")).object("b.example");
  got = run(source->fetch(token));
  ASSERT_TRUE(got && *got);
  EXPECT_EQ((*got)->text, "b.example");

  // One that names no object any more, but holds the same octets as before it did.
  aws.parameter(1, "\"b.example\"");
  EXPECT_TRUE(run(source->fetch((*got)->token)).value());
}

TEST(SsmSource, FollowsThePointerToAnObject) {
  Aws aws;
  const auto source = aws.source("ssm:///p");
  const std::string body = "a.example\n";
  const std::string pinned =
      R"("{\"bucket\":\"the-bucket\",\"key\":\"a/b.yaml\",\"versionId\":\"v1\",\"sha256\":\")" +
      detail::sha256_hex(body) + R"(\",\"signature\":\"c2ln\"}")";
  aws.parameter(7, pinned).object(body);
  const auto got = run(source->fetch({}));
  ASSERT_TRUE(got) << got.error().detail;
  const std::string token = (*got)->token;
  const Fetched expected{
      .text = body, .token = token, .version = "version 7", .sequence = 7, .signature = "c2ln"};
  EXPECT_EQ(**got, expected);
  EXPECT_THAT(aws.transport.seen[1].url, HasSubstr("/a/b.yaml?versionId=v1"));

  // What is pinned is not asked for again while the parameter stays.
  aws.parameter(7, pinned);
  EXPECT_EQ(run(source->fetch(token)).value(), std::nullopt);
  EXPECT_EQ(aws.transport.seen.size(), 3U);

  aws.parameter(8, pinned).object("evil.example\n");
  const auto changed = run(source->fetch(token));
  ASSERT_FALSE(changed);
  EXPECT_THAT(changed.error().detail, HasSubstr("SHA-256"));
}

TEST(SsmSource, AsksForAnObjectThatIsNotPinnedEachTime) {
  Aws aws;
  const auto source = aws.source("ssm:///p");
  const std::string pointer = R"("{\"bucket\":\"the-bucket\",\"key\":\"k\"}")";
  aws.parameter(7, pointer).object("a.example", "\"e1\"");
  const auto first = run(source->fetch({}));
  ASSERT_TRUE(first) << first.error().detail;
  const std::string token = (*first)->token;

  aws.parameter(7, pointer).answers.push_back({.status = 304});
  EXPECT_EQ(run(source->fetch(token)).value(), std::nullopt);
  EXPECT_EQ(sent(aws.transport.seen.back(), "If-None-Match"), "\"e1\"");

  aws.parameter(8, pointer).object("b.example", "\"e2\"");
  EXPECT_EQ(run(source->fetch(token)).value()->text, "b.example");
  EXPECT_EQ(sent(aws.transport.seen.back(), "If-None-Match"), "");

  // Of the same version, and pointing elsewhere.
  const std::string other = R"("{\"bucket\":\"the-bucket\",\"key\":\"other\"}")";
  aws.parameter(7, other).object("c.example", "\"e1\"");
  EXPECT_EQ(run(source->fetch(token)).value()->text, "c.example");
  EXPECT_EQ(sent(aws.transport.seen.back(), "If-None-Match"), "");
}

TEST(SsmSource, TellsPointersFromPolicies) {
  struct Case {
    const char* value;
    const char* says;  // empty: a policy
  };
  const Case cases[] = {
      {"a.example", ""},
      {"", ""},
      {"[1]", ""},
      {R"({"apiVersion": "x"})", ""},
      {R"({"bucket": "b"})", "without its bucket or key"},
      {R"({"bucket": "", "key": "k"})", "without its bucket or key"},
      {R"({"bucket": "b", "key": 1})", "no text"},
      {R"({"bucket": "b", "key": "k", "region": "x"})", "unknown"},
      {R"({"bucket": "b", "key": "k", "sha256": "12"})", "64 hexadecimal digits"},
  };
  for (const Case& each : cases) {
    const auto pointer = parse_pointer(each.value);
    if (each.says[0] == '\0') {
      EXPECT_TRUE(pointer && !*pointer) << each.value;
    } else {
      ASSERT_FALSE(pointer) << each.value;
      EXPECT_THAT(pointer.error().detail, HasSubstr(each.says));
    }
  }
}

TEST(SsmSource, SaysWhatIsMissing) {
  Aws aws;
  const auto source = aws.source("ssm:///p");
  aws.answers.push_back({.status = 400, .body = R"({"__type": "ParameterNotFound"})"});
  EXPECT_THAT(run(source->fetch({})).error().detail, HasSubstr("ParameterNotFound"));
  aws.answers.push_back(
      {.status = 400, .body = R"({"__type": "AccessDeniedException", "message": "no"})"});
  EXPECT_THAT(run(source->fetch({})).error().detail, HasSubstr("needs ssm:GetParameter"));
  aws.answers.push_back({.status = 200, .body = "<html>"});
  EXPECT_FALSE(run(source->fetch({})));
}

TEST(SsmSource, HasItsSignatureInAParameterBesideIt) {
  Aws aws;
  const auto source = aws.source("ssm:///p");
  aws.parameter(1, "\"c2ln\"");
  EXPECT_EQ(run(source->fetch_signature()).value(), "c2ln");
  EXPECT_THAT(aws.transport.seen[0].body, HasSubstr("\"/p.sig\""));
}

TEST(S3Source, GivesTheObjectAndItsVersion) {
  Aws aws;
  const auto source = aws.source("s3://the-bucket/dir/p.yaml");
  aws.object("a.example");
  const auto got = run(source->fetch({}));
  ASSERT_TRUE(got) << got.error().detail;
  const Fetched expected{.text = "a.example", .token = "\"e\"", .version = "v1", .sequence = 60};
  EXPECT_EQ(**got, expected);

  aws.answers.push_back({.status = 304});
  EXPECT_EQ(run(source->fetch("\"e\"")).value(), std::nullopt);
  EXPECT_EQ(sent(aws.transport.seen.back(), "If-None-Match"), "\"e\"");

  aws.answers.push_back(
      {.status = 403, .body = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"});
  const auto denied = run(source->fetch("\"e\""));
  EXPECT_THAT(denied.error().detail, HasSubstr("needs s3:GetObject on it"));
  EXPECT_THAT(denied.error().detail, HasSubstr("or there is no such object"));
  EXPECT_THAT(denied.error().detail, HasSubstr("s3://the-bucket/dir/p.yaml"));

  aws.object("c2ln");
  EXPECT_EQ(run(source->fetch_signature()).value(), "c2ln");
  EXPECT_THAT(aws.transport.seen.back().url, HasSubstr("/dir/p.yaml.sig"));
}

TEST(SecretSource, GivesTheSecretsText) {
  Aws aws;
  const auto source = aws.source("secretsmanager://allowlist");
  const auto secret = [&](const char* version) {
    aws.answers.push_back(
        {.status = 200,
         .body = std::string(R"({"Name": "allowlist", "ARN": "a", "VersionId": ")") + version +
                 R"(", "SecretString": ".amazonaws.com, registry.hub.docker.io"})"});
  };
  secret("v1");
  const auto got = run(source->fetch({}));
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_EQ((*got)->text, ".amazonaws.com, registry.hub.docker.io");
  EXPECT_EQ((*got)->token, "v1");
  secret("v1");
  EXPECT_EQ(run(source->fetch("v1")).value(), std::nullopt);
  secret("v2");
  EXPECT_TRUE(run(source->fetch("v1")).value());
}

TEST(SecretSource, CountsByWhenAVersionWasMade) {
  Aws aws;
  const auto source = aws.source("secretsmanager://allowlist");
  const auto sequence_of = [&](const std::string& created) {
    aws.answers.push_back({.status = 200,
                           .body = R"({"VersionId": "v", "SecretString": "a.example")" +
                                   (created.empty() ? "" : R"(, "CreatedDate": )" + created) +
                                   "}"});
    return run(source->fetch({})).value()->sequence;
  };
  EXPECT_EQ(sequence_of("1.523477145713E9"), 1'523'477'145'713);
  EXPECT_EQ(sequence_of("1523477145"), 1'523'477'145'000);
  for (const char* none : {"", "null", "\"2018\"", "-1", "1e300"}) {
    EXPECT_EQ(sequence_of(none), std::nullopt) << none;
  }
}

TEST(MakeSource, NeedsAClientForAws) {
  ScriptedTransport transport;
  for (const char* url : {"ssm:///p", "s3://bucket/p", "secretsmanager://p"}) {
    const auto source =
        make_source(*config::parse_source_url(url), {.transport = transport, .aws = nullptr});
    ASSERT_FALSE(source);
    EXPECT_THAT(source.error().detail, StartsWith(url));
  }
  EXPECT_TRUE(make_source(*config::parse_source_url("https://a.example/"),
                          {.transport = transport, .aws = nullptr}));
}

}  // namespace
}  // namespace ebbgate::source
