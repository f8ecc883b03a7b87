#include "observe/detail/exposition_writer.h"

#include <algorithm>

#include "observe/detail/text.h"

namespace ebbgate::observe {
namespace {

void append_label_value(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '"' || c == '\\') out.push_back('\\');
      out.push_back(c);
    }
  }
}

}  // namespace

void ExpositionWriter::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  suffix_ = type == "counter" ? "_total" : "";
  // The older format names a family as its samples are named, OpenMetrics without the suffix.
  std::string shown = name_;
  if (exposition_ == Exposition::kPrometheus) shown += suffix_;
  out_ += "# HELP " + shown + ' ';
  out_ += help;
  out_ += "\n# TYPE " + shown + ' ';
  out_ += type;
  out_.push_back('\n');
}

void ExpositionWriter::begin_sample(std::string_view suffix, Labels labels) {
  out_ += name_;
  out_ += suffix;
  char before = '{';
  for (const auto& [name, value] : labels) {
    out_.push_back(before);
    out_ += name;
    out_ += "=\"";
    append_label_value(out_, value);
    out_.push_back('"');
    before = ',';
  }
  if (labels.size() > 0) out_.push_back('}');
  out_.push_back(' ');
}

void ExpositionWriter::sample(Labels labels, std::uint64_t value) {
  part(suffix_, labels, value);
}

void ExpositionWriter::sample(Labels labels, std::int64_t value) {
  begin_sample(suffix_, labels);
  if (value < 0) out_.push_back('-');
  append_number(out_, static_cast<std::uint64_t>(value < 0 ? -value : value));
  out_.push_back('\n');
}

void ExpositionWriter::sample(Labels labels, double value) {
  begin_sample(suffix_, labels);
  const auto ms = static_cast<std::uint64_t>(std::max(value, 0.0) * 1000 + 0.5);
  append_number(out_, ms / 1000);
  out_.push_back('.');
  append_number(out_, ms % 1000, 3, '0');
  out_.push_back('\n');
}

void ExpositionWriter::part(std::string_view suffix, Labels labels, std::uint64_t value) {
  begin_sample(suffix, labels);
  append_number(out_, value);
  out_.push_back('\n');
}

void ExpositionWriter::part_seconds(std::string_view suffix, std::uint64_t nanoseconds) {
  begin_sample(suffix, {});
  append_number(out_, nanoseconds / 1'000'000'000);
  out_.push_back('.');
  append_number(out_, nanoseconds % 1'000'000'000, 9, '0');
  out_.push_back('\n');
}

std::string ExpositionWriter::finish() {
  if (exposition_ == Exposition::kOpenMetrics) out_ += "# EOF\n";
  return std::move(out_);
}

}  // namespace ebbgate::observe
