// The parts that talk to AWS, over a network that answers by script.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "aws/testing.h"
#include "fleet/backoff.h"
#include "fleet/elastic_address.h"
#include "fleet/instance.h"
#include "fleet/lifecycle.h"
#include "fleet/log_shipper.h"
#include "fleet/metric_record.h"
#include "fleet/stack_signal.h"

namespace ebbgate::fleet {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PartsTest : public testing::Test {
 protected:
  PartsTest() {
    aws::ClientOptions options;
    options.region = "eu-west-2";
    options.max_attempts = 1;  // the client's own repetitions have tests of their own
    client_ = std::make_unique<aws::Client>(world_.context, credentials_, options);
  }
  [[nodiscard]] Say say() {
    return [this](std::string_view line) { said_.emplace_back(line); };
  }
  [[nodiscard]] std::vector<std::string> bodies() const {
    std::vector<std::string> out;
    for (const https::Request& request : world_.network.seen) out.push_back(request.body);
    return out;
  }
  // A task without a result, to its end.
  void run(net::Task<void> task) { (void)world_.run(done(std::move(task))); }
  static net::Task<bool> done(net::Task<void> task) {
    co_await task;
    co_return true;
  }

  aws::testing::World world_;
  aws::StaticCredentials credentials_{aws::testing::example_credentials()};
  std::unique_ptr<aws::Client> client_;
  observe::FleetMetrics metrics_;
  std::vector<std::string> said_;
};

aws::ec2::Address address(std::string id, std::string instance = {}) {
  aws::ec2::Address made;
  made.allocation_id = id;
  made.public_ip = "ip-" + id;
  if (!instance.empty()) made.association_id = "eipassoc-" + id;
  made.instance_id = std::move(instance);
  return made;
}

TEST(ChooseAddress, IsTheOneThatTheInstanceHasOrAnyThatIsFree) {
  const auto zero = [] { return std::uint64_t{0}; };
  EXPECT_EQ(
      choose_address({address("a"), address("b", "i-1"), address("c", "i-2")}, "i-1", zero).held,
      "ip-b");
  const AddressChoice choice =
      choose_address({address("a"), address("b", "i-2"), address("c")}, "i-1", zero);
  EXPECT_EQ(choice.held, "");
  ASSERT_EQ(choice.free.size(), 2U);
  EXPECT_EQ(choice.free[0].allocation_id, "c");  // chance has it
  aws::ec2::Address of_an_interface = address("d");
  of_an_interface.network_interface_id = "eni-1";
  EXPECT_THAT(choose_address({of_an_interface}, "i-1", zero).free, IsEmpty());
}

std::string addresses_answer(std::string_view items) {
  return R"(<DescribeAddressesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><addressesSet>)" +
         std::string(items) + "</addressesSet></DescribeAddressesResponse>";
}
constexpr std::string_view kTwoFree =
    "<item><publicIp>198.51.100.1</publicIp><allocationId>eipalloc-1</allocationId></item>"
    "<item><publicIp>198.51.100.2</publicIp><allocationId>eipalloc-2</allocationId></item>";
constexpr std::string_view kTaken =
    "<Response><Errors><Error><Code>Resource.AlreadyAssociated</Code><Message>taken</Message>"
    "</Error></Errors><RequestID>r</RequestID></Response>";
constexpr std::string_view kAssociated =
    "<AssociateAddressResponse><return>true</return><associationId>eipassoc-1</associationId>"
    "</AssociateAddressResponse>";

TEST_F(PartsTest, WhoLosesAnAddressTriesTheNext) {
  world_.network.answer(200, addresses_answer(kTwoFree))
      .answer(400, std::string(kTaken))
      .answer(200, std::string(kAssociated));
  ElasticAddress address(*client_, {"ebbgate:addresses", "a"}, "i-1", metrics_, say());
  run(address.claim());
  EXPECT_EQ(address.address(), "198.51.100.1");
  EXPECT_EQ(metrics_.address_losses.value(), 1U);
  EXPECT_EQ(metrics_.address_claimed.value(), 1);
  EXPECT_THAT(bodies()[2], HasSubstr("AllowReassociation=false"));
  EXPECT_THAT(said_, ElementsAre("aws: this gateway's address is 198.51.100.1"));
}

TEST_F(PartsTest, AnInstanceIsIdentifiedHoweverOftenThatFails) {
  world_.network.answer(503, "")
      .answer(503, "")
      .answer(503, "")
      .answer(200, "token", {{"x-aws-ec2-metadata-token-ttl-seconds", "21600"}})
      .answer(200, "<html>502</html>")
      .answer(200, "i-1")
      .answer(404, "")
      .answer(200, "egress")
      .answer(200, "Fleet");
  aws::Imds imds(world_.context);
  EXPECT_EQ(world_.run(identify(world_.context, imds, {}, say())),
            (Instance{"i-1", "", "egress", "Fleet"}));
  EXPECT_EQ(said_.size(), 1U);
}

TEST_F(PartsTest, AGroupIsAskedForUntilThereIsAnAnswer) {
  world_.network.breaks(Reason::kConnectFailed)
      .answer(200,
              "<DescribeAutoScalingInstancesResponse><DescribeAutoScalingInstancesResult>"
              "<AutoScalingInstances><member><InstanceId>i-1</InstanceId>"
              "<AutoScalingGroupName>fleet</AutoScalingGroupName></member></AutoScalingInstances>"
              "</DescribeAutoScalingInstancesResult></DescribeAutoScalingInstancesResponse>");
  EXPECT_EQ(world_.run(find_group(*client_, "i-1", say())), "fleet");
}

TEST_F(PartsTest, AGroupThatMayNotBeAskedForIsNamedByTheOperator) {
  world_.network.answer(403,
                        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message>"
                        "</Error></ErrorResponse>");
  EXPECT_EQ(world_.run(find_group(*client_, "i-1", say())), "");
  ASSERT_EQ(said_.size(), 1U);
  EXPECT_THAT(said_[0], HasSubstr("--aws-group"));
}

TEST(ReadEndNotice, KnowsBothWaysInWhichAnInstanceEnds) {
  using Cause = EndNotice::Cause;
  EXPECT_EQ(read_end_notice(std::nullopt, std::nullopt), std::nullopt);
  EXPECT_EQ(read_end_notice("InService", std::nullopt), std::nullopt);
  EXPECT_EQ(read_end_notice("Warmed:Stopped", std::nullopt), std::nullopt);
  EXPECT_EQ(read_end_notice("Terminated", std::nullopt), (EndNotice{Cause::kScaleIn, {}}));
  EXPECT_EQ(
      read_end_notice("InService", R"({"action": "terminate", "time": "1970-01-02T00:00:01Z"})"),
      (EndNotice{Cause::kSpot, WallTime(24h + 1s)}));
  for (const char* spoiled :
       {"", "<html>502 Bad Gateway</html>", R"({"action": "terminate", "ti)",
        R"({"action": "terminate", "time": "soon, and a long time after"})"}) {
    EXPECT_EQ(read_end_notice(std::nullopt, spoiled), std::nullopt) << spoiled;
    EXPECT_EQ(read_end_notice(spoiled, std::nullopt), std::nullopt) << spoiled;
  }
}

