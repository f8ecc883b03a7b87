// How clients read NO_PROXY: no two alike, and no standard (semantics 8). A target and a value come
// in, what each client would do and why comes out. Each dialect is as its client's sources behave;
// tests/system/noproxy_dialects_test.py asks the real ones.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "noproxy/target.h"

namespace ebbgate::noproxy {

enum class Client : std::uint8_t {
  kGo,           // net/http; containerd, kubelet, Docker, Terraform
  kCurl,         // 7.87 to 8.17; git; later ones read IPv6 blocks too
  kRequests,     // Python requests 2.34; botocore and pip are close to it
  kRequestsOld,  // Python requests of Debian 12, 2.28
  kUrllib,       // Python's own
  kJava,         // the same entries as -Dhttp.nonProxyHosts, `|` between them
  kNode,         // Node's http agents with NODE_USE_ENV_PROXY, 24
  kUndici,       // Node's fetch, undici 7
};

inline constexpr std::array kClients = {Client::kGo,          Client::kCurl,   Client::kRequests,
                                        Client::kRequestsOld, Client::kUrllib, Client::kJava,
                                        Client::kNode,        Client::kUndici};

// The word for a client on the command line and in JSON, such as `requests-2.28`.
[[nodiscard]] std::string_view name(Client client);

struct Answer {
  Client client;
  bool is_direct = false;  // else through the proxy
  std::string entry;       // the one that matched, as it stands in the value; empty: none
  std::string why;         // a clause for people

  bool operator==(const Answer&) const = default;
};

// What `client` does about `target` when NO_PROXY has `value` and a proxy is set for the scheme.
[[nodiscard]] Answer ask(Client client, const Target& target, std::string_view value);

// The same for every client, in the order of kClients.
[[nodiscard]] std::vector<Answer> explain(const Target& target, std::string_view value);

}  // namespace ebbgate::noproxy
