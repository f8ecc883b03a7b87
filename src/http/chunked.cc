#include "http/chunked.h"

#include <array>

#include "base/escape.h"
#include "http/detail/text.h"

namespace ebbgate::http {
namespace {

using detail::same_token;

// Fields that may come in a header section only, beside those that are refused in trailers: request
// modifiers, authentication, control data and the format of the content (RFC 9110 6.5.1). A
// recipient that merged them late would act on another message than the one that was judged.
constexpr std::array<std::string_view, 33> kNeverTrailers = {"accept",
                                                             "age",
                                                             "authorization",
                                                             "authentication-info",
                                                             "cache-control",
                                                             "content-type",
                                                             "content-encoding",
                                                             "content-range",
                                                             "cookie",
                                                             "date",
                                                             "content-disposition",
                                                             "expect",
                                                             "expires",
                                                             "from",
                                                             "if-match",
                                                             "if-modified-since",
                                                             "if-none-match",
                                                             "if-range",
                                                             "if-unmodified-since",
                                                             "location",
                                                             "max-forwards",
                                                             "origin",
                                                             "pragma",
                                                             "range",
                                                             "referer",
                                                             "retry-after",
                                                             "set-cookie",
                                                             "trailer",
                                                             "user-agent",
                                                             "vary",
                                                             "via",
                                                             "warning",
                                                             "www-authenticate"};

bool may_be_trailer(const Field& field) {
  return std::ranges::none_of(kNeverTrailers,
                              [&](std::string_view name) { return same_token(field.name, name); });
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The digits that `line` begins with: how many, and the number they stand for.
struct Size {
  std::size_t digits = 0;
  std::uint64_t value = 0;
};
Size parse_size(std::string_view line) {
  Size size;
  for (const char c : line) {
    const int digit = hex_value(c);
    if (digit < 0) break;
    if (++size.digits > 16) break;  // more than 64 bits, or needless zeros
    size.value = size.value << 4 | static_cast<std::uint64_t>(digit);
  }
  return size;
}

// Takes a token, or where `quoted` a quoted string too, off `text`; false where there is none.
bool take_word(std::string_view& text, bool quoted) {
  if (quoted && text.starts_with('"')) {
    for (std::size_t i = 1; i < text.size(); ++i) {
      if (text[i] == '\\') {
        ++i;
      } else if (text[i] == '"') {
        text.remove_prefix(i + 1);
        return true;
      }
    }
    return false;
  }
  const auto end = std::ranges::find(text, '\0', detail::token_fold);
  const auto size = static_cast<std::size_t>(end - text.begin());
  text.remove_prefix(size);
  return size != 0;
}

// Whether `text` is *( ";" name [ "=" value ] ), without the white space that the grammar calls
// bad.
bool are_extensions(std::string_view text) {
  if (detail::has_control(text)) return false;
  while (!text.empty()) {
    if (text.front() != ';') return false;
    text.remove_prefix(1);
    if (!take_word(text, false)) return false;
    if (text.starts_with('=')) {
      text.remove_prefix(1);
      if (!take_word(text, true)) return false;
    }
  }
  return true;
}

}  // namespace

// The line at the beginning of `input` without its CRLF; nothing while it is not whole. A line that
// comes octet by octet is searched again each time: kMaxLine bounds what that can cost.
Result<std::optional<std::string_view>> ChunkedReader::line(std::string_view input) const {
  const std::size_t lf = input.substr(0, kMaxLine).find('\n');
  if (lf == std::string_view::npos) {
    if (input.size() >= kMaxLine) return blame_("a line of the chunked body is too long");
    return std::nullopt;
  }
  if (lf == 0 || input[lf - 1] != '\r') {
    return blame_("a line of the chunked body ends in LF without CR");
  }
  return input.substr(0, lf - 1);
}

// Out: how many octets of the size line go on, which are its digits.
Result<std::size_t> ChunkedReader::size_line(std::string_view text) {
  const Size size = parse_size(text);
  if (size.digits == 0) return blame_("a chunk size does not begin with a hexadecimal digit");
  if (size.digits > 16 || size.value > INT64_MAX) return blame_("a chunk size is too large");
  if (!are_extensions(text.substr(size.digits))) {
    return blame_("what follows a chunk size is no chunk extension");
  }
  left_ = size.value;
  return size.digits;
}

// Out: whether the trailer field goes on.
Result<bool> ChunkedReader::trailer_line(std::string_view text) {
  trailer_octets_ += text.size() + 2;
  if (trailer_octets_ > kMaxTrailers) return blame_("the trailer section is too large");
  const auto field = parse_field_line(text, blame_);
  if (!field) return std::unexpected(field.error());
  if (field->hop_by_hop || field->id == FieldId::kContentLength || field->id == FieldId::kHost) {
    return blame_("the trailer section has the field " + escaped(field->name));
  }
  return may_be_trailer(*field);
}

Result<ChunkedReader::Step> ChunkedReader::read(std::string_view input) {
  std::size_t at = 0;  // what stands before it is dealt with, and goes on
  const auto step = [&](std::size_t skipped = 0) {
    const bool all = output_ == Output::kChunked;
    return Step{at + skipped, all ? input.substr(0, at) : std::string_view(), is_done()};
  };
  while (true) {
    const std::string_view rest = input.substr(at);
    switch (at_) {
      case At::kSize: {
        const auto text = line(rest);
        if (!text) return std::unexpected(text.error());
        if (!*text) return step();
        const auto digits = size_line(**text);
        if (!digits) return std::unexpected(digits.error());
        at_ = At::kSizeEnd;
        at += *digits;
        if (*digits < (*text)->size()) return step((*text)->size() - *digits);
        break;
      }
      case At::kSizeEnd:
        // The line is whole, or it would not have been read; its CRLF may be in the next input.
        if (rest.size() < 2) return step();
        at += 2;
        at_ = left_ == 0 ? At::kTrailers : At::kData;
        break;
      case At::kData: {
        if (rest.empty()) return step();
        const std::size_t size = std::min<std::uint64_t>(left_, rest.size());
        at += size;
        left_ -= size;
        body_octets_ += size;
        if (left_ == 0) at_ = At::kDataEnd;
        if (output_ == Output::kDecoded) return Step{at, rest.substr(0, size), false};
        break;
      }
      case At::kDataEnd:
        if (!std::string_view("\r\n").starts_with(rest.substr(0, 2))) {
          return blame_("a chunk is longer than its size");
        }
        if (rest.size() < 2) return step();
        at += 2;
        at_ = At::kSize;
        break;
      case At::kTrailers: {
        const auto text = line(rest);
        if (!text) return std::unexpected(text.error());
        if (!*text) return step();
        const std::size_t size = (*text)->size() + 2;
        if ((*text)->empty()) {
          at_ = At::kDone;
          at += size;
          return step();
        }
        const auto goes_on = trailer_line(**text);
        if (!goes_on) return std::unexpected(goes_on.error());
        if (!*goes_on) return step(size);
        at += size;
        break;
      }
      case At::kDone:
        return step();
    }
  }
}

}  // namespace ebbgate::http
