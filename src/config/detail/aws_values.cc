#include "config/detail/aws_values.h"

#include <algorithm>
#include <vector>

namespace ebbgate::config::detail {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_letter(char c) {
  return is_lower(c) || (c >= 'A' && c <= 'Z');
}
bool is_lower_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f');
}

bool all(std::string_view text, bool (*fits)(char)) {
  return !text.empty() && std::ranges::all_of(text, fits);
}

Parsed<std::string> text_or(bool is_good, std::string_view text, std::string_view what,
                            std::string_view fix) {
  if (is_good) return std::string(text);
  return std::unexpected(Fault{quoted(text) + " is no " + std::string(what), std::string(fix)});
}

// `vpc-0123456789abcdef0`: the kind and 8 or 17 hex digits.
bool is_resource_id(std::string_view text, std::string_view kind) {
  if (!text.starts_with(kind)) return false;
  const std::string_view digits = text.substr(kind.size());
  return (digits.size() == 8 || digits.size() == 17) && all(digits, is_lower_hex);
}

std::vector<std::string_view> split(std::string_view text, char separator, std::size_t most) {
  std::vector<std::string_view> parts;
  while (parts.size() + 1 < most) {
    const std::size_t at = text.find(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(0, at));
    text.remove_prefix(at + 1);
  }
  parts.push_back(text);
  return parts;
}

// The parts of an ARN, of which the service is `service`; empty where it is none.
std::vector<std::string_view> arn(std::string_view text, std::string_view service) {
  auto parts = split(text, ':', 6);
  if (parts.size() != 6 || parts[0] != "arn" || !parts[1].starts_with("aws") ||
      parts[2] != service || parts[4].size() != 12 || !all(parts[4], is_digit) ||
      parts[5].find_first_of(" \t*") != std::string_view::npos) {
    return {};
  }
  return parts;
}

bool is_region(std::string_view text) {
  const auto parts = split(text, '-', 8);
  return parts.size() >= 3 && parts.size() <= 4 && parts[0].size() == 2 &&
         std::all_of(parts.begin(), parts.end() - 1,
                     [](std::string_view part) { return all(part, is_lower); }) &&
         parts.back().size() == 1 && is_digit(parts.back()[0]);
}

// euw2-az1: the region in short, and a number.
bool is_zone_id(std::string_view text) {
  const auto parts = split(text, '-', 8);
  const std::string_view last = parts.back();
  const auto fits = [](char c) { return is_lower(c) || is_digit(c); };
  return parts.size() >= 2 && last.starts_with("az") && all(last.substr(2), is_digit) &&
         std::all_of(parts.begin(), parts.end() - 1,
                     [&](std::string_view part) { return all(part, fits); });
}

}  // namespace

Parsed<std::string> parse_cluster_name(std::string_view text) {
  const bool fits =
      !text.empty() && text.size() <= 40 && is_letter(text.front()) &&
      std::ranges::all_of(text, [](char c) { return is_letter(c) || is_digit(c) || c == '-'; });
  return text_or(fits, text, "name for a cluster and its stacks",
                 "write letters, digits and -, a letter first, at most 40, as in EKSdemo");
}

Parsed<std::string> parse_region(std::string_view text) {
  const bool is_zone =
      text.size() > 1 && is_lower(text.back()) && is_region(text.substr(0, text.size() - 1));
  return text_or(is_region(text), text, "region",
                 is_zone ? "leave out the letter of the zone: write " +
                               std::string(text.substr(0, text.size() - 1))
                         : "write one as in eu-west-2");
}

Parsed<std::string> parse_zone(std::string_view text) {
  const bool is_name =
      text.size() > 1 && is_lower(text.back()) && is_region(text.substr(0, text.size() - 1));
  return text_or(is_name || is_zone_id(text), text, "availability zone",
                 is_region(text) ? "write its letter too, as in " + std::string(text) + "a"
                                 : "write its name as in eu-west-2a, or its id as in euw2-az1");
}

