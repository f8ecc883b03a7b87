// fuzz-deps: http base
// A chunked body: read whole and in pieces it is the same; Beast finds the same body in it and the
// same end; and what goes on is read again as the same body, by us and by Beast.
#include <cstdint>
#include <optional>

#include "http/chunked.h"
#include "http_oracle.h"

namespace {

using namespace ebbgate;
using namespace ebbgate::http;
using oracle::require;
using Output = ChunkedReader::Output;

struct Outcome {
  std::string onwards;
  std::size_t consumed = 0;
  bool done = false;
  std::optional<Error> error;
  bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view octets, Output output, std::size_t piece) {
  ChunkedReader reader(output, kOriginsFault);
  Outcome outcome;
  std::size_t came = 0;
  while (came < octets.size() && !outcome.done && !outcome.error) {
    came = std::min(came + piece, octets.size());
    while (outcome.consumed < came && !outcome.done) {
      // A copy of exact size, so that AddressSanitizer sees a read past its end.
      const std::string input(octets.substr(outcome.consumed, came - outcome.consumed));
      const auto step = reader.read(input);
      if (!step) {
        outcome.error = step.error();
        break;
      }
      if (step->consumed == 0) break;
      outcome.onwards += step->onwards;
      outcome.consumed += step->consumed;
      outcome.done = step->done;
    }
  }
  return outcome;
}

void compare_with_beast(std::string_view octets, std::size_t consumed, std::string_view body) {
  const std::string message =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(octets);
  oracle::beast::http::response_parser<oracle::beast::http::string_body> parser;
  std::size_t read = oracle::read_head(parser, message);
  const std::size_t head = read;
  parser.eager(true);
  while (!parser.is_done()) {
    oracle::beast::error_code error;
    const std::size_t size =
        parser.put(boost::asio::const_buffer(message.data() + read, message.size() - read), error);
    require(!error, error.message().c_str(), octets);
    read += size;
  }
  require(read - head == consumed, "the body ends elsewhere", octets);
  require(parser.get().body() == body, "the body is another", octets);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = data[0] % 61 + 1;
  const std::string_view octets(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome coded = read(octets, Output::kChunked, octets.size() + 1);
  const Outcome decoded = read(octets, Output::kDecoded, octets.size() + 1);
  require(coded.done == decoded.done && coded.error == decoded.error &&
              (coded.error || coded.consumed == decoded.consumed),
          "decoding changes what is read", octets);
  const Outcome in_pieces = read(octets, Output::kChunked, piece);
  require(in_pieces.done == coded.done && in_pieces.error == coded.error &&
              (coded.error || in_pieces == coded),
          "in pieces it is another body", octets);
  if (!coded.done) return 0;

  compare_with_beast(octets, coded.consumed, decoded.onwards);
  const Outcome again = read(coded.onwards, Output::kChunked, piece);
  require(again.done && again.onwards == coded.onwards && again.consumed == coded.onwards.size(),
          "what goes on is not passed on as it is", octets);
  compare_with_beast(coded.onwards, coded.onwards.size(), decoded.onwards);
  return 0;
}
