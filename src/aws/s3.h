// S3 objects, by version: policies that are too long for a parameter, and the gateway's program.
#pragma once

#include <optional>
#include <string>

#include "aws/client.h"

namespace ebbgate::aws::s3 {

struct ObjectInfo {
  std::string etag;        // with its quotes, as If-None-Match wants it
  std::string version_id;  // empty where the bucket keeps no versions
  std::string last_modified;
  std::uint64_t size = 0;
};
struct Object {
  ObjectInfo info;
  std::string body;
};
struct ObjectId {
  std::string bucket;
  std::string key;  // as it is, not encoded
  std::string version_id = {};
};

// Nothing: the object still is the one of `if_none_match` (an ETag; empty: not asked). Longer than
// `max_body` octets is a failure. Codes: NoSuchKey, NoSuchBucket, NoSuchVersion, AccessDenied,
// PermanentRedirect (the bucket is in another region).
[[nodiscard]] net::Task<Outcome<std::optional<Object>>> get_object(Client& client, ObjectId id,
                                                                   std::string if_none_match,
                                                                   std::size_t max_body,
                                                                   Deadline deadline);

// Nothing: there is no such object.
[[nodiscard]] net::Task<Outcome<std::optional<ObjectInfo>>> head_object(Client& client, ObjectId id,
                                                                        Deadline deadline);

struct PutObject {
  std::string bucket = {};
  std::string key = {};
  std::string body = {};
  std::string content_type = "application/octet-stream";
};
[[nodiscard]] net::Task<Outcome<ObjectInfo>> put_object(Client& client, PutObject put,
                                                        Deadline deadline);

}  // namespace ebbgate::aws::s3
