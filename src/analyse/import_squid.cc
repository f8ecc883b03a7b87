// Squid's configuration (squid.conf.documented, src/acl, src/ConfigParser.cc of 5 to 7): lines to
// access lists and rules, and those to sets.
#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "analyse/detail/access_policy.h"
#include "analyse/detail/regex_pattern.h"
#include "analyse/detail/squid_text.h"
#include "analyse/import.h"
#include "base/escape.h"

namespace ebbgate::analyse {
namespace {

using detail::AccessRule;
using detail::AddressSet;
using detail::blocks_of;
using detail::Box;
using detail::HostSet;
using detail::Token;
using detail::tokens_of;
using policy::Pattern;
using policy::PolicyProblem;
using policy::Severity;

constexpr std::size_t kMaxIncludes = 16;  // deep, as in Squid

// Directives that limit access, or change what a limit means, and have no counterpart.
constexpr std::array<std::string_view, 22> kAboutAccess = {"http_access2",
                                                           "adapted_http_access",
                                                           "http_reply_access",
                                                           "miss_access",
                                                           "auth_param",
                                                           "external_acl_type",
                                                           "cache_peer",
                                                           "cache_peer_access",
                                                           "never_direct",
                                                           "always_direct",
                                                           "url_rewrite_program",
                                                           "tcp_outgoing_address",
                                                           "delay_access",
                                                           "reply_body_max_size",
                                                           "request_body_max_size",
                                                           "icap_service",
                                                           "request_header_access",
                                                           "follow_x_forwarded_for",
                                                           "htcp_access",
                                                           "icp_access",
                                                           "on_unsupported_protocol",
                                                           "sslproxy_cert_error"};

struct Place {
  std::string file;
  std::uint32_t line = 0;
};

struct Acl {
  Box box;                  // the dimension that it is about; the others hold all
  bool has_values = false;  // of `box`; else it matches nothing
  bool is_less = false;     // Squid's matches more
  std::string why_not;      // not empty: it cannot be said
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

class SquidImporter {
 public:
  explicit SquidImporter(const ReadFiles& read) : read_(read) {
    define("all", "src", {"all"});
    define("localhost", "src", {"127.0.0.1/32", "::1"});
    define("to_localhost", "dst", {"127.0.0.0/8", "0.0.0.0/32", "::1/128", "::/128"});
    define("to_linklocal", "dst", {"169.254.0.0/16", "fe80::/10"});
    acls_["manager"] = {};
    acls_["manager"].has_values = true;
    acls_["manager"].box.methods = 0;  // the gateway has no cache to manage
  }

  Imported run(const ImportedFile& conf) {
    main_file_ = conf.name;
    read_file(conf, 0);
    if (!acls_.contains("CONNECT")) define("CONNECT", "method", {"CONNECT"});
    resolve_rules();
    return std::move(out_);
  }

 private:
  struct Line {
    Place place;
    std::string text;                // as written, blanks made one
    std::vector<std::string> words;  // after the directive
  };

  void note(const Place& place, Severity severity, std::string message, std::string fix = {}) {
    out_.notes.push_back({.severity = severity,
                          .file = place.file,
                          .position = {.line = place.line, .column = 0},
                          .message = std::move(message),
                          .fix = std::move(fix)});
  }

  // The built-in lists.
  void define(const char* name, const char* type, const std::vector<std::string>& values) {
    add_values(acls_[name], type, values, {}, "");
  }

  void read_file(const ImportedFile& file, std::size_t depth) {
    std::string_view rest = file.text;
    std::uint32_t number = 0;
    while (!rest.empty()) {
      std::string line;
      const std::uint32_t first = number + 1;
      while (true) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        line += rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        ++number;
        if (!line.ends_with('\\') || rest.empty()) break;
        line.back() = ' ';
      }
      read_line({file.name, first}, line, depth);
    }
  }

  void read_line(const Place& place, std::string_view text, std::size_t depth) {
    std::vector<Token> tokens = tokens_of(text);
    if (tokens.empty()) return;
    const std::string directive = std::exchange(tokens.front().text, "");
    tokens.erase(tokens.begin());
    if (directive == "include") {
      for (const Token& token : tokens) include(place, token.text, depth);
    } else if (directive == "acl") {
      read_acl(place, tokens);
    } else if (directive == "http_access" || directive == "ssl_bump") {
      Line line{.place = place, .text = directive, .words = {}};
      for (const Token& token : tokens) {
        line.text += " " + token.text;
        line.words.push_back(token.text);
      }
      if (line.words.empty()) return;
      (directive == "ssl_bump" ? bump_ : access_).push_back(std::move(line));
    } else if (directive == "if" || directive == "elif" || directive == "else") {
      note(place, Severity::kError, "`" + directive + "` is not followed: all branches are read",
           "remove the branches that do not apply");
    } else if (std::ranges::find(kAboutAccess, directive) != kAboutAccess.end()) {
      note(place, Severity::kWarning, "`" + directive + "` is not carried over");
    } else if (directive != "endif") {
      others_.insert(directive);
    }
  }

