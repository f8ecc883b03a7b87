#include "analyse/detail/access_policy.h"

#include <algorithm>
#include <utility>

#include "base/escape.h"

namespace ebbgate::analyse::detail {
namespace {

using policy::Pattern;
using policy::PatternKind;
using policy::PolicyProblem;
using policy::Severity;

// Rules whose differences become more boxes than this are no list that somebody could read.
constexpr std::size_t kMaxBoxes = 5000;

bool is_default(const PortSet& ports) {
  PortSet both;
  both.set(80).set(443);
  return ports == both;
}

// What is taken out of a box, and whom that would hit besides.
struct Exception {
  Pattern pattern;
  Box box;  // where the exception holds

  // Whether a deny entry for it, in the document of its clients, takes what `other` lets pass.
  [[nodiscard]] bool hits(const Box& other) const {
    Box there = box.intersected(other);
    if (there.from.empty() || there.ports.none() || there.methods == 0) return false;
    if (pattern.kind() == PatternKind::kAddresses) return !other.hosts.out.covers(pattern);
    HostSet only{.is_everything = false, .in = {}, .out = {}};
    only.in.add(pattern);
    return !other.hosts.intersected(only).empty();
  }
};

class Writer {
 public:
  Writer(const std::vector<Box>& boxes, const Source& source, std::vector<PolicyProblem>& notes)
      : boxes_(boxes), source_(source), notes_(notes) {}

  std::string write() {
    std::vector<const Box*> left;
    for (const Box& box : boxes_) left.push_back(&box);
    while (!left.empty()) {
      const AddressSet& from = left.front()->from;
      const bool is_reported = left.front()->is_reported;
      std::vector<const Box*> group;
      std::erase_if(left, [&](const Box* box) {
        if (box->from != from || box->is_reported != is_reported) return false;
        group.push_back(box);
        return true;
      });
      write_group(group);
    }
    return std::move(out_);
  }

 private:
  void note(Severity severity, std::string message, std::string fix = {}) {
    PolicyProblem made{.severity = severity,
                       .file = source_.file,
                       .message = std::move(message),
                       .fix = std::move(fix)};
    if (std::ranges::find(notes_, made) == notes_.end()) notes_.push_back(std::move(made));
  }

  void write_group(const std::vector<const Box*>& group) {
    std::vector<const Box*> named;
    for (const Box* box : group) {
      if (!box->hosts.is_everything) named.push_back(box);
    }
    if (named.empty()) return write_open(group);
    for (const Box* box : group) {
      if (box->hosts.is_everything) note_open(*box);
    }
    begin_document(group.front()->from, group.front()->is_reported ? "report" : "enforce");
    out_ += "  allow:\n";
    for (const Box* box : named) write_entry(*box);
    write_exceptions(named);
  }

  void note_open(const Box& box) {
    note(Severity::kWarning,
         box.origin + " lets pass every host" + (box.hosts.out.empty() ? "" : " but some") +
             ", which no entry can; it is left out, and its clients may do less",
         "list what they need: `ebbgate learn` finds it in the access log");
  }

  // Nobody else's document may be about the same clients: it would end their report mode.
  void write_open(const std::vector<const Box*>& group) {
    const AddressSet& from = group.front()->from;
    const bool is_alone = std::ranges::all_of(boxes_, [&](const Box& other) {
      return other.from == from || other.from.intersected(from).empty();
    });
    const bool has_exceptions =
        std::ranges::any_of(group, [](const Box* box) { return !box->hosts.out.empty(); });
    if (!is_alone || has_exceptions) {
      for (const Box* box : group) note_open(*box);
      return;
    }
    begin_document(from, "report");
    std::string_view before;
    for (const Box* box : group) {
      if (box->origin != before) out_ += "  # " + escaped_prose(box->origin) + "\n";
      before = box->origin;
    }
    note(Severity::kError,
         group.front()->origin +
             " lets pass every host, which no entry can: its clients get a "
             "document in report mode, which records and lets pass",
         "list what they need (`ebbgate learn`), and turn to `mode: enforce`");
  }

  void begin_document(const AddressSet& from, std::string_view mode) {
    ++documents_;
    if (documents_ > 1) out_ += "---\n";
    out_ +=
        "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\nmetadata:\n  name: " + source_.name +
        (documents_ > 1 ? "-" + std::to_string(documents_) : "") + "\nspec:\n";
    if (!from.is_everyone()) {
      out_ += "  subjects:\n";
      for (const Cidr& block : from.blocks()) out_ += "    - cidr: \"" + block.str() + "\"\n";
    }
    out_ += "  mode: " + std::string(mode) + "\n";
  }

