// The text's proofs as a checklist: what `ebbgate eks verify` looks at, what it found, and what to
// do about it in plain words. It changes nothing, but one refused request is made on purpose.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aws/client.h"
#include "base/authority.h"
#include "config/eks.h"
#include "deploy/plan.h"

namespace ebbgate::deploy {

enum class Finding : std::uint8_t { kOk, kFailed, kSkipped, kCannotBeTold };
[[nodiscard]] std::string_view word(
    Finding finding);  // "ok", "failed", "skipped", "cannot-be-told"

struct Check {
  std::string name;   // kebab case
  std::string proof;  // what it shows, a sentence without its full stop
  Finding finding = Finding::kCannotBeTold;
  std::string detail;  // what was seen, or why not
  std::string next;    // what to do; empty where it is ok
};

// How the network and kubectl are reached; a test is both.
class Probe {
 public:
  virtual ~Probe() = default;
  // A TCP connection to host:port. Out: the address that answered.
  [[nodiscard]] virtual net::Task<Result<IpAddress>> connect(std::string host, Port port,
                                                             Deadline deadline) = 0;
  // The status of the answer to `CONNECT target` at the gateway.
  [[nodiscard]] virtual net::Task<Result<int>> tunnel(std::string proxy_host, Port proxy_port,
                                                      std::string target, Deadline deadline) = 0;
  // `GET url` (http only) through the gateway.
  struct Fetched {
    int status = 0;
    std::string body;
  };
  [[nodiscard]] virtual net::Task<Result<Fetched>> fetch(std::string proxy_host, Port proxy_port,
                                                         std::string url, Deadline deadline) = 0;
  // The standard output of kubectl. Nothing: there is no kubectl. Error: what it said.
  [[nodiscard]] virtual std::optional<Result<std::string>> kubectl(
      const std::vector<std::string>& arguments) = 0;
};

struct VerifyOptions {
  std::string allowed;  // host:port to be let pass; empty: chosen
  std::string refused = "ebbgate-verify.invalid:443";
  std::string echo = "http://checkip.amazonaws.com/";  // answers with the caller's address
  std::optional<Authority> proxy;                      // instead of the load balancer's name
  std::vector<std::string> skip;                       // names of checks
  std::string kubeconfig;                              // empty: what needs it is skipped
  Duration wait = std::chrono::minutes(6);             // for the alarm
  Duration poll = std::chrono::seconds(10);
  Duration call_time = std::chrono::seconds(30);
  std::function<void(const Check&)> tell;  // as each is done
};

// The names of all checks, in their order.
[[nodiscard]] const std::vector<std::string>& check_names();

// `facts` has the outputs of the stacks that stand.
[[nodiscard]] net::Task<std::vector<Check>> verify(aws::Client& client, Probe& probe,
                                                   const config::EksSettings& settings,
                                                   const Plan& plan, Facts facts,
                                                   VerifyOptions options);

[[nodiscard]] bool has_failed(const std::vector<Check>& checks);

}  // namespace ebbgate::deploy
