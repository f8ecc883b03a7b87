// Cuts streams of JSON into the objects that matter, as their octets come: no more than one object
// is ever held. It finds boundaries only; whether an object is JSON at all is for who reads it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ebbgate::kube::detail {

// Takes one object; false: no more is wanted.
using TakeObject = std::function<bool(std::string_view object)>;

// Whether octets are inside of a value, by brackets and strings (RFC 8259).
class Nesting {
 public:
  void step(char c) {
    if (in_string_) {
      if (is_escaped_) {
        is_escaped_ = false;
      } else if (c == '\\') {
        is_escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
      return;
    }
    if (c == '"') in_string_ = true;
    if (c == '{' || c == '[') ++depth_;
    if (c == '}' || c == ']') --depth_;
  }
  [[nodiscard]] std::int64_t depth() const { return depth_; }
  [[nodiscard]] bool in_string() const { return in_string_; }

 private:
  std::int64_t depth_ = 0;
  bool in_string_ = false;
  bool is_escaped_ = false;
};

// One object, from its brace to the one that closes it, in however many pieces it comes.
class ObjectCollector {
 public:
  explicit ObjectCollector(std::size_t max) : max_(max) {}

  // In: octets that go on with the object, or begin one. Out: how many of them belong to it. Then
  // is_whole() tells whether the object is there.
  [[nodiscard]] std::size_t feed(std::string_view piece);
  [[nodiscard]] bool is_whole() const { return is_whole_; }
  [[nodiscard]] bool is_too_long() const { return is_too_long_; }
  [[nodiscard]] bool has_begun() const { return has_begun_; }
  // Good until the next feed(), and where it lies in the last piece, no longer than that.
  [[nodiscard]] std::string_view object() const { return object_; }

 private:
  std::size_t max_;
  Nesting nesting_;
  std::string held_;  // of earlier pieces
  std::string_view object_;
  bool has_begun_ = false;
  bool is_whole_ = false;
  bool is_too_long_ = false;
};

// A watch: objects one after the other, with white space between.
class SequenceCutter {
 public:
  explicit SequenceCutter(std::size_t max) : collector_(max) {}
  // Out: false where `take` wanted no more. Errors: kOriginInvalid.
  [[nodiscard]] Result<bool> feed(std::string_view piece, const TakeObject& take);
  // Whether the stream may end here.
  [[nodiscard]] bool is_between() const { return !collector_.has_begun(); }

 private:
  ObjectCollector collector_;
};

// A list: an object whose member `items` is a list of objects. What stands around these is kept.
class ListCutter {
 public:
  explicit ListCutter(std::size_t max) : collector_(max) {}
  // As above.
  [[nodiscard]] Result<bool> feed(std::string_view piece, const TakeObject& take);
  // Whether the object is there to its end.
  [[nodiscard]] bool is_whole() const { return state_ == State::kAfter; }
  // The list without its items: `{"kind":"PodList","metadata":{…},"items":[]}`.
  [[nodiscard]] const std::string& envelope() const { return envelope_; }

 private:
  enum class State : std::uint8_t { kBefore, kEnvelope, kItems, kAfter };
  [[nodiscard]] bool step(char c);  // false: it cannot be a list
  [[nodiscard]] bool step_around(char c);

  ObjectCollector collector_;
  State state_ = State::kBefore;
  Nesting nesting_;
  std::string envelope_;
  std::string last_string_;  // raw, at the depth of the list's members
  std::string key_;
  bool has_items_ = false;
  bool is_item_next_ = true;     // in kItems: not after an item, where a comma has to come
  bool is_item_needed_ = false;  // after a comma
};

}  // namespace ebbgate::kube::detail
