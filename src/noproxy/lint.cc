#include "noproxy/lint.h"

#include <algorithm>
#include <array>

#include "base/hostname.h"
#include "base/ip.h"
#include "noproxy/aws_names.h"
#include "noproxy/detail/text.h"

namespace ebbgate::noproxy {
namespace {

using detail::is_below;
using detail::lower;
using detail::split;
using detail::trimmed;
using detail::without_prefix;

constexpr std::array<std::string_view, 11> kWords = {
    "black-hole", "wildcard",     "everything",   "space", "cidr-only",   "missing-pair",
    "port",       "not-an-entry", "bracket-pair", "twice", "case-differs"};
static_assert(kWords.size() == static_cast<std::size_t>(Pitfall::kCaseDiffers) + 1);

// Addresses that are used as such on every EKS node.
constexpr std::array<std::string_view, 3> kUsedDirectly = {"127.0.0.1", "169.254.169.254",
                                                           "169.254.170.23"};

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

// A domain that no host has for its own name, so that `.svc` needs no `svc` beside it.
bool is_never_a_host(std::string_view domain) {
  return domain.find('.') == std::string_view::npos || domain == "cluster.local" ||
         is_below(domain, "internal") || domain.starts_with("dkr.ecr.") ||
         domain.starts_with("execute-api.");
}

// A name that nothing is below of, so that it needs no `.name` beside it.
bool is_one_host(std::string_view name) {
  return name.find('.') == std::string_view::npos || name.ends_with(".svc") ||
         name.ends_with(".internal") || is_below(name, "eks.amazonaws.com") ||
         is_public_aws_name(name);
}

class Linter {
 public:
  Linter(std::string_view value, const VpcEndpoints& endpoints) {
    for (const std::string_view part : split(value, ",")) {
      written_.push_back(part);
      entries_.push_back(lower(trimmed(part)));
    }
    for (const std::string& service : endpoints.services) {
      if (auto names = private_names(service, endpoints.region)) {
        private_names_.insert(private_names_.end(), names->begin(), names->end());
      }
    }
  }

  std::vector<Finding> run() && {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const std::string_view entry = entries_[i];
      if (written_[i].find_first_of(" \t") != std::string_view::npos) {
        add(Pitfall::kSpace, written_[i],
            "Java takes a space for part of the entry, Go and Node one within it; curl splits "
            "there; write commas only");
      }
      // What spaces have run together is judged one by one.
      for (const std::string_view word : split(entry, detail::kBlanks)) {
        if (!word.empty()) check(word);
      }
      if (!entry.empty() && std::find(entries_.begin(), entries_.begin() + offset(i), entry) !=
                                entries_.begin() + offset(i)) {
        add(Pitfall::kTwice, entry, "it is there already");
      }
    }
    return std::move(findings_);
  }

 private:
  static std::ptrdiff_t offset(std::size_t i) { return static_cast<std::ptrdiff_t>(i); }

  void add(Pitfall pitfall, std::string_view entry, std::string text) {
    findings_.push_back({pitfall, std::string(entry), std::move(text)});
  }
  [[nodiscard]] bool has(const std::string& entry) const {
    return detail::contains(entries_, entry);
  }

  void check(std::string_view entry) {
    if (entry == "*") {
      add(Pitfall::kEverything, entry,
          "alone, it turns the proxy off; in a list, only for Go, Java and Node's agents");
    } else if (entry.starts_with("*.")) {
      const std::string name(entry.substr(2));
      add(Pitfall::kWildcard, entry,
          "curl and Python never match it; write " + quoted(name) + " and " + quoted("." + name));
      check_aws(entry, name);
    } else if (detail::looks_like_block(entry)) {
      check_block(entry);
    } else if (!check_address(entry)) {
      check_name(entry);
    }
  }

  void check_block(std::string_view entry) {
    const auto block = Cidr::parse(entry);
    if (!block) {
      add(Pitfall::kNotAnEntry, entry, "it is no address block, or has bits set past its prefix");
      return;
    }
    for (const std::string_view address : kUsedDirectly) {
      if (block->contains(*IpAddress::parse(address)) && !has(std::string(address))) {
        add(Pitfall::kCidrOnly, entry,
            "urllib, Java and Node read no blocks; write " + quoted(address) + " beside it");
        return;
      }
    }
    const auto is_literal = [&](const std::string& other) {
      const auto address = IpAddress::parse(other);
      return address && address->is_v4() == block->network().is_v4();
    };
    if (std::ranges::none_of(entries_, is_literal)) {
      add(Pitfall::kCidrOnly, entry,
          block->network().is_v4()
              ? "urllib, Java and Node read no blocks; write the addresses that are used directly "
                "beside it"
              : "of all clients only Go reads IPv6 blocks, and curl since 8.18; write the "
                "addresses that are used directly beside it");
    }
  }