TEST(DrainPatience, EndsBeforeASpotInstanceIsTakenAway) {
  const WallTime now(1000s);
  EXPECT_EQ(drain_patience({}, 300s, now), 300s);
  EXPECT_EQ(drain_patience({EndNotice::Cause::kSpot, now + 120s}, 300s, now), 105s);
  EXPECT_EQ(drain_patience({EndNotice::Cause::kSpot, now + 120s}, 60s, now), 60s);
  EXPECT_EQ(drain_patience({EndNotice::Cause::kSpot, now - 5s}, 300s, now), 1s);
}

class LifecycleTest : public PartsTest {
 protected:
  // The metadata service's token, which comes first, and the two questions.
  void metadata_says(int status, std::string state) {
    if (!has_token_) {
      world_.network.answer(200, "token", {{"x-aws-ec2-metadata-token-ttl-seconds", "21600"}});
      has_token_ = true;
    }
    world_.network.answer(status, std::move(state)).answer(404, "");
  }
  bool has_token_ = false;
  aws::Imds imds_{world_.context};
  Lifecycle lifecycle_{*client_, imds_, {"fleet", "drain", "i-1"}, say()};
};

TEST_F(LifecycleTest, WaitsUntilTheInstanceIsToEnd) {
  metadata_says(200, "InService");
  metadata_says(404, "");
  metadata_says(200, "Terminated");
  Lifecycle quick(*client_, imds_, {"fleet", "drain", "i-1", 1ms}, say());
  EXPECT_EQ(world_.run(quick.wait_for_notice()), EndNotice{});
}

TEST_F(LifecycleTest, CompletesNothingWhereTheInstanceStays) {
  metadata_says(200, "InService");
  run(lifecycle_.complete(Deadline::never()));
  EXPECT_EQ(world_.network.seen.size(), 3U);
}

