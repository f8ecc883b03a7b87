// What was learned as a document that people read and correct, and `ebbgate check` accepts.
#include <string>
#include <string_view>

#include "analyse/learn.h"
#include "analyse/time_text.h"
#include "base/escape.h"

namespace ebbgate::analyse {
namespace {

std::string counted(std::uint64_t count, std::string_view noun) {
  std::string digits = std::to_string(count);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits + ' ' + std::string(noun) + (count == 1 ? "" : "s");
}

// In YAML's double quotes; what it takes is printable ASCII.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : escaped_prose(text)) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + '"';
}

void append_left_out(std::string& out, const Learned::LeftOut& left_out, std::string_view why) {
  if (left_out.requests == 0) return;
  out += "# Not covered: " + counted(left_out.requests, "request") + " to " +
         counted(left_out.hosts, "host") + ' ' + std::string(why) + ".\n";
}

void append_head(std::string& out, const Learned& learned, const LearnOptions& options) {
  out += "# Learned by `ebbgate learn` from " + counted(learned.requests, "request") + " to " +
         counted(learned.hosts, "host") + ",\n# from " + rfc3339(learned.span.first) + " to " +
         rfc3339(learned.span.last) +
         ".\n# It allows what was seen, wanted or not: read it "
         "before you enforce it.\n";
  append_left_out(out, learned.denied, "that the policy refused (--include-denied takes them)");
  append_left_out(out, learned.unresolved, "whose names do not exist");
  append_left_out(out, learned.refused,
                  "that were refused for what they were, or for want of room");
  append_left_out(out, learned.rare,
                  "with fewer than " + counted(options.min_count, "request") + " (--min-count)");
  append_left_out(out, learned.another_name, "in whose tunnels TLS named another server");
  if (learned.no_room > 0) {
    out += "# Not covered: " + counted(learned.no_room, "event") +
           " beyond what fits into memory: narrow the log with --since or --from.\n";
  }
}

std::string evidence_text(const LearnedHost& host) {
  const Evidence& evidence = host.evidence;
  std::string out = counted(evidence.count, "request");
  if (host.names > 1) out += " to " + counted(host.names, "name");
  out += " from " + counted(evidence.clients.size(), "client") + ", first " +
         rfc3339(evidence.first) + ", last " + rfc3339(evidence.last);
  return out;
}

void append_terms(std::string& out, const policy::Entry& terms) {
  if (!terms.ports.empty()) {
    out += "      ports: [";
    for (const policy::PortRange& range : terms.ports) {
      if (out.back() != '[') out += ", ";
      // A range would be read as a text without quotes, too; the quotes say that it is one.
      out += range.first == range.last ? range.str() : quoted(range.str());
    }
    out += "]\n";
  }
  if (terms.sni == policy::SniRule::kRequire) out += "      sni: require\n";
  if (terms.sni == policy::SniRule::kOptional) out += "      sni: optional\n";
  if (terms.sni == policy::SniRule::kOff) out += "      sni: \"off\"\n";
  if (terms.tls == policy::TlsRule::kOff) out += "      tls: \"off\"\n";
  if (terms.ech == policy::EchRule::kDeny) out += "      ech: deny\n";
  if (!terms.addresses.empty()) {
    out += "      addresses: [";
    for (const Cidr& block : terms.addresses) {
      if (out.back() != '[') out += ", ";
      out += quoted(block.str());
    }
    out += "]\n";
  }
}

void append_special(std::string& out, const LearnedHost& host) {
  for (const auto& [address, meaning] : host.special) {
    out += "        # led to " + address + ", " + meaning +
           ": needs `addresses`, or --allow-private\n";
  }
}

void append_bundle(std::string& out, const LearnedEntry& entry) {
  const policy::BundleUse& bundle = *entry.terms.bundle;
  out += "    - bundle: " + bundle.name + '\n';
  for (const LearnedHost& host : entry.hosts) {
    out += "        # " + host.pattern + ": " + evidence_text(host) + '\n';
    append_special(out, host);
  }
  if (bundle.arguments.empty()) return;
  out += "      parameters: {";
  for (const auto& [name, value] : bundle.arguments) {
    if (out.back() != '{') out += ", ";
    out += name + ": " + quoted(value);
  }
  out += "}\n";
}

void append_entry(std::string& out, const LearnedEntry& entry) {
  if (entry.terms.bundle) return append_bundle(out, entry);
  if (!entry.source.empty()) out += "    # known: " + escaped_prose(entry.source) + '\n';
  if (!entry.note.empty()) out += "    # " + entry.note + '\n';
  out += "    - hosts:\n";
  for (const LearnedHost& host : entry.hosts) {
    out += "        # " + evidence_text(host) + '\n';
    append_special(out, host);
    out += "        - " + quoted(host.pattern) + '\n';
  }
  append_terms(out, entry.terms);
}

}  // namespace

std::string to_yaml(const Learned& learned, const LearnOptions& options) {
  std::string out;
  append_head(out, learned, options);
  out += "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\nmetadata:\n  name: " +
         quoted(options.name) + "\nspec:\n";
  if (!options.from.empty()) {
    out += "  subjects:\n";
    for (const Cidr& block : options.from) out += "    - cidr: " + quoted(block.str()) + '\n';
  }
  out += "  allow:\n";
  for (const LearnedEntry& entry : learned.entries) append_entry(out, entry);
  return out;
}

}  // namespace ebbgate::analyse
