// How a kind of map in a policy document is described: one row a key, from which the reader, its
// messages and the JSON Schema all follow.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "config/detail/yaml.h"
#include "config/document_yaml.h"

namespace ebbgate::config::detail {

enum class Shape : std::uint8_t {
  kText,
  kWord,      // one of KeyInfo::words
  kTime,      // RFC 3339
  kTexts,     // a list of texts
  kPorts,     // a list of numbers and ranges
  kLabels,    // a map of texts
  kObject,    // a map of KeyInfo::nested
  kObjects,   // a list of such maps
  kAnything,  // what Kubernetes keeps there; not looked at
};

struct KeyInfo {
  std::string_view name;
  Shape shape = Shape::kText;
  std::string_view doc = {};
  std::string_view words = {};  // `require|optional|off`
  bool is_required = false;
  bool is_one_of = false;       // of the rows that say so, one at least has to be there
  std::string_view needs = {};  // another key of the same map that has to be there then
  bool is_of_cluster = false;   // in Kubernetes: no key of a namespaced EgressPolicy
  // Not empty: the key belongs to a later release and is refused, and this is what to do instead.
  // Where the row has a reader, DocumentOptions::later_identities turns it on.
  std::string_view later = {};
  // So do these: DocumentOptions::pods_in_subjects and are_resources, and the latter alone.
  bool is_of_pods = false;
  bool is_of_resources = false;
  std::vector<KeyInfo> (*nested)() = nullptr;
};

class Reader;

// A row: `read` takes the key's value into the T that the map stands for.
template <typename T>
struct Key {
  KeyInfo info;
  void (*read)(Reader&, const Value&, T&) = nullptr;
};

template <const auto& kTable>
std::vector<KeyInfo> infos_of() {
  std::vector<KeyInfo> infos;
  for (const auto& key : kTable) infos.push_back(key.info);
  return infos;
}

// The keys of a whole document.
[[nodiscard]] std::vector<KeyInfo> document_key_infos();

// Reads values of one file and keeps its problems.
class Reader {
 public:
  Reader(const std::string& file, const DocumentOptions& options)
      : file_(&file), options_(options) {}

  [[nodiscard]] const std::string& file() const { return *file_; }
  // Of the document that is read next: whether it is a resource.
  void set_resource(bool names_namespace) {
    is_resource_ = options_.are_resources || (options_.may_be_resources && names_namespace);
  }
  [[nodiscard]] bool reads_resources() const { return is_resource_; }

  // Whether what is read next belongs to a resource that has a namespace.
  void set_namespaced(bool is_namespaced) { is_namespaced_ = is_namespaced; }
  [[nodiscard]] bool is_namespaced() const { return is_namespaced_; }

  [[nodiscard]] std::vector<Problem> take_problems();

  void error(policy::Position position, std::string message, std::string fix);

  // Whether there is text, a list with something in it, or a map; if not, an error that says what
  // belongs there: "`ports` is a single value, and has to be a list".
  bool want_text(const Value& value, std::string_view what);
  bool want_list(const Value& value, std::string_view what);
  bool want_map(const Value& value, std::string_view what);

  // Reads a map by its table. `what` is for messages: "an allow entry".
  template <typename T>
  void object(const Value& value, std::string_view what,
              std::type_identity_t<std::span<const Key<T>>> keys, T& out) {
    if (!want_map(value, what)) return;
    std::vector<std::string_view> names;
    for (const Key<T>& key : keys) names.push_back(key.info.name);
    std::vector<bool> found(keys.size());
    bool is_whole = true;  // a refused key may be why a required one is missing
    for (const auto& [name, member] : value.members()) {
      const std::size_t row = row_of(name, what, names);
      if (row == names.size()) {
        is_whole = false;
        continue;
      }
      found[row] = true;
      const Key<T>& key = keys[row];
      if (is_refused(key.info, key.read != nullptr)) {
        refuse(name, key.info);
        is_whole = false;
      } else if (key.read != nullptr) {
        key.read(*this, member, out);
      }
    }
    for (std::size_t row = 0; is_whole && row < keys.size(); ++row) {
      if (keys[row].info.is_required && !found[row]) missing(value, what, keys[row].info.name);
    }
    std::string wanted;
    for (std::size_t row = 0; is_whole && row < keys.size(); ++row) {
      if (!keys[row].info.is_one_of) continue;
      if (found[row]) return;
      wanted += (wanted.empty() ? "" : "` or `") + std::string(keys[row].info.name);
    }
    if (!wanted.empty()) missing(value, what, wanted);
  }

 private:
  [[nodiscard]] bool is_refused(const KeyInfo& info, bool has_reader) const {
    if (is_namespaced_ && info.is_of_cluster) return true;
    const bool is_on = options_.later_identities ||
                       (options_.pods_in_subjects && info.is_of_pods) ||
                       (is_resource_ && (info.is_of_pods || info.is_of_resources));
    return !info.later.empty() && !(has_reader && is_on);
  }
  // The index of the key's name; names.size() after an error where there is none.
  std::size_t row_of(const Value& key, std::string_view what,
                     std::span<const std::string_view> names);
  void refuse(const Value& key, const KeyInfo& info);
  void missing(const Value& map, std::string_view what, std::string_view key);

  const std::string* file_;
  DocumentOptions options_;
  bool is_resource_ = false;
  bool is_namespaced_ = false;
  std::vector<Problem> problems_;
  std::size_t left_out_ = 0;
};

}  // namespace ebbgate::config::detail
