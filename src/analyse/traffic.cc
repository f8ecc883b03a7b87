#include "analyse/traffic.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <utility>

#include "base/escape.h"

namespace ebbgate::analyse {
namespace {

std::uint64_t hash_of(const FlowKey& key, std::uint64_t seed) {
  const std::uint64_t words[] = {
      static_cast<std::uint64_t>(key.subject) << 32U | key.host,
      static_cast<std::uint64_t>(key.method) << 32U | key.path,
      static_cast<std::uint64_t>(key.address) << 32U | static_cast<std::uint64_t>(key.port) << 16U |
          static_cast<std::uint64_t>(key.access) << 12U |
          static_cast<std::uint64_t>(key.ending) << 8U |
          static_cast<std::uint64_t>(key.hello) << 4U | static_cast<std::uint64_t>(key.ech)};
  return detail::hash_of({reinterpret_cast<const char*>(words), sizeof words}, seed);
}

std::string name_of(const LogEvent& event) {
  std::string name;
  if (!event.user.empty()) {
    name = event.user;
  } else if (event.subject_kind != "address" && !event.subject_name.empty()) {
    if (!event.subject_namespace.empty()) name = std::string(event.subject_namespace) + '/';
    name += event.subject_name;
  }
  std::string shown = escaped(name);
  if (event.client.empty()) return shown;
  return shown.empty() ? escaped(event.client) : shown + " (" + escaped(event.client) + ')';
}

std::string_view path_of(const LogEvent& event) {
  return event.path.substr(0, event.path.find('?'));
}

FlowKey fixed_part(const LogEvent& event) {
  return {.port = event.port,
          .access = event.access,
          .ending = event.ending,
          .hello = event.hello,
          .ech = event.ech};
}

}  // namespace

policy::Subject subject_of(const LogEvent& event) {
  policy::Subject subject;
  subject.address = IpAddress::parse(event.client);
  if (!event.user.empty()) subject.user = std::string(event.user);
  if (event.subject_kind == "user") subject.user = std::string(event.subject_name);
  if (event.subject_kind == "certificate") subject.certificate = std::string(event.subject_name);
  if (event.subject_kind == "pod") {
    subject.pod = std::make_shared<policy::Pod>(
        policy::Pod{.name = std::string(event.subject_name),
                    .pod_namespace = std::string(event.subject_namespace),
                    .service_account = {},
                    .labels = {}});
  }
  return subject;
}

void TimeSpan::add(std::int64_t time) {
  first = is_empty ? time : std::min(first, time);
  last = is_empty ? time : std::max(last, time);
  is_empty = false;
}

Traffic::Traffic(FlowDetail detail, TrafficLimits limits, std::uint64_t hash_seed)
    : detail_(detail),
      limits_(limits),
      seed_(hash_seed),
      texts_(hash_seed),
      host_texts_(hash_seed),
      subject_texts_(hash_seed),
      hosts_(1),  // of the empty text: none
      subjects_(1),
      slots_(1024) {}

std::string_view Traffic::subject_key(const LogEvent& event) {
  const bool is_address = event.subject_kind.empty() || event.subject_kind == "address";
  if (event.user.empty() && is_address) return event.client;
  subject_key_.assign(event.client);
  for (const std::string_view part :
       {event.user, event.subject_kind, event.subject_name, event.subject_namespace}) {
    subject_key_.push_back('\0');
    subject_key_ += part;
  }
  return subject_key_;
}

bool Traffic::is_full() const {
  return flows_.size() >= limits_.flows ||
         texts_.octets() + host_texts_.octets() + subject_texts_.octets() >= limits_.octets ||
         host_texts_.size() > 2 * limits_.flows;  // hosts that are none make no flow
}

// The key of a flow whose texts are all known already.
std::optional<FlowKey> Traffic::known_key(const LogEvent& event) {
  const auto host = host_texts_.find(event.host);
  const auto subject = subject_texts_.find(subject_key(event));
  if (!host || !subject) return std::nullopt;
  FlowKey key = fixed_part(event);
  key.host = *host;
  key.subject = *subject;
  if (has_request(event)) {
    const auto method = texts_.find(event.method);
    const auto path = texts_.find(path_of(event));
    if (!method || !path) return std::nullopt;
    key.method = *method;
    key.path = *path;
  }
  if (detail_.addresses) {
    const auto address = texts_.find(event.address);
    if (!address) return std::nullopt;
    key.address = *address;
  }
  return key;
}

FlowKey Traffic::new_key(const LogEvent& event) {
  FlowKey key = fixed_part(event);
  key.host = host_texts_.find_or_add(event.host);
  if (key.host == hosts_.size()) {
    auto host = Host::parse(event.host);
    hosts_.push_back(host ? std::optional(std::move(*host)) : std::nullopt);
  }
  if (!hosts_[key.host]) return key;
  key.subject = subject_texts_.find_or_add(subject_key(event));
  if (key.subject == subjects_.size()) {
    subjects_.push_back({.name = name_of(event), .subject = subject_of(event)});
  }
  if (has_request(event)) {
    key.method = texts_.find_or_add(event.method);
    key.path = texts_.find_or_add(path_of(event));
  }
  if (detail_.addresses) key.address = texts_.find_or_add(event.address);
  return key;
}

Traffic::Added Traffic::add(const LogEvent& event) {
  const bool has_room = !is_full();
  const std::optional<FlowKey> key = has_room ? new_key(event) : known_key(event);
  if (key && !hosts_[key->host]) {
    ++without_host_;
    return Added::kNoHost;
  }
  span_.add(event.time);
  Flow* const flow = key ? find_or_add(*key, has_room) : nullptr;
  if (flow == nullptr) {
    ++left_out_;
    return Added::kFull;
  }
  if (flow->count() == 0) flow->first = flow->last = event.time;
  (event.phase == Phase::kClose ? flow->closings : flow->requests) += event.count;
  flow->first = std::min(flow->first, event.time);
  flow->last = std::max(flow->last, event.time);
  return Added::kCounted;
}

Flow* Traffic::find_or_add(const FlowKey& key, bool has_room) {
  std::size_t at = hash_of(key, seed_) & (slots_.size() - 1);
  for (; slots_[at] != 0; at = (at + 1) & (slots_.size() - 1)) {
    if (flows_[slots_[at] - 1].key == key) return &flows_[slots_[at] - 1];
  }
  if (!has_room) return nullptr;
  flows_.push_back({.key = key});
  slots_[at] = static_cast<std::uint32_t>(flows_.size());
  if (flows_.size() * 2 > slots_.size()) grow();
  return &flows_.back();
}

void Traffic::grow() {
  std::vector<std::uint32_t> larger(slots_.size() * 2);
  for (std::size_t i = 0; i < flows_.size(); ++i) {
    std::size_t at = hash_of(flows_[i].key, seed_) & (larger.size() - 1);
    while (larger[at] != 0) at = (at + 1) & (larger.size() - 1);
    larger[at] = static_cast<std::uint32_t>(i + 1);
  }
  slots_.swap(larger);
}

}  // namespace ebbgate::analyse
