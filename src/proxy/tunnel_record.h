// What is remembered of a tunnel while it lives, as small as may be: a fleet holds tens of
// thousands of idle ones.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "net/relay.h"
#include "proxy/exchange.h"

namespace ebbgate::proxy {

class TunnelRecord final : public net::TunnelOwner {
 public:
  // Takes the client's ticket: the client counts until the tunnel ends.
  explicit TunnelRecord(const Exchange& exchange);
  ~TunnelRecord() override;

  // Emits the closing event. Throws nothing.
  void tunnel_ended(const net::TunnelEnd& end) override;

  // Whether this policy would still let the tunnel pass, by what is known of its client now. On the
  // worker's thread.
  [[nodiscard]] bool is_allowed_by(const Snapshot& snapshot, WallTime now) const;

 private:
  enum Text : std::uint8_t {
    kMethod,
    kTarget,
    kHost,
    kSni,
    kPolicy,
    kRule,
    kVersion,
    kVpcEndpoint,
    kSubject,    // of a pod its name; else its address, if it has one
    kNamespace,  // of a pod only
    kTextCount
  };
  [[nodiscard]] std::string_view text(Text which) const;
  [[nodiscard]] std::string_view kind_of_subject() const;
  [[nodiscard]] policy::Subject subject_now() const;
  [[nodiscard]] bool is_of(const policy::Pod& pod) const;

  Worker& worker_;
  ClientTicket ticket_;
  std::string texts_;  // all of them, one after the other
  std::array<std::uint16_t, kTextCount> ends_{};
  MonotonicTime began_;
  std::optional<Duration> connect_took_;
  IpAddress client_;
  // Of the pod's uid, in place of its 36 characters: the API's uids are random, and only one of the
  // same name at the same address could be mistaken for it.
  std::size_t pod_uid_;
  std::optional<IpAddress> origin_;
  observe::RequestId id_;
  std::uint64_t from_client_;  // octets before the tunnel
  std::uint64_t to_client_;
  std::uint16_t port_;
  std::uint16_t status_;
  std::uint16_t listener_;
  std::optional<bool> ech_;
  Verdict verdict_;
  Reason reason_;
  bool has_ended_ = false;
};

}  // namespace ebbgate::proxy
