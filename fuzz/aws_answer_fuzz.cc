// fuzz-deps: aws
// What AWS answers with, or something that poses as AWS: XML, JSON, errors and credentials. The
// first octet says which. What is read is within the limits, and reads the same once written again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "aws/detail/credential_document.h"
#include "aws/detail/json.h"
#include "aws/detail/service_error.h"
#include "aws/detail/time.h"
#include "aws/detail/xml.h"

namespace ebbgate::aws {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

[[nodiscard]] std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<' || c == '&' || c == '>' || c == '\r') {
      out += "&#" + std::to_string(static_cast<unsigned char>(c)) + ";";
    } else {
      out += c;
    }
  }
  return out;
}

[[nodiscard]] std::string written(const detail::Element& element) {
  std::string out = "<" + element.name + ">" + escaped(element.text);
  for (const detail::Element& child : element.children) out += written(child);
  return out + "</" + element.name + ">";
}

[[nodiscard]] bool is_same(const detail::Element& a, const detail::Element& b) {
  if (a.name != b.name || a.text != b.text || a.children.size() != b.children.size()) return false;
  for (std::size_t i = 0; i < a.children.size(); ++i) {
    if (!is_same(a.children[i], b.children[i])) return false;
  }
  return true;
}

void check_xml(std::string_view text) {
  const auto root = detail::parse_xml(text);
  if (!root) return;
  const std::string again = written(*root);
  if (again.size() > detail::kMaxXmlOctets) return;
  const auto second = detail::parse_xml(again);
  require(second && is_same(*root, *second));
  (void)root->text_at("Error/Code");
  (void)root->items(text.substr(0, 16));
  (void)detail::read_credentials(*root);
}

void check_json(std::string_view text) {
  const auto json = detail::parse_json(text);
  if (!json) return;
  const auto second = detail::parse_json(detail::to_text(*json));
  require(second && *second == *json);
  for (const char* key : {"a", "Code", "__type"}) {
    (void)detail::text_at(*json, key);
    (void)detail::integer_at(*json, key);
    (void)detail::texts_at(*json, key);
  }
}

void check_error(Protocol protocol, std::string_view text) {
  https::Response response;
  response.status = 400;
  response.headers = {{"x-amzn-errortype", std::string(text.substr(0, 40))}};
  response.body = text;
  Failure failure = detail::read_service_error(protocol, response);
  require(!failure.code.empty() && failure.code.size() <= 128);
  const Secret secret("a");
  detail::redact(failure, {&secret});
  require(failure.message.size() <= detail::kMaxMessage && !failure.message.contains('a'));
  const std::string shown = failure.describe("x");
  for (const char c : shown) require(c >= ' ' && c < '\x7f');
}

void check_credentials(std::string_view text) {
  const auto read = detail::read_credentials(text);
  if (!read) return;
  require(!read->access_key_id.empty() && !read->secret_access_key.empty());
  const auto signed_request =
      sign({.url = "https://example.com/"}, *read, {"r", "s"}, WallTime(std::chrono::seconds(1)));
  require(signed_request.has_value());  // whatever was accepted can be sent
}

void check_time(std::string_view text) {
  const auto time = detail::parse_iso8601(text);
  if (time) require(detail::parse_iso8601(detail::iso8601(*time)) == time);
  (void)detail::parse_http_date(text);
}

}  // namespace
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      check_xml(text);
      break;
    case 1:
      check_json(text);
      break;
    case 2:
      check_error(Protocol::kQuery, text);
      break;
    case 3:
      check_error(Protocol::kJson, text);
      break;
    case 4:
      check_credentials(text);
      break;
    default:
      check_time(text);
  }
  return 0;
}

}  // namespace ebbgate::aws
