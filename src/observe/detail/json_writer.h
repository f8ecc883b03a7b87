// Appending the members of a JSON object to a line. Keys are given with all that surrounds them, up
// to and with the colon.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "observe/detail/text.h"

namespace ebbgate::observe {

class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void word(std::string_view key, std::string_view value) {
    out_ += key;
    out_.push_back('"');
    out_ += value;
    out_.push_back('"');
  }
  // Nothing where the text is empty.
  void text(std::string_view key, std::string_view value, TextKind kind = TextKind::kJsonToken) {
    if (value.empty()) return;
    out_ += key;
    out_.push_back('"');
    append_text(out_, value, kind);
    out_.push_back('"');
  }
  void number(std::string_view key, std::uint64_t value) {
    out_ += key;
    append_number(out_, value);
  }
  void address(std::string_view key, const IpAddress& value) {
    out_ += key;
    out_.push_back('"');
    append_address(out_, value);
    out_.push_back('"');
  }

 private:
  std::string& out_;
};

}  // namespace ebbgate::observe
