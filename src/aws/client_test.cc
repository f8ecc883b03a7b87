#include "aws/client.h"

#include <gtest/gtest.h>

#include "aws/ssm.h"
#include "aws/testing.h"

namespace ebbgate::aws {
namespace {

using testing::header_of;
using testing::World;

constexpr const char* kParameter =
    R"({"Parameter":{"Name":"/list","ARN":"a","Type":"String","Value":"v","Version":3}})";

// Credentials that change when they are rejected.
class Changing final : public CredentialsProvider {
 public:
  [[nodiscard]] net::Task<Outcome<Credentials>> get() override {
    if (is_failing) co_return failed(Failure::Kind::kCredentials, "none");
    co_return Credentials{"KEY" + std::to_string(generation), Secret("SEKRET"), Secret("SESSION"),
                          std::nullopt};
  }
  void reject(const Credentials& /*expired*/) override { ++generation; }
  int generation = 1;
  bool is_failing = false;
};

struct Caller {
  World world;
  Changing credentials;
  Client client{world.context, credentials, {.region = "eu-west-2"}};

  [[nodiscard]] Outcome<ssm::Parameter> get(Deadline deadline = Deadline::never()) {
    return world.run(ssm::get_parameter(client, "/list", deadline));
  }
  [[nodiscard]] std::size_t calls() const { return world.network.seen.size(); }
};

[[nodiscard]] std::string error_body(std::string_view code, std::string_view message = "m") {
  return R"({"__type":"com.amazonaws#)" + std::string(code) + R"(","message":")" +
         std::string(message) + "\"}";
}

TEST(Client, SignsForItsRegionAndService) {
  Caller caller;
  caller.world.network.answer(200, kParameter);
  const auto got = caller.get();
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, (ssm::Parameter{"/list", "a", "String", "v", 3}));
  const https::Request& request = caller.world.network.seen.at(0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "https://ssm.eu-west-2.amazonaws.com/");
  EXPECT_EQ(request.body, R"({"Name":"/list","WithDecryption":true})");
  EXPECT_EQ(header_of(request, "X-Amz-Target"), "AmazonSSM.GetParameter");
  EXPECT_EQ(header_of(request, "Content-Type"), "application/x-amz-json-1.1");
  EXPECT_EQ(header_of(request, "X-Amz-Security-Token"), "SESSION");
  EXPECT_TRUE(header_of(request, "Authorization")
                  .starts_with("AWS4-HMAC-SHA256 Credential=KEY1/20150830/eu-west-2/ssm/"));
}

TEST(Client, GoesWhereTheEnvironmentSays) {
  struct Row {
    const char* variable;
    const char* value;
    const char* url;  // empty: refused before any call
  };
  for (const Row& row :
       {Row{"AWS_ENDPOINT_URL", "http://127.0.0.1:4566", "http://127.0.0.1:4566/"},
        Row{"AWS_ENDPOINT_URL", "https://a.example/base//", "https://a.example/base/"},
        Row{"AWS_ENDPOINT_URL_SSM", "http://x.example", "http://x.example/"},
        Row{"AWS_ENDPOINT_URL_S3", "http://x.example", "https://ssm.eu-west-2.amazonaws.com/"},
        Row{"AWS_ENDPOINT_URL", "", "https://ssm.eu-west-2.amazonaws.com/"},
        Row{"AWS_ENDPOINT_URL", "x.example", ""},
        Row{"AWS_ENDPOINT_URL", "https://x.example/?a", ""},
        Row{"AWS_ENDPOINT_URL", "file:///etc", ""}}) {
    Caller caller;
    caller.world.variables[row.variable] = row.value;
    caller.world.network.answer(200, kParameter);
    const auto got = caller.get();
    EXPECT_EQ(got.has_value(), *row.url != '\0') << row.value;
    if (got) {
      EXPECT_EQ(caller.world.network.seen.at(0).url, row.url);
    } else {
      EXPECT_EQ(got.error().kind, Failure::Kind::kInvalid);
      EXPECT_EQ(caller.calls(), 0U);
    }
  }
}

TEST(Client, KnowsPartitionsAndRefusesWhatIsNoRegion) {
  World world;
  const auto url = [&world](Service service, std::string_view region) {
    const auto endpoint = endpoint_of(service, region, world.context);
    return endpoint ? endpoint->url : "refused";
  };
  EXPECT_EQ(url(Service::kLogs, "cn-north-1"), "https://logs.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(url(Service::kEks, "us-gov-west-1"), "https://eks.us-gov-west-1.amazonaws.com");
  EXPECT_EQ(url(Service::kCloudWatch, "eu-west-2"), "https://monitoring.eu-west-2.amazonaws.com");
  for (const char* region : {"", "eu-west-2.evil.example/", "EU", "-a", "a b", "a@b", "a/b"}) {
    EXPECT_EQ(url(Service::kSsm, region), "refused") << region;
  }
}

TEST(Client, TriesAgainWhatMaySucceedLater) {
  struct Row {
    const char* what;
    int status;
    const char* code;
    bool again;
  };
  for (const Row& row :
       {Row{"throttled", 400, "ThrottlingException", true}, Row{"too many", 429, "", true},
        Row{"failed", 500, "InternalServerError", true}, Row{"down", 503, "", true},
        Row{"missing", 400, "ParameterNotFound", false},
        Row{"forbidden", 400, "AccessDeniedException", false},
        Row{"a quota", 400, "LimitExceededException", false}, Row{"moved", 301, "", false}}) {
    Caller caller;
    caller.world.network.answer(row.status, error_body(row.code)).answer(200, kParameter);
    EXPECT_EQ(caller.get().has_value(), row.again) << row.what;
    EXPECT_EQ(caller.calls(), row.again ? 2U : 1U) << row.what;
  }
  for (const auto& [reason, again] :
       std::vector<std::pair<Reason, bool>>{{Reason::kDnsFailed, true},
                                            {Reason::kConnectFailed, true},
                                            {Reason::kTimedOut, true},
                                            {Reason::kOriginInvalid, true},
                                            {Reason::kOriginClosed, true},
                                            {Reason::kDraining, false},
                                            {Reason::kMalformedRequest, false}}) {
    Caller caller;
    caller.world.network.breaks(reason).answer(200, kParameter);
    const auto got = caller.get();
    EXPECT_EQ(got.has_value(), again) << word(reason);
    if (!got) EXPECT_EQ(got.error().reason, reason);
  }
}

TEST(Client, EndsAfterItsAttempts) {
  Caller caller;
  for (int i = 0; i < 5; ++i) caller.world.network.answer(503, error_body("Unavailable", "later"));
  const auto got = caller.get();
  ASSERT_FALSE(got);
  EXPECT_EQ(caller.calls(), 4U);
  EXPECT_EQ(got.error().describe("ssm GetParameter"), "ssm GetParameter: Unavailable: later");
}

TEST(Client, StopsRetryingWhenEverythingFails) {
  Caller caller;
  Client poor(caller.world.context, caller.credentials,
              {.region = "eu-west-2", .retry_budget = 10});
  const auto get = [&] {
    return caller.world.run(ssm::get_parameter(poor, "/list", Deadline::never()));
  };
  for (int i = 0; i < 5; ++i) caller.world.network.answer(503, "");
  EXPECT_FALSE(get());
  EXPECT_EQ(caller.calls(), 3U) << "two retries at 5 each";
  EXPECT_FALSE(get());
  EXPECT_EQ(caller.calls(), 4U) << "none is left";
  caller.world.network.answers.clear();
  for (int i = 0; i < 5; ++i) caller.world.network.answer(200, kParameter);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(get());
  caller.world.network.answer(503, "").answer(200, kParameter);
  EXPECT_TRUE(get()) << "five successes have earned one";
}

TEST(Client, NeverWaitsPastTheDeadline) {
  Caller caller;
  caller.world.random = 400'000'000;  // a pause of 0.4 s, if it were made
  caller.world.network.answer(503, "").answer(200, kParameter);
  const auto now = caller.world.loop->now();
  const auto got = caller.get(Deadline::at(now + std::chrono::milliseconds(300)));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().status, 503) << "the last answer, not that time is up";
  EXPECT_EQ(caller.calls(), 1U);
  EXPECT_EQ(caller.world.network.seen[0].timeout, std::chrono::milliseconds(300));
  const auto late = caller.get(Deadline::at(now));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().reason, Reason::kTimedOut);
  EXPECT_EQ(caller.calls(), 1U);
}

