#include "kube/detail/scan.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "kube/detail/cutter.h"

namespace ebbgate::kube::detail {
namespace {

using nlohmann::json;

class Scanner final : public nlohmann::json_sax<json> {
 public:
  explicit Scanner(const std::function<void(Path, const Scalar&)>& take)
      : take_(take), path_(kMaxPath) {}

  bool null() override { return show({}); }
  bool boolean(bool value) override { return show({.is_true = value}); }
  bool number_integer(number_integer_t value) override { return show({.integer = value}); }
  bool number_unsigned(number_unsigned_t value) override {
    if (!std::in_range<std::int64_t>(value)) return show({});
    return show({.integer = static_cast<std::int64_t>(value)});
  }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override {
    return show({});
  }
  bool string(string_t& value) override { return show({.text = value}); }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(std::size_t /*count*/) override { return enter(); }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t /*count*/) override {
    if (depth_ < kMaxPath) path_[depth_].clear();
    return enter();
  }
  bool end_array() override { return leave(); }
  bool key(string_t& value) override {
    if (depth_ <= kMaxPath) path_[depth_ - 1] = value;
    return true;
  }
  bool parse_error(std::size_t /*at*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*why*/) override {
    return false;
  }

 private:
  bool enter() {
    ++depth_;
    return true;
  }
  bool leave() {
    --depth_;
    return true;
  }
  bool show(const Scalar& value) {
    if (depth_ <= kMaxPath) take_(Path(path_).first(depth_), value);
    return true;
  }

  const std::function<void(Path, const Scalar&)>& take_;
  std::vector<std::string> path_;
  std::size_t depth_ = 0;
};

}  // namespace

bool scan(std::string_view text, const std::function<void(Path, const Scalar&)>& take) {
  Scanner scanner(take);
  return json::sax_parse(text, &scanner);
}

bool is_at(Path path, std::initializer_list<std::string_view> keys) {
  return std::ranges::equal(path, keys);
}

std::string_view member(std::string_view object, std::string_view key) {
  Nesting nesting;
  std::size_t string_begin = 0;
  std::string_view last_string;
  std::size_t value_begin = 0;
  bool is_wanted = false;
  for (std::size_t at = 0; at < object.size(); ++at) {
    const char c = object[at];
    const bool was_in_string = nesting.in_string();
    const std::int64_t depth = nesting.depth();
    nesting.step(c);
    if (depth != 1) continue;
    if (!was_in_string && nesting.in_string()) string_begin = at + 1;
    if (was_in_string && !nesting.in_string()) {
      last_string = object.substr(string_begin, at - string_begin);
    }
    if (was_in_string) continue;
    if (c == ':') {
      is_wanted = last_string == key;
      value_begin = at + 1;
    }
    if (is_wanted && (c == ',' || c == '}')) {
      std::string_view value = object.substr(value_begin, at - value_begin);
      constexpr std::string_view kSpace = " \t\r\n";
      value.remove_prefix(std::min(value.find_first_not_of(kSpace), value.size()));
      return value.substr(0, value.find_last_not_of(kSpace) + 1);
    }
  }
  return {};
}

Result<Event> read_event(std::string_view text) {
  Event event;
  const bool is_json = scan(text, [&](Path path, const Scalar& value) {
    if (!value.text) return;
    if (is_at(path, {"type"})) event.type = *value.text;
    if (is_at(path, {"object", "metadata", "resourceVersion"})) event.version = *value.text;
  });
  if (is_json) event.object = member(text, "object");
  if (event.type.empty() || !event.object.starts_with('{')) {
    return fail(Reason::kOriginInvalid, Side::kOrigin, "what the API sent is no event of a watch");
  }
  return event;
}

std::optional<WallTime> parse_time(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd";
  if (text.size() <= kForm.size() || text.back() != 'Z') return std::nullopt;
  std::array<int, 6> parts{};
  std::size_t part = 0;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    if (kForm[i] != 'd') {
      if (text[i] != kForm[i]) return std::nullopt;
      ++part;
      continue;
    }
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    parts[part] = parts[part] * 10 + (text[i] - '0');
  }
  const std::string_view fraction = text.substr(kForm.size(), text.size() - kForm.size() - 1);
  if (!fraction.empty() && (fraction.size() < 2 || fraction.front() != '.' ||
                            fraction.find_first_not_of("0123456789", 1) != fraction.npos)) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date(std::chrono::year(parts[0]),
                                         std::chrono::month(static_cast<unsigned>(parts[1])),
                                         std::chrono::day(static_cast<unsigned>(parts[2])));
  if (!date.ok() || parts[3] > 23 || parts[4] > 59 || parts[5] > 60) return std::nullopt;
  // What does not fit into 64 bits of nanoseconds is no time of a pod.
  if (parts[0] < 1970 || parts[0] > 2200) return std::nullopt;
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(parts[3]) +
         std::chrono::minutes(parts[4]) + std::chrono::seconds(parts[5]);
}

}  // namespace ebbgate::kube::detail
