#include "kube/client.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "kube/detail/cutter.h"
#include "kube/detail/percent.h"

namespace ebbgate::kube {
namespace {

using detail::percent_encoded;
using https::Request;
using https::Response;

[[nodiscard]] Failure status_failure(const Response& response) {
  return failure_of(response.status, response.body, response.header("retry-after"));
}

[[nodiscard]] std::string text_at(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

[[nodiscard]] Outcome<std::string> body_of(Outcome<Response> response) {
  if (!response) return std::unexpected(std::move(response.error()));
  if (!nlohmann::json::accept(response->body)) {
    return failed(Failure::Kind::kUnreadable, "what the API answered is no JSON");
  }
  return std::move(response->body);
}

}  // namespace

std::string Resource::path(std::string_view name, std::string_view subresource) const {
  std::string out = group.empty() ? "/api/" : "/apis/" + percent_encoded(group) + "/";
  out += percent_encoded(version);
  if (!in_namespace.empty()) out += "/namespaces/" + percent_encoded(in_namespace);
  out += "/" + percent_encoded(plural);
  if (!name.empty()) out += "/" + percent_encoded(name);
  if (!subresource.empty()) out += "/" + percent_encoded(subresource);
  return out;
}

std::string Resource::str() const {
  return group.empty() ? plural : plural + "." + group;
}

std::string Selection::query() const {
  std::string out;
  if (!labels.empty()) out += "&labelSelector=" + percent_encoded(labels);
  if (!fields.empty()) out += "&fieldSelector=" + percent_encoded(fields);
  return out;
}

Duration Client::jittered(Duration bound) const {
  const auto half = static_cast<std::uint64_t>(std::max<Duration::rep>(bound.count() / 2, 1));
  return bound - Duration(static_cast<Duration::rep>(random_() % half));
}

Request Client::request(std::string method, std::string path) const {
  Request out;
  out.method = std::move(method);
  out.url = *server_ + path;
  out.headers = {{"Accept", "application/json"}};
  out.timeout = options_.timeout;
  out.max_body = options_.max_object;
  return out;
}

bool Client::may_retry(const Failure& failure, int attempt) const {
  if (attempt >= options_.max_attempts || !failure.is_retryable()) return false;
  return !failure.retry_after || *failure.retry_after <= options_.max_wait;
}

Duration Client::pause(const Failure& failure, int attempt) const {
  if (failure.retry_after) return *failure.retry_after + jittered(std::chrono::milliseconds(100));
  return jittered(options_.backoff * (1U << static_cast<unsigned>(std::min(attempt - 1, 10))));
}

net::Task<Outcome<Response>> Client::call(Request asked) {
  // A creation that was sent may have been done; 429 says that it was not.
  const bool is_repeatable = asked.method != "POST";
  for (int attempt = 1;; ++attempt) {
    Request copy = asked;
    auto response = co_await transport_->send(std::move(copy));
    if (response && response->status / 100 == 2) co_return *std::move(response);
    Failure failure =
        response ? status_failure(*response) : failure_of(std::move(response.error()));
    const bool is_safe = is_repeatable || failure.status == 429;
    if (!is_safe || !may_retry(failure, attempt)) co_return std::unexpected(std::move(failure));
    const Deadline until = loop_->after(pause(failure, attempt));
    if (co_await net::sleep_until(*loop_, until) == net::Wait::End::kStopped) {
      co_return std::unexpected(std::move(failure));
    }
  }
}

net::Task<Outcome<std::string>> Client::get(Resource resource, std::string name) {
  std::string path = resource.path(name);
  co_return body_of(co_await call(request("GET", std::move(path))));
}

net::Task<Outcome<std::string>> Client::get_path(std::string path) {
  co_return body_of(co_await call(request("GET", std::move(path))));
}

net::Task<Outcome<std::string>> Client::get_text(std::string path) {
  Request asked = request("GET", std::move(path));
  asked.headers = {{"Accept", "text/plain, application/json"}};  // what goes wrong is told in JSON
  auto response = co_await call(std::move(asked));
  if (!response) co_return std::unexpected(std::move(response.error()));
  co_return std::move(response->body);
}

net::Task<Outcome<std::string>> Client::apply(Resource resource, std::string name, std::string json,
                                              ApplyOptions options, std::string subresource) {
  std::string path =
      resource.path(name, subresource) + "?fieldManager=" + percent_encoded(options.field_manager) +
      (options.force ? "&force=true" : "&force=false") + (options.dry_run ? "&dryRun=All" : "");
  Request asked = request("PATCH", std::move(path));
  // JSON is YAML, and older servers know the type by this name only.
  asked.headers.push_back({"Content-Type", "application/apply-patch+yaml"});
  asked.body = std::move(json);
  co_return body_of(co_await call(std::move(asked)));
}

net::Task<Outcome<std::string>> Client::create(Resource resource, std::string json,
                                               CreateOptions options) {
  Request asked = request("POST", resource.path() + (options.dry_run ? "?dryRun=All" : ""));
  asked.headers.push_back({"Content-Type", "application/json"});
  asked.body = std::move(json);
  co_return body_of(co_await call(std::move(asked)));
}

net::Task<Outcome<std::string>> Client::merge_patch(Resource resource, std::string name,
                                                    std::string json, std::string subresource) {
  Request asked = request("PATCH", resource.path(name, subresource));
  asked.headers.push_back({"Content-Type", "application/merge-patch+json"});
  asked.body = std::move(json);
  co_return body_of(co_await call(std::move(asked)));
}

net::Task<Outcome<void>> Client::remove(Resource resource, std::string name) {
  auto response = co_await call(request("DELETE", resource.path(name)));
  if (!response && !response.error().is_not_found()) {
    co_return std::unexpected(std::move(response.error()));
  }
  co_return Outcome<void>{};
}

net::Task<Outcome<bool>> Client::serves(Resource resource) {
  std::string path =
      resource.group.empty() ? "/api/" : "/apis/" + percent_encoded(resource.group) + "/";
  path += percent_encoded(resource.version);
  auto text = co_await get_path(std::move(path));
  if (!text && text.error().is_not_found()) co_return false;
  if (!text) co_return std::unexpected(std::move(text.error()));
  const nlohmann::json found = nlohmann::json::parse(*text, nullptr, false);
  if (!found.is_object() || !found.contains("resources") || !found["resources"].is_array()) {
    co_return failed(Failure::Kind::kUnreadable, "what the API answered is no list of its kinds");
  }
  co_return std::ranges::any_of(found["resources"], [&](const nlohmann::json& each) {
    return each.is_object() && text_at(each, "name") == resource.plural;
  });
}

net::Task<Outcome<Client::Page>> Client::list_page(std::string path, const Take* take) {
  detail::ListCutter cutter(options_.max_object);
  Result<bool> cut = true;
  Request asked = request("GET", std::move(path));
  const MonotonicTime latest = loop_->now() + options_.page_time;
  bool is_late = false;
  https::BodySink sink = [&](std::string_view piece) {
    is_late = loop_->now() > latest;
    cut = cutter.feed(piece, *take);
    return cut && *cut && !is_late;
  };
  auto response = co_await transport_->stream(std::move(asked), std::move(sink));
  if (!cut) co_return failed(Failure::Kind::kUnreadable, std::move(cut.error().detail));
  if (is_late) {
    co_return std::unexpected(
        failure_of({Reason::kTimedOut, Side::kOrigin, "the API's list comes too slowly"}));
  }
  if (!response) co_return std::unexpected(failure_of(std::move(response.error())));
  if (response->status / 100 != 2) co_return std::unexpected(status_failure(*response));
  if (!*cut) co_return failed(Failure::Kind::kInvalid, "no more was wanted");
  const nlohmann::json list = cutter.is_whole()
                                  ? nlohmann::json::parse(cutter.envelope(), nullptr, false)
                                  : nlohmann::json();
  if (!list.is_object() || !text_at(list, "kind").ends_with("List") || !list.contains("metadata") ||
      !list["metadata"].is_object()) {
    co_return failed(Failure::Kind::kUnreadable, "what the API answered is no list");
  }
  Page page{text_at(list["metadata"], "resourceVersion"), text_at(list["metadata"], "continue")};
  if (page.version.empty()) {
    co_return failed(Failure::Kind::kUnreadable, "the API's list has no version");
  }
  co_return page;
}

net::Task<Outcome<std::string>> Client::list(Resource resource, Selection selection, Take take,
                                             std::function<void()> again) {
  const std::string all = resource.path() + "?";
  const std::string query = selection.query();
  int page_size = options_.page;
  std::string next;
  for (int attempt = 1;;) {
    const std::string path = all + "limit=" + std::to_string(page_size) +
                             (next.empty() ? "" : "&continue=" + percent_encoded(next)) + query;
    auto page = co_await list_page(path, &take);
    if (page) {
      attempt = 1;
      if (page->next.empty()) co_return std::move(page->version);
      if (page->next == next) {
        co_return failed(Failure::Kind::kUnreadable, "the API's list goes round in a circle");
      }
      next = std::move(page->next);
      continue;
    }
    Failure failure = std::move(page.error());
    if (failure.is_gone() && !next.empty() && page_size > 0) {
      // The pages took longer than the API keeps the list's version: once more, in one piece.
      page_size = 0;
      next.clear();
      again();
      continue;
    }
    if (!may_retry(failure, attempt)) co_return std::unexpected(std::move(failure));
    const Deadline until = loop_->after(pause(failure, attempt++));
    if (co_await net::sleep_until(*loop_, until) == net::Wait::End::kStopped) {
      co_return std::unexpected(std::move(failure));
    }
  }
}

}  // namespace ebbgate::kube
