#include "aws/sigv4.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "aws/detail/digest.h"
#include "aws/detail/time.h"
#include "https/url.h"

namespace ebbgate::aws {
namespace {

using detail::Digest;

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

[[nodiscard]] std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

// What is signed of a header's value: no space around it, and one where there were several.
[[nodiscard]] std::string trimmed(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c != ' ' && c != '\t') {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

// Name to value; the values of one name stand in their order, with commas between.
[[nodiscard]] std::map<std::string, std::string> headers_to_sign(const https::Request& request) {
  static constexpr std::array<std::string_view, 7> kUnsigned = {
      "authorization", "connection",        "content-length", "expect",
      "user-agent",    "transfer-encoding", "x-amzn-trace-id"};
  std::map<std::string, std::string> signed_headers;
  for (const https::Header& header : request.headers) {
    const std::string name = lower(header.name);
    if (std::ranges::find(kUnsigned, name) != kUnsigned.end()) continue;
    const auto [entry, is_new] = signed_headers.try_emplace(name, trimmed(header.value));
    if (!is_new) entry->second += "," + trimmed(header.value);
  }
  return signed_headers;
}

[[nodiscard]] std::string joined_names(const std::map<std::string, std::string>& headers) {
  std::string names;
  for (const auto& [name, value] : headers) names += (names.empty() ? "" : ";") + name;
  return names;
}

// What the services do with a path before they check the signature: no empty and no dot segments.
[[nodiscard]] std::string without_dot_segments(std::string_view path) {
  std::vector<std::string_view> kept;
  const bool ends_in_slash = path.ends_with('/');
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (segment == ".." && !kept.empty()) {
      kept.pop_back();
    } else if (!segment.empty() && segment != "." && segment != "..") {
      kept.push_back(segment);
    }
  }
  std::string out;
  for (const std::string_view segment : kept) out.append("/").append(segment);
  if (out.empty() || ends_in_slash) out += '/';
  return out;
}

// The path is encoded already; every service but S3 encodes it once more.
[[nodiscard]] std::string canonical_path(std::string_view path, const SigningScope& scope) {
  if (scope.service == "s3") return std::string(path);
  return percent_encoded(without_dot_segments(path), "/");
}

// Sorted as encoded, by name and then by value: as text `a=1` would come after `a-b=1`.
[[nodiscard]] std::string canonical_query(std::string_view query) {
  if (query.empty()) return {};
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  for (;;) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    pairs.emplace_back(pair.substr(0, equals), pair.substr(std::min(equals + 1, pair.size())));
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
  std::ranges::sort(pairs);
  std::string out;
  for (const auto& [name, value] : pairs) {
    if (!out.empty()) out += '&';
    out.append(name).append("=").append(value);
  }
  return out;
}

[[nodiscard]] std::string credential_scope(const SigningScope& scope, std::string_view time) {
  return std::string(time.substr(0, 8)) + "/" + scope.region + "/" + scope.service +
         "/aws4_request";
}

// The signature of everything that a server sees of the request.
[[nodiscard]] std::string signature(const https::Request& request, std::string_view target,
                                    std::string_view payload_hash, const Credentials& credentials,
                                    const SigningScope& scope, std::string_view time) {
  const std::size_t question = std::min(target.find('?'), target.size());
  const std::map<std::string, std::string> headers = headers_to_sign(request);
  std::string canonical = request.method + "\n";
  canonical += canonical_path(target.substr(0, question), scope) + "\n";
  canonical += canonical_query(target.substr(std::min(question + 1, target.size()))) + "\n";
  for (const auto& [name, value] : headers) canonical += name + ":" + value + "\n";
  canonical += "\n" + joined_names(headers) + "\n";
  canonical += payload_hash;

  std::string text(kAlgorithm);
  text += "\n" + std::string(time) + "\n" + credential_scope(scope, time) + "\n";
  text += detail::hex(detail::sha256(canonical));

  Digest key =
      detail::hmac_sha256("AWS4" + credentials.secret_access_key.reveal(), time.substr(0, 8));
  const std::array<std::string_view, 3> rest = {scope.region, scope.service, "aws4_request"};
  for (const std::string_view part : rest) key = detail::hmac_sha256(detail::as_text(key), part);
  return detail::hex(detail::hmac_sha256(detail::as_text(key), text));
}

void set_header(https::Request& request, std::string_view name, std::string value) {
  std::erase_if(request.headers,
                [&](const https::Header& each) { return lower(each.name) == lower(name); });
  request.headers.push_back({std::string(name), std::move(value)});
}

[[nodiscard]] bool is_sendable(const https::Request& request) {
  return std::ranges::none_of(request.headers, [](const https::Header& header) {
    constexpr std::string_view kBreaks("\r\n\0", 3);
    return header.name.find_first_of(kBreaks) != std::string::npos ||
           header.value.find_first_of(kBreaks) != std::string::npos;
  });
}

[[nodiscard]] std::unexpected<Error> unsendable() {
  return fail(Reason::kMalformedRequest, Side::kSelf, "a header of the request holds a line break");
}

}  // namespace

std::string percent_encoded(std::string_view text, std::string_view keep) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const bool is_alphanumeric =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (is_alphanumeric || std::string_view("-._~").contains(c) || keep.contains(c)) {
      out += c;
    } else {
      const auto octet = static_cast<unsigned char>(c);
      out += '%';
      out += kDigits[octet >> 4];
      out += kDigits[octet & 15];
    }
  }
  return out;
}