TEST_F(LifecycleTest, CompletesTheActionOfItsInstance) {
  metadata_says(200, "Terminated");
  world_.network.answer(200, "<CompleteLifecycleActionResponse/>");
  run(lifecycle_.complete(Deadline::never()));
  const std::string body = world_.network.seen.back().body;
  for (const char* part : {"Action=CompleteLifecycleAction", "AutoScalingGroupName=fleet",
                           "LifecycleHookName=drain", "InstanceId=i-1", "CONTINUE"}) {
    EXPECT_THAT(body, HasSubstr(part));
  }
  EXPECT_THAT(said_, ElementsAre("aws: the lifecycle action drain is completed"));
}

TEST_F(LifecycleTest, SaysNothingOfAnActionThatIsOver) {
  metadata_says(200, "Terminated");
  world_.network.answer(400,
                        "<ErrorResponse><Error><Code>ValidationError</Code><Message>No active "
                        "Lifecycle Action found</Message></Error></ErrorResponse>");
  run(lifecycle_.complete(Deadline::never()));
  EXPECT_THAT(said_, IsEmpty());
}

std::string unready_once_more(int& left) {
  return left-- > 0 ? "no-policy" : "";
}

TEST_F(PartsTest, AStackIsToldOnceTheGatewayIsReady) {
  world_.network.answer(200, "<SignalResourceResponse/>");
  int left = 2;
  int ready = 0;
  run(signal_readiness(
      *client_, {"egress", "Fleet", "i-1", 10min, 1ms},
      [&]() -> std::vector<std::string> {
        const std::string cause = unready_once_more(left);
        return cause.empty() ? std::vector<std::string>() : std::vector<std::string>{cause};
      },
      [&] { ++ready; }, say()));
  EXPECT_EQ(ready, 1);
  ASSERT_EQ(bodies().size(), 1U);
  EXPECT_THAT(bodies()[0], HasSubstr("Status=SUCCESS"));
  EXPECT_THAT(said_, ElementsAre("aws: a success was signalled to the stack egress"));
}

TEST_F(PartsTest, AStackIsToldOfAFailureInsteadOfASuccessThatComesTooLate) {
  world_.network.answer(200, "<SignalResourceResponse/>");
  int left = 20;
  int ready = 0;
  run(signal_readiness(
      *client_, {"egress", "Fleet", "i-1", 5ms, 1ms},
      [&]() -> std::vector<std::string> {
        if (world_.network.seen.empty() || left-- > 0) return {"no-policy", "address-unclaimed"};
        return {};
      },
      [&] { ++ready; }, say()));
  EXPECT_EQ(ready, 1);
  ASSERT_EQ(bodies().size(), 1U);
  EXPECT_THAT(bodies()[0], HasSubstr("Status=FAILURE"));
  EXPECT_THAT(said_[0], HasSubstr("not ready in time (no-policy, address-unclaimed)"));
}

