// The pages of the admin and health listeners, as a function from request to response: health,
// readiness, metrics, version, explanations. No socket, no clock: what a page shows is handed in.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "observe/metrics.h"

namespace ebbgate::admin {

// What a page needs of a request; borrowed for the call.
struct AdminRequest {
  std::string_view method;
  std::string_view target;  // origin-form (RFC 9112 3.2.1)
  std::string_view accept;  // the value of Accept; empty where there is none
};

enum class Format : std::uint8_t { kText, kJson };

// Names and values of a query (`a=b&c=d`), decoded.
using Query = std::vector<std::pair<std::string, std::string>>;

// The gateway as the pages show it.
struct AdminState {
  // Why the gateway is not ready, each a word in kebab case: `draining`, `no-policy`, … Only local
  // causes (semantics 12). Empty: it is ready.
  std::vector<std::string> unready;
  observe::BuildInfo build;
  // Makes the text of /metrics when that is asked for. Empty where a listener does not serve it.
  std::function<std::string(observe::Exposition)> metrics;
  // Makes the text of /explain, or says in its Error::detail what is wrong with the query. Empty
  // where a listener does not serve it.
  std::function<Result<std::string>(const Query&, Format)> explain;
};

struct AdminAnswer {
  std::uint16_t status = 200;
  std::string content_type;
  std::string allow;  // the Allow field of a 405
  std::string body;

  bool operator==(const AdminAnswer&) const = default;
};

// GET and HEAD of
//   /healthz  200 as long as the process answers
//   /readyz   200, or 503 with the causes
//   /metrics  the Prometheus text, or OpenMetrics where Accept prefers it
//   /version  what is running
//   /explain  why a request would be let pass or refused: ?target=host:port&from=ADDRESS, and what
//             else the flags of `ebbgate explain` say of it; 400 where it cannot be read
// as text, or as JSON where Accept names application/json. 404 for other paths, 405 for other
// methods. Others than /explain ignore a query.
[[nodiscard]] AdminAnswer answer(const AdminRequest& request, const AdminState& state);

enum class Connection : std::uint8_t { kKeepAlive, kClose };

// The whole response as HTTP/1.1 bytes. HEAD gets the same head and no body (RFC 9110 9.3.2).
[[nodiscard]] std::string response_bytes(const AdminAnswer& answer, std::string_view method,
                                         Connection connection);

}  // namespace ebbgate::admin
