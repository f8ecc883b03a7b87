#include "policy/pattern_list.h"

#include <algorithm>

#include "policy/detail/address_key.h"

namespace ebbgate::policy {

void PatternList::add(const Pattern& pattern, Position position) {
  Record record;
  record.offset = static_cast<std::uint32_t>(keys_.size());
  if (pattern.kind() == PatternKind::kAddresses) {
    keys_ += detail::AddressKey(pattern.addresses()).view();
  } else {
    keys_ += pattern.name();
  }
  record.length = static_cast<std::uint8_t>(keys_.size() - record.offset);
  record.kind = pattern.kind();
  if (pattern.ports()) {
    record.first_port = pattern.ports()->first;
    record.last_port = pattern.ports()->last;
  }
  record.line = position.line;
  record.column = static_cast<std::uint16_t>(std::min<std::uint32_t>(position.column, 65535));
  records_.push_back(record);
}

void PatternList::reserve(std::size_t patterns, std::size_t octets) {
  keys_.reserve(octets);
  records_.reserve(patterns);
}

void PatternList::shrink_to_fit() {
  // Shrinking copies: for the last quarter that costs more memory than it saves.
  if (keys_.capacity() > keys_.size() + keys_.size() / 4) keys_.shrink_to_fit();
  if (records_.capacity() > records_.size() + records_.size() / 4) records_.shrink_to_fit();
}

Pattern PatternList::operator[](std::size_t index) const {
  std::optional<PortRange> own_ports;
  if (has_ports(index)) own_ports = ports(index);
  if (kind(index) == PatternKind::kAddresses) {
    return {PatternKind::kAddresses, {}, detail::block_of(key(index)), own_ports};
  }
  return {kind(index), std::string(key(index)), Cidr::of(IpAddress()), own_ports};
}

Position PatternList::position(std::size_t index) const {
  return {records_[index].line, records_[index].column};
}

}  // namespace ebbgate::policy
