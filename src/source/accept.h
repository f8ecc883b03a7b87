// What a policy from afar has to pass before it may replace the one in force: plain functions of
// what came, what there is, and the rules.
//
// Marks in comments, which YAML, JSON in YAML and plain lists alike have, make a text carry its own
// proof (they count only where they stand alone on their line):
//   # ebbgate-version: 42            anywhere before the first line that is no comment; grows
//   # ebbgate-signature: BASE64      the last line; Ed25519 over all octets before it
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "source/policy_source.h"
#include "source/public_key.h"

namespace ebbgate::source {

// A text that came into force, and what is known of its age.
struct Accepted {
  std::string text = {};
  bool is_list = false;                               // a plain list of patterns, not YAML
  std::string version = {};                           // for people
  std::string signature = {};                         // detached, base64; empty: none was needed
  std::optional<std::int64_t> sequence = {};          // of the source
  std::optional<std::int64_t> document_version = {};  // of the text itself
  bool operator==(const Accepted&) const = default;
};

struct AcceptRules {
  std::optional<PublicKey> key =
      {};  // who has to have signed; nothing: signatures are not looked at
  bool allow_rollback = false;
  bool pods_in_subjects = false;  // see config::DocumentOptions
};

// Whether `text` is a plain list: a name that ends in .list or .txt says so, one in .yaml, .yml or
// .json the contrary; else its first line that is no comment, where YAML has a colon before a
// blank, a brace, or `---`.
[[nodiscard]] bool is_plain_list(std::string_view name, std::string_view text);

// The mark in the text; an error where there is one that is no number.
[[nodiscard]] Result<std::optional<std::int64_t>> document_version(std::string_view text);

struct Signed {
  std::string_view content;    // what the signature is over
  std::string_view signature;  // base64
};
// Splits off the mark at the text's end; nothing where there is none.
[[nodiscard]] std::optional<Signed> embedded_signature(std::string_view text);

// Whether `offered` is older than `in_force`, and how that is known; nothing where it is not. The
// text's own number decides where either has one: it is what a signature covers. A text without,
// after one with, counts as older. The source's number decides otherwise.
[[nodiscard]] std::optional<std::string> rollback_fault(const Accepted& offered,
                                                        const Accepted& in_force);

// All of the above, and that it is UTF-8 of 1 octet to kMaxText without NUL, and a policy without
// errors (config::parse_documents, policy::parse_list). `in_force`: null where there was never one.
// Errors: kOriginInvalid, with what is wrong and what to do.
[[nodiscard]] Result<Accepted> accept(std::string_view name, Fetched offered,
                                      const Accepted* in_force, const AcceptRules& rules);

}  // namespace ebbgate::source
