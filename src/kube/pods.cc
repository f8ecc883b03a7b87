#include "kube/pods.h"

#include <algorithm>
#include <optional>

#include "kube/detail/scan.h"

namespace ebbgate::kube {

using detail::is_at;

namespace {

// The conditions of a pod's status, read as they come. Each has a type and a status, in any order;
// what lacks one of them is no condition.
class Conditions {
 public:
  explicit Conditions(identity::PodState& pod) : pod_(&pod) {}

  void take(std::string_view key, std::string_view text) {
    if (key == "type") type_ = text;
    if (key == "status") status_ = text;
    if (!type_ || !status_) return;
    if (*type_ == "Ready") pod_->is_ready = *status_ == "True";
    if (*type_ == "PodReadyToStartContainers") pod_->has_network = *status_ != "False";
    type_.reset();
    status_.reset();
  }

 private:
  identity::PodState* pod_;
  std::optional<std::string> type_;
  std::optional<std::string> status_;
};

}  // namespace

Result<identity::PodState> parse_pod(std::string_view json) {
  identity::PodState pod;
  std::optional<IpAddress> only_address;  // status.podIP, where there are no podIPs
  Conditions conditions(pod);
  const bool is_json = detail::scan(json, [&](detail::Path path, const detail::Scalar& value) {
    if (is_at(path, {"spec", "hostNetwork"})) pod.is_on_host_network = value.is_true;
    if (path.size() < 2 || !value.text) return;
    const std::string_view text = *value.text;
    if (path[0] == "metadata") {
      if (is_at(path, {"metadata", "name"})) pod.name = text;
      if (is_at(path, {"metadata", "namespace"})) pod.pod_namespace = text;
      if (is_at(path, {"metadata", "uid"})) pod.uid = text;
      if (is_at(path, {"metadata", "deletionTimestamp"})) pod.ends = detail::parse_time(text);
      if (path.size() == 3 && path[1] == "labels") pod.labels.insert_or_assign(path[2], text);
    } else if (path[0] == "spec") {
      if (is_at(path, {"spec", "serviceAccountName"})) pod.service_account = text;
    } else if (path[0] == "status") {
      if (is_at(path, {"status", "phase"})) pod.has_ended = text == "Succeeded" || text == "Failed";
      if (is_at(path, {"status", "startTime"})) {
        pod.started = detail::parse_time(text).value_or(WallTime{});
      }
      if (is_at(path, {"status", "podIP"})) only_address = IpAddress::parse(text);
      if (is_at(path, {"status", "podIPs", "", "ip"})) {
        if (const auto address = IpAddress::parse(text)) pod.addresses.push_back(*address);
      }
      if (path.size() == 4 && path[1] == "conditions") conditions.take(path[3], text);
    }
  });
  if (!is_json || pod.name.empty() || pod.pod_namespace.empty() || pod.uid.empty()) {
    return fail(Reason::kOriginInvalid, Side::kOrigin, "what the API sent is no pod");
  }
  if (pod.addresses.empty() && only_address) pod.addresses.push_back(*only_address);
  return pod;
}

void PodFeed::take(Change change, std::string_view object) {
  const auto pod = parse_pod(object);
  if (!pod) {
    ++unreadable_;
    return;
  }
  if (change == Change::kPut) return index_->put(*pod);
  index_->remove(pod->pod_namespace, pod->name);
}

void PodFeed::end_list() {
  index_->end_list();
}

void PodFeed::settle() {
  index_->publish();
  if (on_published_) on_published_();
}

void PodFeed::on_freshness() {
  if (watch_ == nullptr) return;
  const WatchState& state = watch_->state();
  if (state.lost_since) {
    index_->watch_lost(*state.lost_since);
  } else if (state.is_synced) {
    index_->watch_restored();
  }
  if (on_freshness_) on_freshness_();
}

}  // namespace ebbgate::kube
