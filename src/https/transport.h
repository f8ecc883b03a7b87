// One HTTP exchange as the control plane sees it: a request goes in, a whole response or an error
// comes out. What asks AWS, the Kubernetes API or a policy's URL is written against Transport, so
// that its tests script the answers; Client (client.h) is the one that has a network.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/task.h"

namespace ebbgate::https {

struct Header {
  std::string name;
  std::string value;
  bool operator==(const Header&) const = default;
};

struct Request {
  std::string method = "GET";
  std::string url = {};  // absolute, http or https; path and query are percent-encoded already
  // Host is made from the URL and Content-Length from the body, unless they stand here: a signed
  // request has to be sent as it was signed.
  std::vector<Header> headers = {};
  std::string body = {};
  Duration timeout = std::chrono::seconds(10);  // for the whole exchange
  // Of a stream, for each piece of its body; zero: the same as `timeout`, which is for its head.
  Duration piece_timeout = {};
  std::size_t max_body = std::size_t{16} << 20;  // octets of the response's body
};

struct Response {
  int status = 0;
  std::vector<Header> headers = {};  // names in lower case, in the order of arrival
  std::string body = {};

  // The first value of a field, or null. `name` in lower case.
  [[nodiscard]] const std::string* header(std::string_view name) const {
    for (const Header& each : headers) {
      if (each.name == name) return &each.value;
    }
    return nullptr;
  }
};

class Transport {
 public:
  virtual ~Transport() = default;
  // Out: any whole response, whatever its status; redirects are not followed.
  // Errors: kDnsFailed, kConnectFailed (a certificate that does not verify among them), kTimedOut,
  // kOriginInvalid (not HTTP, longer than max_body, cut short), kOriginClosed (closed before it
  // answered), kMalformedRequest (the URL), kDraining at the hard stop.
  [[nodiscard]] virtual net::Task<Result<Response>> send(Request request) = 0;
};

// Takes a body piece by piece, as it comes; false: no more of it is wanted.
using BodySink = std::move_only_function<bool(std::string_view piece)>;

// A Transport for answers that have no end, such as a watch.
class StreamTransport : public Transport {
 public:
  // As send(), but the body of an answer of success (2xx) goes to `sink`, however long it is; any
  // other is collected. The sink is called with nothing first, when the head of a success is there.
  // Out: the response without the body that went to the sink, after its end or when the sink wants
  // no more. An error after the first piece means that the answer is incomplete.
  [[nodiscard]] virtual net::Task<Result<Response>> stream(Request request, BodySink sink) = 0;
};

}  // namespace ebbgate::https