  // Whether the entry is an address, with or without brackets.
  bool check_address(std::string_view entry) {
    const bool in_brackets = entry.starts_with('[') && entry.ends_with(']');
    const std::string_view bare = in_brackets ? entry.substr(1, entry.size() - 2) : entry;
    const auto address = IpAddress::parse(bare);
    if (!address) return false;
    const std::string other = in_brackets ? std::string(bare) : "[" + std::string(bare) + "]";
    if (address->is_v6() && !has(other)) {
      add(Pitfall::kBracketPair, entry,
          "urllib, Java and undici know an IPv6 address in brackets, Go, curl and Node bare; "
          "write " +
              quoted(other) + " too");
    }
    return true;
  }

  void check_name(std::string_view entry) {
    const std::string_view text = without_prefix(entry, ".");
    if (text.find("://") != std::string_view::npos || text.find('/') != std::string_view::npos) {
      add(Pitfall::kNotAnEntry, entry, "an entry is a host, without a scheme or a path");
      return;
    }
    if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos) {
      add(Pitfall::kPort, entry,
          "curl and Java never match an entry with a port, Python only where the URL has it; "
          "write " +
              quoted(entry.substr(0, entry.rfind(':'))));
      return;
    }
    if (text.ends_with('.')) {
      add(Pitfall::kNotAnEntry, entry, "only curl overlooks the dot at the end; leave it out");
      return;
    }
    if (!Hostname::parse(text)) {
      add(Pitfall::kNotAnEntry, entry, "it is no host name, address or address block");
      return;
    }
    const std::string name(text);
    if (check_aws(entry, name)) return;  // nothing is to be added to it
    if (entry.starts_with('.')) {
      if (!has(name) && !is_never_a_host(name)) {
        add(Pitfall::kMissingPair, entry,
            "Go and Java do not read it as " + name + " itself; write " + quoted(name) + " too");
      }
    } else if (!has("." + name) && !is_one_host(name)) {
      add(Pitfall::kMissingPair, entry,
          "Java and Node's agents read it as that name only, all others as those below it too; "
          "write " +
              quoted("." + name) + " too");
    }
  }

  // Whether the entry sends an AWS name around the proxy for nothing.
  bool check_aws(std::string_view entry, const std::string& name) {
    if (!is_public_aws_name(name)) return false;
    const bool has_endpoint = std::ranges::any_of(private_names_, [&](std::string_view known) {
      const std::string_view bare = without_prefix(known, ".");
      return bare == name || (known.starts_with('.') && is_below(name, bare));
    });
    if (has_endpoint) return false;
    const bool is_eks = name.starts_with("eks.");
    add(Pitfall::kBlackHole, entry,
        is_eks ? "it is the EKS control API, not the cluster's own endpoint; without its VPC "
                 "endpoint it leads nowhere from a private subnet: leave it to the proxy"
               : "without a VPC endpoint for all of it, it leads nowhere from a private subnet: "
                 "leave it to the proxy");
    return true;
  }

  std::vector<std::string_view> written_;
  std::vector<std::string> entries_;
  std::vector<std::string> private_names_;
  std::vector<Finding> findings_;
};

}  // namespace

std::string_view word(Pitfall pitfall) {
  return kWords[static_cast<std::size_t>(pitfall)];
}

std::vector<Finding> lint(std::string_view value, const VpcEndpoints& endpoints) {
  return Linter(value, endpoints).run();
}

std::optional<Finding> lint_case(const std::optional<std::string>& upper,
                                 const std::optional<std::string>& lower_case) {
  if (upper == lower_case) return std::nullopt;
  return Finding{Pitfall::kCaseDiffers, "",
                 "NO_PROXY and no_proxy differ: Go reads the first, then the second, all others "
                 "the other way round; set them alike"};
}

}  // namespace ebbgate::noproxy
