// A text that must not come out where people read: it has no way into a stream, a log or an error
// but reveal(), which a reviewer can search for.
#pragma once

#include <string>
#include <utility>

namespace ebbgate {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}

  [[nodiscard]] const std::string& reveal() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }
  bool operator==(const Secret&) const = default;

 private:
  std::string text_;
};

}  // namespace ebbgate
