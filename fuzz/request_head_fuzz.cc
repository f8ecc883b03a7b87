// fuzz-deps: http base
// A request head: read whole and in pieces it is the same; Beast finds the same message in it; and
// what goes on to an origin is read again as the same request, by us and by Beast.
#include <cstdint>

#include "http/forward.h"
#include "http_oracle.h"

namespace {

using namespace ebbgate;
using namespace ebbgate::http;
using oracle::require;

void read_in_pieces(std::string_view octets, std::size_t piece, const Result<std::size_t>& whole) {
  RequestReader reader;
  Result<std::size_t> read = 0;
  for (std::size_t size = 0; size < octets.size() && read && *read == 0;) {
    size = std::min(size + piece, octets.size());
    const std::string elsewhere(octets.substr(0, size));
    read = reader.read(elsewhere);
  }
  require(read == whole, "in pieces it is another head", octets);
}

void compare_with_beast(std::string_view octets, std::size_t consumed, const RequestHead& head) {
  const std::size_t skipped = octets.starts_with("\r\n") ? 2 : 0;  // RFC 9112 2.2
  octets.remove_prefix(skipped);
  oracle::beast::http::request_parser<oracle::beast::http::empty_body> parser;
  require(oracle::read_head(parser, octets) == consumed - skipped, "the head ends elsewhere",
          octets);
  const auto& message = parser.get();
  require(oracle::view(message.method_string()) == head.method_name(), "method", octets);
  require(oracle::view(message.target()) == head.target_text(), "target", octets);
  require(message.version() == (head.version == Version::kHttp11 ? 11 : 10), "version", octets);
  require(parser.chunked() == (head.body.kind == BodyFraming::Kind::kChunked), "chunked", octets);
  if (!parser.chunked()) {
    require(parser.content_length().value_or(0) == head.body.length, "length", octets);
  }
  if (head.version == Version::kHttp11) {
    require(parser.keep_alive() == head.persistent, "persistence", octets);
  }
  require(oracle::list(message.base()) == oracle::list(head.fields, [](Field) { return true; }),
          "fields", octets);
}

bool is_made_anew(const Field& field) {
  return field.hop_by_hop || field.id == FieldId::kHost || field.id == FieldId::kContentLength ||
         field.id == FieldId::kVia || field.id == FieldId::kExpect ||
         field.id == FieldId::kMaxForwards || field.id == FieldId::kTrailer;
}

void forward_and_read_again(const RequestHead& head) {
  const auto authority =
      head.target.authority ? asked_of_proxy(head) : asked_of_origin(head, kHttpPort);
  if (head.method == Method::kConnect || !authority) return;
  std::string onwards;
  append_forwarded(onwards, head, *authority, "ebbgate", Persistence::kKeepAlive);
  RequestReader reader;
  const auto consumed = reader.read(onwards);
  require(consumed == onwards.size(), "what goes on is no head", onwards);
  const RequestHead& again = reader.head();
  require(again.method_name() == head.method_name(), "method, again", onwards);
  require(again.target.path == head.target.path, "path, again", onwards);
  require(again.body == head.body, "body, again", onwards);
  require(again.upgrade == head.upgrade, "upgrade, again", onwards);
  require(again.expects_continue == head.expects_continue, "expectation, again", onwards);
  require(again.host && asked_of_origin(again, authority->port) == authority, "host, again",
          onwards);
  const auto kept = [](const Field& field) { return !is_made_anew(field); };
  require(oracle::list(again.fields, kept) == oracle::list(head.fields, kept), "fields, again",
          onwards);
  require(!check_loop(again, "ebbgate"), "a loop would not be seen", onwards);
  compare_with_beast(onwards, onwards.size(), again);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = data[0] % 61 + 1;
  const std::string_view octets(reinterpret_cast<const char*>(data) + 1, size - 1);
  RequestReader reader;
  const auto consumed = reader.read(octets);
  read_in_pieces(octets, piece, consumed);
  if (!consumed || *consumed == 0) return 0;
  compare_with_beast(octets, *consumed, reader.head());
  forward_and_read_again(reader.head());
  return 0;
}
