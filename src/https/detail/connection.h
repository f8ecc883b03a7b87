// One connection to an origin, over TLS or in the clear, and what was read of it and not used up.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "net/stream.h"
#include "net/task.h"
#include "tls/stream.h"

namespace ebbgate::https::detail {

class Connection {
 public:
  explicit Connection(net::Stream plain) : stream_(std::move(plain)) {}
  explicit Connection(tls::Stream secure) : stream_(std::move(secure)) {}

  // Reads on, to the end of buffered(). Out: whether octets came; false is the orderly end.
  // Errors: kTimedOut, kDraining, kOriginClosed, kOriginInvalid, kConnectFailed.
  [[nodiscard]] net::Task<Result<bool>> read_on(Deadline deadline);
  [[nodiscard]] net::Task<Result<void>> write_all(std::string_view bytes, Deadline deadline);

  [[nodiscard]] std::string_view buffered() const {
    return std::string_view(buffer_).substr(used_);
  }
  void consume(std::size_t octets) { used_ += octets; }

  // Whether it waits for a request: nothing came that nobody asked for, nor an end.
  [[nodiscard]] bool is_quiet();

 private:
  std::variant<net::Stream, tls::Stream> stream_;
  std::string buffer_;
  std::size_t used_ = 0;  // octets of it
};

}  // namespace ebbgate::https::detail
