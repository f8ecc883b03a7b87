#include "kube/detail/cutter.h"

namespace ebbgate::kube::detail {
namespace {

constexpr std::size_t kMaxEnvelope = std::size_t{64} * 1024;  // octets

[[nodiscard]] std::unexpected<Error> invalid(std::string what) {
  return fail(Reason::kOriginInvalid, Side::kOrigin, std::move(what));
}
[[nodiscard]] std::unexpected<Error> too_long() {
  return invalid("an object of the API is longer than any can be");
}
[[nodiscard]] std::unexpected<Error> not_json() {
  return invalid("what the API sent is no JSON of its kind");
}

[[nodiscard]] bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

}  // namespace

std::size_t ObjectCollector::feed(std::string_view piece) {
  if (!has_begun_ || is_whole_) {
    held_.clear();
    nesting_ = {};
    is_whole_ = false;
    has_begun_ = true;
  }
  std::size_t used = 0;
  while (used < piece.size() && !is_whole_) {
    nesting_.step(piece[used++]);
    is_whole_ = nesting_.depth() <= 0;
  }
  if (used > max_ - held_.size()) {
    is_too_long_ = true;
    return used;
  }
  const std::string_view part = piece.substr(0, used);
  if (is_whole_ && held_.empty()) {
    object_ = part;
  } else {
    held_ += part;
    object_ = held_;
  }
  if (is_whole_) has_begun_ = false;
  return used;
}

Result<bool> SequenceCutter::feed(std::string_view piece, const TakeObject& take) {
  while (!piece.empty()) {
    if (!collector_.has_begun() && piece.front() != '{') {
      if (!is_space(piece.front())) return not_json();
      piece.remove_prefix(1);
      continue;
    }
    piece.remove_prefix(collector_.feed(piece));
    if (collector_.is_too_long()) return too_long();
    if (collector_.is_whole() && !take(collector_.object())) return false;
  }
  return true;
}

Result<bool> ListCutter::feed(std::string_view piece, const TakeObject& take) {
  while (!piece.empty()) {
    const bool begins = state_ == State::kItems && is_item_next_ && piece.front() == '{';
    if (!collector_.has_begun() && !begins) {
      if (!step(piece.front())) return not_json();
      if (envelope_.size() > kMaxEnvelope) return too_long();
      piece.remove_prefix(1);
      continue;
    }
    piece.remove_prefix(collector_.feed(piece));
    if (collector_.is_too_long()) return too_long();
    if (!collector_.is_whole()) continue;
    is_item_next_ = false;
    is_item_needed_ = false;
    if (!take(collector_.object())) return false;
  }
  return true;
}

bool ListCutter::step(char c) {
  if (state_ != State::kEnvelope && is_space(c)) return true;
  if (state_ == State::kBefore) {
    if (c != '{') return false;
    state_ = State::kEnvelope;
    return step_around(c);
  }
  if (state_ == State::kEnvelope) return step_around(c);
  if (state_ == State::kAfter) return false;
  if (c == ',' && !is_item_next_) {
    is_item_next_ = is_item_needed_ = true;
    return true;
  }
  if (c != ']' || is_item_needed_) return false;
  state_ = State::kEnvelope;
  return step_around(c);
}

// An octet that belongs to no item.
bool ListCutter::step_around(char c) {
  const bool was_in_string = nesting_.in_string();
  const std::int64_t depth = nesting_.depth();
  envelope_ += c;
  nesting_.step(c);
  if (depth == 0) return true;  // the brace that opens it
  if (nesting_.depth() <= 0) {
    state_ = State::kAfter;
    return true;
  }
  if (depth > 1) return true;
  if (was_in_string) {
    if (nesting_.in_string()) last_string_ += c;
    return true;
  }
  if (c == '"') {
    last_string_.clear();
  } else if (c == ':') {
    key_ = last_string_;
  } else if (c == '[' && key_ == "items") {
    if (has_items_) return false;
    has_items_ = true;
    is_item_next_ = true;
    state_ = State::kItems;
  }
  return true;
}

}  // namespace ebbgate::kube::detail