  void include(const Place& place, const std::string& path, std::size_t depth) {
    if (depth >= kMaxIncludes) {
      return note(place, Severity::kError, "files include each other too deeply");
    }
    const auto files = read_(path);
    if (!files) return note(place, Severity::kError, "cannot read " + path + ": " + files.error());
    for (const ImportedFile& file : *files) read_file(file, depth + 1);
  }

  void read_acl(const Place& place, const std::vector<Token>& tokens) {
    if (tokens.size() < 2) return note(place, Severity::kError, "this `acl` has no type");
    const std::string& name = tokens[0].text;
    const std::string& type = tokens[1].text;
    std::vector<std::string> values;
    std::string flags;
    for (std::size_t i = 2; i < tokens.size(); ++i) {
      const std::string& text = tokens[i].text;
      std::string path = tokens[i].is_quoted ? text : "";
      if (text.starts_with("parameters(\"") && text.ends_with("\")")) {
        path = text.substr(12, text.size() - 14);
      }
      if (path.empty() && values.empty() && text.size() == 2 && text[0] == '-') {
        flags += text[1];
      } else if (path.empty()) {
        values.push_back(text);
      } else if (!append_list(place, path, values)) {
        acls_[name].why_not = "its list could not be read";
      }
    }
    add_values(acls_[name], type, values, place, flags);
  }

  bool append_list(const Place& place, const std::string& path, std::vector<std::string>& values) {
    const auto files = read_(path);
    if (!files) {
      note(place, Severity::kError, "cannot read " + path + ": " + files.error());
      return false;
    }
    for (const ImportedFile& file : *files) {
      std::string_view rest = file.text;
      while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        for (Token& token : tokens_of(rest.substr(0, end))) values.push_back(std::move(token.text));
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
    }
    return true;
  }

  void add_values(Acl& acl, const std::string& type, const std::vector<std::string>& values,
                  const Place& place, const std::string& flags) {
    const bool is_first = !std::exchange(acl.has_values, true);
    Box& box = acl.box;
    if (type == "src") {
      if (is_first) box.from = {};
      for (const std::string& value : values) add_source(acl, value, place);
    } else if (type == "dst") {
      if (is_first) box.hosts = {};
      for (const std::string& value : values) add_destination(acl, value, place);
    } else if (type == "dstdomain" || type == "ssl::server_name") {
      if (is_first) box.hosts = {};
      for (const std::string& value : values) add_domain(acl, value, place);
    } else if (type == "dstdom_regex" || type == "ssl::server_name_regex") {
      if (is_first) box.hosts = {};
      for (const std::string& value : values) {
        add_regex(acl, flags.contains('i') ? lower(value) : value, place);
      }
    } else if (type == "port") {
      if (is_first) box.ports.reset();
      for (const std::string& value : values) add_port(acl, value, place);
    } else if (type == "method") {
      if (is_first) box.methods = 0;
      for (const std::string& value : values) add_method(acl, value, place);
    } else if (type == "at_step") {
      acl.why_not = "at_step";
    } else {
      acl.why_not = "it is of type " + type;
    }
  }

  void add_source(Acl& acl, const std::string& value, const Place& place) {
    if (value == "all") {
      acl.box.from = AddressSet::everyone();
    } else if (value == "ipv4" || value == "ipv6") {
      acl.box.from.add(value == "ipv4" ? Cidr::of(IpAddress::v4(0), 0)
                                       : Cidr::of(IpAddress::v6({}), 0));
    } else if (const auto blocks = blocks_of(value)) {
      for (const Cidr& block : *blocks) acl.box.from.add(block);
    } else {
      acl.is_less = true;
      note(place, Severity::kWarning, "\"" + value + "\" is no address or block of addresses",
           "write the addresses of that client");
    }
  }

