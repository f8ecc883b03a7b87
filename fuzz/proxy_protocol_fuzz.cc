// fuzz-deps: hello
// The PROXY protocol reader over arbitrary bytes. Properties: a verdict does not change when more
// bytes arrive; a header lies within the bytes; version 1 written again reads the same.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "hello/proxy_protocol.h"

namespace {

using namespace ebbgate::hello;

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_incomplete(const ebbgate::Result<ProxyHeaderState>& state) {
  return state && std::holds_alternative<ProxyHeaderIncomplete>(*state);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = read_proxy_header(bytes);
  for (std::size_t length = 0; length < size; ++length) {
    const auto part = read_proxy_header(bytes.substr(0, length));
    if (is_incomplete(part)) continue;
    require(part == whole);
    break;
  }
  if (!whole) return 0;
  const auto* header = std::get_if<ProxyHeader>(&*whole);
  if (header == nullptr) return 0;
  require(header->size > 0 && header->size <= size && header->size <= kMaxProxyHeader);
  require(header->source.has_value() == header->destination.has_value());
  require(header->command == ProxyCommand::kProxy || !header->source);
  if (!header->source || header->source->address.is_v4() != header->destination->address.is_v4()) {
    return 0;
  }
  const std::string line =
      std::string("PROXY ") + (header->source->address.is_v4() ? "TCP4 " : "TCP6 ") +
      header->source->address.str() + " " + header->destination->address.str() + " " +
      std::to_string(header->source->port) + " " + std::to_string(header->destination->port) +
      "\r\n";
  const auto again = read_proxy_header(line);
  require(again.has_value());
  const auto* text = std::get_if<ProxyHeader>(&*again);
  require(text != nullptr && text->source == header->source &&
          text->destination == header->destination && text->size == line.size());
  return 0;
}
