// XML as AWS answers with it (no attributes, no mixed content, no document type): octets in, a tree
// of names and texts out, by expat. Deep, long and clever documents are refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ebbgate::aws::detail {

struct Element {
  std::string name;
  std::string text;  // of its own, white space included
  std::vector<Element> children;

  // The first element at a path of names, `DescribeStacksResult/Stacks`; null where there is none.
  [[nodiscard]] const Element* at(std::string_view path) const;
  // The text there; empty where there is none.
  [[nodiscard]] std::string text_at(std::string_view path) const;
  [[nodiscard]] bool is_true_at(std::string_view path) const { return text_at(path) == "true"; }
  // The elements `member` or `item` of the list there, as the query protocols write lists.
  [[nodiscard]] std::vector<const Element*> items(std::string_view path) const;
};

inline constexpr std::size_t kMaxXmlOctets = std::size_t{4} << 20;
inline constexpr std::size_t kMaxXmlDepth = 32;
inline constexpr std::size_t kMaxXmlElements = 100'000;

// Nothing: not well-formed, beyond a limit above, or with a document type declaration.
[[nodiscard]] std::optional<Element> parse_xml(std::string_view text);

}  // namespace ebbgate::aws::detail