  void add_destination(Acl& acl, const std::string& value, const Place& place) {
    if (value == "all") {
      acl.box.hosts = HostSet::everything();
    } else if (const auto blocks = blocks_of(value)) {
      for (const Cidr& block : *blocks) {
        acl.box.hosts.in.add(*Pattern::parse(block.str()));
      }
      acl.is_less = true;  // names that resolve there, too; see note_destinations()
    } else {
      acl.is_less = true;
      note(place, Severity::kWarning, "\"" + value + "\" is no address or block of addresses",
           "name the host in a `dstdomain`");
    }
  }

  void add_domain(Acl& acl, const std::string& value, const Place& place) {
    const auto pattern = Pattern::parse(lower(value));
    // What Squid takes for a name as it stands, and so never finds.
    if (value.ends_with('.') || value.starts_with("*") || value.contains(':')) {
      return note(place, Severity::kWarning, "\"" + value + "\" never matched in Squid",
                  pattern ? "if it was meant, add " + pattern->str() + " to the document"
                          : "write the name without it");
    }
    if (pattern) return acl.box.hosts.in.add(*pattern);
    acl.is_less = true;
    note(place, Severity::kWarning, pattern.error().message, pattern.error().fix);
  }

  void add_regex(Acl& acl, const std::string& value, const Place& place) {
    const auto meaning = detail::patterns_of_regex(value);
    if (!meaning) {
      acl.is_less = true;
      return note(place, Severity::kWarning,
                  "the expression \"" + value + "\" says more than patterns can",
                  "list the names that it is for");
    }
    std::string texts;
    for (const Pattern& pattern : meaning->patterns) {
      acl.box.hosts.in.add(pattern);
      texts += (texts.empty() ? "" : ", ") + pattern.str();
    }
    if (!meaning->is_less) return;
    acl.is_less = true;
    note(place, Severity::kWarning,
         "the expression \"" + value + "\" also matches names that only look alike",
         "carried over as " + texts);
  }

  void add_port(Acl& acl, const std::string& value, const Place& place) {
    const auto range = policy::PortRange::parse(value);
    if (range) {
      for (std::size_t port = range->first; port <= range->last; ++port) acl.box.ports.set(port);
    } else if (value != "0") {
      acl.is_less = true;
      note(place, Severity::kWarning, "\"" + value + "\" is no port or range of ports");
    }
  }

  void add_method(Acl& acl, const std::string& method, const Place& place) {
    const auto known = std::ranges::find(methods_, method);
    const auto index = static_cast<unsigned>(known - methods_.begin());
    const bool is_method = std::ranges::all_of(
        method, [](char c) { return ('A' <= c && c <= 'Z') || c == '-' || c == '_'; });
    if (!is_method || index >= 31) {
      acl.is_less = true;
      return note(place, Severity::kWarning,
                  "\"" + method + "\" is not taken for a method: it is none, or one too many");
    }
    if (known == methods_.end()) methods_.push_back(method);
    acl.box.methods |= detail::MethodSet{1} << index;
  }

  // The set of one acl in a rule, or why there is none. `allows`: what the rule does.
  std::optional<std::string> apply(const std::string& word, bool allows, const Line& line,
                                   Box& box) {
    const bool is_negated = word.starts_with('!');
    const std::string name = is_negated ? word.substr(1) : word;
    const auto found = acls_.find(name);
    if (found == acls_.end()) return "there is no acl " + name;
    const Acl& acl = found->second;
    if (!acl.why_not.empty()) return name + " cannot be carried over: " + acl.why_not;
    const bool is_addresses = std::ranges::any_of(acl.box.hosts.in.all(), [](const Pattern& each) {
      return each.kind() == policy::PatternKind::kAddresses;
    });
    if (!is_negated) {
      if (acl.is_less && !allows && !is_addresses) {
        note(line.place, Severity::kError,
             "not all that " + name + " matches is refused: " + line.text);
      }
      if (is_addresses && allows) {
        note(line.place, Severity::kWarning,
             name + " allows addresses that are asked for as such, not names that lead there");
      }
      box = box.intersected(acl.box);
      return std::nullopt;
    }
    if (acl.is_less && allows) return "what !" + name + " leaves cannot be carried over";
    const Box all;
    const std::vector<Box> rest = detail::difference(all, acl.box);
    Box complement = rest.empty() ? all : rest.front();  // an acl limits one dimension
    if (rest.empty()) complement.methods = 0;
    box = box.intersected(complement);
    return std::nullopt;
  }

