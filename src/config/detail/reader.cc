#include <algorithm>

#include "base/escape.h"
#include "config/detail/key.h"
#include "config/detail/nearest.h"
#include "config/detail/values.h"

namespace ebbgate::config::detail {
namespace {

constexpr std::size_t kMaxProblems = 100;  // of one file; more would only bury the first

}  // namespace

std::vector<Problem> Reader::take_problems() {
  if (left_out_ > 0) {
    problems_.push_back({.file = *file_,
                         .message = "there are " + std::to_string(left_out_) + " more problems",
                         .fix = {}});
  }
  return std::move(problems_);
}

void Reader::error(policy::Position position, std::string message, std::string fix) {
  if (problems_.size() >= kMaxProblems) {
    ++left_out_;
    return;
  }
  problems_.push_back(
      {.file = *file_, .position = position, .message = std::move(message), .fix = std::move(fix)});
}

bool Reader::want_text(const Value& value, std::string_view what) {
  if (value.is_text()) return true;
  error(value.position(),
        std::string(what) + " is " + std::string(described(value.kind())) +
            ", and has to be a single value",
        value.kind() == NodeKind::kNull ? "write a value" : "write it without brackets or dashes");
  return false;
}

bool Reader::want_list(const Value& value, std::string_view what) {
  if (value.kind() != NodeKind::kList) {
    error(value.position(),
          std::string(what) + " is " + std::string(described(value.kind())) +
              ", and has to be a list",
          value.is_text() ? "write [" + escaped_prose(value.text(), 64) + "]"
                          : "begin each element with `- `");
    return false;
  }
  if (!value.children().empty()) return true;
  error(value.position(), std::string(what) + " is an empty list", "leave it out, or fill it");
  return false;
}

bool Reader::want_map(const Value& value, std::string_view what) {
  if (value.kind() == NodeKind::kMap) return true;
  error(value.position(),
        std::string(what) + " is " + std::string(described(value.kind())) + ", and has to be a map",
        "write `key: value`");
  return false;
}

std::size_t Reader::row_of(const Value& key, std::string_view what,
                           std::span<const std::string_view> names) {
  const auto row = std::ranges::find(names, key.text());
  if (row == names.end()) {
    const std::string_view near = nearest(key.text(), names);
    std::string fix = "write `" + std::string(near) + "`";
    if (near.empty()) {
      fix = "its keys are";
      for (const std::string_view name : names) {
        fix += (name == names.front() ? " " : ", ") + std::string(name);
      }
    }
    error(key.position(), "unknown key " + quoted(key.text()) + " in " + std::string(what),
          std::move(fix));
  }
  return static_cast<std::size_t>(row - names.begin());
}

void Reader::refuse(const Value& key, const KeyInfo& info) {
  if (is_namespaced_ && info.is_of_cluster) {
    error(key.position(), "`" + std::string(info.name) + "` is not for a namespace to say",
          "leave it out, or ask for a ClusterEgressPolicy");
    return;
  }
  if (info.is_of_pods) {
    error(key.position(),
          "`" + std::string(info.name) + "` is of pods, which only --kube tells apart",
          "run the gateway with --kube, or say who is meant by `cidr`");
    return;
  }
  if (info.is_of_resources) {
    error(key.position(),
          "`" + std::string(info.name) + "` is for resources of Kubernetes, and this is a file",
          std::string(info.later));
    return;
  }
  error(key.position(), "`" + std::string(info.name) + "` is not in this release",
        std::string(info.later));
}

void Reader::missing(const Value& map, std::string_view what, std::string_view key) {
  error(map.position(), std::string(what) + " has no `" + std::string(key) + "`", "add it");
}

}  // namespace ebbgate::config::detail
