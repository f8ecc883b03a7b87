#include "source/accept.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>
#include <vector>

#include "base/base64.h"
#include "config/document_yaml.h"
#include "policy/list.h"
#include "policy/problem.h"
#include "source/detail/text.h"

namespace ebbgate::source {
namespace {

using detail::take_line;
using detail::trimmed;

constexpr std::string_view kVersionMark = "# ebbgate-version:";
constexpr std::string_view kSignatureMark = "# ebbgate-signature:";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::unexpected<Error> refused(std::string why) {
  return fail(Reason::kOriginInvalid, Side::kOrigin, std::move(why));
}

bool is_comment_or_empty(std::string_view line) {
  line = trimmed(line);
  return line.empty() || line.starts_with('#');
}

std::string_view without_byte_order_mark(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return text;
}

// `apiVersion: x`, `spec:`, `"kind": x`, and what else only YAML begins with.
bool begins_like_yaml(std::string_view line) {
  if (line.starts_with('{') || line.starts_with('[') || line.starts_with('%') ||
      line.starts_with("---") || line.starts_with('"') || line.starts_with('\'')) {
    return true;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const bool is_word = std::ranges::all_of(line.substr(0, colon), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  return is_word && (colon + 1 == line.size() || line[colon + 1] == ' ');
}

Result<void> check_signature(const Fetched& offered, const PublicKey& key) {
  const std::string fix =
      "; sign it with `openssl pkeyutl -sign -rawin -inkey KEY -in FILE | base64`, and keep that "
      "beside it as .sig, or in its last line after `# ebbgate-signature: `";
  if (const auto embedded = embedded_signature(offered.text)) {
    if (key.verify(embedded->content, embedded->signature)) return {};
    return refused("the signature in its last line is not that of the key" + fix);
  }
  if (offered.signature.empty()) return refused("it is not signed" + fix);
  if (key.verify(offered.text, offered.signature)) return {};
  return refused("its signature is not that of the key, or is of another text" + fix);
}

std::vector<policy::PolicyProblem> problems_of(std::string_view text, const std::string& name,
                                               bool is_list, bool pods_in_subjects) {
  if (is_list) return policy::parse_list(text, name).problems;
  return config::parse_documents(text, name, {.pods_in_subjects = pods_in_subjects}).problems;
}

Result<void> check_policy(const Accepted& offered, const std::string& name, bool pods_in_subjects) {
  const auto problems = problems_of(offered.text, name, offered.is_list, pods_in_subjects);
  const auto is_error = [](const policy::PolicyProblem& each) {
    return each.severity == policy::Severity::kError;
  };
  const auto first = std::ranges::find_if(problems, is_error);
  if (first == problems.end()) return {};
  const auto count = std::ranges::count_if(problems, is_error);
  return refused("it is no valid policy: " + policy::str(*first) +
                 (count > 1 ? " (and " + std::to_string(count - 1) + " more)" : std::string()));
}

}  // namespace

bool is_plain_list(std::string_view name, std::string_view text) {
  name = name.substr(0, name.find_first_of("?#"));
  for (const char* ending : {".list", ".txt"}) {
    if (name.ends_with(ending)) return true;
  }
  for (const char* ending : {".yaml", ".yml", ".json"}) {
    if (name.ends_with(ending)) return false;
  }
  text = without_byte_order_mark(text);
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (!is_comment_or_empty(line)) return !begins_like_yaml(trimmed(line));
  }
  return true;
}

Result<std::optional<std::int64_t>> document_version(std::string_view text) {
  text = without_byte_order_mark(text);
  while (!text.empty()) {
    std::string_view line = take_line(text);
    if (!is_comment_or_empty(line) && line != "---") break;
    if (!line.starts_with(kVersionMark)) continue;
    line.remove_prefix(kVersionMark.size());
    const auto number = detail::parse_number(trimmed(line));
    if (number) return number;
    return refused(
        "`# ebbgate-version:` is followed by no number; write one that grows with each "
        "change");
  }
  return std::nullopt;
}

std::optional<Signed> embedded_signature(std::string_view text) {
  std::string_view body = text;
  while (!body.empty() && (body.back() == '\n' || body.back() == '\r')) body.remove_suffix(1);
  const std::size_t end = body.rfind('\n');
  const std::size_t begin = end == std::string_view::npos ? 0 : end + 1;
  std::string_view line = body.substr(begin);
  if (!line.starts_with(kSignatureMark)) return std::nullopt;
  line.remove_prefix(kSignatureMark.size());
  return Signed{.content = text.substr(0, begin), .signature = trimmed(line)};
}

std::optional<std::string> rollback_fault(const Accepted& offered, const Accepted& in_force) {
  if (offered.text == in_force.text) return std::nullopt;
  const char* const kFix =
      "; if that is meant, raise its number or start the gateway with --allow-rollback";
  if (in_force.document_version) {
    const std::string now = std::to_string(*in_force.document_version);
    if (!offered.document_version) {
      return "it has no `# ebbgate-version:`, and the policy in force has " + now + kFix;
    }
    if (*offered.document_version < *in_force.document_version) {
      return "it is version " + std::to_string(*offered.document_version) +
             ", older than the policy in force, which is " + now + kFix;
    }
  }
  if (offered.document_version) return std::nullopt;
  if (offered.sequence && in_force.sequence && *offered.sequence < *in_force.sequence) {
    return "the source gives an older state (" + offered.version + ") than the one in force (" +
           in_force.version + "); if that is meant, start the gateway with --allow-rollback";
  }
  return std::nullopt;
}

Result<Accepted> accept(std::string_view name, Fetched offered, const Accepted* in_force,
                        const AcceptRules& rules) {
  if (offered.text.size() > kMaxText) return refused("it is longer than 16 MiB");
  const bool is_blank = std::ranges::all_of(
      offered.text, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
  if (is_blank) {
    return refused(
        "it is empty; to allow nothing, write a document with a deny entry, or stop the "
        "gateway");
  }
  if (rules.key) {
    if (auto checked = check_signature(offered, *rules.key); !checked) {
      return std::unexpected(std::move(checked.error()));
    }
  }
  if (!detail::is_utf8_text(offered.text)) return refused("it is no text in UTF-8");
  auto version = document_version(offered.text);
  if (!version) return std::unexpected(std::move(version.error()));
  Accepted out{.text = std::move(offered.text),
               .version = std::move(offered.version),
               .signature = {},
               .sequence = offered.sequence,
               .document_version = *version};
  if (rules.key) {
    const auto octets = signature_octets(offered.signature);
    if (octets) out.signature = base64_encoded(*octets);
  }
  out.is_list = is_plain_list(name, out.text);
  if (auto checked = check_policy(out, std::string(name), rules.pods_in_subjects); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  if (in_force != nullptr && !rules.allow_rollback) {
    if (auto fault = rollback_fault(out, *in_force)) return refused(*std::move(fault));
  }
  return out;
}

}  // namespace ebbgate::source
