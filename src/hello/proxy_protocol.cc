#include "hello/proxy_protocol.h"

#include <algorithm>
#include <array>

#include "hello/detail/octets.h"

namespace ebbgate::hello {
namespace {

using detail::Octets;

constexpr std::string_view kText = "PROXY ";
constexpr std::size_t kMaxTextHeader = 107;  // octets with CR LF, section 2.1

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kFixedPart = 16;  // octets: signature, version and command, family, length

std::unexpected<Error> invalid(std::string detail) {
  return fail(Reason::kProxyProtocolInvalid, Side::kClient, std::move(detail));
}

// ---- Version 1, section 2.1

// The word up to the next space, which is taken too; a line that has no further one gives it whole.
std::string_view next_word(std::string_view& line) {
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(std::min(space + 1, line.size()));
  return word;
}

std::optional<Endpoint> text_endpoint(std::string_view address, std::string_view port, bool v6) {
  const auto ip = IpAddress::parse(address);
  if (!ip || ip->is_v6() != v6) return std::nullopt;
  if (port == "0") return Endpoint{ip->unmapped(), 0};
  const auto number = Port::parse(port);
  if (!number) return std::nullopt;
  return Endpoint{ip->unmapped(), number->value()};
}

Result<ProxyHeaderState> read_text(std::string_view buffered) {
  const std::string_view window = buffered.substr(0, kMaxTextHeader);
  const std::size_t end = window.find_first_of("\r\n");
  // A CR alone may be the last octet that came.
  if (end == std::string_view::npos || (window[end] == '\r' && end + 1 == window.size())) {
    if (window.size() == kMaxTextHeader) return invalid("version 1 header over 107 octets");
    return ProxyHeaderIncomplete{};
  }
  if (!window.substr(end).starts_with("\r\n")) return invalid("version 1 header without CR LF");

  ProxyHeader header;
  header.size = end + 2;
  std::string_view line = window.substr(kText.size(), end - kText.size());
  const std::string_view all = line;
  const std::string_view family = next_word(line);
  if (family == "UNKNOWN") return header;  // what follows is to be ignored
  if (family != "TCP4" && family != "TCP6") return invalid("version 1 header of unknown family");
  const std::string_view source = next_word(line);
  const std::string_view destination = next_word(line);
  const std::string_view source_port = next_word(line);
  const std::string_view destination_port = line;
  header.source = text_endpoint(source, source_port, family == "TCP6");
  header.destination = text_endpoint(destination, destination_port, family == "TCP6");
  if (!header.source || !header.destination || std::ranges::count(all, ' ') != 4) {
    return invalid("version 1 header whose addresses or ports are none");
  }
  return header;
}

// ---- Version 2, section 2.2

constexpr std::array<std::uint32_t, 256> kCrc32cTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82f63b78U : 0U);
    table[i] = value;
  }
  return table;
}();

// RFC 9260 appendix A; begins and is continued with the value that the last call gave.
std::uint32_t crc32c(std::uint32_t state, std::string_view bytes) {
  for (const char c : bytes) {
    state = state >> 8 ^ kCrc32cTable[(state ^ static_cast<std::uint8_t>(c)) & 0xff];
  }
  return state;
}

// Whether `checksum`, four octets within `header`, is the CRC32C of `header` with zeros in its
// place.
bool checksum_holds(std::string_view header, std::string_view checksum) {
  constexpr std::string_view kZeros("\0\0\0\0", 4);
  const auto offset = static_cast<std::size_t>(checksum.data() - header.data());
  std::uint32_t state = crc32c(0xffffffffU, header.substr(0, offset));
  state = crc32c(state, kZeros);
  state = crc32c(state, header.substr(offset + checksum.size()));
  return ~state == Octets(checksum).u32();
}