  // The rules of a directive; `verbs` says what each word does, the others are steps of a
  // handshake that decide nothing.
  std::vector<AccessRule> rules_of(const std::vector<Line>& lines,
                                   const std::map<std::string, bool, std::less<>>& verbs) {
    std::vector<AccessRule> rules;
    for (const Line& line : lines) {
      const auto verb = verbs.find(line.words.front());
      if (verb == verbs.end()) continue;
      AccessRule rule{.allows = verb->second, .box = {}};
      rule.box.origin = line.place.file + ":" + std::to_string(line.place.line) + ": " + line.text;
      std::optional<std::string> why_not;
      for (std::size_t i = 1; i < line.words.size() && !why_not; ++i) {
        if (is_step(line.words[i])) continue;
        why_not = apply(line.words[i], rule.allows, line, rule.box);
      }
      if (!why_not) {
        rules.push_back(std::move(rule));
      } else if (rule.allows) {
        note(line.place, Severity::kWarning,
             "the rule is left out, and less is allowed: " + *why_not);
      } else {
        note(line.place, Severity::kError, "the rule is left out, and more is allowed: " + *why_not,
             "add deny entries for what it refused");
      }
    }
    return rules;
  }

  bool is_step(const std::string& word) const {
    const auto found = acls_.find(word.starts_with('!') ? word.substr(1) : word);
    return found != acls_.end() && found->second.why_not == "at_step";
  }

  // Squid's default is the opposite of its last rule.
  static void add_default(std::vector<AccessRule>& rules, const std::string& origin) {
    if (rules.empty() || rules.back().allows) return;
    AccessRule last{.allows = true, .box = {}};
    last.box.origin = origin;
    rules.push_back(std::move(last));
  }

  void resolve_rules() {
    std::vector<AccessRule> rules = rules_of(access_, {{"allow", true}, {"deny", false}});
    add_default(rules, main_file_ + ": what no http_access refuses");
    auto boxes = detail::allowed_boxes(rules);
    if (boxes) boxes = narrowed_by_handshake(*std::move(boxes));
    if (!boxes) {
      return note({main_file_, 0}, Severity::kError,
                  "the rules exclude each other in too many ways to be written down");
    }
    if (boxes->empty()) {
      note({main_file_, 0}, Severity::kWarning, "the configuration lets nothing pass",
           "a gateway without a policy does the same");
    } else {
      std::vector<std::string> methods = methods_;
      out_.text = detail::documents_of(
          *boxes, {.file = main_file_, .name = "squid", .methods = std::move(methods)}, out_.notes);
    }
    if (!others_.empty()) {
      std::string names;
      for (const std::string& each : others_) names += (names.empty() ? "" : ", ") + each;
      note({main_file_, 0}, Severity::kWarning, "not about policy, and left out: " + names);
    }
    if (bump_.empty() && !out_.text.empty()) {
      note({main_file_, 0}, Severity::kWarning,
           "Squid did not look into tunnels; ours have to carry TLS for the name asked for",
           "say `tls: off` in the entries of other protocols");
    }
  }

  // What ssl_bump lets pass limits tunnels, by the server name of their handshake. That is the
  // name asked for, where ours is not to be refused.
  std::optional<std::vector<Box>> narrowed_by_handshake(std::vector<Box> boxes) {
    std::vector<AccessRule> rules =
        rules_of(bump_, {{"splice", true}, {"bump", true}, {"none", true}, {"terminate", false}});
    if (rules.empty()) return boxes;
    // Without a rule that matches, a tunnel is spliced after a look into it.
    add_default(rules, main_file_ + ": what no ssl_bump terminates");
    const auto tunnels = detail::allowed_boxes(rules);
    if (!tunnels) return std::nullopt;
    std::vector<Box> out;
    for (const Box& box : boxes) {
      Box clear = box;
      clear.methods &= ~detail::kConnect;
      if (!clear.empty()) out.push_back(clear);
      Box tunnel = box;
      tunnel.methods &= detail::kConnect;
      for (const Box& other : *tunnels) {
        Box both = tunnel.intersected(other);
        both.origin = box.origin + ", " + other.origin;
        if (!both.empty()) out.push_back(std::move(both));
      }
    }
    return out;
  }

  const ReadFiles& read_;
  Imported out_;
  std::string main_file_;
  std::map<std::string, Acl, std::less<>> acls_;
  std::vector<Line> access_;
  std::vector<Line> bump_;
  std::set<std::string> others_;
  std::vector<std::string> methods_ = {"CONNECT", "GET",     "HEAD",  "POST", "PUT",
                                       "DELETE",  "OPTIONS", "PATCH", "TRACE"};
};

}  // namespace

Imported import_squid(const ImportedFile& conf, const ReadFiles& read) {
  return SquidImporter(read).run(conf);
}

}  // namespace ebbgate::analyse