TEST(Client, PausesBeforeItTriesAgain) {
  Caller caller;
  caller.world.random = 30'000'000;  // 30 ms of the first 500
  caller.world.network.answer(503, "").answer(200, kParameter);
  const auto before = std::chrono::steady_clock::now();
  EXPECT_TRUE(caller.get());
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(25));
}

TEST(Client, CorrectsAClockThatIsWrong) {
  const std::vector<https::Header> date = {{"date", "Sun, 30 Aug 2015 13:36:00 GMT"}};  // +1 h
  for (const char* code : {"RequestTimeTooSkewed", "InvalidSignatureException",
                           "SignatureDoesNotMatch", "RequestExpired"}) {
    Caller caller;
    caller.world.network.answer(403, error_body(code), date).answer(200, kParameter);
    EXPECT_TRUE(caller.get()) << code;
    ASSERT_EQ(caller.calls(), 2U);
    EXPECT_EQ(header_of(caller.world.network.seen[1], "X-Amz-Date"), "20150830T133600Z");
    caller.world.network.answer(200, kParameter);
    EXPECT_TRUE(caller.get());
    EXPECT_EQ(header_of(caller.world.network.seen[2], "X-Amz-Date"), "20150830T133600Z")
        << "it is remembered";
  }
}

TEST(Client, BlamesNoClockThatIsRight) {
  const std::vector<std::pair<const char*, std::vector<https::Header>>> rows = {
      {"a wrong key", {{"date", "Sun, 30 Aug 2015 12:38:00 GMT"}}},
      {"no date", {}},
      {"a date that is none", {{"date", "tomorrow"}}},
  };
  for (const auto& [what, headers] : rows) {
    Caller caller;
    caller.world.network.answer(403, error_body("SignatureDoesNotMatch"), headers);
    EXPECT_FALSE(caller.get()) << what;
    EXPECT_EQ(caller.calls(), 1U) << what;
  }
  Caller caller;  // a service whose clock runs wild is not followed for ever
  caller.world.network
      .answer(403, error_body("RequestExpired"), {{"date", "Sun, 30 Aug 2015 13:36:00 GMT"}})
      .answer(403, error_body("RequestExpired"), {{"date", "Sun, 30 Aug 2015 12:36:00 GMT"}})
      .answer(403, error_body("RequestExpired"), {{"date", "Sun, 30 Aug 2015 17:36:00 GMT"}});
  EXPECT_FALSE(caller.get());
  EXPECT_EQ(caller.calls(), 3U);
  EXPECT_EQ(header_of(caller.world.network.seen[2], "X-Amz-Date"), "20150830T123600Z")
      << "what one server said wrongly is taken back";
}

