// tinyproxy's configuration (tinyproxy.conf(5), 1.11): Allow and Deny by the first that matches,
// ConnectPort for tunnels, and a filter of expressions that either refuses or allows.
#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include "analyse/detail/access_policy.h"
#include "analyse/detail/regex_pattern.h"
#include "analyse/import.h"

namespace ebbgate::analyse {
namespace {

using detail::AccessRule;
using detail::Box;
using policy::Pattern;
using policy::Severity;

constexpr std::array<std::string_view, 6> kAboutAccess = {
    "upstream", "basicauth", "reversepath", "reverseonly", "disableviaheader", "addheader"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// A basic regular expression as the extended one that means the same, as far as groups go.
std::string extended(std::string_view basic) {
  std::string out;
  for (std::size_t i = 0; i < basic.size(); ++i) {
    const bool is_escape = basic[i] == '\\' && i + 1 < basic.size();
    const char c = is_escape ? basic[i + 1] : basic[i];
    const bool is_group = c == '(' || c == ')' || c == '|' || c == '+' || c == '?' || c == '{';
    if (is_group != is_escape) out += is_group ? "\\" : "";
    if (is_escape && !is_group) out += '\\';
    out += c;
    i += is_escape ? 1 : 0;
  }
  return out;
}

enum class FilterType : std::uint8_t { kBasic, kExtended, kGlob };

class TinyproxyImporter {
 public:
  explicit TinyproxyImporter(const ReadFiles& read) : read_(read) {}

  Imported run(const ImportedFile& conf) {
    file_ = conf.name;
    std::string_view rest = conf.text;
    for (std::uint32_t line = 1; !rest.empty(); ++line) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      read_line(line, trimmed(rest.substr(0, end)));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    finish();
    return std::move(out_);
  }

 private:
  void note(std::uint32_t line, Severity severity, std::string message, std::string fix = {},
            const std::string& file = {}) {
    out_.notes.push_back({.severity = severity,
                          .file = file.empty() ? file_ : file,
                          .position = {.line = line, .column = 0},
                          .message = std::move(message),
                          .fix = std::move(fix)});
  }

  void read_line(std::uint32_t line, std::string_view text) {
    if (text.empty() || text.front() == '#') return;
    const std::size_t blank = std::min(text.find_first_of(" \t"), text.size());
    const std::string key = lower(text.substr(0, blank));
    std::string_view value = trimmed(text.substr(blank));
    if (value.size() >= 2 && value.front() == '"') {
      value = value.substr(1, value.find('"', 1) - 1);
    }
    const bool is_on = lower(value) == "on" || lower(value) == "yes" || value == "1";
    if (key == "allow" || key == "deny") {
      add_client(line, key == "allow", value);
    } else if (key == "connectport") {
      if (!connect_ports_) connect_ports_.emplace();
      if (const auto port = Port::parse(value)) connect_ports_->set(port->value());
    } else if (key == "filter") {
      filter_ = value;
      filter_line_ = line;
    } else if (key == "filterdefaultdeny") {
      is_allowlist_ = is_on;
    } else if (key == "filterextended") {
      type_ = is_on ? FilterType::kExtended : FilterType::kBasic;
    } else if (key == "filtertype") {
      const std::string type = lower(value);
      type_ = type == "ere"       ? FilterType::kExtended
              : type == "fnmatch" ? FilterType::kGlob
                                  : FilterType::kBasic;
    } else if (key == "filterurls") {
      if (is_on) {
        note(line, Severity::kWarning, "`FilterURLs` looks at paths; only hosts are carried over",
             "say `paths` in entries for requests in the clear");
      }
    } else if (key == "filtercasesensitive") {
      is_case_sensitive_ = is_on;
    } else if (std::ranges::find(kAboutAccess, key) != kAboutAccess.end()) {
      note(line, Severity::kWarning,
           "`" + std::string(text.substr(0, blank)) + "` is not carried over");
    }
  }

  void add_client(std::uint32_t line, bool allows, std::string_view value) {
    AccessRule rule{.allows = allows, .box = {}};
    rule.box.from = {};
    rule.box.origin = file_ + ":" + std::to_string(line) + ": " + (allows ? "Allow " : "Deny ") +
                      std::string(value);
    std::optional<Cidr> block = Cidr::parse(value);
    if (const std::size_t slash = value.find('/'); !block && slash != std::string_view::npos) {
      const auto address = IpAddress::parse(value.substr(0, slash));
      const auto prefix = Port::parse(value.substr(slash + 1));  // a small number
      const unsigned most = address && address->is_v4() ? 32 : 128;
      if (address && prefix && prefix->value() <= most) {
        block = Cidr::of(*address, prefix->value());
      }
    }
    if (block) {
      rule.box.from.add(*block);
      clients_.push_back(std::move(rule));
    } else {
      note(line, allows ? Severity::kWarning : Severity::kError,
           "\"" + std::string(value) + "\" is no address or block of addresses",
           "write the addresses of that client");
    }
    has_clients_ = true;
  }

  // The patterns of the filter.
  detail::HostPatterns read_filter() {
    detail::HostPatterns patterns;
    const auto files = read_(filter_);
    if (!files) {
      note(filter_line_, Severity::kError, "cannot read " + filter_ + ": " + files.error());
      return patterns;
    }
    for (const ImportedFile& file : *files) {
      std::string_view rest = file.text;
      for (std::uint32_t line = 1; !rest.empty(); ++line) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        std::string_view text = rest.substr(0, end);
        text = trimmed(text.substr(0, text.find('#')));
        if (!text.empty()) add_expression(file.name, line, text, patterns);
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
    }
    return patterns;
  }

  void add_expression(const std::string& file, std::uint32_t line, std::string_view text,
                      detail::HostPatterns& patterns) {
    const std::string folded = is_case_sensitive_ ? std::string(text) : lower(text);
    const Severity severity = is_allowlist_ ? Severity::kWarning : Severity::kError;
    if (type_ == FilterType::kGlob) {
      const auto pattern = Pattern::parse(folded);
      if (pattern && !folded.starts_with('.')) return patterns.add(*pattern);
    } else if (const auto meaning = detail::patterns_of_regex(
                   type_ == FilterType::kBasic ? extended(folded) : folded)) {
      std::string texts;
      for (const Pattern& pattern : meaning->patterns) {
        patterns.add(pattern);
        texts += (texts.empty() ? "" : ", ") + pattern.str();
      }
      if (meaning->is_less) {
        note(line, severity,
             "the expression \"" + std::string(text) + "\" also matches names that only look alike",
             "carried over as " + texts, file);
      }
      return;
    }
    note(line, severity, "the expression \"" + std::string(text) + "\" says more than patterns can",
         "list the names that it is for", file);
  }

  void finish() {
    std::vector<Box> boxes;
    if (!has_clients_) {
      clients_.push_back({.allows = true, .box = {}});
      clients_.back().box.origin = file_;
    }
    auto clients = detail::allowed_boxes(clients_);
    if (!clients) {
      return note(0, Severity::kError, "Allow and Deny exclude each other in too many ways");
    }
    detail::HostSet hosts = detail::HostSet::everything();
    if (!filter_.empty()) {
      hosts.is_everything = !is_allowlist_;
      (is_allowlist_ ? hosts.in : hosts.out) = read_filter();
    }
    for (const Box& client : *clients) {
      Box box = client;
      box.hosts = hosts;
      if (!filter_.empty()) box.origin += ", Filter " + filter_;
      Box clear = box;
      if (connect_ports_) {
        box.ports &= *connect_ports_;
        clear.ports &= ~*connect_ports_;
        clear.methods &= ~detail::kConnect;
        if (!clear.empty()) boxes.push_back(clear);
      }
      if (!box.empty()) boxes.push_back(std::move(box));
    }
    if (boxes.empty()) return note(0, Severity::kWarning, "the configuration lets nothing pass");
    out_.text = detail::documents_of(boxes,
                                     {.file = file_,
                                      .name = "tinyproxy",
                                      .methods = {"CONNECT", "GET", "HEAD", "POST", "PUT", "DELETE",
                                                  "OPTIONS", "PATCH", "TRACE"}},
                                     out_.notes);
  }

  const ReadFiles& read_;
  std::string file_;
  std::vector<AccessRule> clients_;
  bool has_clients_ = false;
  std::optional<detail::PortSet> connect_ports_;
  std::string filter_;
  std::uint32_t filter_line_ = 0;
  bool is_allowlist_ = false;
  bool is_case_sensitive_ = false;
  FilterType type_ = FilterType::kBasic;
  Imported out_;
};

}  // namespace

Imported import_tinyproxy(const ImportedFile& conf, const ReadFiles& read) {
  return TinyproxyImporter(read).run(conf);
}

}  // namespace ebbgate::analyse
