// What a log comes down to: each distinct flow (who asked for which host and port, and how) once,
// with how often and when. Events in; flows out, of which there are as many as there are distinct
// ones, up to a cap, however long the log is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analyse/detail/string_pool.h"
#include "analyse/log_event.h"
#include "base/authority.h"
#include "policy/subject.h"

namespace ebbgate::analyse {

// What else than subject, host and port tells flows apart.
struct FlowDetail {
  bool requests = false;   // method and path of requests in the clear
  bool addresses = false;  // the origin's address
};

struct TrafficLimits {
  std::size_t flows = 1'000'000;
  std::size_t octets = std::size_t{512} * 1024 * 1024;  // of all distinct texts
};

// The numbers are those of Traffic's tables.
struct FlowKey {
  std::uint32_t subject = 0;
  std::uint32_t host = 0;
  std::uint32_t method = 0;
  std::uint32_t path = 0;
  std::uint32_t address = 0;
  std::uint16_t port = 0;
  Access access = Access::kTunnel;
  Ending ending = Ending::kPassed;
  Hello hello = Hello::kUnknown;
  bool ech = false;
  bool operator==(const FlowKey&) const = default;
};

struct Flow {
  FlowKey key;
  std::uint64_t requests = 0;  // openings of tunnels among them
  std::uint64_t closings = 0;  // of tunnels
  std::int64_t first = 0;      // milliseconds since 1970
  std::int64_t last = 0;

  // A tunnel counts once, whether its opening, its closing or both are in the log.
  [[nodiscard]] std::uint64_t count() const { return requests > closings ? requests : closings; }
};

// The times of all events.
struct TimeSpan {
  std::int64_t first = 0;
  std::int64_t last = 0;
  bool is_empty = true;
  void add(std::int64_t time);
};

class Traffic {
 public:
  explicit Traffic(FlowDetail detail = {}, TrafficLimits limits = {}, std::uint64_t hash_seed = 0);

  // Counts the event. Nothing is kept of one whose host is none, and of one whose flow is new when
  // there is no more room.
  enum class Added : std::uint8_t { kCounted, kNoHost, kFull };
  Added add(const LogEvent& event);

  [[nodiscard]] const std::vector<Flow>& flows() const { return flows_; }
  [[nodiscard]] const TimeSpan& span() const { return span_; }
  [[nodiscard]] std::uint64_t without_host() const { return without_host_; }
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }  // events, for want of room

  [[nodiscard]] const Host& host(const FlowKey& key) const { return *hosts_[key.host]; }
  [[nodiscard]] const policy::Subject& subject(const FlowKey& key) const {
    return subjects_[key.subject].subject;
  }
  // What a person calls the subject: `10.1.2.3`, `ci (10.1.2.3)`; escaped.
  [[nodiscard]] const std::string& subject_name(const FlowKey& key) const {
    return subjects_[key.subject].name;
  }
  [[nodiscard]] std::string_view method(const FlowKey& key) const { return texts_[key.method]; }
  [[nodiscard]] std::string_view path(const FlowKey& key) const { return texts_[key.path]; }
  [[nodiscard]] std::string_view address(const FlowKey& key) const { return texts_[key.address]; }

 private:
  struct Who {
    std::string name;
    policy::Subject subject;
  };
  [[nodiscard]] bool has_request(const LogEvent& event) const {
    return detail_.requests && event.access == Access::kClear;
  }
  [[nodiscard]] std::string_view subject_key(const LogEvent& event);
  [[nodiscard]] FlowKey new_key(const LogEvent& event);
  [[nodiscard]] std::optional<FlowKey> known_key(const LogEvent& event);
  [[nodiscard]] Flow* find_or_add(const FlowKey& key, bool has_room);
  [[nodiscard]] bool is_full() const;
  void grow();

  FlowDetail detail_;
  TrafficLimits limits_;
  std::uint64_t seed_;
  detail::StringPool texts_;
  detail::StringPool host_texts_;
  detail::StringPool subject_texts_;
  std::vector<std::optional<Host>> hosts_;  // by number in host_texts_; nothing: it is none
  std::vector<Who> subjects_;               // by number in subject_texts_
  std::string subject_key_;
  std::vector<std::uint32_t> slots_;  // of flows_, plus 1; 0: free
  std::vector<Flow> flows_;
  TimeSpan span_;
  std::uint64_t without_host_ = 0;
  std::uint64_t left_out_ = 0;
};

// The subject that the log tells of.
[[nodiscard]] policy::Subject subject_of(const LogEvent& event);

}  // namespace ebbgate::analyse
