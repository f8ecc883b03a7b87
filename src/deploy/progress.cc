#include "deploy/progress.h"

#include <algorithm>
#include <chrono>

#include "base/escape.h"

namespace ebbgate::deploy {

std::string_view word(End end) {
  switch (end) {
    case End::kUnchanged:
      return "unchanged";
    case End::kCreated:
      return "created";
    case End::kUpdated:
      return "updated";
    case End::kDeleted:
      return "deleted";
    case End::kNeedsYes:
      return "needs --yes";
    case End::kFailed:
      return "failed";
    case End::kInterrupted:
      return "interrupted";
  }
  return "";
}

std::string Progress::elapsed(MonotonicTime now) const {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - began_).count();
  const std::string rest = std::to_string(seconds % 60);
  return std::to_string(seconds / 60) + ":" + (rest.size() == 1 ? "0" : "") + rest;
}

void Progress::line(const std::string& text) {
  write_((is_drawn_ ? "\r\x1b[K" : "") + text + "\n");
  is_drawn_ = false;
}

void Progress::redraw(MonotonicTime now) {
  if (!is_terminal_) return;
  const auto done = std::ranges::count_if(resources_, [](const auto& each) { return each.second; });
  std::string text = place_ + step_ + "  " + elapsed(now);
  if (!resources_.empty()) {
    text += "  " + std::to_string(done) + " of " + std::to_string(resources_.size()) +
            " resources  " + last_;
  }
  constexpr std::size_t kWidth = 79;
  write_("\r\x1b[K" + text.substr(0, kWidth));
  is_drawn_ = true;
}

void Progress::begin(const std::string& step, const std::string& stack, std::size_t number,
                     std::size_t count, const std::string& minutes, MonotonicTime now) {
  step_ = step;
  stack_ = stack;
  began_ = now;
  place_ = "[" + std::to_string(number) + "/" + std::to_string(count) + "] ";
  resources_.clear();
  last_.clear();
  if (is_terminal_) {
    redraw(now);
  } else {
    line(place_ + step_ + ": stack " + stack_ +
         (minutes.empty() ? "" : ", about " + minutes + " min where it has to be made"));
  }
}

void Progress::take(const Note& note, MonotonicTime now) {
  switch (note.kind) {
    case Note::Kind::kText:
      line("      " + note.stack + " " + escaped_prose(note.text));
      break;
    case Note::Kind::kChange:
      line("      " + std::string(note.takes_away ? "! " : "  ") + escaped_prose(note.text));
      break;
    case Note::Kind::kEvent: {
      const auto& event = note.event;
      const bool is_failure = event.status.ends_with("_FAILED");
      if (event.logical_id != stack_) {
        resources_[event.logical_id] =
            event.status.ends_with("_COMPLETE") || event.status.ends_with("_SKIPPED");
      }
      last_ = event.logical_id;
      if (!is_terminal_ || is_failure) {
        line("      " + elapsed(now) + " " + event.status + " " + event.logical_id + " (" +
             event.type + ")" +
             (is_failure && !event.reason.empty() ? ": " + escaped_prose(event.reason) : ""));
      }
      break;
    }
    case Note::Kind::kTick:
      break;
  }
  redraw(now);
}

void Progress::end(const StackResult& result, MonotonicTime now) {
  std::string text = place_ + step_ + ": " + std::string(word(result.end)) + ", " + elapsed(now);
  line(text);
  for (const std::string& each : result.retained) line("      retained: " + escaped_prose(each));
  if (!result.is_good()) {
    line("      " + escaped_prose(result.why));
    line("next: " + escaped_prose(result.next));
  }
}

}  // namespace ebbgate::deploy
