// What each service is asked, octet for octet, and what is read of its answers. That AWS would take
// them is the business of tests/system/aws_client_test.py.
#include <gtest/gtest.h>

#include "aws/autoscaling.h"
#include "aws/cloudformation.h"
#include "aws/cloudwatch.h"
#include "aws/ec2.h"
#include "aws/eks.h"
#include "aws/logs.h"
#include "aws/s3.h"
#include "aws/secretsmanager.h"
#include "aws/servicequotas.h"
#include "aws/sns.h"
#include "aws/sts.h"
#include "aws/testing.h"

namespace ebbgate::aws {
namespace {

using testing::header_of;
using testing::World;

struct Services : ::testing::Test {
  World world;
  StaticCredentials credentials{testing::example_credentials()};
  Client client{world.context, credentials, {.region = "eu-west-2"}};
  Deadline never = Deadline::never();

  Services& answer(std::string body, int status = 200, std::vector<https::Header> headers = {}) {
    world.network.answer(status, std::move(body), std::move(headers));
    return *this;
  }
  Services& xml(const std::string& operation, const std::string& result) {
    return answer("<" + operation + "Response><" + operation + "Result>" + result + "</" +
                  operation + "Result></" + operation + "Response>");
  }
  Services& query_error(const std::string& code, const std::string& message) {
    return answer("<ErrorResponse><Error><Code>" + code + "</Code><Message>" + message +
                      "</Message></Error></ErrorResponse>",
                  400);
  }
  [[nodiscard]] const https::Request& asked(std::size_t from_end = 0) const {
    return world.network.seen.at(world.network.seen.size() - 1 - from_end);
  }
};

TEST_F(Services, SecretsManagerReadsTextsAndOctets) {
  answer(R"({"Name":"n","ARN":"a","VersionId":"v","SecretString":"a,b"})");
  const auto text = world.run(secretsmanager::get_secret_value(client, "n", never));
  ASSERT_TRUE(text);
  EXPECT_EQ(text->value.reveal(), "a,b");
  EXPECT_EQ(text->version_id, "v");
  EXPECT_EQ(asked().body, R"({"SecretId":"n"})");
  EXPECT_EQ(header_of(asked(), "X-Amz-Target"), "secretsmanager.GetSecretValue");
  answer(R"({"Name":"n","SecretBinary":"YSxi"})");
  EXPECT_EQ(world.run(secretsmanager::get_secret_value(client, "n", never))->value.reveal(), "a,b");
  answer(R"({"Name":"n","SecretBinary":"!"})").answer(R"({"Name":"n"})");
  EXPECT_FALSE(world.run(secretsmanager::get_secret_value(client, "n", never)));
}

TEST_F(Services, S3NamesBucketsInTheHostWhereACertificateCoversIt) {
  struct Row {
    s3::ObjectId id;
    const char* url;
  };
  const std::vector<Row> rows = {
      {{"b", "k"}, "https://b.s3.eu-west-2.amazonaws.com/k"},
      {{"b", "a b/c+d/é", "v/1"},
       "https://b.s3.eu-west-2.amazonaws.com/a%20b/c%2Bd/%C3%A9?versionId=v%2F1"},
      {{"a.b", "k"}, "https://s3.eu-west-2.amazonaws.com/a.b/k"},
      {{"evil.example/", "k"}, "https://s3.eu-west-2.amazonaws.com/evil.example%2F/k"},
      {{"b", "/k"}, "https://b.s3.eu-west-2.amazonaws.com//k"},
  };
  for (const Row& row : rows) {
    answer("body", 200, {{"etag", "\"e\""}, {"x-amz-version-id", "v"}});
    const auto got = world.run(s3::get_object(client, row.id, "", 100, never));
    ASSERT_TRUE(got && *got) << row.url;
    EXPECT_EQ((*got)->body, "body");
    EXPECT_EQ((*got)->info.version_id, "v");
    EXPECT_EQ(asked().url, row.url);
    EXPECT_EQ(asked().max_body, 100U);
    EXPECT_EQ(header_of(asked(), "X-Amz-Content-Sha256"),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  }
  world.variables["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1/s";
  answer("body");
  EXPECT_TRUE(world.run(s3::get_object(client, {"b", "k"}, "", 100, never)));
  EXPECT_EQ(asked().url, "http://127.0.0.1:1/s/b/k");
  EXPECT_FALSE(world.run(s3::get_object(client, {"", "k"}, "", 100, never)));
  EXPECT_FALSE(world.run(s3::get_object(client, {"b", ""}, "", 100, never)));
}

TEST_F(Services, S3TellsNotModifiedAndNotThere) {
  answer("", 304);
  const auto same = world.run(s3::get_object(client, {"b", "k"}, "\"e\"", 100, never));
  ASSERT_TRUE(same);
  EXPECT_FALSE(*same);
  EXPECT_EQ(header_of(asked(), "If-None-Match"), "\"e\"");
  answer("", 404);
  const auto none = world.run(s3::head_object(client, {"b", "k"}, never));
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  answer("", 403);
  EXPECT_FALSE(world.run(s3::head_object(client, {"b", "k"}, never)));
  answer("", 200, {{"content-length", "12"}, {"x-amz-version-id", "null"}});
  const auto there = world.run(s3::head_object(client, {"b", "k"}, never));
  ASSERT_TRUE(there && *there);
  EXPECT_EQ((*there)->size, 12U);
  EXPECT_EQ((*there)->version_id, "");
  answer("<Error><Code>PermanentRedirect</Code></Error>", 301);
  EXPECT_TRUE(world.run(s3::get_object(client, {"b", "k"}, "", 100, never))
                  .error()
                  .is("PermanentRedirect"));
}

TEST_F(Services, S3PutsAndSaysWhichVersion) {
  answer("", 200, {{"etag", "\"e\""}, {"x-amz-version-id", "v2"}});
  const auto put = world.run(s3::put_object(
      client, {.bucket = "b", .key = "k", .body = "text", .content_type = "text/yaml"}, never));
  ASSERT_TRUE(put);
  EXPECT_EQ(put->version_id, "v2");
  EXPECT_EQ(put->size, 4U);
  EXPECT_EQ(asked().method, "PUT");
  EXPECT_EQ(asked().body, "text");
  EXPECT_EQ(header_of(asked(), "Content-Type"), "text/yaml");
}

TEST_F(Services, SnsPublishes) {
  xml("Publish", "<MessageId>m1</MessageId>");
  EXPECT_EQ(world.run(sns::publish(client, {"arn:t", "s", "a&b=c\n"}, never)), "m1");
  EXPECT_EQ(asked().body,
            "Action=Publish&Version=2010-03-31&TopicArn=arn%3At&Message=a%26b%3Dc%0A&Subject=s");
  EXPECT_EQ(header_of(asked(), "Content-Type"), "application/x-www-form-urlencoded; charset=utf-8");
}

TEST_F(Services, LogsAreSentInBatchesThatFit) {
  answer(R"({"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":1,"tooNewLogEventStartIndex":2}})");
  const auto put =
      world.run(logs::put_log_events(client, "g", "s", {{1, "a"}, {2, "b\xff"}, {3, "c"}}, never));
  ASSERT_TRUE(put);
  EXPECT_EQ(put->too_old, 1U);
  EXPECT_EQ(put->too_new, 1U);
  EXPECT_EQ(asked().body, R"({"logEvents":[{"message":"a","timestamp":1},{"message":"b)"
                          "\xef\xbf\xbd"
                          R"(","timestamp":2},{"message":"c","timestamp":3}],)"
                          R"("logGroupName":"g","logStreamName":"s"})");
  EXPECT_EQ(header_of(asked(), "X-Amz-Target"), "Logs_20140328.PutLogEvents");
  answer(
      R"({"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":99,"tooNewLogEventStartIndex":-5}})");
  const auto wild = world.run(logs::put_log_events(client, "g", "s", {{1, "a"}}, never));
  ASSERT_TRUE(wild);
  EXPECT_EQ(wild->too_old, 1U);
  EXPECT_EQ(wild->too_new, 1U);

