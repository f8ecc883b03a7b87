#include "aws/logs.h"

#include <algorithm>

#include "aws/detail/call.h"

namespace ebbgate::aws::logs {
namespace {

using detail::Json;
using detail::Nothing;

[[nodiscard]] std::size_t octets_of(const std::vector<LogEvent>& events) {
  std::size_t octets = 0;
  for (const LogEvent& event : events) octets += event.message.size() + kEventOverhead;
  return octets;
}

// The index that the service names in what it rejected, within the batch.
[[nodiscard]] std::size_t index_at(const Json& info, std::string_view key, std::size_t most) {
  const std::int64_t index = detail::integer_at(info, key).value_or(0);
  return std::min(static_cast<std::size_t>(std::max<std::int64_t>(index, 0)), most);
}

[[nodiscard]] PutLogEventsResult read_rejected(const Json& json, std::size_t count) {
  const Json* info = detail::at(json, "rejectedLogEventsInfo");
  if (info == nullptr) return {};
  PutLogEventsResult result;
  result.too_old = std::max(index_at(*info, "tooOldLogEventEndIndex", count),
                            index_at(*info, "expiredLogEventEndIndex", count));
  if (detail::integer_at(*info, "tooNewLogEventStartIndex")) {
    result.too_new = count - index_at(*info, "tooNewLogEventStartIndex", count);
  }
  return result;
}

struct StreamPage {
  std::vector<std::string> names;
  std::string next;
};
[[nodiscard]] std::optional<StreamPage> read_streams(const Json& json) {
  const Json* streams = detail::at(json, "logStreams");
  if (streams == nullptr || !streams->is_array()) return std::nullopt;
  StreamPage page;
  for (const Json& stream : *streams)
    page.names.push_back(detail::text_at(stream, "logStreamName"));
  page.next = detail::text_at(json, "nextToken");
  return page;
}

struct EventPage {
  std::vector<LogEvent> events;
  std::string next;
};
[[nodiscard]] std::optional<EventPage> read_events(const Json& json) {
  const Json* events = detail::at(json, "events");
  if (events == nullptr || !events->is_array()) return std::nullopt;
  EventPage page;
  for (const Json& event : *events) {
    page.events.push_back(
        {detail::integer_at(event, "timestamp").value_or(0), detail::text_at(event, "message")});
  }
  page.next = detail::text_at(json, "nextToken");
  return page;
}

constexpr int kMaxPages = 200;

}  // namespace

net::Task<Outcome<PutLogEventsResult>> put_log_events(Client& client, std::string group,
                                                      std::string stream,
                                                      std::vector<LogEvent> events,
                                                      Deadline deadline) {
  if (events.empty()) co_return PutLogEventsResult{};
  if (events.size() > kMaxBatchEvents || octets_of(events) > kMaxBatchBytes) {
    co_return failed(Failure::Kind::kInvalid, "more log events than one call takes");
  }
  Json rows = Json::array();
  for (LogEvent& event : events) {
    rows.push_back({{"timestamp", event.time_ms}, {"message", std::move(event.message)}});
  }
  const Json body = {
      {"logGroupName", group}, {"logStreamName", stream}, {"logEvents", std::move(rows)}};
  const std::size_t count = events.size();
  detail::ReadJson<PutLogEventsResult> read = [count](const Json& json) {
    return std::optional(read_rejected(json, count));
  };
  net::Task<Outcome<PutLogEventsResult>> task = detail::fetch<PutLogEventsResult>(
      client, detail::json_call(Service::kLogs, "PutLogEvents", body), deadline,
      detail::reading_json<PutLogEventsResult>(std::move(read)));
  co_return co_await task;
}

net::Task<Outcome<void>> create_log_stream(Client& client, std::string group, std::string stream,
                                           Deadline deadline) {
  const Json body = {{"logGroupName", group}, {"logStreamName", stream}};
  net::Task<Outcome<void>> task = detail::done(
      detail::fetch<Nothing>(client, detail::json_call(Service::kLogs, "CreateLogStream", body),
                             deadline, detail::reading_json<Nothing>(detail::read_nothing)));
  Outcome<void> outcome = co_await task;
  if (!outcome && outcome.error().is("ResourceAlreadyExistsException")) co_return Outcome<void>();
  co_return outcome;
}

net::Task<Outcome<std::vector<std::string>>> describe_log_streams(Client& client, std::string group,
                                                                  std::string prefix,
                                                                  Deadline deadline) {
  Json body = {{"logGroupName", group}};
  if (!prefix.empty()) body["logStreamNamePrefix"] = prefix;
  std::vector<std::string> names;
  for (int pages = 0; pages < kMaxPages; ++pages) {
    net::Task<Outcome<StreamPage>> task = detail::fetch<StreamPage>(
        client, detail::json_call(Service::kLogs, "DescribeLogStreams", body), deadline,
        detail::reading_json<StreamPage>(read_streams));
    Outcome<StreamPage> page = co_await task;
    if (!page) co_return std::unexpected(std::move(page.error()));
    names.insert(names.end(), page->names.begin(), page->names.end());
    if (page->next.empty()) co_return names;
    body["nextToken"] = page->next;
  }
  co_return detail::unreadable("DescribeLogStreams");
}

net::Task<Outcome<std::vector<LogEvent>>> filter_log_events(Client& client, Filter filter,
                                                            Deadline deadline) {
  Json body = {{"logGroupName", filter.group},
               {"startTime", filter.start_ms},
               {"limit", std::clamp<std::size_t>(filter.limit, 1, kMaxBatchEvents)}};
  if (!filter.pattern.empty()) body["filterPattern"] = filter.pattern;
  std::vector<LogEvent> events;
  // A page may be empty though more follow: the service searches a part of the streams at a time.
  for (int pages = 0; pages < kMaxPages; ++pages) {
    net::Task<Outcome<EventPage>> task =
        detail::fetch<EventPage>(client, detail::json_call(Service::kLogs, "FilterLogEvents", body),
                                 deadline, detail::reading_json<EventPage>(read_events));
    Outcome<EventPage> page = co_await task;
    if (!page) co_return std::unexpected(std::move(page.error()));
    for (LogEvent& event : page->events) {
      if (events.size() < filter.limit) events.push_back(std::move(event));
    }
    if (page->next.empty() || events.size() >= filter.limit) co_return events;
    body["nextToken"] = page->next;
  }
  co_return detail::unreadable("FilterLogEvents");
}

}  // namespace ebbgate::aws::logs
