#include "kube/detail/invalid_note.h"

#include <charconv>
#include <vector>

#include "kube/detail/hash.h"

namespace ebbgate::kube::detail {
namespace {

constexpr std::size_t kMostNamed = 500;  // some 8 KiB of a Lease
constexpr unsigned kKeyDigits = 12;
constexpr std::string_view kMore = "more";

}  // namespace

std::string key_of(const ResourceReport& report) {
  Hash hash;
  hash.add(report.id.in_namespace);
  hash.add(report.id.name);
  hash.add(report.uid);
  return hash.hex(kKeyDigits);
}

std::string invalid_note(std::span<const ResourceReport> reports) {
  std::vector<ResourceReport> valid;
  std::map<std::string, std::int64_t> invalid;
  for (const ResourceReport& each : reports) {
    if (each.is_invalid()) {
      invalid.emplace(key_of(each), each.generation_in_force);
    } else {
      valid.push_back(
          {.id = each.id, .uid = each.uid, .generation_in_force = each.generation_in_force});
    }
  }
  if (invalid.empty()) return {};
  std::string out = digest_of(valid);
  std::size_t named = 0;
  for (const auto& [key, generation] : invalid) {
    if (++named > kMostNamed) return out.append(" ").append(kMore);
    out += ' ' + key + ':' + std::to_string(generation);
  }
  return out;
}

std::optional<InvalidNote> read_note(std::string_view text) {
  InvalidNote out;
  for (bool is_first = true; !text.empty(); is_first = false) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (is_first) {
      out.valid_digest = word;
    } else if (word == kMore) {
      out.is_whole = false;
    } else {
      const std::size_t colon = word.find(':');
      if (colon == word.npos) return std::nullopt;
      const std::string_view digits = word.substr(colon + 1);
      std::int64_t generation = 0;
      const auto [rest, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), generation);
      if (error != std::errc{} || rest != digits.data() + digits.size() || generation < 0) {
        return std::nullopt;
      }
      out.kept.emplace(word.substr(0, colon), generation);
    }
  }
  if (out.valid_digest.empty()) return std::nullopt;
  return out;
}

}  // namespace ebbgate::kube::detail
