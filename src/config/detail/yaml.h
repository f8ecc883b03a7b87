// YAML 1.2 as a configuration needs it: maps, lists and scalars, each with its place. Text in, a
// compact tree out; what makes YAML dangerous (aliases, tags, keys given twice, depth) is refused.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/problem.h"

namespace ebbgate::config::detail {

inline constexpr std::size_t kMaxYamlSize = std::size_t{16} * 1024 * 1024;  // octets
inline constexpr std::size_t kMaxYamlDepth = 32;

enum class NodeKind : std::uint8_t { kNull, kPlain, kQuoted, kList, kMap };

class Yaml;

// One node of a tree; good as long as the tree and where it is.
class Value {
 public:
  [[nodiscard]] NodeKind kind() const;
  [[nodiscard]] policy::Position position() const;
  [[nodiscard]] bool is_text() const;           // a scalar that is not null
  [[nodiscard]] std::string_view text() const;  // of a scalar; empty for others

  // What a list holds, or a map's keys and values by turns.
  [[nodiscard]] std::vector<Value> children() const;
  // Of a map, in the order of the text.
  [[nodiscard]] std::vector<std::pair<Value, Value>> members() const;

 private:
  friend class Yaml;
  Value(const Yaml* tree, std::uint32_t index) : tree_(tree), index_(index) {}
  const Yaml* tree_;
  std::uint32_t index_;
};

// "a list", "nothing", "text": what stands there, for a message.
[[nodiscard]] std::string_view described(NodeKind kind);

class Yaml {
 public:
  [[nodiscard]] static std::expected<Yaml, std::vector<Problem>> parse(std::string_view text,
                                                                       const std::string& file);
  // The roots of the documents that hold anything.
  [[nodiscard]] std::vector<Value> documents() const;

 private:
  friend class Value;
  friend class TreeBuilder;
  struct Node {  // in the order of the text: a node's first child follows it
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::uint32_t offset = 0;  // of a scalar's text in text_
    std::uint32_t length = 0;
    std::uint32_t end = 0;  // index past the last of its descendants
    NodeKind kind = NodeKind::kNull;
  };
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> roots_;
  std::string text_;
};

}  // namespace ebbgate::config::detail
