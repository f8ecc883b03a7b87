// The lines of a head out of a buffer that grows (RFC 9112 2.2). Each octet is looked at once,
// however small the pieces are in which they come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/framing.h"

namespace ebbgate::http {

class HeadLines {
 public:
  enum class Found : std::uint8_t {
    kLine,      // line() is one more line
    kEnd,       // the empty line that ends a head, or precedes a request line
    kNothing,   // more octets are needed
    kBareLf,    // a line ends in LF without CR
    kTooLarge,  // more than the limit came without an end
  };

  // `buffered` is what came since the head's first octet: the same octets as in the last call and
  // perhaps more.
  [[nodiscard]] Found next(std::string_view buffered, const HeadLimits& limits);

  // The line that was found, without its CRLF; within the `buffered` of that call.
  [[nodiscard]] std::string_view line() const { return line_; }
  // Octets up to the end of that line.
  [[nodiscard]] std::size_t consumed() const { return begin_; }

 private:
  std::string_view line_;    // good only until next() is called again
  std::size_t begin_ = 0;    // where the next line begins
  std::size_t scanned_ = 0;  // up to where there is no LF since begin_
};

}  // namespace ebbgate::http