TEST(Client, AsksForNewCredentialsWhenTheseHaveExpired) {
  Caller caller;
  caller.world.network.answer(400, error_body("ExpiredTokenException")).answer(200, kParameter);
  EXPECT_TRUE(caller.get());
  EXPECT_TRUE(header_of(caller.world.network.seen.at(1), "Authorization").contains("KEY2/"));
  caller.world.network.answer(400, error_body("ExpiredTokenException"))
      .answer(400, error_body("ExpiredTokenException"));
  const auto got = caller.get();
  ASSERT_FALSE(got);
  EXPECT_TRUE(got.error().is("ExpiredTokenException"));
  EXPECT_EQ(caller.calls(), 4U) << "once a call";
}

TEST(Client, SaysThatThereAreNoCredentials) {
  Caller caller;
  caller.credentials.is_failing = true;
  const auto got = caller.get();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, Failure::Kind::kCredentials);
  EXPECT_EQ(caller.calls(), 0U);
}

TEST(Client, AsksOnceMoreWhereAnAnswerCannotBeRead) {
  for (const char* body : {"", "<html></html>", "{}", R"({"Parameter":{"Name":"/list"}})",
                           R"({"Parameter":{"Value":1,"Version":1}})",
                           R"({"Parameter":{"Value":"v","Version":"1"}})"}) {
    Caller caller;
    caller.world.network.answer(200, body).answer(200, kParameter);
    EXPECT_TRUE(caller.get()) << body;
    caller.world.network.answer(200, body).answer(200, body);
    const auto got = caller.get();
    ASSERT_FALSE(got) << body;
    EXPECT_EQ(got.error().kind, Failure::Kind::kUnreadable);
    EXPECT_EQ(got.error().to_error("x").reason, Reason::kOriginInvalid);
    EXPECT_EQ(caller.calls(), 4U);
  }
}

TEST(Client, NoFailureHoldsASecret) {
  Caller caller;
  caller.world.network.answer(403, error_body("X", "echo SESSION and SEKRET"));
  const auto got = caller.get();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().message, "echo … and …");
}

TEST(Failure, IsOneSentenceInWhichNothingIsForged) {
  Failure failure;
  failure.code = "AccessDenied";
  failure.message = "no\r\nebbgate: ready\x1b[2J";
  failure.request_id = "r 1";
  EXPECT_EQ(failure.describe("s3 GetObject"),
            "s3 GetObject: AccessDenied: no%0D%0Aebbgate: ready%1B[2J (request r%201)");
}

}  // namespace
}  // namespace ebbgate::aws
