#include "noproxy/build.h"

#include <algorithm>

#include "base/authority.h"
#include "noproxy/aws_names.h"
#include "noproxy/detail/text.h"

namespace ebbgate::noproxy {
namespace {

class Entries {
 public:
  void add(std::string entry) {
    if (!detail::contains(entries_, entry)) entries_.push_back(std::move(entry));
  }
  // An IPv6 address in both forms: curl, Go and Node know it bare, urllib, Java and undici in
  // brackets.
  void add(const IpAddress& address) {
    add(address.str());
    if (address.is_v6()) add("[" + address.str() + "]");
  }
  void add(const Cidr& block) { add(block.str()); }
  // The name and all below it, in the form that every client reads so.
  void add_domain(const std::string& name) {
    add(name);
    add("." + name);
  }
  [[nodiscard]] std::vector<std::string> take() && { return std::move(entries_); }

 private:
  std::vector<std::string> entries_;
};

Result<void> add_extra(Entries& entries, std::string_view extra) {
  const std::string_view bare =
      extra.starts_with('[') && extra.ends_with(']') ? extra.substr(1, extra.size() - 2) : extra;
  if (const auto address = IpAddress::parse(bare)) {
    entries.add(*address);
  } else if (const auto block = Cidr::parse(extra)) {
    entries.add(*block);
  } else {
    const auto name = Hostname::parse(detail::without_prefix(extra, "."));
    if (!name) {
      return fail(Reason::kMalformedRequest, Side::kSelf,
                  "'" + std::string(extra) + "' is no name, address or address block");
    }
    entries.add_domain(name->str());
  }
  return {};
}

}  // namespace

IpAddress first_service(const Cidr& services) {
  if (services.network().is_v4()) return IpAddress::v4(services.network().v4_value() | 1);
  auto bytes = services.network().bytes();
  bytes.back() |= 1;
  return IpAddress::v6(bytes);
}

Result<std::vector<std::string>> build_entries(const ClusterFacts& facts) {
  Entries entries;
  entries.add("localhost");
  for (const std::string_view text : {
           "127.0.0.1", "::1", "169.254.169.254", "fd00:ec2::254",  // the metadata service
           "169.254.170.23", "fd00:ec2::23",                        // the EKS Pod Identity agent
       }) {
    entries.add(*IpAddress::parse(text));
  }
  for (const Cidr& block : facts.service_cidrs) {
    entries.add(block);
    // The API server's own service, which pods reach by its address (KUBERNETES_SERVICE_HOST), and
    // many clients read no blocks.
    if (block == facts.service_cidrs.front()) entries.add(first_service(block));
  }
  for (const std::string_view name :
       {"kubernetes.default.svc", ".svc", ".cluster.local", ".internal"}) {
    entries.add(std::string(name));
  }
  for (const Cidr& block : facts.vpc_cidrs) entries.add(block);
  // The kubelet dials this name, and a block never matches a name.
  if (facts.cluster_endpoint) entries.add(facts.cluster_endpoint->str());
  for (const std::string& service : facts.vpc_endpoints) {
    auto names = private_names(service, facts.region);
    if (!names) return std::unexpected(std::move(names.error()));
    for (std::string& name : *names) entries.add(std::move(name));
  }
  for (const std::string& extra : facts.extras) {
    if (auto added = add_extra(entries, extra); !added) {
      return std::unexpected(std::move(added.error()));
    }
  }
  return std::move(entries).take();
}

std::string join(const std::vector<std::string>& entries) {
  std::string value;
  for (const std::string& entry : entries) {
    if (!value.empty()) value += ',';
    value += entry;
  }
  return value;
}

std::string java_non_proxy_hosts(const std::vector<std::string>& entries) {
  std::vector<std::string> patterns;
  const auto add = [&](std::string pattern) {
    if (!detail::contains(patterns, pattern)) patterns.push_back(std::move(pattern));
  };
  for (const std::string& entry : entries) {
    if (const auto address = IpAddress::parse(entry)) {
      add(Host(*address).str());
    } else if (const auto block = Cidr::parse(entry)) {
      if (block->network().is_v6() || block->prefix() == 0 || block->prefix() > 24) continue;
      const unsigned octets = (block->prefix() + 7) / 8;
      const std::uint32_t step = 1U << (32 - 8 * octets);
      const std::uint32_t count = 1U << (8 * octets - block->prefix());
      for (std::uint32_t i = 0; i < count; ++i) {
        const std::string text = IpAddress::v4(block->network().v4_value() + i * step).str();
        std::size_t end = 0;
        for (unsigned octet = 0; octet < octets; ++octet) end = text.find('.', end) + 1;
        add(text.substr(0, end) + "*");
      }
    } else {
      add(entry.starts_with('.') ? "*" + entry : entry);
    }
  }
  std::string value;
  for (const std::string& pattern : patterns) {
    if (!value.empty()) value += '|';
    value += pattern;
  }
  return value;
}

}  // namespace ebbgate::noproxy
