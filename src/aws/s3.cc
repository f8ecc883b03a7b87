#include "aws/s3.h"

#include <algorithm>
#include <charconv>

#include "aws/detail/call.h"
#include "aws/sigv4.h"

namespace ebbgate::aws::s3 {
namespace {

// A bucket whose name is one DNS label has a host of its own; a certificate for `*.s3…` covers no
// name with dots.
[[nodiscard]] bool has_own_host(std::string_view bucket) {
  return std::ranges::all_of(
      bucket, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

[[nodiscard]] Call object_call(std::string operation, std::string method, const ObjectId& id) {
  Call call;
  call.service = Service::kS3;
  call.protocol = Protocol::kRestXml;
  call.operation = std::move(operation);
  call.method = std::move(method);
  call.path = "/" + percent_encoded(id.key, "/");
  if (has_own_host(id.bucket)) {
    call.host_prefix = id.bucket;
  } else {
    call.path = "/" + percent_encoded(id.bucket) + call.path;
  }
  if (!id.version_id.empty()) call.query = "versionId=" + percent_encoded(id.version_id);
  return call;
}

[[nodiscard]] std::optional<Failure> fault_of(const ObjectId& id) {
  if (!id.bucket.empty() && !id.key.empty()) return std::nullopt;
  return failed(Failure::Kind::kInvalid, "an S3 object has a bucket and a key").error();
}

[[nodiscard]] ObjectInfo read_info(const https::Response& response) {
  const auto value = [&response](std::string_view name) {
    const std::string* found = response.header(name);
    return found == nullptr ? std::string() : *found;
  };
  ObjectInfo info{value("etag"), value("x-amz-version-id"), value("last-modified"), 0};
  if (info.version_id == "null") info.version_id.clear();  // a bucket that never kept versions
  const std::string length = value("content-length");
  (void)std::from_chars(length.data(), length.data() + length.size(), info.size);
  return info;
}

}  // namespace

net::Task<Outcome<std::optional<Object>>> get_object(Client& client, ObjectId id,
                                                     std::string if_none_match,
                                                     std::size_t max_body, Deadline deadline) {
  std::optional<Failure> fault = fault_of(id);
  if (fault) co_return std::unexpected(*std::move(fault));
  Call call = object_call("GetObject", "GET", id);
  call.max_body = max_body;
  if (!if_none_match.empty()) call.headers.push_back({"If-None-Match", std::move(if_none_match)});
  Outcome<https::Response> response = co_await client.send(std::move(call), deadline);
  if (!response) co_return std::unexpected(std::move(response.error()));
  if (response->status == 304) co_return std::nullopt;
  Object object{read_info(*response), std::move(response->body)};
  object.info.size = object.body.size();
  co_return object;
}

net::Task<Outcome<std::optional<ObjectInfo>>> head_object(Client& client, ObjectId id,
                                                          Deadline deadline) {
  std::optional<Failure> fault = fault_of(id);
  if (fault) co_return std::unexpected(*std::move(fault));
  Call call = object_call("HeadObject", "HEAD", id);
  Outcome<https::Response> response = co_await client.send(std::move(call), deadline);
  if (response) co_return read_info(*response);
  if (response.error().status == 404) co_return std::nullopt;
  co_return std::unexpected(std::move(response.error()));
}

net::Task<Outcome<ObjectInfo>> put_object(Client& client, PutObject put, Deadline deadline) {
  const ObjectId id{std::move(put.bucket), std::move(put.key)};
  std::optional<Failure> fault = fault_of(id);
  if (fault) co_return std::unexpected(*std::move(fault));
  Call call = object_call("PutObject", "PUT", id);
  call.headers.push_back({"Content-Type", std::move(put.content_type)});
  const std::size_t size = put.body.size();
  call.body = std::move(put.body);
  Outcome<https::Response> response = co_await client.send(std::move(call), deadline);
  if (!response) co_return std::unexpected(std::move(response.error()));
  ObjectInfo info = read_info(*response);
  info.size = size;
  co_return info;
}

}  // namespace ebbgate::aws::s3