Parsed<std::string> parse_k8s_version(std::string_view text) {
  const auto parts = split(text, '.', 3);
  const bool fits = parts.size() == 2 && parts[0] == "1" && parts[1].size() == 2 &&
                    all(parts[1], is_digit) && parts[1][0] != '0';
  return text_or(fits, text, "Kubernetes version", "write one as in \"1.35\", in quotes");
}

Parsed<std::string> parse_vpc_id(std::string_view text) {
  return text_or(is_resource_id(text, "vpc-"), text, "id of a VPC",
                 "write one as in vpc-0123456789abcdef0");
}

Parsed<std::string> parse_security_group_id(std::string_view text) {
  return text_or(is_resource_id(text, "sg-"), text, "id of a security group",
                 "write one as in sg-0123456789abcdef0");
}

Parsed<std::string> parse_route_table_id(std::string_view text) {
  return text_or(is_resource_id(text, "rtb-"), text, "id of a route table",
                 "write one as in rtb-0123456789abcdef0");
}

Parsed<std::string> parse_account(std::string_view text) {
  return text_or(text.size() == 12 && all(text, is_digit), text, "account",
                 "write its 12 digits, in quotes");
}

Parsed<std::string> parse_role_arn(std::string_view text) {
  const auto parts = arn(text, "iam");
  const bool is_session = text.find(":assumed-role/") != std::string_view::npos;
  return text_or(!parts.empty() && parts[5].starts_with("role/") && parts[5].size() > 5, text,
                 "ARN of a role",
                 is_session ? "write the role's own ARN (arn:aws:iam::…:role/NAME), not the one "
                              "of a session of it"
                            : "write one as in arn:aws:iam::111122223333:role/bastion");
}

Parsed<std::string> parse_topic_arn(std::string_view text) {
  const auto parts = arn(text, "sns");
  return text_or(!parts.empty() && is_region(parts[3]) && !parts[5].empty(), text,
                 "ARN of an SNS topic",
                 "write one as in arn:aws:sns:eu-west-2:111122223333:alerts");
}

Parsed<std::string> parse_instance_type(std::string_view text) {
  const auto parts = split(text, '.', 3);
  const auto fits = [](char c) { return is_lower(c) || is_digit(c) || c == '-'; };
  const bool is_type = parts.size() == 2 && all(parts[0], fits) && all(parts[1], fits);
  return text_or(is_type, text, "instance type", "write one as in m7g.large");
}

Parsed<std::string> parse_bucket(std::string_view text) {
  const bool fits = text.size() >= 3 && text.size() <= 63 && text.front() != '-' &&
                    text.front() != '.' && std::ranges::all_of(text, [](char c) {
                      return is_lower(c) || is_digit(c) || c == '-' || c == '.';
                    });
  return text_or(fits, text, "name of a bucket",
                 text.starts_with("s3://") ? "write the bucket's name only, and the rest as `key`"
                                           : "write one as in my-artefacts");
}

Parsed<std::string> parse_sha256(std::string_view text) {
  return text_or(text.size() == 64 && all(text, is_lower_hex), text, "SHA-256",
                 "write its 64 lower-case hex digits, as sha256sum prints them");
}

Parsed<std::string> parse_email(std::string_view text) {
  const std::size_t at = text.find('@');
  const bool fits = at != 0 && at != std::string_view::npos && at + 1 < text.size() &&
                    text.find('@', at + 1) == std::string_view::npos &&
                    text.find_first_of(" ,;<>") == std::string_view::npos &&
                    text.find('.', at) != std::string_view::npos;
  return text_or(fits, text, "e-mail address", "write one as in team@example.com");
}

Parsed<std::string> parse_tag_key(std::string_view text) {
  const bool fits = !text.empty() && text.size() <= 128 && !text.starts_with("aws:");
  return text_or(fits, text, "key of a tag", "write at most 128 octets, not beginning with aws:");
}

}  // namespace ebbgate::config::detail
