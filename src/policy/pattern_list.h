// The `hosts` of one entry, held compactly: a million patterns cost 16 bytes each and their text,
// and the compiled policy indexes this very memory instead of copying it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/pattern.h"
#include "policy/problem.h"

namespace ebbgate::policy {

class PatternList {
 public:
  // Appends a pattern that stands at `position` in the document's file.
  void add(const Pattern& pattern, Position position = {});

  // Room for that many patterns with that many octets of names.
  void reserve(std::size_t patterns, std::size_t octets);

  // Gives back what growing left over, where it is much; for a list that is complete.
  void shrink_to_fit();

  [[nodiscard]] std::size_t size() const { return records_.size(); }
  [[nodiscard]] bool empty() const { return records_.empty(); }

  // The pattern as it was added. The other accessors serve a lookup, which builds no Pattern.
  [[nodiscard]] Pattern operator[](std::size_t index) const;
  [[nodiscard]] Position position(std::size_t index) const;
  [[nodiscard]] PatternKind kind(std::size_t index) const { return records_[index].kind; }

  // What the index looks a pattern up by: its name, or address_key() of its block. Good until the
  // list is changed.
  [[nodiscard]] std::string_view key(std::size_t index) const {
    const Record& record = records_[index];
    return std::string_view(keys_).substr(record.offset, record.length);
  }

  [[nodiscard]] bool has_ports(std::size_t index) const { return records_[index].first_port != 0; }
  // The pattern's own ports; has_ports() must hold.
  [[nodiscard]] PortRange ports(std::size_t index) const {
    return {records_[index].first_port, records_[index].last_port};
  }

  bool operator==(const PatternList&) const = default;

 private:
  struct Record {
    std::uint32_t offset = 0;  // of the key in keys_
    std::uint32_t line = 0;
    std::uint16_t first_port = 0;  // 0: none of its own
    std::uint16_t last_port = 0;
    std::uint16_t column = 0;  // 65535 stands for "further"
    std::uint8_t length = 0;   // of the key; a name has at most 253 octets
    PatternKind kind = PatternKind::kName;
    bool operator==(const Record&) const = default;
  };
  static_assert(sizeof(Record) == 16);

  std::string keys_;
  std::vector<Record> records_;
};

}  // namespace ebbgate::policy
