// The driver's notes as lines for people: one a resource event where the output is kept, one that
// is rewritten in place on a terminal.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "deploy/driver.h"

namespace ebbgate::deploy {

class Progress {
 public:
  using Write = std::function<void(std::string_view text)>;
  Progress(bool is_terminal, Write write) : is_terminal_(is_terminal), write_(std::move(write)) {}

  // `number` of `count`: the step's place. `minutes`: about how long it takes.
  void begin(const std::string& step, const std::string& stack, std::size_t number,
             std::size_t count, const std::string& minutes, MonotonicTime now);
  void take(const Note& note, MonotonicTime now);
  void end(const StackResult& result, MonotonicTime now);

 private:
  void line(const std::string& text);
  void redraw(MonotonicTime now);
  [[nodiscard]] std::string elapsed(MonotonicTime now) const;

  bool is_terminal_;
  Write write_;
  std::string step_;
  std::string stack_;
  std::string place_;  // "[3/6] "
  MonotonicTime began_{};
  std::map<std::string, bool> resources_;  // whether each is done
  std::string last_;                       // the resource that was heard of last
  bool is_drawn_ = false;                  // a line that is to be rewritten stands there
};

// "unchanged", "created", …
[[nodiscard]] std::string_view word(End end);

}  // namespace ebbgate::deploy
