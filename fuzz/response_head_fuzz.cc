// fuzz-deps: http base
// A response head: read whole and in pieces it is the same; Beast finds the same message in it; and
// what goes on to the client is read again as the same response, by us and by Beast.
#include <cstdint>

#include "http/forward.h"
#include "http_oracle.h"

namespace {

using namespace ebbgate;
using namespace ebbgate::http;
using oracle::require;

void read_in_pieces(std::string_view octets, std::size_t piece, const Asked& asked,
                    const Result<std::size_t>& whole) {
  ResponseReader reader;
  Result<std::size_t> read = 0;
  for (std::size_t size = 0; size < octets.size() && read && *read == 0;) {
    size = std::min(size + piece, octets.size());
    const std::string elsewhere(octets.substr(0, size));
    read = reader.read(elsewhere, asked);
  }
  require(read == whole, "in pieces it is another head", octets);
}

void compare_with_beast(std::string_view octets, std::size_t consumed, const Asked& asked,
                        const ResponseHead& head) {
  // We take a status line that ends after the status; Beast does not.
  constexpr std::size_t kStatusEnd = 12;
  std::string with_blank(octets);
  if (octets[kStatusEnd] == '\r') {
    with_blank.insert(kStatusEnd, " ");
    ++consumed;
  }
  oracle::beast::http::response_parser<oracle::beast::http::empty_body> parser;
  const bool tunnel = asked.method == Method::kConnect && head.status / 100 == 2;
  if (asked.method == Method::kHead || tunnel) parser.skip(true);
  require(oracle::read_head(parser, with_blank) == consumed, "the head ends elsewhere", octets);
  const auto& message = parser.get();
  require(message.result_int() == head.status, "status", octets);
  // Beast makes up a reason where there is none.
  require(head.reason_phrase().empty() || oracle::view(message.reason()) == head.reason_phrase(),
          "reason", octets);
  require(message.version() == (head.version == Version::kHttp11 ? 11 : 10), "version", octets);
  switch (head.body.kind) {
    case BodyFraming::Kind::kNone:
      require(parser.is_done(), "Beast waits for a body", octets);
      break;
    case BodyFraming::Kind::kLength:
      require(!parser.chunked() && parser.content_length() == head.body.length, "length", octets);
      break;
    case BodyFraming::Kind::kChunked:
      require(parser.chunked(), "chunked", octets);
      break;
    case BodyFraming::Kind::kUntilClose:
      require(!parser.chunked() && !parser.content_length() && parser.need_eof(), "until close",
              octets);
      break;
  }
  require(oracle::list(message.base()) == oracle::list(head.fields, [](Field) { return true; }),
          "fields", octets);
}

bool is_made_anew(const Field& field) {
  return field.hop_by_hop || field.id == FieldId::kContentLength || field.id == FieldId::kVia ||
         field.id == FieldId::kTrailer;
}

void forward_and_read_again(const ResponseHead& head, const Asked& asked, Version client) {
  const BodyFraming body = forwarded_body(head, client);
  std::string onwards;
  append_forwarded(onwards, head, body, "ebbgate", Persistence::kKeepAlive);
  ResponseReader reader;
  const auto consumed = reader.read(onwards, asked);
  require(consumed == onwards.size(), "what goes on is no head", onwards);
  const ResponseHead& again = reader.head();
  require(again.status == head.status, "status, again", onwards);
  require(again.reason_phrase() == head.reason_phrase(), "reason, again", onwards);
  require(again.body == body, "body, again", onwards);
  require(again.announced_length == head.announced_length, "announced length, again", onwards);
  const auto kept = [](const Field& field) { return !is_made_anew(field); };
  require(oracle::list(again.fields, kept) == oracle::list(head.fields, kept), "fields, again",
          onwards);
  compare_with_beast(onwards, onwards.size(), asked, again);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // The first octet is what was asked, and how the answer comes.
  constexpr Method kMethods[] = {Method::kGet, Method::kHead, Method::kConnect, Method::kPost};
  const Asked asked{kMethods[data[0] & 3], (data[0] & 4) != 0};
  const Version client = (data[0] & 8) != 0 ? Version::kHttp10 : Version::kHttp11;
  const std::size_t piece = (data[0] >> 4) + 1U;
  const std::string_view octets(reinterpret_cast<const char*>(data) + 1, size - 1);
  ResponseReader reader;
  const auto consumed = reader.read(octets, asked);
  read_in_pieces(octets, piece, asked, consumed);
  if (!consumed || *consumed == 0) return 0;
  compare_with_beast(octets, *consumed, asked, reader.head());
  forward_and_read_again(reader.head(), asked, client);
  return 0;
}
