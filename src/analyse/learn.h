// The smallest policy that covers what a log has seen (`ebbgate learn`): traffic in, a document
// out, each pattern with the evidence for it. Exact names first; a suffix only where enough names
// speak for it, and never one under which strangers can have names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "analyse/traffic.h"
#include "policy/document.h"
#include "policy/policy.h"

namespace ebbgate::analyse {

// A document that is there already, such as one for a service: its patterns are preferred.
struct KnownDocument {
  std::string name;
  const policy::Policy* policy = nullptr;  // has to stay
};

struct LearnOptions {
  std::string name = "learned";       // metadata.name
  std::vector<Cidr> from = {};        // whom the document is for; empty: everyone
  std::int64_t since = 0;             // events before are left out; milliseconds since 1970
  bool only_reported = false;         // only what passed because of report mode
  bool include_denied = false;        // also what the policy refused
  std::uint64_t min_count = 1;        // requests that a host needs
  std::size_t names_for_suffix = 10;  // distinct names that speak for a suffix; 0: never one
  std::span<const policy::Bundle> bundles = {};  // preferred; they have to stay
  std::vector<KnownDocument> known = {};
};

struct Evidence {
  std::uint64_t count = 0;
  std::set<std::uint32_t> clients;  // their numbers
  std::int64_t first = 0;           // milliseconds since 1970
  std::int64_t last = 0;

  void add(const Evidence& other);
};

struct LearnedHost {
  std::string pattern;  // canonical
  Evidence evidence;
  std::size_t names = 1;  // that it stands for
  // Special addresses, such as private ones, that its names led to: with their meaning.
  std::map<std::string, std::string> special;
};

struct LearnedEntry {
  policy::Entry terms;             // its bundle, ports, sni, tls and the like; without hosts
  std::string source;              // the known document; empty: none
  std::string note;                // for a comment; may be empty
  std::vector<LearnedHost> hosts;  // of a bundle: what was seen of it
};

struct Learned {
  std::vector<LearnedEntry> entries;  // in an order that the traffic alone decides
  std::size_t hosts = 0;              // distinct ones that are covered
  std::uint64_t requests = 0;         // to them

  // What was seen and is not covered: requests, and distinct hosts.
  struct LeftOut {
    std::uint64_t requests = 0;
    std::size_t hosts = 0;
  };
  LeftOut denied;             // refused by the policy
  LeftOut unresolved;         // names that do not exist
  LeftOut refused;            // for what the request was, or for want of room
  LeftOut rare;               // fewer requests than `min_count`
  LeftOut another_name;       // the TLS server name was not the host: no entry should allow that
  std::uint64_t no_room = 0;  // events of flows beyond the limit
  TimeSpan span;
};

class Learner {
 public:
  explicit Learner(LearnOptions options, TrafficLimits limits = {}, std::uint64_t hash_seed = 0);

  void add(const LogEvent& event);
  [[nodiscard]] Learned learn() const;
  [[nodiscard]] const LearnOptions& options() const { return options_; }

 private:
  void note_special(const LogEvent& event);

  LearnOptions options_;
  Traffic traffic_;
  std::map<std::string, std::map<std::string, std::string>, std::less<>> special_;  // by host
};

// The document as YAML with comments. It parses to what was learned; the same input gives the same
// text. `learned` has to have an entry.
[[nodiscard]] std::string to_yaml(const Learned& learned, const LearnOptions& options);

}  // namespace ebbgate::analyse
