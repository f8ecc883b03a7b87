// fuzz-deps: kube config identity https policy base
// What a Kubernetes API streams: whatever comes, in whatever pieces, the objects found are the
// same, and where the whole is JSON they are those that another parser finds.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kube/authenticator.h"
#include "kube/detail/cutter.h"
#include "kube/detail/scan.h"
#include "kube/failure.h"
#include "kube/object_set.h"
#include "kube/pods.h"

namespace {

using namespace ebbgate::kube;
using nlohmann::json;

constexpr std::size_t kMax = std::size_t{1} << 20;

struct Cut {
  std::vector<std::string> objects;
  std::string envelope;
  bool is_whole = false;
  bool is_refused = false;
  bool operator==(const Cut&) const = default;
};

template <typename Cutter>
Cut cut(std::string_view text, std::size_t piece) {
  Cut out;
  Cutter cutter(kMax);
  const detail::TakeObject take = [&](std::string_view object) {
    out.objects.emplace_back(object);
    return true;
  };
  while (!text.empty()) {
    const std::string part(text.substr(0, piece));  // a copy, so that late use is noticed
    text.remove_prefix(part.size());
    if (!cutter.feed(part, take)) {
      out.is_refused = true;
      return out;
    }
  }
  if constexpr (std::is_same_v<Cutter, detail::ListCutter>) {
    out.envelope = cutter.envelope();
    out.is_whole = cutter.is_whole();
  } else {
    out.is_whole = cutter.is_between();
  }
  return out;
}

void require(bool holds) {
  if (!holds) std::abort();
}

// Whether the octets have the name as the writers of the API write it, once.
bool has_plain_items(std::string_view text) {
  const std::size_t first = text.find("\"items\"");
  return first != std::string_view::npos &&
         text.find("\"items\"", first + 1) == std::string_view::npos &&
         text.find('\\') == std::string_view::npos;
}

void compare_with_parser(std::string_view text, const Cut& list) {
  const json whole = json::parse(text, nullptr, false);
  if (!whole.is_object() || !has_plain_items(text)) return;
  const auto items = whole.find("items");
  if (items == whole.end() || !items->is_array()) return;
  for (const json& each : *items) {
    if (!each.is_object()) return;
  }
  require(!list.is_refused && list.is_whole && list.objects.size() == items->size());
  for (std::size_t i = 0; i < items->size(); ++i) {
    require(json::parse(list.objects[i]) == (*items)[i]);
  }
  json envelope = whole;
  envelope["items"] = json::array();
  require(json::parse(list.envelope) == envelope);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const Cut list = cut<detail::ListCutter>(text, text.size());
  const Cut events = cut<detail::SequenceCutter>(text, text.size());
  for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{17}}) {
    require(cut<detail::ListCutter>(text, piece) == list);
    require(cut<detail::SequenceCutter>(text, piece) == events);
  }
  if (text.size() < 60'000) compare_with_parser(text, list);
  for (const Cut* each : {&list, &events}) {
    for (const std::string& object : each->objects) {
      static_cast<void>(parse_pod(object));
      static_cast<void>(identify(object));
      if (const auto event = detail::read_event(object)) {
        require(json::parse(event->object) == json::parse(object).at("object"));
      }
    }
  }
  static_cast<void>(failure_of(500, text));
  static_cast<void>(parse_exec_credential(text, "client.authentication.k8s.io/v1"));
  static_cast<void>(detail::parse_time(text));
  return 0;
}
