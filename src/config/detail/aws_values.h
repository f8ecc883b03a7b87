// Single values that AWS has the say about: identifiers, ARNs, names. Text in, the same text or
// what is wrong with it out; whether such a thing exists is asked elsewhere.
#pragma once

#include <string>
#include <string_view>

#include "config/detail/values.h"

namespace ebbgate::config::detail {

// Letters, digits and `-`, a letter first, at most 40: it becomes a part of the stacks' names.
[[nodiscard]] Parsed<std::string> parse_cluster_name(std::string_view text);
[[nodiscard]] Parsed<std::string> parse_region(std::string_view text);  // eu-west-2
[[nodiscard]] Parsed<std::string> parse_zone(std::string_view text);    // eu-west-2a or euw2-az1
[[nodiscard]] Parsed<std::string> parse_k8s_version(std::string_view text);  // 1.35
[[nodiscard]] Parsed<std::string> parse_vpc_id(std::string_view text);
[[nodiscard]] Parsed<std::string> parse_security_group_id(std::string_view text);
[[nodiscard]] Parsed<std::string> parse_route_table_id(std::string_view text);
[[nodiscard]] Parsed<std::string> parse_account(std::string_view text);   // 12 digits
[[nodiscard]] Parsed<std::string> parse_role_arn(std::string_view text);  // arn:…:iam::…:role/…
[[nodiscard]] Parsed<std::string> parse_topic_arn(std::string_view text);
[[nodiscard]] Parsed<std::string> parse_instance_type(std::string_view text);  // m7g.large
[[nodiscard]] Parsed<std::string> parse_bucket(std::string_view text);
[[nodiscard]] Parsed<std::string> parse_sha256(std::string_view text);
[[nodiscard]] Parsed<std::string> parse_email(std::string_view text);
[[nodiscard]] Parsed<std::string> parse_tag_key(std::string_view text);

}  // namespace ebbgate::config::detail