  void write_hosts(const std::vector<Pattern>& patterns) {
    for (const Pattern& pattern : patterns) out_ += "        - " + in_quotes(pattern.str()) + "\n";
  }

  void write_ports(const PortSet& ports) {
    out_ += "      ports: [";
    std::string list;
    for (const policy::PortRange& range : ranges_of(ports)) {
      list += (list.empty() ? "" : ", ") + range.str();
    }
    out_ += list + "]\n";
  }

  void write_entry(const Box& box) {
    out_ += "    # " + escaped_prose(box.origin) + "\n    - hosts:\n";
    write_hosts(box.hosts.in.all());
    if (!is_default(box.ports)) write_ports(box.ports);
    if (box.methods == kEveryMethod) return;
    if ((box.methods & kConnect) != 0) {
      note(Severity::kError,
           box.origin + " is about some methods, CONNECT among them; its entry is for all",
           "nothing, where clients use these ports for tunnels only");
      return;
    }
    std::string list;
    for (std::size_t i = 1; i < source_.methods.size(); ++i) {
      if ((box.methods >> i & 1U) != 0) {
        list += (list.empty() ? "" : ", ") + source_.methods[i];
      }
    }
    if ((box.methods & kOtherMethods) != 0) {
      note(Severity::kWarning, "requests in the clear with other methods than " + list +
                                   " are refused where tunnels are");
    }
    out_ += "      methods: [" + list + "]\n";
  }

  void write_exceptions(const std::vector<const Box*>& named) {
    HostPatterns wide;
    std::vector<Exception> narrow;
    for (const Box* box : named) {
      for (const Pattern& pattern : box->hosts.out.all()) {
        Box everywhere = *box;
        everywhere.ports = every_port();
        everywhere.methods = kEveryMethod;
        Exception exception{.pattern = pattern, .box = everywhere};
        const auto hits = [&](const Box& other) { return exception.hits(other); };
        if (std::ranges::none_of(boxes_, hits)) {
          wide.add(pattern);
          continue;
        }
        exception.box = *box;
        const auto hit = std::ranges::find_if(boxes_, hits);
        if (hit != boxes_.end()) {
          note(Severity::kWarning,
               hit->origin + " lets pass " + pattern.str() + ", which " + box->origin +
                   " does not; any deny wins, so it is refused to both",
               "list what the first is for by its names");
        }
        narrow.push_back(std::move(exception));
      }
    }
    if (wide.empty() && narrow.empty()) return;
    if (named.front()->is_reported) {
      note(Severity::kError,
           "of " + named.front()->origin +
               ": what is denied to clients in report mode is recorded, and passes",
           "turn to `mode: enforce` once the log shows nothing that is needed");
    }
    out_ += "  deny:\n";
    if (!wide.empty()) {
      out_ += "    - hosts:\n";
      write_hosts(wide.all());
    }
    for (const Exception& each : narrow) {
      out_ += "    - hosts:\n";
      write_hosts({each.pattern});
      if (each.box.ports != every_port()) write_ports(each.box.ports);
    }
  }

  const std::vector<Box>& boxes_;
  const Source& source_;
  std::vector<PolicyProblem>& notes_;
  std::string out_;
  std::size_t documents_ = 0;
};

}  // namespace

std::optional<std::vector<Box>> allowed_boxes(const std::vector<AccessRule>& rules) {
  std::vector<Box> allowed;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (!rules[i].allows || rules[i].box.empty()) continue;
    std::vector<Box> left = {rules[i].box};
    // In the order of the rules, so that the exceptions read as the configuration does.
    for (std::size_t j = 0; j < i; ++j) {
      if (rules[j].allows) continue;
      std::vector<Box> next;
      for (const Box& box : left) {
        for (Box& rest : difference(box, rules[j].box)) next.push_back(std::move(rest));
        if (next.size() > kMaxBoxes) return std::nullopt;
      }
      left = std::move(next);
    }
    for (Box& box : left) allowed.push_back(std::move(box));
    if (allowed.size() > kMaxBoxes) return std::nullopt;
  }
  // A box that another one holds whole says nothing; of very many, nobody would see it.
  for (std::size_t i = 0; allowed.size() <= 200 && i < allowed.size();) {
    const bool is_held = std::ranges::any_of(allowed, [&](const Box& other) {
      return &other != &allowed[i] && difference(allowed[i], other).empty();
    });
    if (is_held) {
      allowed.erase(allowed.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
  return allowed;
}

std::string documents_of(const std::vector<Box>& boxes, const Source& source,
                         std::vector<PolicyProblem>& notes) {
  return Writer(boxes, source, notes).write();
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : escaped_prose(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace ebbgate::analyse::detail
