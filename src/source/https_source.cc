#include "source/https_source.h"

#include <utility>

#include "base/escape.h"
#include "source/detail/text.h"

namespace ebbgate::source {
namespace {

constexpr Duration kPatience = std::chrono::seconds(30);
constexpr std::size_t kMaxSignature = 1024;  // octets
// Of a server that sends no ETag, this stands before its Last-Modified.
constexpr std::string_view kDateToken = "last-modified ";

std::unexpected<Error> invalid(std::string what) {
  return fail(Reason::kOriginInvalid, Side::kOrigin, std::move(what));
}

std::string name_of(const std::string& url) {
  constexpr std::size_t kDigits = 12;  // enough that no two queries are alike
  const std::size_t query = url.find('?');
  if (query == std::string::npos) return url;
  return url.substr(0, query) +
         "?sha256=" + detail::sha256_hex(url.substr(query)).substr(0, kDigits);
}

std::string status_fault(const https::Response& response) {
  const std::string status = std::to_string(response.status);
  if (response.status / 100 == 3) {
    const std::string* location = response.header("location");
    // Its query may repeat ours.
    const std::string to =
        location != nullptr
            ? " to " + escaped(location->substr(0, location->find_first_of("?#")), 200)
            : "";
    return "the server redirects (" + status + to +
           "), which is not followed; name the URL that has the policy";
  }
  if (response.status == 401 || response.status == 403) {
    return "the server refuses to give it (" + status + ")";
  }
  if (response.status == 404 || response.status == 410) {
    return "the server has none (" + status + ")";
  }
  return "the server answers with status " + status;
}

std::string header_or_empty(const https::Response& response, std::string_view name) {
  const std::string* value = response.header(name);
  return value != nullptr ? *value : std::string();
}

https::Request request_for(const std::string& url, const std::string& token) {
  https::Request request{.url = url, .timeout = kPatience, .max_body = kMaxText};
  request.headers = {{"Accept-Encoding", "identity"}};
  if (token.starts_with(kDateToken)) {
    request.headers.push_back({"If-Modified-Since", token.substr(kDateToken.size())});
  } else if (!token.empty()) {
    request.headers.push_back({"If-None-Match", token});
  }
  return request;
}

Result<std::optional<Fetched>> read_response(https::Response response, bool was_conditional) {
  if (response.status == 304 && was_conditional) return std::nullopt;
  if (response.status != 200) return invalid(status_fault(response));
  const std::string encoding = header_or_empty(response, "content-encoding");
  if (!encoding.empty() && encoding != "identity") {
    return invalid("the server sends it compressed, which was not asked for");
  }
  Fetched out{.text = std::move(response.body)};
  const std::string etag = header_or_empty(response, "etag");
  const std::string modified = header_or_empty(response, "last-modified");
  if (!etag.empty()) {
    out.token = etag;
  } else if (!modified.empty()) {
    out.token = std::string(kDateToken) + modified;
  }
  out.version = !etag.empty() ? etag : modified;
  if (out.version.empty()) out.version = detail::sha256_hex(out.text).substr(0, 12);
  out.sequence = detail::parse_http_date(modified);
  return out;
}

}  // namespace

HttpsSource::HttpsSource(std::string url, https::Transport& transport)
    : url_(std::move(url)), name_(name_of(url_)), transport_(&transport) {}

net::Task<Result<std::optional<Fetched>>> HttpsSource::fetch(std::string token) {
  https::Request request = request_for(url_, token);
  auto response = co_await transport_->send(std::move(request));
  if (!response) co_return std::unexpected(std::move(response.error()));
  co_return read_response(*std::move(response), !token.empty());
}

net::Task<Result<std::string>> HttpsSource::fetch_signature() {
  const std::size_t query = std::min(url_.find('?'), url_.size());
  https::Request request = request_for(url_.substr(0, query) + ".sig" + url_.substr(query), {});
  request.max_body = kMaxSignature;
  auto response = co_await transport_->send(std::move(request));
  if (!response) co_return std::unexpected(std::move(response.error()));
  if (response->status != 200) co_return invalid(status_fault(*response));
  co_return std::move(response->body);
}

}  // namespace ebbgate::source
