// The grammar of the two text formats of Prometheus, without knowing any metric.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "observe/metrics.h"

namespace ebbgate::observe {

class ExpositionWriter {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  explicit ExpositionWriter(Exposition exposition) : exposition_(exposition) {}

  // Begins a family; samples of it follow. A counter's `name` is without its `_total`.
  void counter(std::string_view name, std::string_view help) { family(name, "counter", help); }
  void gauge(std::string_view name, std::string_view help) { family(name, "gauge", help); }
  void histogram(std::string_view name, std::string_view help) { family(name, "histogram", help); }

  void sample(Labels labels, std::uint64_t value);
  void sample(Labels labels, std::int64_t value);
  void sample(Labels labels, double value);  // seconds: written to the millisecond
  // One sample of a histogram: `suffix` is `_bucket`, `_count` or `_sum`.
  void part(std::string_view suffix, Labels labels, std::uint64_t value);
  void part_seconds(std::string_view suffix, std::uint64_t nanoseconds);

  // The whole text. Nothing may be added afterwards.
  [[nodiscard]] std::string finish();

 private:
  void family(std::string_view name, std::string_view type, std::string_view help);
  void begin_sample(std::string_view suffix, Labels labels);

  const Exposition exposition_;
  std::string out_;
  std::string name_;  // of the family
  std::string_view suffix_;
};

}  // namespace ebbgate::observe
