// Complaints about what is tried again and again: each kind of failure is told once, and that it is
// over.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "kube/failure.h"

namespace ebbgate::kube::detail {

class SayOnce {
 public:
  explicit SayOnce(std::function<void(std::string_view line)> say) : say_(std::move(say)) {}

  // `what` could not be done.
  void about(const Failure& failure, std::string_view what) {
    const int other = -1 - static_cast<int>(failure.kind);
    say(failure.kind == Failure::Kind::kStatus ? failure.status : other, failure.describe(what));
  }
  // `kind`: of the complaint, as the caller numbers them; HTTP's statuses are taken.
  void say(int kind, std::string line) {
    last_ = std::move(line);
    if (said_.insert(kind).second && say_) say_(last_);
  }
  void over(std::string_view line) {
    last_.clear();
    if (!said_.empty() && say_) say_(line);
    said_.clear();
  }
  [[nodiscard]] const std::string& last() const { return last_; }  // empty: all is well

 private:
  std::function<void(std::string_view line)> say_;
  std::set<int> said_;
  std::string last_;
};

}  // namespace ebbgate::kube::detail