TEST_F(PartsTest, AStackThatWaitsForNobodyIsNoTrouble) {
  world_.network.answer(400,
                        "<ErrorResponse><Error><Code>ValidationError</Code><Message>cannot be "
                        "signaled</Message></Error></ErrorResponse>");
  run(signal_readiness(
      *client_, {"egress", "Fleet", "i-1"}, [] { return std::vector<std::string>(); }, [] {},
      say()));
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(PartsTest, WithoutAStackNobodyIsTold) {
  run(signal_readiness(*client_, {}, [] { return std::vector<std::string>(); }, [] {}, say()));
  EXPECT_THAT(world_.network.seen, IsEmpty());
}

// A spool in memory: each text is a batch.
class Batches final : public BatchSource {
 public:
  explicit Batches(std::deque<std::string> texts) : texts_(std::move(texts)) {}
  net::Task<std::optional<SpooledBatch>> next() override {
    if (texts_.empty()) co_return std::nullopt;
    co_return SpooledBatch{EventKind::kRefusal, 1, texts_.front()};
  }
  void done(SpooledBatch /*batch*/) override { texts_.pop_front(); }
  [[nodiscard]] std::size_t left() const { return texts_.size(); }

 private:
  std::deque<std::string> texts_;
};

constexpr std::string_view kNoStream =
    R"({"__type":"ResourceNotFoundException","message":"The specified log stream does not exist."})";

class LogShipperTest : public PartsTest {
 protected:
  net::Task<void> ship_all(Batches& batches, Duration allowance = 10s) {
    LogShipper shipper(*client_, batches, {"group", "i-1", 1ms}, metrics_, say());
    net::spawn(shipper.run(), net::testing::abort_on_failure);
    net::Task<void> finishing = shipper.finish(world_.loop->after(allowance));
    co_await finishing;
  }
};

TEST_F(LogShipperTest, MakesTheStreamWhereThereIsNone) {
  world_.network.answer(400, std::string(kNoStream))
      .answer(200, "{}")
      .answer(200, "{}")
      .answer(200, "{}");
  Batches batches({"{\"a\":1}\n", "{\"b\":2}\n{\"c\":3}\n"});
  run(ship_all(batches));
  EXPECT_EQ(batches.left(), 0U);
  EXPECT_EQ(metrics_.shipped_events.value(), 3U);
  EXPECT_THAT(bodies()[1], HasSubstr(R"("logStreamName":"i-1")"));
  const auto last = nlohmann::json::parse(bodies()[3]);
  EXPECT_EQ(last["logEvents"][1]["message"], "{\"c\":3}");
}

TEST_F(LogShipperTest, TriesAgainUntilTheServiceIsBack) {
  world_.network.breaks(Reason::kConnectFailed).answer(200, "{}");
  Batches batches({"{}\n"});
  run(ship_all(batches));
  EXPECT_EQ(batches.left(), 0U);
  EXPECT_EQ(metrics_.ship_failures.value(), 1U);
  ASSERT_EQ(said_.size(), 2U);
  EXPECT_THAT(said_[0], HasSubstr("events wait in the spool"));
  EXPECT_THAT(said_[1], HasSubstr("shipped again"));
}

TEST_F(LogShipperTest, LeavesInTheSpoolWhatDoesNotGoInTime) {
  for (int i = 0; i < 5; ++i) world_.network.breaks(Reason::kConnectFailed);
  Batches batches({"{}\n"});
  run(ship_all(batches, 5ms));
  EXPECT_EQ(batches.left(), 1U);
}

TEST_F(LogShipperTest, CountsWhatIsTooOldOrTooNew) {
  world_.network.answer(
      200,
      R"({"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":1,"tooNewLogEventStartIndex":2}})");
  Batches batches({"{}\n{}\n{}\n"});
  run(ship_all(batches));
  EXPECT_EQ(metrics_.rejected_events.value(), 2U);
  EXPECT_EQ(metrics_.shipped_events.value(), 1U);
}

TEST_F(LogShipperTest, DoesNotHoldUpTheRestForWhatTheServiceWillNeverTake) {
  world_.network.answer(400, R"({"__type":"InvalidParameterException","message":"no"})")
      .answer(200, "{}");
  Batches batches({"{}\n{}\n", "{}\n"});
  run(ship_all(batches));
  EXPECT_EQ(batches.left(), 0U);
  EXPECT_EQ(metrics_.rejected_events.value(), 2U);
  EXPECT_EQ(metrics_.shipped_events.value(), 1U);
}

TEST(MetricRecord, IsInTheEmbeddedMetricFormat) {
  const auto record = nlohmann::json::parse(
      metric_record({3, 20, 4, 60}, "Ebbgate/egress", "fle\"et", "i-1", 1234));
  const auto& about = record["_aws"];
  EXPECT_EQ(about["Timestamp"], 1234);
  const auto& directive = about["CloudWatchMetrics"][0];
  EXPECT_EQ(directive["Namespace"], "Ebbgate/egress");
  EXPECT_EQ(directive["Dimensions"], nlohmann::json::parse(R"([["AutoScalingGroupName"]])"));
  EXPECT_EQ(record["AutoScalingGroupName"], "fle\"et");
  std::map<std::string, int> values;
  for (const auto& metric : directive["Metrics"]) {
    values[metric["Name"]] = record[metric["Name"].get<std::string>()];
  }
  EXPECT_THAT(values, ElementsAre(std::pair("ActiveTunnels", 3), std::pair("Denied", 4),
                                  std::pair("GatewayUp", 1), std::pair("PolicyAgeSeconds", 60),
                                  std::pair("Requests", 20)));
  EXPECT_FALSE(
      nlohmann::json::parse(metric_record({}, "n", "g", "i", 0)).contains("PolicyAgeSeconds"));
}

TEST(Backoff, DoublesUpToItsLongestAndStartsAnew) {
  Backoff backoff(1s, 4s);
  EXPECT_EQ(backoff.next(0), 500ms);
  EXPECT_EQ(backoff.next(0), 1s);
  EXPECT_EQ(backoff.next(0), 2s);
  EXPECT_EQ(backoff.next(std::uint64_t{1} << 63),
            2s + Duration((std::uint64_t{1} << 63) % 2'000'000'001));
  backoff.reset();
  EXPECT_EQ(backoff.next(0), 500ms);
}

}  // namespace
}  // namespace ebbgate::fleet
