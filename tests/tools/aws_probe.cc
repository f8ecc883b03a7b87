// The AWS client without the gateway around it, for the tests: each line of standard input is a
// JSON object with `do`, each line of standard output what came of it. `sign` and `presign` are
// pure, and are compared with botocore; the rest goes to the network, with the process's own
// environment.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "aws/autoscaling.h"
#include "aws/cloudformation.h"
#include "aws/cloudwatch.h"
#include "aws/credentials.h"
#include "aws/ec2.h"
#include "aws/eks.h"
#include "aws/imds.h"
#include "aws/logs.h"
#include "aws/s3.h"
#include "aws/secretsmanager.h"
#include "aws/sigv4.h"
#include "aws/sns.h"
#include "aws/ssm.h"
#include "aws/sts.h"
#include "dns/resolver.h"
#include "https/client.h"
#include "net/run.h"
#include "tls/client_context.h"

namespace {

using namespace ebbgate;
using nlohmann::json;

struct Probe {
  aws::Context& context;
  aws::Client& client;
  aws::Imds& imds;
  Deadline deadline() const { return context.loop.after(std::chrono::seconds(30)); }
};

[[nodiscard]] json told(const aws::Failure& failure) {
  return {{"code", failure.code},
          {"kind", static_cast<int>(failure.kind)},
          {"said", failure.describe("probe")}};
}

template <typename T>
[[nodiscard]] json told(const aws::Outcome<T>& outcome, auto show) {
  if (!outcome) return {{"failure", told(outcome.error())}};
  return {{"value", show(*outcome)}};
}
[[nodiscard]] json told(const aws::Outcome<void>& outcome) {
  if (!outcome) return {{"failure", told(outcome.error())}};
  return {{"value", nullptr}};
}

// Whatever octets came, as text that JSON can hold.
[[nodiscard]] json same(const auto& value) {
  return value;
}
[[nodiscard]] json maybe(const std::optional<std::string>& value) {
  return value ? json(*value) : json(nullptr);
}
[[nodiscard]] json ids(const auto& rows, auto member) {
  json out = json::array();
  for (const auto& row : rows) out.push_back(row.*member);
  return out;
}

[[nodiscard]] json sign(const json& in) {
  https::Request request;
  request.method = in.at("method");
  request.url = in.at("url");
  for (const json& header : in.at("headers")) {
    request.headers.push_back({header.at(0), header.at(1)});
  }
  request.body = in.at("body");
  const aws::Credentials credentials{in.at("key"), aws::Secret(in.at("secret")),
                                     aws::Secret(in.at("token")), std::nullopt};
  const aws::SigningScope scope{in.at("region"), in.at("service")};
  const WallTime time{std::chrono::seconds(in.at("time").get<std::int64_t>())};
  if (in.at("do") == "eks-token") {
    const auto token = aws::sts::make_eks_token(credentials, scope.region, in.at("cluster"), time);
    return token ? json{{"token", token->token.reveal()}} : json{{"failure", "token"}};
  }
  if (in.at("do") == "presign") {
    const auto url = aws::presign(request, credentials, scope, time,
                                  std::chrono::seconds(in.at("validity").get<int>()));
    return url ? json{{"url", *url}} : json{{"failure", url.error().detail}};
  }
  const auto result = aws::sign(request, credentials, scope, time);
  if (!result) return {{"failure", result.error().detail}};
  json headers = json::object();
  for (const https::Header& header : result->headers) headers[header.name] = header.value;
  return {{"headers", headers}};
}

net::Task<json> call(Probe& probe, std::string what, json in) {
  aws::Client& client = probe.client;
  const Deadline deadline = probe.deadline();
  if (what == "sign" || what == "presign" || what == "eks-token") co_return sign(in);
  if (what == "metadata") {
    co_return told(co_await probe.imds.get(in.at("path")), maybe);
  }
  if (what == "credentials") {
    co_return told(co_await client.credentials().get(),
                   [](const aws::Credentials& each) { return json(each.access_key_id); });
  }
  if (what == "identity") {
    co_return told(co_await aws::sts::get_caller_identity(client, deadline),
                   [](const auto& each) { return json(each.arn); });
  }
  if (what == "assume") {
    co_return told(co_await aws::sts::assume_role(client, {in.at("role"), "probe"}, deadline),
                   [](const aws::Credentials& each) { return json(!each.session_token.empty()); });
  }
  if (what == "get-parameter") {
    co_return told(co_await aws::ssm::get_parameter(client, in.at("name"), deadline),
                   [](const auto& each) { return json{each.value, each.version}; });
  }
  if (what == "put-parameter") {
    co_return told(co_await aws::ssm::put_parameter(
                       client, {.name = in.at("name"), .value = in.at("value")}, deadline),
                   [](std::int64_t version) { return json(version); });
  }
  if (what == "get-secret") {
    co_return told(co_await aws::secretsmanager::get_secret_value(client, in.at("id"), deadline),
                   [](const auto& each) { return json(each.value.reveal()); });
  }
  const aws::s3::ObjectId object{in.value("bucket", ""), in.value("key", ""),
                                 in.value("version", "")};
  if (what == "get-object") {
    co_return told(co_await aws::s3::get_object(client, object, in.value("etag", ""),
                                                in.value("max", std::size_t{1} << 20), deadline),
                   [](const std::optional<aws::s3::Object>& each) {
                     if (!each) return json(nullptr);
                     return json{each->body, each->info.etag, each->info.version_id};
                   });
  }
  if (what == "head-object") {
    co_return told(co_await aws::s3::head_object(client, object, deadline),
                   [](const std::optional<aws::s3::ObjectInfo>& each) {
                     return each ? json(each->size) : json(nullptr);
                   });
  }
  if (what == "put-object") {
    co_return told(
        co_await aws::s3::put_object(
            client, {.bucket = object.bucket, .key = object.key, .body = in.at("body")}, deadline),
        [](const auto& each) { return json(each.version_id); });
  }
  if (what == "publish") {
    aws::sns::Message message;
    message.topic_arn = in.at("topic");
    message.subject = in.at("subject");
    message.text = in.at("text");
    co_return told(co_await aws::sns::publish(client, std::move(message), deadline),
                   [](const std::string& id) { return json(!id.empty()); });
  }
  const std::string group = in.value("group", "");
  const std::string stream = in.value("stream", "");
  if (what == "create-stream") {
    co_return told(co_await aws::logs::create_log_stream(client, group, stream, deadline));
  }
  if (what == "put-events") {
    std::vector<aws::logs::LogEvent> events;
    for (const json& each : in.at("events")) events.push_back({each.at(0), each.at(1)});
    co_return told(
        co_await aws::logs::put_log_events(client, group, stream, std::move(events), deadline),
        [](const auto& each) { return json{each.too_old, each.too_new}; });
  }
  if (what == "streams") {
    co_return told(co_await aws::logs::describe_log_streams(client, group, "", deadline),
                   [](const auto& names) { return same(names); });
  }
  if (what == "filter-events") {
    co_return told(co_await aws::logs::filter_log_events(
                       client, {.group = group, .pattern = in.at("pattern")}, deadline),
                   [](const auto& rows) { return ids(rows, &aws::logs::LogEvent::message); });
  }
  if (what == "alarms") {
    co_return told(co_await aws::cloudwatch::describe_alarms(client, "", deadline),
                   [](const auto& rows) { return ids(rows, &aws::cloudwatch::Alarm::name); });
  }
  if (what == "addresses") {
    aws::ec2::Filters filters = {{"tag:" + in.at("tag").get<std::string>(), {in.at("value")}}};
    co_return told(co_await aws::ec2::describe_addresses(client, std::move(filters), deadline),
                   [](const auto& rows) { return ids(rows, &aws::ec2::Address::allocation_id); });
  }
  if (what == "associate") {
    co_return told(
        co_await aws::ec2::associate_address(client, in.at("address"), in.at("instance"), deadline),
        [](const std::string& id) { return json(!id.empty()); });
  }
  if (what == "zones") {
    co_return told(co_await aws::ec2::describe_availability_zones(client, deadline),
                   [](const auto& rows) { return ids(rows, &aws::ec2::Zone::id); });
  }
  if (what == "vpcs") {
    co_return told(co_await aws::ec2::describe_vpcs(client, {}, deadline),
                   [](const auto& rows) { return ids(rows, &aws::ec2::Vpc::cidrs); });
  }
  if (what == "route-tables") {
    co_return told(co_await aws::ec2::describe_route_tables(client, {}, deadline),
                   [](const auto& rows) { return ids(rows, &aws::ec2::RouteTable::is_main); });
  }
  if (what == "vpc-endpoints") {
    co_return told(co_await aws::ec2::describe_vpc_endpoints(client, {}, deadline),
                   [](const auto& rows) { return ids(rows, &aws::ec2::VpcEndpoint::service); });
  }
  if (what == "groups") {
    co_return told(co_await aws::autoscaling::describe_groups(client, {}, deadline),
                   [](const auto& rows) { return ids(rows, &aws::autoscaling::Group::name); });
  }
  if (what == "cluster") {
    co_return told(co_await aws::eks::describe_cluster(client, in.at("name"), deadline),
                   [](const std::optional<aws::eks::Cluster>& each) {
                     return each ? json{each->status, each->service_cidr} : json(nullptr);
                   });
  }
  const std::string cluster = in.value("cluster", "");
  const std::string principal = in.value("principal", "");
  if (what == "create-entry") {
    co_return told(co_await aws::eks::create_access_entry(
        client, {.cluster = cluster, .principal_arn = principal}, deadline));
  }
  if (what == "entries") {
    co_return told(co_await aws::eks::list_access_entries(client, cluster, deadline),
                   [](const auto& names) { return same(names); });
  }
  if (what == "associate-policy") {
    co_return told(co_await aws::eks::associate_access_policy(
        client, {.cluster = cluster, .principal_arn = principal, .policy_arn = in.at("policy")},
        deadline));
  }
  const std::string stack = in.value("stack", "");
  if (what == "stack") {
    co_return told(co_await aws::cloudformation::describe_stack(client, stack, deadline),
                   [](const std::optional<aws::cloudformation::Stack>& each) {
                     return each ? json(each->status) : json(nullptr);
                   });
  }
  if (what == "create-change-set") {
    co_return told(
        co_await aws::cloudformation::create_change_set(client,
                                                        {.stack = stack,
                                                         .name = in.at("name"),
                                                         .is_create = in.at("create"),
                                                         .template_body = in.at("template")},
                                                        deadline),
        [](const auto& each) { return json(each.stack_id); });
  }
  if (what == "change-set") {
    co_return told(
        co_await aws::cloudformation::describe_change_set(client, stack, in.at("name"), deadline),
        [](const aws::cloudformation::ChangeSet& each) {
          return json{each.status, each.is_empty(),
                      ids(each.changes, &aws::cloudformation::Change::logical_id)};
        });
  }
  if (what == "execute-change-set") {
    co_return told(co_await aws::cloudformation::execute_change_set(client, stack, in.at("name"),
                                                                    "token", deadline));
  }
  if (what == "events") {
    co_return told(
        co_await aws::cloudformation::describe_stack_events(client, stack, in.at("after"),
                                                            deadline),
        [](const auto& rows) { return ids(rows, &aws::cloudformation::StackEvent::status); });
  }
  if (what == "resources") {
    co_return told(co_await aws::cloudformation::describe_stack_resources(client, stack, deadline),
                   [](const auto& rows) {
                     return ids(rows, &aws::cloudformation::StackResource::logical_id);
                   });
  }
  if (what == "template") {
    co_return told(co_await aws::cloudformation::get_template(client, stack, deadline),
                   [](const std::string& text) { return json(text); });
  }
  if (what == "delete-stack") {
    co_return told(co_await aws::cloudformation::delete_stack(client, stack, "token", deadline));
  }
  co_return json{{"failure", "unknown: " + what}};
}

net::Task<int> answer_lines(Probe& probe) {
  for (std::string line; std::getline(std::cin, line);) {
    json in = json::parse(line);
    std::string what = in.at("do");
    const json out = co_await call(probe, std::move(what), std::move(in));
    std::cout << out.dump(-1, ' ', true, json::error_handler_t::replace) << std::endl;
  }
  co_return 0;
}

}  // namespace

int main() {
  tls::initialise();
  const auto loop = net::Loop::make();
  const auto tls = tls::ClientContext::make({});
  if (!loop || !tls) return 1;
  const auto resolver = dns::Resolver::make(**loop, {});
  if (!resolver) return 1;
  https::Client https(**loop, **resolver, **tls);
  const SystemClock clock;
  aws::Context context = aws::system_context(**loop, https, clock);
  const std::string region = context.environment("AWS_REGION").value_or("");
  const auto credentials = aws::default_credentials(context, {.region = region, .profiles = true});
  aws::Client client(context, *credentials,
                     {.region = region,
                      .backoff = std::chrono::milliseconds(20),
                      .attempt_timeout = std::chrono::seconds(2)});
  aws::Imds imds(context);
  Probe probe{context, client, imds};
  return net::run_to_end(**loop, answer_lines(probe));
}
