#include "hello/client_hello.h"

#include <bitset>
#include <string>

#include "hello/detail/octets.h"

namespace ebbgate::hello {
namespace {

using detail::Octets;

constexpr std::size_t kRecordHeader = 5;                  // octets: type, version, length
constexpr std::size_t kMaxRecord = std::size_t{1} << 14;  // octets, RFC 8446 5.1
constexpr std::size_t kMessageHeader = 4;                 // octets: type, length of three

constexpr char kHandshakeRecord = 22;
constexpr char kTlsMajor = 3;
constexpr char kClientHelloMessage = 1;

constexpr std::uint16_t kServerName = 0;
constexpr std::uint16_t kEncryptedClientHello = 0xfe0d;
constexpr std::uint16_t kEncryptedServerName = 0xffce;  // draft-ietf-tls-esni to -06

std::unexpected<Error> malformed(std::string detail) {
  return fail(Reason::kSniMalformed, Side::kClient, std::move(detail));
}

// RFC 6066 3. Only host_name was ever defined, and how long a name of another type is cannot be
// known; so a list that has one is refused, rather than skipped by a guess.
Result<Hostname> parse_server_name(std::string_view data) {
  Octets extension(data);
  Octets list(extension.vector16());
  const std::uint8_t type = list.u8();
  const std::string_view text = list.vector16();
  if (!extension.finished() || !list.ok()) {
    return malformed("the lengths in server_name do not agree");
  }
  if (type != 0) return malformed("server_name has a name that is no host_name");
  if (!list.empty()) return malformed("server_name has more than one name");
  auto name = Hostname::parse(text);
  if (!name) return malformed("in server_name, " + name.error().detail);
  return *std::move(name);
}

// RFC 9849 5. Success means: of type outer, and shaped as one.
Result<void> check_ech(std::string_view data) {
  constexpr std::uint8_t kOuter = 0;
  constexpr std::uint8_t kInner = 1;
  Octets extension(data);
  const std::uint8_t type = extension.u8();
  if (extension.ok() && type == kInner) {
    return fail(Reason::kEchDenied, Side::kClient, "the ClientHello says it is an inner one");
  }
  extension.take(4);     // HPKE's KDF and AEAD
  extension.u8();        // config_id
  extension.vector16();  // enc, empty in the hello after a HelloRetryRequest
  const std::string_view payload = extension.vector16();
  if (!extension.finished() || type != kOuter || payload.empty()) {
    return malformed("encrypted_client_hello has not the shape of one");
  }
  return {};
}

Result<ClientHello> parse_extensions(std::string_view data) {
  ClientHello hello;
  std::bitset<0x10000> seen;
  Octets extensions(data);
  while (!extensions.empty()) {
    const std::uint16_t type = extensions.u16();
    const std::string_view content = extensions.vector16();
    if (!extensions.ok()) return malformed("an extension is longer than the ClientHello");
    if (seen.test(type)) return malformed("an extension stands there twice");
    seen.set(type);
    if (type == kServerName) {
      auto name = parse_server_name(content);
      if (!name) return std::unexpected(std::move(name.error()));
      hello.sni = *std::move(name);
    } else if (type == kEncryptedClientHello) {
      if (auto ech = check_ech(content); !ech) return std::unexpected(std::move(ech.error()));
      hello.ech = true;
    } else if (type == kEncryptedServerName) {
      return fail(Reason::kEchDenied, Side::kClient,
                  "the ClientHello has an encrypted server name");
    }
  }
  return hello;
}

// The body of the message, without its header (RFC 8446 4.1.2).
Result<ClientHello> parse_body(std::string_view body) {
  constexpr std::size_t kRandom = 32;        // octets
  constexpr std::size_t kMaxSessionId = 32;  // octets
  Octets fields(body);
  const std::string_view version = fields.take(2);
  fields.take(kRandom);
  const std::string_view session_id = fields.vector8();
  const std::string_view cipher_suites = fields.vector16();
  const std::string_view compression_methods = fields.vector8();
  if (!fields.ok()) return malformed("the ClientHello ends within a field");
  if (version[0] != kTlsMajor) return malformed("the ClientHello's version is not one of TLS");
  if (session_id.size() > kMaxSessionId) return malformed("the session id is over 32 octets");
  if (cipher_suites.empty() || cipher_suites.size() % 2 != 0) {
    return malformed("the list of cipher suites is none");
  }
  if (compression_methods.empty()) return malformed("the list of compression methods is empty");
  if (fields.empty()) return ClientHello{};  // before TLS 1.2 a hello might have no extensions
  const std::string_view extensions = fields.vector16();
  if (!fields.finished()) return malformed("the extensions do not end where the ClientHello does");
  return parse_extensions(extensions);
}

std::size_t record_length(std::string_view header) {
  Octets fields(header);
  fields.take(3);
  return fields.u16();
}

// The first `wanted` octets of what the records in `buffered` carry, or as many as are there. The
// headers of the records were checked before.
std::string payload_of(std::string_view buffered, std::size_t wanted) {
  std::string payload;
  payload.reserve(wanted);
  while (payload.size() < wanted && buffered.size() > kRecordHeader) {
    const std::size_t length = record_length(buffered);
    buffered.remove_prefix(kRecordHeader);
    const std::string_view content = buffered.substr(0, length);
    payload += content.substr(0, wanted - payload.size());
    buffered.remove_prefix(content.size());
  }
  return payload;
}

}  // namespace

Result<bool> ClientHelloReader::count_record(std::string_view buffered) {
  const bool is_first = next_record_ == 0;
  const std::string_view header = buffered.substr(next_record_, kRecordHeader);
  const bool is_handshake = header[0] == kHandshakeRecord;
  const bool is_tls = header.size() < 2 || header[1] == kTlsMajor;
  if (is_first && !(is_handshake && is_tls)) {
    return fail(Reason::kNotTls, Side::kClient, "the first octets are not those of TLS");
  }
  if (!is_handshake) return malformed("a record of another type stands within the ClientHello");
  if (!is_tls) return malformed("a record's version is not one of TLS");
  if (header.size() < kRecordHeader) return false;
  const std::size_t length = record_length(header);
  if (length == 0) return malformed("a handshake record is empty");
  if (length > kMaxRecord) return malformed("a record is longer than 2^14 octets");
  next_record_ += kRecordHeader + length;
  payload_ += length;
  if (next_record_ > kMaxClientHelloOnWire) {
    return malformed("the ClientHello is spread over too many records");
  }
  return true;
}

Result<void> ClientHelloReader::read_message_header(std::string_view buffered) {
  const std::string payload = payload_of(buffered.substr(0, next_record_), kMessageHeader);
  Octets header(payload);
  if (header.empty()) return {};
  if (header.u8() != kClientHelloMessage)
    return malformed("the handshake begins without a ClientHello");
  const std::size_t high = header.u8();
  const std::size_t body = high << 16 | header.u16();
  if (!header.ok()) return {};
  message_ = kMessageHeader + body;
  if (message_ > kMaxClientHello) return malformed("the ClientHello is longer than 64 KiB");
  return {};
}

Result<std::optional<ClientHello>> ClientHelloReader::read(std::string_view buffered) {
  for (;;) {
    if (message_ == 0) {
      if (auto header = read_message_header(buffered); !header) {
        return std::unexpected(std::move(header.error()));
      }
    }
    // A key change may follow the hello, and RFC 8446 5.1 has it end with its record.
    if (message_ != 0 && payload_ > message_) {
      return malformed("octets follow the ClientHello in its record");
    }
    if (message_ != 0 && payload_ == message_) break;
    if (next_record_ >= buffered.size()) return std::nullopt;
    const auto counted = count_record(buffered);
    if (!counted) return std::unexpected(counted.error());
    if (!*counted) return std::nullopt;
  }
  if (buffered.size() < next_record_) return std::nullopt;
  auto hello = [&] {
    if (next_record_ == kRecordHeader + message_) {
      return parse_body(buffered.substr(kRecordHeader + kMessageHeader, message_ - kMessageHeader));
    }
    const std::string message = payload_of(buffered, message_);
    return parse_body(std::string_view(message).substr(kMessageHeader));
  }();
  if (!hello) return std::unexpected(std::move(hello.error()));
  return *std::move(hello);
}

}  // namespace ebbgate::hello
