#include "dns/detail/reply.h"

#include <ares.h>
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace ebbgate::dns::detail {
namespace {

constexpr std::uint16_t kTypeSoa = 6;
constexpr std::size_t kHeaderSize = 12;
constexpr std::uint32_t kMaxTtl = 0x7fffffff;  // RFC 2181 section 8: above it counts as 0

std::chrono::seconds to_ttl(std::uint32_t seconds) {
  return std::chrono::seconds(seconds > kMaxTtl ? 0 : seconds);
}

// Takes numbers and names off a message; once something is missing, everything after it is, too.
class Cursor {
 public:
  explicit Cursor(std::span<const std::uint8_t> octets) : octets_(octets) {}

  [[nodiscard]] bool is_good() const { return is_good_; }

  std::span<const std::uint8_t> take(std::size_t size) {
    if (size > octets_.size()) {
      is_good_ = false;
      octets_ = {};
      return {};
    }
    const auto taken = octets_.first(size);
    octets_ = octets_.subspan(size);
    return taken;
  }
  std::uint32_t take_number(std::size_t size) {
    std::uint32_t number = 0;
    for (const std::uint8_t octet : take(size)) number = number << 8 | octet;
    return number;
  }
  // A name ends with the root label or with a pointer (RFC 1035 section 4.1.4).
  void skip_name() {
    while (is_good_) {
      const std::uint32_t length = take_number(1);
      if (length == 0) return;
      if (length >= 0xc0) {
        take(1);
        return;
      }
      take(length);
    }
  }

 private:
  std::span<const std::uint8_t> octets_;
  bool is_good_ = true;
};

IpAddress to_address(const ares_addrttl& record) {
  return IpAddress::v4(ntohl(record.ipaddr.s_addr));
}
IpAddress to_address(const ares_addr6ttl& record) {
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), &record.ip6addr, bytes.size());
  return IpAddress::v6(bytes);
}

template <typename Record, typename Parse>
std::optional<AddressRecords> read_with(Parse parse, std::span<const std::uint8_t> message) {
  std::array<Record, kMaxAddresses> records{};
  int count = kMaxAddresses;
  const int status =
      parse(message.data(), static_cast<int>(message.size()), nullptr, records.data(), &count);
  AddressRecords read;
  if (status == ARES_ENODATA) return read;
  if (status != ARES_SUCCESS) return std::nullopt;
  read.ttl = std::chrono::seconds(kMaxTtl);
  for (const Record& record : std::span(records).first(static_cast<std::size_t>(count))) {
    read.addresses.push_back(to_address(record));
    read.ttl = std::min(read.ttl, to_ttl(static_cast<std::uint32_t>(record.ttl)));
  }
  return read;
}

}  // namespace

std::optional<AddressRecords> read_addresses(Family family, std::span<const std::uint8_t> message) {
  return family == Family::kV4 ? read_with<ares_addrttl>(&ares_parse_a_reply, message)
                               : read_with<ares_addr6ttl>(&ares_parse_aaaa_reply, message);
}

std::optional<std::chrono::seconds> read_negative_ttl(std::span<const std::uint8_t> message) {
  Cursor cursor(message);
  cursor.take(4);  // identifier and flags
  const std::uint32_t questions = cursor.take_number(2);
  const std::uint32_t answers = cursor.take_number(2);
  const std::uint32_t authorities = cursor.take_number(2);
  cursor.take(kHeaderSize - 10);
  for (std::uint32_t i = 0; i < questions && cursor.is_good(); ++i) {
    cursor.skip_name();
    cursor.take(4);  // type and class
  }
  for (std::uint32_t i = 0; i < answers + authorities && cursor.is_good(); ++i) {
    cursor.skip_name();
    const std::uint32_t type = cursor.take_number(2);
    cursor.take_number(2);  // class
    const std::chrono::seconds ttl = to_ttl(cursor.take_number(4));
    Cursor data(cursor.take(cursor.take_number(2)));
    if (i < answers || type != kTypeSoa) continue;
    data.skip_name();
    data.skip_name();
    data.take(16);  // serial, refresh, retry, expire
    const std::chrono::seconds minimum = to_ttl(data.take_number(4));
    if (!data.is_good()) return std::nullopt;
    return std::min(ttl, minimum);
  }
  return std::nullopt;
}

}  // namespace ebbgate::dns::detail