  const std::size_t calls = world.network.seen.size();
  EXPECT_TRUE(world.run(logs::put_log_events(client, "g", "s", {}, never)));
  const std::string long_line(logs::kMaxBatchBytes, 'x');
  EXPECT_FALSE(world.run(logs::put_log_events(client, "g", "s", {{1, long_line}}, never)));
  EXPECT_FALSE(world.run(logs::put_log_events(
      client, "g", "s", std::vector<logs::LogEvent>(logs::kMaxBatchEvents + 1), never)));
  EXPECT_EQ(world.network.seen.size(), calls);
}

TEST_F(Services, LogStreamsAreMadeAndListed) {
  answer("");
  EXPECT_TRUE(world.run(logs::create_log_stream(client, "g", "s", never)));
  answer(R"({"__type":"ResourceAlreadyExistsException"})", 400);
  EXPECT_TRUE(world.run(logs::create_log_stream(client, "g", "s", never)));
  answer(R"({"__type":"ResourceNotFoundException"})", 400);
  EXPECT_FALSE(world.run(logs::create_log_stream(client, "g", "s", never)));
  answer(R"({"logStreams":[{"logStreamName":"a"}],"nextToken":"t"})");
  answer(R"({"logStreams":[{"logStreamName":"b"}]})");
  EXPECT_EQ(world.run(logs::describe_log_streams(client, "g", "p", never)),
            (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(asked().body, R"({"logGroupName":"g","logStreamNamePrefix":"p","nextToken":"t"})");
  answer(R"({"events":[],"nextToken":"t"})");
  answer(R"({"events":[{"timestamp":5,"message":"x"},{"timestamp":6,"message":"y"}]})");
  EXPECT_EQ(world.run(logs::filter_log_events(client, {"g", "DENY", 4, 1}, never)),
            (std::vector<logs::LogEvent>{{5, "x"}}));
}

TEST_F(Services, CloudWatchTellsAlarms) {
  xml("DescribeAlarms",
      "<MetricAlarms><member><AlarmName>a</AlarmName><StateValue>OK</StateValue>"
      "<AlarmActions><member>arn:t</member></AlarmActions><ActionsEnabled>false</ActionsEnabled>"
      "</member></MetricAlarms><NextToken>n</NextToken>");
  xml("DescribeAlarms", "<MetricAlarms><member><AlarmName>b</AlarmName></member></MetricAlarms>");
  const auto alarms = world.run(cloudwatch::describe_alarms(client, "p", never));
  ASSERT_TRUE(alarms);
  ASSERT_EQ(alarms->size(), 2U);
  EXPECT_EQ((*alarms)[0].actions, std::vector<std::string>{"arn:t"});
  EXPECT_FALSE((*alarms)[0].actions_enabled);
  EXPECT_EQ(asked().body, "Action=DescribeAlarms&Version=2010-08-01&AlarmNamePrefix=p&NextToken=n");
}

TEST_F(Services, StsSaysWhoOneIs) {
  xml("GetCallerIdentity", "<Arn>a</Arn><UserId>u</UserId><Account>1</Account>");
  const auto identity = world.run(sts::get_caller_identity(client, never));
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->account, "1");
  xml("AssumeRole",
      "<Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>S</SecretAccessKey>"
      "<SessionToken>T</SessionToken><Expiration>2015-08-30T13:36:00Z</Expiration></Credentials>");
  const auto role = world.run(sts::assume_role(client, {"arn:r", "s"}, never));
  ASSERT_TRUE(role);
  EXPECT_EQ(role->session_token.reveal(), "T");
  EXPECT_EQ(asked().body, "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Ar&RoleSessionName=s");
}

TEST_F(Services, EksTokensArePresignedUrls) {
  const auto token = world.run(sts::eks_token(client, "prod"));
  ASSERT_TRUE(token);
  EXPECT_TRUE(token->token.reveal().starts_with("k8s-aws-v1.aHR0cHM6Ly9zdHMuZXUtd2VzdC0yLmFt"));
  EXPECT_FALSE(token->token.reveal().ends_with("="));
  EXPECT_EQ(token->expiration, world.clock.now + std::chrono::minutes(14));
  EXPECT_TRUE(world.network.seen.empty());
}

TEST_F(Services, CloudFormationFindsAStackOrSaysThereIsNone) {
  xml("DescribeStacks",
      "<Stacks><member><StackName>n</StackName><StackId>i</StackId>"
      "<StackStatus>CREATE_COMPLETE</StackStatus><Outputs><member><OutputKey>k</OutputKey>"
      "<OutputValue>v</OutputValue></member></Outputs></member></Stacks>");
  const auto stack = world.run(cloudformation::describe_stack(client, "n", never));
  ASSERT_TRUE(stack && *stack);
  EXPECT_EQ((*stack)->outputs, (cloudformation::Pairs{{"k", "v"}}));
  EXPECT_EQ(asked().body, "Action=DescribeStacks&Version=2010-05-15&StackName=n");
  query_error("ValidationError", "Stack with id n does not exist");
  const auto none = world.run(cloudformation::describe_stack(client, "n", never));
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  query_error("ValidationError", "1 validation error detected");
  EXPECT_FALSE(world.run(cloudformation::describe_stack(client, "n", never)));
  // That nothing came does not mean that there is nothing: a driver would create it anew.
  xml("DescribeStacks", "<Stacks/>");
  EXPECT_FALSE(world.run(cloudformation::describe_stack(client, "n", never)));
  answer("<html/>").answer("<html/>");
  EXPECT_FALSE(world.run(cloudformation::describe_stack(client, "n", never)));
}

TEST_F(Services, CloudFormationChangeSets) {
  xml("CreateChangeSet", "<Id>c</Id><StackId>s</StackId>");
  const auto ids =
      world.run(cloudformation::create_change_set(client,
                                                  {.stack = "n",
                                                   .name = "c",
                                                   .is_create = true,
                                                   .template_body = "{}",
                                                   .parameters = {{"A", "1"}},
                                                   .kept_parameters = {"B"},
                                                   .tags = {{"t", "u"}},
                                                   .capabilities = {"CAPABILITY_NAMED_IAM"},
                                                   .client_token = "x"},
                                                  never));
  ASSERT_TRUE(ids);
  EXPECT_EQ(ids->stack_id, "s");
  EXPECT_EQ(asked().body,
            "Action=CreateChangeSet&Version=2010-05-15&StackName=n&ChangeSetName=c"
            "&ChangeSetType=CREATE&TemplateBody=%7B%7D&Parameters.member.1.ParameterKey=A"
            "&Parameters.member.1.ParameterValue=1&Parameters.member.2.ParameterKey=B"
            "&Parameters.member.2.UsePreviousValue=true&Tags.member.1.Key=t&Tags.member.1.Value=u"
            "&Capabilities.member.1=CAPABILITY_NAMED_IAM&ClientToken=x");
  const auto change = [](const std::string& id) {
    return "<member><Type>Resource</Type><ResourceChange><Action>Modify</Action>"
           "<LogicalResourceId>" +
           id +
           "</LogicalResourceId><Replacement>True</Replacement>"
           "<Scope><member>Properties</member></Scope><Details><member><Target><Name>P</Name>"
           "</Target></member><member><Target><Name>P</Name></Target></member></Details>"
           "</ResourceChange></member>";
  };
  xml("DescribeChangeSet", "<Status>CREATE_COMPLETE</Status><Changes>" + change("A") +
                               "</Changes><NextToken>t</NextToken>");
  xml("DescribeChangeSet",
      "<Status>CREATE_COMPLETE</Status><Changes>" + change("B") + "</Changes>");
  const auto set = world.run(cloudformation::describe_change_set(client, "n", "c", never));
  ASSERT_TRUE(set);
  ASSERT_EQ(set->changes.size(), 2U);
  EXPECT_EQ(set->changes[1].logical_id, "B");
  EXPECT_EQ(set->changes[0].targets, std::vector<std::string>{"P"});
  EXPECT_FALSE(set->is_empty());
  xml("DescribeChangeSet",
      "<Status>FAILED</Status><StatusReason>The submitted information didn't contain changes."
      "</StatusReason>");
  EXPECT_TRUE(world.run(cloudformation::describe_change_set(client, "n", "c", never))->is_empty());
  query_error("ChangeSetNotFound", "ChangeSet [c] does not exist");
  EXPECT_TRUE(world.run(cloudformation::delete_change_set(client, "n", "c", never)));
  answer("<SignalResourceResponse><ResponseMetadata/></SignalResourceResponse>");
  EXPECT_TRUE(world.run(cloudformation::signal_resource(client, "n", "G", "i-1",
                                                        cloudformation::Signal::kSuccess, never)));
  EXPECT_TRUE(asked().body.ends_with("LogicalResourceId=G&UniqueId=i-1&Status=SUCCESS"));
}

TEST_F(Services, CloudFormationEventsAreThoseAfterTheLastOne) {
  const auto event = [](const std::string& id) {
    return "<member><EventId>" + id + "</EventId></member>";
  };
  const std::string first =
      "<StackEvents>" + event("e4") + event("e3") + "</StackEvents><NextToken>t</NextToken>";
  const std::string second = "<StackEvents>" + event("e2") + event("e1") + "</StackEvents>";
  xml("DescribeStackEvents", first).xml("DescribeStackEvents", second);
  const auto newer = world.run(cloudformation::describe_stack_events(client, "n", "e2", never));
  ASSERT_TRUE(newer);
  EXPECT_EQ(newer->size(), 2U);
  EXPECT_EQ(newer->back().id, "e3");
  xml("DescribeStackEvents", first);
  EXPECT_EQ(world.run(cloudformation::describe_stack_events(client, "n", "e4", never))->size(), 0U);
  EXPECT_TRUE(world.network.answers.empty()) << "no page is asked for in vain";
}

TEST_F(Services, AListWhosePagesNeverEndIsNone) {
  xml("DescribeStacks", "<Stacks/><NextToken>t</NextToken>");
  xml("DescribeStacks", "<Stacks/><NextToken>t</NextToken>");
  const auto stacks = world.run(cloudformation::describe_stacks(client, never));
  ASSERT_FALSE(stacks);
  EXPECT_EQ(stacks.error().kind, Failure::Kind::kUnreadable);
}

TEST_F(Services, AutoScalingKnowsGroupsAndInstances) {
  xml("DescribeAutoScalingGroups",
      "<AutoScalingGroups><member><AutoScalingGroupName>g</AutoScalingGroupName><MinSize>2</"
      "MinSize>"
      "<MaxSize>4</MaxSize><DesiredCapacity>3</DesiredCapacity><Instances><member>"
      "<InstanceId>i-1</InstanceId><LifecycleState>InService</LifecycleState></member></Instances>"
      "</member></AutoScalingGroups>");
  const auto groups = world.run(autoscaling::describe_groups(client, {"g"}, never));
  ASSERT_TRUE(groups);
  EXPECT_EQ(groups->at(0).desired, 3);
  EXPECT_EQ(groups->at(0).instances.at(0).group, "g");
  EXPECT_TRUE(asked().body.ends_with("&AutoScalingGroupNames.member.1=g"));
  xml("DescribeAutoScalingInstances", "<AutoScalingInstances/>");
  const auto none = world.run(autoscaling::describe_instance(client, "i-1", never));
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  xml("CompleteLifecycleAction", "");
  EXPECT_TRUE(world.run(autoscaling::complete_lifecycle_action(client, {"g", "h", "i-1"}, never)));
  EXPECT_EQ(asked().body,
            "Action=CompleteLifecycleAction&Version=2011-01-01&AutoScalingGroupName=g"
            "&LifecycleHookName=h&InstanceId=i-1&LifecycleActionResult=CONTINUE");
  xml("RecordLifecycleActionHeartbeat", "");
  EXPECT_TRUE(world.run(autoscaling::record_heartbeat(client, {"g", "h", "i-1"}, never)));
}

TEST_F(Services, Ec2AddressesAreClaimedByOneOnly) {
  answer(
      "<DescribeAddressesResponse><addressesSet><item><publicIp>203.0.113.1</publicIp>"
      "<allocationId>eipalloc-1</allocationId><tagSet><item><key>k</key><value>v</value></item>"
      "</tagSet></item></addressesSet></DescribeAddressesResponse>");
  const auto addresses =
      world.run(ec2::describe_addresses(client, {{"tag:fleet", {"a", "b"}}}, never));
  ASSERT_TRUE(addresses);
  EXPECT_EQ(addresses->at(0).association_id, "");
  EXPECT_EQ(addresses->at(0).tags, (ec2::Tags{{"k", "v"}}));
  EXPECT_EQ(asked().body,
            "Action=DescribeAddresses&Version=2016-11-15&Filter.1.Name=tag%3Afleet"
            "&Filter.1.Value.1=a&Filter.1.Value.2=b");
  answer(
      "<AssociateAddressResponse><return>true</return><associationId>eipassoc-1</associationId>"
      "</AssociateAddressResponse>");
  EXPECT_EQ(world.run(ec2::associate_address(client, "eipalloc-1", "i-1", never)), "eipassoc-1");
  EXPECT_TRUE(asked().body.ends_with("&AllowReassociation=false"));
  answer(
      "<Response><Errors><Error><Code>Resource.AlreadyAssociated</Code></Error></Errors>"
      "</Response>",
      400);
  const auto taken = world.run(ec2::associate_address(client, "eipalloc-1", "i-2", never));
  ASSERT_FALSE(taken);
  EXPECT_TRUE(ec2::is_address_taken(taken.error()));
}

TEST_F(Services, Ec2NetworksAreRead) {
  answer(
      "<DescribeVpcsResponse><vpcSet><item><vpcId>vpc-1</vpcId><cidrBlock>10.0.0.0/16</cidrBlock>"
      "<cidrBlockAssociationSet><item><cidrBlock>10.0.0.0/16</cidrBlock><cidrBlockState>"
      "<state>associated</state></cidrBlockState></item><item><cidrBlock>10.9.0.0/16</cidrBlock>"
      "<cidrBlockState><state>disassociated</state></cidrBlockState></item>"
      "</cidrBlockAssociationSet></item></vpcSet></DescribeVpcsResponse>");
  EXPECT_EQ(world.run(ec2::describe_vpcs(client, {}, never))->at(0).cidrs,
            std::vector<std::string>{"10.0.0.0/16"});
  answer(
      "<DescribeRouteTablesResponse><routeTableSet><item><routeTableId>rtb-1</routeTableId>"
      "<associationSet><item><main>false</main><subnetId>subnet-1</subnetId></item>"
      "</associationSet><routeSet><item><destinationCidrBlock>10.0.0.0/16</destinationCidrBlock>"
      "<gatewayId>local</gatewayId><state>active</state></item><item>"
      "<destinationCidrBlock>10.9.0.0/16</destinationCidrBlock><vpcPeeringConnectionId>pcx-1"
      "</vpcPeeringConnectionId><state>blackhole</state></item></routeSet></item></routeTableSet>"
      "<nextToken>t</nextToken></DescribeRouteTablesResponse>");
  answer("<DescribeRouteTablesResponse><routeTableSet/></DescribeRouteTablesResponse>");
  const auto tables = world.run(ec2::describe_route_tables(client, {}, never));
  ASSERT_TRUE(tables);
  EXPECT_EQ(tables->at(0).routes.at(1).target, "pcx-1");
  EXPECT_EQ(tables->at(0).subnets, std::vector<std::string>{"subnet-1"});
  EXPECT_TRUE(asked().body.ends_with("&NextToken=t"));
}

TEST_F(Services, EksClustersAndWhoMayEnter) {
  answer(R"({"cluster":{"name":"c","status":"ACTIVE","endpoint":"https://e",)"
         R"("certificateAuthority":{"data":"UEVN"},)"
         R"("kubernetesNetworkConfig":{"serviceIpv4Cidr":"172.20.0.0/16"},)"
         R"("resourcesVpcConfig":{"vpcId":"vpc-1","endpointPrivateAccess":true,)"
         R"("endpointPublicAccess":false,"subnetIds":["s1","s2"]},)"
         R"("accessConfig":{"authenticationMode":"API"}}})");
  const auto cluster = world.run(eks::describe_cluster(client, "c/d", never));
  ASSERT_TRUE(cluster && *cluster);
  EXPECT_EQ((*cluster)->service_cidr, "172.20.0.0/16");
  EXPECT_EQ((*cluster)->subnets.size(), 2U);
  EXPECT_TRUE((*cluster)->has_private_endpoint);
  EXPECT_EQ(asked().url, "https://eks.eu-west-2.amazonaws.com/clusters/c%2Fd");
  answer(R"({"message":"No cluster found"})", 404,
         {{"x-amzn-errortype", "ResourceNotFoundException"}});
  const auto none = world.run(eks::describe_cluster(client, "c", never));
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  answer("{}").answer("{}");
  EXPECT_FALSE(world.run(eks::describe_cluster(client, "c", never)));

  answer("{}", 409, {{"x-amzn-errortype", "ResourceInUseException"}});
  EXPECT_TRUE(world.run(eks::create_access_entry(
      client, {.cluster = "c", .principal_arn = "arn:r", .groups = {"readers"}}, never)));
  EXPECT_EQ(asked().body,
            R"({"kubernetesGroups":["readers"],"principalArn":"arn:r","type":"STANDARD"})");
  EXPECT_EQ(header_of(asked(), "Content-Type"), "application/json");
  answer(R"({"accessEntries":["a"],"nextToken":"t="})").answer(R"({"accessEntries":["b"]})");
  EXPECT_EQ(world.run(eks::list_access_entries(client, "c", never)),
            (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(asked().url.ends_with("/clusters/c/access-entries?nextToken=t%3D"));
  answer("{}");
  EXPECT_TRUE(world.run(
      eks::associate_access_policy(client, {"c", "arn:aws:iam::1:role/r", "arn:p", {}}, never)));
  EXPECT_EQ(asked().url,
            "https://eks.eu-west-2.amazonaws.com/clusters/c/access-entries/"
            "arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr/access-policies");
  EXPECT_EQ(asked().body, R"({"accessScope":{"type":"cluster"},"policyArn":"arn:p"})");
}

TEST_F(Services, QuotasFallBackToTheDefault) {
  answer(R"({"__type":"NoSuchResourceException"})", 400).answer(R"({"Quota":{"Value":5.0}})");
  EXPECT_EQ(world.run(servicequotas::get_quota(client, "ec2", "L-0263D0A3", never)), 5.0);
  EXPECT_EQ(header_of(asked(), "X-Amz-Target"), "ServiceQuotasV20190624.GetAWSDefaultServiceQuota");
}

TEST(Imds, RenewsATokenThatIsForgottenAndTellsNoneFromNothing) {
  World world;
  world.variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:9/";
  Imds imds(world.context);
  world.network.answer(200, "T1").answer(200, "i-1");
  EXPECT_EQ(world.run(imds.instance_id()), "i-1");
  EXPECT_EQ(world.network.seen.at(1).url, "http://127.0.0.1:9/latest/meta-data/instance-id");
  world.network.answer(401, "").answer(200, "T2").answer(200, "Terminated");
  EXPECT_EQ(world.run(imds.target_lifecycle_state()), "Terminated");
  EXPECT_EQ(header_of(world.network.seen.back(), "X-aws-ec2-metadata-token"), "T2");
  world.network.answer(404, "");
  const auto none = world.run(imds.public_ipv4());
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  world.network.answer(404, "");
  EXPECT_FALSE(world.run(imds.region())) << "an instance has a region";
  world.network.answer(500, "").breaks(Reason::kTimedOut).answer(200, "eu-west-2");
  EXPECT_EQ(world.run(imds.region()), "eu-west-2");
  world.network.answer(401, "").answer(200, "T3").answer(401, "");
  EXPECT_FALSE(world.run(imds.region())) << "no end of tokens";
}

TEST(Imds, SaysWhatToDoWhereNothingAnswers) {
  World world;
  Imds imds(world.context);
  for (int i = 0; i < 3; ++i) world.network.breaks(Reason::kTimedOut);
  const auto got = world.run(imds.instance_id());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, Failure::Kind::kNetwork);
  EXPECT_TRUE(got.error().message.contains("hop limit")) << got.error().message;
  EXPECT_TRUE(world.network.answers.empty());
}

}  // namespace
}  // namespace ebbgate::aws