Result<https::Request> sign(https::Request request, const Credentials& credentials,
                            const SigningScope& scope, WallTime now) {
  const Result<https::Url> url = https::Url::parse(request.url);
  if (!url) return std::unexpected(url.error());
  const std::string time = detail::basic_iso8601(now);
  const std::string payload_hash = detail::hex(detail::sha256(request.body));
  set_header(request, "Host", url->host_field());
  set_header(request, "X-Amz-Date", time);
  if (!credentials.session_token.empty()) {
    set_header(request, "X-Amz-Security-Token", credentials.session_token.reveal());
  }
  if (scope.service == "s3") set_header(request, "X-Amz-Content-Sha256", payload_hash);
  if (!is_sendable(request)) return unsendable();

  std::string authorization(kAlgorithm);
  authorization += " Credential=" + credentials.access_key_id + "/" + credential_scope(scope, time);
  authorization += ", SignedHeaders=" + joined_names(headers_to_sign(request));
  authorization +=
      ", Signature=" + signature(request, url->target, payload_hash, credentials, scope, time);
  set_header(request, "Authorization", std::move(authorization));
  return request;
}

Result<std::string> presign(const https::Request& request, const Credentials& credentials,
                            const SigningScope& scope, WallTime now,
                            std::chrono::seconds validity) {
  const Result<https::Url> url = https::Url::parse(request.url);
  if (!url) return std::unexpected(url.error());
  https::Request asked = request;
  set_header(asked, "Host", url->host_field());
  if (!is_sendable(asked)) return unsendable();

  const std::string time = detail::basic_iso8601(now);
  std::string target = url->target;
  const auto add = [&target](std::string_view name, std::string_view value) {
    target += target.contains('?') ? '&' : '?';
    target.append(name).append("=").append(percent_encoded(value));
  };
  add("X-Amz-Algorithm", kAlgorithm);
  add("X-Amz-Credential", credentials.access_key_id + "/" + credential_scope(scope, time));
  add("X-Amz-Date", time);
  add("X-Amz-Expires", std::to_string(validity.count()));
  add("X-Amz-SignedHeaders", joined_names(headers_to_sign(asked)));
  if (!credentials.session_token.empty()) {
    add("X-Amz-Security-Token", credentials.session_token.reveal());
  }
  const std::string empty_hash = detail::hex(detail::sha256({}));
  add("X-Amz-Signature", signature(asked, target, empty_hash, credentials, scope, time));
  return (url->scheme == https::Scheme::kHttps ? "https://" : "http://") + url->host_field() +
         target;
}

}  // namespace ebbgate::aws
