// fuzz-deps: hello
// The ClientHello reader over arbitrary bytes. Properties: what it says does not depend on how the
// bytes arrive; a name that it accepts stands in the bytes and is one in normal form.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "hello/client_hello.h"

namespace {

using ebbgate::Hostname;
using ebbgate::Result;
using ebbgate::hello::ClientHello;
using ebbgate::hello::ClientHelloReader;
using Outcome = Result<std::optional<ClientHello>>;

void require(bool holds) {
  if (!holds) std::abort();
}

// What a reader says that is given `step` more octets at each call.
Outcome in_pieces(std::string_view bytes, std::size_t step) {
  ClientHelloReader reader;
  Outcome outcome = std::nullopt;
  for (std::size_t size = 0; size < bytes.size();) {
    size = std::min(size + step, bytes.size());
    outcome = reader.read(bytes.substr(0, size));
    if (!outcome || outcome->has_value()) break;
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = in_pieces(bytes, std::max<std::size_t>(size, 1));
  require(in_pieces(bytes, 1) == whole);
  require(in_pieces(bytes, 7) == whole);
  if (!whole || !whole->has_value() || !(*whole)->sni) return 0;
  const Hostname& name = *(*whole)->sni;
  const auto again = Hostname::parse(name.str());
  require(again.has_value() && *again == name);
  return 0;
}