bool is_vpc_endpoint(std::string_view id) {
  return !id.empty() && std::ranges::all_of(id, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

// The type-length-value vectors at the end of `whole`, section 2.2.1 and on.
Result<void> read_vectors(std::string_view whole, std::string_view vectors, ProxyHeader& header) {
  constexpr std::uint8_t kChecksum = 0x03;
  constexpr std::uint8_t kAws = 0xea;
  constexpr std::string_view kAwsVpcEndpoint = "\x01";
  bool has_checksum = false;
  Octets left(vectors);
  while (!left.empty()) {
    const std::uint8_t type = left.u8();
    const std::string_view value = left.vector16();
    if (!left.ok()) return invalid("a TLV is longer than the header");
    if (type == kChecksum) {
      if (has_checksum || value.size() != 4 || !checksum_holds(whole, value)) {
        return invalid("the checksum is not the header's");
      }
      has_checksum = true;
    } else if (type == kAws && value.starts_with(kAwsVpcEndpoint)) {
      const std::string_view id = value.substr(1);
      if (!header.vpc_endpoint.empty() || !is_vpc_endpoint(id)) {
        return invalid("the VPC endpoint's id is none");
      }
      header.vpc_endpoint = id;
    }
  }
  return {};
}

IpAddress read_v4(Octets& fields) {
  return IpAddress::v4(fields.u32());
}

IpAddress read_v6(Octets& fields) {
  std::array<std::uint8_t, 16> bytes{};
  std::ranges::transform(fields.take(bytes.size()), bytes.begin(),
                         [](char c) { return static_cast<std::uint8_t>(c); });
  return IpAddress::v6(bytes).unmapped();
}

Result<ProxyHeaderState> read_binary(std::string_view buffered) {
  // Address family and transport, as the header packs them.
  constexpr std::uint8_t kUnspecified = 0x00;
  constexpr std::uint8_t kTcp4 = 0x11;
  constexpr std::uint8_t kTcp6 = 0x21;
  constexpr std::uint8_t kUnixStream = 0x31;
  constexpr std::size_t kUnixAddresses = 216;  // octets

  if (buffered.size() < kFixedPart) return ProxyHeaderIncomplete{};
  Octets fixed(buffered.substr(kSignature.size()));
  const std::uint8_t version_and_command = fixed.u8();
  const std::uint8_t family = fixed.u8();
  const std::size_t size = kFixedPart + fixed.u16();
  if (version_and_command >> 4 != 2) return invalid("the version is neither 1 nor 2");
  const std::uint8_t command = version_and_command & 0x0f;
  if (command > 1) return invalid("the command is neither LOCAL nor PROXY");
  if (size > kMaxProxyHeader) return invalid("the header is over 4 KiB");
  if (buffered.size() < size) return ProxyHeaderIncomplete{};

  ProxyHeader header;
  header.size = size;
  if (command == 0) {
    header.command = ProxyCommand::kLocal;  // family and content are to be ignored
    return header;
  }
  const std::string_view whole = buffered.substr(0, size);
  Octets fields(whole.substr(kFixedPart));
  switch (family) {
    case kTcp4:
    case kTcp6: {
      const auto read_address = family == kTcp4 ? read_v4 : read_v6;
      const IpAddress source = read_address(fields);
      const IpAddress destination = read_address(fields);
      header.source = Endpoint{source, fields.u16()};
      header.destination = Endpoint{destination, fields.u16()};
      break;
    }
    case kUnixStream:
      fields.take(kUnixAddresses);
      break;
    case kUnspecified:
      break;
    default:
      return invalid("the family is none that a stream can have");
  }
  if (!fields.ok()) return invalid("the header ends within the addresses");
  if (auto vectors = read_vectors(whole, fields.rest(), header); !vectors) {
    return std::unexpected(std::move(vectors.error()));
  }
  return header;
}

}  // namespace

Result<ProxyHeaderState> read_proxy_header(std::string_view buffered) {
  if (buffered.starts_with(kText)) return read_text(buffered);
  if (buffered.starts_with(kSignature)) return read_binary(buffered);
  if (kText.starts_with(buffered) || kSignature.starts_with(buffered)) {
    return ProxyHeaderIncomplete{};
  }
  return ProxyHeaderAbsent{};
}

}  // namespace ebbgate::hello
