#include "proxy/tunnel_record.h"

#include <limits>
#include <system_error>

#include "policy/decide.h"

namespace ebbgate::proxy {
namespace {

constexpr std::size_t kMaxText = 4096;  // octets; longer ones are cut, as in the log

// What the kernel said; nothing where there is no memory for it, either.
std::string message_of(std::errc error) {
  if (error == std::errc{}) return {};
  try {
    return std::make_error_code(error).message();
  } catch (const std::bad_alloc&) {
    return {};
  }
}

std::size_t hash_of(const policy::Pod& pod) {
  return std::hash<std::string>{}(pod.uid);
}

}  // namespace

TunnelRecord::TunnelRecord(const Exchange& exchange)
    : worker_(exchange.client.worker),
      ticket_(std::move(exchange.client.ticket)),
      began_(exchange.began),
      connect_took_(exchange.connect_took),
      client_(exchange.client.address.address),
      pod_uid_(exchange.client.subject.pod ? hash_of(*exchange.client.subject.pod) : 0),
      origin_(exchange.origin),
      id_(exchange.id),
      from_client_(exchange.from_client),
      to_client_(exchange.to_client),
      port_(exchange.asked->port.value()),
      status_(exchange.status),
      listener_(static_cast<std::uint16_t>(exchange.client.listener)),
      ech_(exchange.ech) {
  RecordTexts borrowed;
  const observe::Record record = record_of(exchange, observe::Phase::kOpen, kServed, borrowed);
  verdict_ = record.verdict;
  reason_ = record.reason;
  const std::array<std::string_view, kTextCount> all = {
      record.method,         record.target,
      record.host,           record.sni,
      record.policy,         record.rule,
      record.policy_version, record.vpc_endpoint,
      record.subject.name,   record.subject.name_space};
  std::size_t total = 0;
  for (const std::string_view each : all) total += std::min(each.size(), kMaxText);
  texts_.reserve(total);
  for (std::size_t i = 0; i < all.size(); ++i) {
    texts_ += all[i].substr(0, kMaxText);
    ends_[i] = static_cast<std::uint16_t>(texts_.size());
  }
  worker_.metrics.count(record);
  worker_.log.queue_or_drop(record);
}

TunnelRecord::~TunnelRecord() {
  if (!has_ended_) tunnel_ended({.reason = Reason::kOverCapacity});  // no memory for the tunnel
}

std::string_view TunnelRecord::text(Text which) const {
  const std::size_t begin = which == 0 ? 0 : ends_[which - 1];
  return std::string_view(texts_).substr(begin, ends_[which] - begin);
}

std::string_view TunnelRecord::kind_of_subject() const {
  if (!text(kNamespace).empty()) return "pod";
  return text(kSubject).empty() ? "" : "address";
}

bool TunnelRecord::is_of(const policy::Pod& pod) const {
  return pod.name == text(kSubject) && pod.pod_namespace == text(kNamespace) &&
         hash_of(pod) == pod_uid_;
}

// The same pod, with the labels that it has now; without it, whoever has the address.
policy::Subject TunnelRecord::subject_now() const {
  policy::Subject subject;
  if (text(kSubject).empty()) return subject;
  subject.address = client_;
  if (!worker_.who || !text(kVpcEndpoint).empty()) return subject;
  const identity::Found found = worker_.who->find(client_);
  identity::identify(subject, found);
  if (subject.pod && is_of(*subject.pod)) return subject;
  const bool was_pod = !text(kNamespace).empty();
  subject.may_be_pod = subject.may_be_pod || was_pod || subject.pod ||
                       found.presence == identity::Presence::kAmbiguous;
  subject.pod = nullptr;
  return subject;
}

void TunnelRecord::tunnel_ended(const net::TunnelEnd& end) {
  has_ended_ = true;
  const std::string error = message_of(end.error);
  // Clients end tunnels with a reset as often as with a close; only an end of ours cuts one short.
  const bool is_whole = end.reason == Reason::kClientClosed || end.reason == Reason::kOriginClosed;
  const observe::Record record{.time = worker_.shared.clock.wall(),
                               .id = id_.view(),
                               .phase = observe::Phase::kClose,
                               .count = 1,
                               .client = client_,
                               .vpc_endpoint = text(kVpcEndpoint),
                               .subject = {.kind = kind_of_subject(),
                                           .name = text(kSubject),
                                           .name_space = text(kNamespace)},
                               .user = {},
                               .ech = ech_,
                               .listener = worker_.listener_name(listener_),
                               .method = text(kMethod),
                               .target = text(kTarget),
                               .host = text(kHost),
                               .port = port_,
                               .sni = text(kSni),
                               .verdict = verdict_,
                               .reason = verdict_ == Verdict::kReport ? reason_ : end.reason,
                               .policy = text(kPolicy),
                               .rule = text(kRule),
                               .policy_version = text(kVersion),
                               .address = origin_,
                               .bytes_in = from_client_ + end.from_client,
                               .bytes_out = to_client_ + end.from_origin,
                               .status = status_,
                               .duration = worker_.loop.now() - began_,
                               .connect = connect_took_,
                               .error = error,
                               .squid_result = is_whole ? observe::SquidResult::kTunnel
                                                        : observe::SquidResult::kTunnelAborted,
                               .content_type = {}};
  worker_.metrics.count(record);
  try {
    worker_.log.queue_or_drop(record);
  } catch (const std::bad_alloc&) {
    worker_.metrics.log_dropped.add();
  }
}

bool TunnelRecord::is_allowed_by(const Snapshot& snapshot, WallTime now) const {
  if (snapshot.is_too_old) return false;
  const auto host = Host::parse(text(kHost));
  if (!host) return false;
  const policy::Subject subject = subject_now();
  // A websocket was judged as a request in the clear, once; as a tunnel its path is not known.
  const auto visibility =
      text(kMethod) == "CONNECT" ? policy::Visibility::kOpaque : policy::Visibility::kPending;
  const policy::Request request{.host = *host, .port = *Port::of(port_), .visibility = visibility};
  const policy::Decision decision = policy::decide(*snapshot.policy, subject, request, now);
  if (decision.verdict == Verdict::kDeny) return false;
  if (!origin_) return true;
  const policy::AddressJudgement judged = policy::judge_address(
      *snapshot.policy, snapshot.guard, subject, *host, decision, *origin_, request.port, now);
  return judged.reason == Reason::kAllowed;
}

}  // namespace ebbgate::proxy
