#include "analyse/detail/json_line.h"

#include <bit>
#include <cstddef>
#include <cstring>

namespace ebbgate::analyse::detail {
namespace {

constexpr unsigned kMaxDepth = 64;  // of values that are skipped
constexpr std::uint64_t kOnes = 0x0101010101010101U;

// A mark in each octet of the word that equals `octet`; above the lowest mark there may be false
// ones.
constexpr std::uint64_t equal(std::uint64_t word, std::uint8_t octet) {
  const std::uint64_t differs = word ^ (kOnes * octet);
  return (differs - kOnes) & ~differs & (kOnes << 7U);
}
constexpr std::uint64_t below_space(std::uint64_t word) {
  return (word - kOnes * 0x20U) & ~word & (kOnes << 7U);
}

bool is_special(char c) {
  return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
}

// The first quote, backslash or control character.
const char* find_special(const char* at, const char* end) {
  static_assert(std::endian::native == std::endian::little);
  for (; end - at >= 8; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    const std::uint64_t marks = equal(word, '"') | equal(word, '\\') | below_space(word);
    if (marks != 0) return at + std::countr_zero(marks) / 8;
  }
  while (at != end && !is_special(*at)) ++at;
  return at;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto tail = [&](unsigned shift) {
    out.push_back(static_cast<char>(0x80U | ((code >> shift) & 0x3fU)));
  };
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xc0U | (code >> 6U)));
    tail(0);
  } else if (code < 0x10000) {
    out.push_back(static_cast<char>(0xe0U | (code >> 12U)));
    tail(6);
    tail(0);
  } else {
    out.push_back(static_cast<char>(0xf0U | (code >> 18U)));
    tail(12);
    tail(6);
    tail(0);
  }
}

class Scanner {
 public:
  Scanner(std::string_view text, std::string& unescaped)
      : at_(text.data()), end_(text.data() + text.size()), size_(text.size()), out_(unescaped) {
    out_.clear();
  }

  bool scan(JsonFields& fields) {
    skip_blanks();
    const auto top = [&](std::string_view key) { return scan_top(key, fields); };
    if (!object(top)) return false;
    skip_blanks();
    return at_ == end_;
  }

 private:
  // An object, with member(key) called at each value, which it has to step over.
  template <typename Member>
  bool object(Member&& member) {
    if (!take('{')) return false;
    skip_blanks();
    if (take('}')) return true;
    while (true) {
      std::string_view key;
      skip_blanks();
      if (!string(key)) return false;
      skip_blanks();
      if (!take(':')) return false;
      skip_blanks();
      if (!member(key)) return false;
      skip_blanks();
      if (take('}')) return true;
      if (!take(',')) return false;
    }
  }

  bool scan_top(std::string_view key, JsonFields& fields) {
    switch (key.size()) {
      case 3:
        if (key == "sni") return text_of(fields.sni);
        if (key == "ech") return truth_of(fields.ech);
        break;
      case 4:
        if (key == "time") return text_of(fields.time);
        if (key == "user") return text_of(fields.user);
        if (key == "host") return text_of(fields.host);
        if (key == "port") return number_of(fields.port);
        break;
      case 5:
        if (key == "phase") return text_of(fields.phase);
        if (key == "count") return number_of(fields.count);
        break;
      case 6:
        if (key == "client") return text_of(fields.client);
        if (key == "method") return text_of(fields.method);
        if (key == "target") return text_of(fields.target);
        if (key == "reason") return text_of(fields.reason);
        break;
      case 7:
        if (key == "verdict") return text_of(fields.verdict);
        if (key == "address") return text_of(fields.address);
        if (key == "subject") return subject(fields);
        break;
      default:
        break;
    }
    return skip_value(0);
  }

  bool subject(JsonFields& fields) {
    fields.subject_kind = fields.subject_name = fields.subject_namespace = {};
    if (at_ == end_ || *at_ != '{') return skip_value(0);
    return object([&](std::string_view key) {
      if (key == "kind") return text_of(fields.subject_kind);
      if (key == "name") return text_of(fields.subject_name);
      if (key == "namespace") return text_of(fields.subject_namespace);
      return skip_value(1);
    });
  }

  bool text_of(std::string_view& out) {
    out = {};
    return at_ != end_ && *at_ == '"' ? string(out) : skip_value(0);
  }

