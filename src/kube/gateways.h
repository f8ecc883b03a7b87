// Which gateways there are, as their Leases tell: each renews its own, and says in an annotation
// which policies it goes by. Whether one lives is judged by our own monotonic clock since its Lease
// last changed: nobody's wall clock matters.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "kube/watch.h"

namespace ebbgate::kube {

inline constexpr const char* kGatewayLabels =
    "app.kubernetes.io/name=ebbgate,app.kubernetes.io/component=gateway";
inline constexpr const char* kPolicyAnnotation = "ebbgate.dev/policy";
// What of it is invalid: detail/invalid_note.h.
inline constexpr const char* kInvalidAnnotation = "ebbgate.dev/invalid";
// What a gateway's Lease says for a digest where it has read the resources, and never had a policy.
inline constexpr const char* kNoPolicy = "none";

[[nodiscard]] inline Resource leases_in(std::string in_namespace) {
  return {
      .group = "coordination.k8s.io", .plural = "leases", .in_namespace = std::move(in_namespace)};
}
// `ebbgate-<gateway>`, as a name that the API takes: where that is not the gateway's to the letter,
// a hash of it follows, so that no two gateways share one.
[[nodiscard]] std::string lease_name_of(std::string_view gateway);

struct GatewayTimes {
  Duration renewal = std::chrono::seconds(10);
  Duration duration = std::chrono::seconds(30);  // a Lease that did not change for longer is dead
  Duration removal = std::chrono::minutes(10);   // and may be removed after this
};

struct Gateway {
  std::string lease = {};   // its name, by which gateways are ordered
  std::string holder = {};  // the process
  std::string digest = {};  // of the policies that it goes by; empty: none, it does not serve
  std::string invalid = {};
  [[nodiscard]] bool has_policy() const { return !digest.empty() && digest != kNoPolicy; }
  bool operator==(const Gateway&) const = default;
};

class GatewaySet final : public Watcher {
 public:
  // `now` gives the monotonic time; `on_change`: a Lease came, went, or says something else.
  GatewaySet(std::function<MonotonicTime()> now, std::function<void()> on_change,
             GatewayTimes times = {})
      : now_(std::move(now)), on_change_(std::move(on_change)), times_(times), lost_at_(now_()) {}
  // What on_freshness() looks at: while nothing is heard, nobody is judged, and that time counts
  // for nobody. To be set before the watch starts; it outlives it.
  void follow(const WatchState& watch) { watch_ = &watch; }

  // Those that live, in the order of their Leases' names; none while the watch is lost. The first
  // is the one that reports.
  [[nodiscard]] std::vector<Gateway> live() const;
  // Leases that may be removed.
  [[nodiscard]] std::vector<std::string> gone() const;
  // Null where there is no such Lease.
  [[nodiscard]] const Gateway* find(std::string_view lease) const;
  // The resourceVersion that was seen last; empty where there is no such Lease.
  [[nodiscard]] std::string version_of(std::string_view lease) const;

  void begin_list() override;
  void take(Change change, std::string_view object) override;
  void end_list() override;
  void settle() override;
  void on_freshness() override;

 private:
  struct Seen {
    Gateway gateway;
    std::string version;      // of the object
    MonotonicTime changed{};  // when that was another one last, by heard_now()
  };
  // The time less all that in which nothing was heard.
  [[nodiscard]] MonotonicTime heard_now() const {
    return (is_lost_ ? lost_at_ : now_()) - unheard_;
  }

  std::function<MonotonicTime()> now_;
  std::function<void()> on_change_;
  GatewayTimes times_;
  const WatchState* watch_ = nullptr;
  std::map<std::string, Seen, std::less<>> seen_;
  std::map<std::string, Seen, std::less<>> listed_;
  bool is_listing_ = false;
  bool has_changed_ = false;
  bool is_lost_ = true;
  MonotonicTime lost_at_;
  Duration unheard_{};
};

}  // namespace ebbgate::kube
