// What `ebbgate kube verify` and the pod that it makes agree on: the pod's container runs `ebbgate
// kube probe` with a word for each attempt, and prints a line of JSON for each as it ends. The pod
// as Kubernetes takes it goes out, its log comes in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/authority.h"
#include "base/clock.h"

namespace ebbgate::deploy {

// One thing that is tried. As a word: `connect:HOST:PORT`, `tunnel:HOST:PORT`,
// `query:NAME[@ADDRESS]`, `query-tcp:NAME[@ADDRESS]`.
struct Attempt {
  enum class Kind : std::uint8_t {
    kConnect,   // a TCP connection past the proxy
    kTunnel,    // CONNECT through it
    kQuery,     // for addresses of a name, over UDP
    kQueryTcp,  // the same over TCP
  };
  Kind kind = Kind::kConnect;
  Authority target = {*Hostname::parse("localhost"), kHttpsPort};  // of a query: the name alone
  std::optional<IpAddress> server = {};  // of a query; nothing: the pod's own

  // Nothing where it is none.
  [[nodiscard]] static std::optional<Attempt> parse(std::string_view word);
  [[nodiscard]] std::string str() const;
};

struct Attempted {
  std::string attempt;       // as Attempt::str() has it
  bool is_answered = false;  // connected; or an answer came, whatever it says
  int code = 0;              // of a tunnel: the status; of a query: the RCODE (RFC 1035, 4.1.1)
  int records = 0;           // of a query: how many the answer has
  std::string detail;        // who answered, or why nobody did

  bool operator==(const Attempted&) const = default;
};

[[nodiscard]] std::string to_line(const Attempted& attempted);  // without its end
// Out of a container's log. Lines that are none are passed over.
[[nodiscard]] std::vector<Attempted> read_lines(std::string_view log);

// The name of its container.
inline constexpr const char* kProbeContainer = "probe";
// By which its like are found: `app.kubernetes.io/component=` this.
inline constexpr const char* kProbeComponent = "verify";

struct ProbePod {
  std::string name;
  std::string in_namespace;
  std::string image;  // whose entry point is the program
  std::string service_account = "default";
  std::vector<std::pair<std::string, std::string>> labels;  // besides its own
  std::vector<std::string> attempts;
  Duration attempt_time = std::chrono::seconds(4);
  std::string proxy;                            // empty: what its environment says
  Duration patience = std::chrono::minutes(2);  // its end, whatever it does then
  bool has_host_network = false;
};

// The JSON text. It keeps to Pod Security `restricted`, but for the host's network; it asks for the
// proxy's variables by the webhook's label, and takes those of the namespace's ConfigMap, if any.
[[nodiscard]] std::string to_json(const ProbePod& pod);

}  // namespace ebbgate::deploy