  bool truth_of(std::optional<bool>& out) {
    out.reset();
    if (at_ != end_ && *at_ == 't') out = true;
    if (at_ != end_ && *at_ == 'f') out = false;
    return skip_value(0);
  }

  // A whole number that fits; anything else counts as absent.
  bool number_of(std::uint64_t& out) {
    const char* const start = at_;
    out = 0;
    if (!skip_value(0)) return false;
    std::uint64_t value = 0;
    for (const char* digit = start; digit != at_; ++digit) {
      if (*digit < '0' || *digit > '9' || value > 1'000'000'000'000'000U) return true;
      value = value * 10 + static_cast<std::uint64_t>(*digit - '0');
    }
    out = value;
    return true;
  }

  bool string(std::string_view& out) {
    if (!take('"')) return false;
    const char* const start = at_;
    at_ = find_special(at_, end_);
    if (at_ != end_ && *at_ == '"') {
      out = {start, static_cast<std::size_t>(at_ - start)};
      ++at_;
      return true;
    }
    return string_with_escapes(start, out);
  }

  bool string_with_escapes(const char* start, std::string_view& out) {
    // All that is unescaped is shorter than the text: no view moves.
    if (out_.capacity() < size_) out_.reserve(size_);
    const std::size_t begin = out_.size();
    out_.append(start, at_);
    while (at_ != end_ && *at_ != '"') {
      if (*at_ != '\\' || !escape()) return false;
      const char* const plain = at_;
      at_ = find_special(at_, end_);
      out_.append(plain, at_);
    }
    if (!take('"')) return false;
    out = std::string_view(out_).substr(begin);
    return true;
  }

  bool escape() {
    static constexpr std::string_view kLetters = "\"\\/bfnrt";
    static constexpr std::string_view kMeaning = "\"\\/\b\f\n\r\t";
    ++at_;
    if (at_ == end_) return false;
    const char letter = *at_++;
    if (letter == 'u') return unicode_escape();
    const std::size_t which = kLetters.find(letter);
    if (which == std::string_view::npos) return false;
    out_.push_back(kMeaning[which]);
    return true;
  }

  bool unicode_escape() {
    std::uint32_t code = 0;
    if (!hex4(code) || (code >= 0xdc00 && code < 0xe000)) return false;
    if (code >= 0xd800 && code < 0xdc00) {
      std::uint32_t low = 0;
      if (!take('\\') || !take('u') || !hex4(low) || low < 0xdc00 || low >= 0xe000) return false;
      code = 0x10000 + ((code - 0xd800) << 10U) + (low - 0xdc00);
    }
    append_utf8(out_, code);
    return true;
  }

  bool hex4(std::uint32_t& code) {
    if (end_ - at_ < 4) return false;
    for (int i = 0; i < 4; ++i) {
      const int digit = hex_digit(*at_++);
      if (digit < 0) return false;
      code = code * 16 + static_cast<std::uint32_t>(digit);
    }
    return true;
  }

  bool skip_value(unsigned depth) {
    if (at_ == end_ || depth > kMaxDepth) return false;
    switch (*at_) {
      case '"': {
        std::string_view ignored;
        return string(ignored);
      }
      case '{':
        return object([&](std::string_view) { return skip_value(depth + 1); });
      case '[':
        return skip_array(depth);
      case 't':
        return take_word("true");
      case 'f':
        return take_word("false");
      case 'n':
        return take_word("null");
      default:
        return skip_number();
    }
  }

  bool skip_array(unsigned depth) {
    ++at_;
    skip_blanks();
    if (take(']')) return true;
    while (true) {
      skip_blanks();
      if (!skip_value(depth + 1)) return false;
      skip_blanks();
      if (take(']')) return true;
      if (!take(',')) return false;
    }
  }

  // RFC 8259 section 6.
  bool skip_number() {
    take('-');
    if (!take('0') && !skip_digits()) return false;
    if (take('.') && !skip_digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return skip_digits();
    }
    return true;
  }
  bool skip_digits() {
    const char* const start = at_;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    return at_ != start;
  }

  bool take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) {
    if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word)) {
      return false;
    }
    at_ += word.size();
    return true;
  }
  void skip_blanks() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) ++at_;
  }

  const char* at_;
  const char* end_;
  std::size_t size_;
  std::string& out_;
};

}  // namespace

bool scan_json(std::string_view text, JsonFields& fields, std::string& unescaped) {
  return Scanner(text, unescaped).scan(fields);
}

}  // namespace ebbgate::analyse::detail
