#include "policy/inquiry.h"

#include <algorithm>
#include <array>

#include "base/escape.h"

namespace ebbgate::policy {
namespace {

std::string quoted(std::string_view text) {
  return "`" + std::string(text) + "`";
}

std::string port_text(Port port) {
  return std::to_string(port.value());
}

Step target_step(const AskedFor& asked) {
  Step step{.name = "target", .text = asked.authority.host.str(), .matched = {}};
  step.text += ", port " + port_text(asked.authority.port) + ", ";
  switch (asked.visibility) {
    case Visibility::kOpaque:
      step.text += "a tunnel that cannot be looked into";
      break;
    case Visibility::kPending:
      step.text += "a tunnel whose first bytes will tell what it is";
      break;
    case Visibility::kClear:
      step.text += "in the clear: " + escaped(asked.method) + " " + escaped(asked.path);
      break;
  }
  return step;
}

Step not_reached(std::string name, std::string text = "not reached") {
  return {.name = std::move(name),
          .outcome = Outcome::kNotReached,
          .text = std::move(text),
          .matched = {}};
}

// The judging of what follows a match by name, and the steps that tell of it.
class Follow {
 public:
  Follow(const Policy& policy, const AddressGuard& guard, const Inquiry& inquiry,
         const AskedFor& asked, const Decision& decision, WallTime now, Finding& finding)
      : policy_(policy),
        guard_(guard),
        inquiry_(inquiry),
        asked_(asked),
        decision_(decision),
        now_(now),
        finding_(finding),
        admissions_(decision.admissions) {}

  void addresses() {
    if (const IpAddress* literal = asked_.authority.host.address()) return judge({literal, 1});
    if (!inquiry_.lookup) {
      return add(not_reached("addresses", "the name was not resolved"));
    }
    if (inquiry_.lookup->addresses.empty()) {
      Step step = not_reached("addresses", "it did not resolve: " + inquiry_.lookup->failure);
      step.outcome = Outcome::kRefused;
      add(std::move(step));
      return refuse(Reason::kDnsFailed, "ask why the name does not resolve");
    }
    judge(inquiry_.lookup->addresses);
  }

  void handshake() {
    if (finding_.verdict == Verdict::kDeny) return add(not_reached("handshake"));
    if (asked_.visibility == Visibility::kClear) {
      return add(not_reached("handshake", "none: the request is in the clear"));
    }
    Step step{.name = "handshake", .text = {}, .matched = {}};
    if (!inquiry_.handshake) {
      step.outcome = Outcome::kNotReached;
      step.text = expectation();
      return add(std::move(step));
    }
    const Handshake& handshake = *inquiry_.handshake;
    const Reason reason = judge_handshake(policy_, admissions_, asked_.authority.host, handshake);
    const std::string name =
        handshake.server_name ? quoted(handshake.server_name->view()) : "no server name";
    if (reason == Reason::kAllowed) {
      step.text = "the ClientHello may carry " + name;
      return add(std::move(step));
    }
    step.text = std::string(info(reason).summary) + " (" + name + ")";
    step.outcome = Outcome::kRefused;
    add(std::move(step));
    refuse(reason, handshake_fix(reason));
  }

 private:
  void add(Step step) { finding_.steps.push_back(std::move(step)); }

  void refuse(Reason reason, std::string fix) {
    if (finding_.reason == Reason::kAllowed || finding_.verdict == Verdict::kReport) {
      finding_.reason = reason;
      finding_.fix = std::move(fix);
      finding_.line.clear();
    }
    finding_.verdict = verdict_of(decision_, reason);
  }

  void judge(std::span<const IpAddress> addresses) {
    Step step{.name = "addresses", .outcome = Outcome::kRefused, .text = {}, .matched = {}};
    std::vector<std::string> may_be_opted_in;
    for (const IpAddress& address : addresses) {
      const AddressJudgement judged =
          judge_address(policy_, guard_, inquiry_.subject, asked_.authority.host, decision_,
                        address, asked_.authority.port, now_);
      if (!step.text.empty()) step.text += "; ";
      step.text += address.str();
      if (judged.reason == Reason::kAllowed) {
        step.text += " may be dialed";
        if (step.outcome == Outcome::kRefused) admissions_ = judged.admissions;
        step.outcome = Outcome::kPassed;
      } else if (judged.denied_by) {
        step.matched = policy_.cite(*judged.denied_by);
        step.text +=
            " is denied by " + quoted(step.matched->pattern) + " (" + step.matched->where() + ")";
      } else {
        step.text += " may not: " + std::string(judged.what);
        const auto obstacle = guard_.judge(address, asked_.authority.port);
        if (obstacle && !obstacle->absolute) may_be_opted_in.push_back(Cidr::of(address).str());
        if (obstacle && obstacle->absolute) step.text += ", which nothing opts in";
      }
    }
    const bool is_refused = step.outcome == Outcome::kRefused;
    add(std::move(step));
    if (is_refused) refuse(Reason::kForbiddenAddress, addresses_fix(may_be_opted_in));
  }

  [[nodiscard]] std::string addresses_fix(std::span<const std::string> blocks) const {
    if (blocks.empty()) return "ask for a public address: no entry can allow these";
    std::string list;
    for (const std::string& block : blocks) list += (list.empty() ? "" : ", ") + block;
    std::string fix = "add `addresses: [" + list + "]` to the allow entry";
    if (finding_.matched)
      fix += " of " + quoted(finding_.matched->pattern) + " (" + finding_.matched->where() + ")";
    return fix;
  }

  // What the ClientHello has to be, as far as the entries say.
  [[nodiscard]] std::string expectation() const {
    if (!expects_client_hello(policy_, admissions_)) return "anything: an entry says `tls: off`";
    const bool is_strict = std::ranges::all_of(admissions_.all(), [&](const Admission& each) {
      return policy_.terms(each.terms).sni == SniRule::kRequire;
    });
    if (asked_.authority.host.address() != nullptr) {
      return "TLS is expected; its server name, if any, has to lead to the address";
    }
    if (!is_strict) return "TLS is expected; an entry lets other server names, or none, pass";
    return "TLS is expected, with the server name " + asked_.authority.host.str();
  }

  [[nodiscard]] std::string handshake_fix(Reason reason) const {
    const std::string entry = finding_.matched
                                  ? " in the entry of " + quoted(finding_.matched->pattern) + " (" +
                                        finding_.matched->where() + ")"
                                  : "";
    switch (reason) {
      case Reason::kNotTls:
        return "say `tls: off`" + entry + ", where the protocol is no TLS";
      case Reason::kSniMissing:
        return "have the client send the name, or say `sni: optional`" + entry;
      case Reason::kEchDenied:
        return "have the client send no ECH, or say `ech: allow`" + entry;
      default:
        return "have the client ask for the name that it sends, or say `sni: off`" + entry;
    }
  }

  const Policy& policy_;
  const AddressGuard& guard_;
  const Inquiry& inquiry_;
  const AskedFor& asked_;
  const Decision& decision_;
  WallTime now_;
  Finding& finding_;
  AdmissionSet admissions_;
};

// Adds the step that refuses, and the others that are not reached for that.
void end_with(Finding& finding, Step refusal) {
  finding.steps.push_back(std::move(refusal));
  constexpr std::array kSteps = {"target", "subject", "deny", "allow", "addresses", "handshake"};
  while (finding.steps.size() < kSteps.size()) {
    finding.steps.push_back(not_reached(kSteps[finding.steps.size()]));
  }
}

Result<AskedFor> refused(std::string detail) {
  return fail(Reason::kMalformedRequest, Side::kClient, std::move(detail));
}

std::string padded(std::string_view text, std::size_t width) {
  std::string out(text);
  out.resize(std::max(width, out.size()), ' ');
  return out;
}

}  // namespace

Result<AskedFor> parse_target(std::string_view target, std::string_view method) {
  std::string_view rest = target;
  Port fallback = kHttpsPort;
  std::string path = "/";
  bool is_clear = !method.empty() && method != "CONNECT";
  if (const std::size_t end = target.find("://"); end != std::string_view::npos) {
    const std::string_view scheme = target.substr(0, end);
    const bool is_http = scheme == "http" || scheme == "HTTP";
    if (!is_http && scheme != "https" && scheme != "HTTPS") {
      return refused("the scheme is neither http nor https");
    }
    rest = target.substr(end + 3);
    if (const std::size_t slash = rest.find_first_of("/?#"); slash != std::string_view::npos) {
      if (rest[slash] == '/') path = rest.substr(slash, rest.find_first_of("?#", slash) - slash);
      rest = rest.substr(0, slash);
    }
    if (is_http) fallback = kHttpPort;
    is_clear = is_http && method != "CONNECT";
  }
  AskedFor asked{.authority = {Host(IpAddress()), fallback}, .method = {}, .path = {}};
  if (const auto literal = IpAddress::parse(rest)) {
    asked.authority.host = Host(*literal);  // IPv6 without its brackets, too
  } else {
    auto authority = Authority::parse(rest, fallback);
    if (!authority) return std::unexpected(std::move(authority.error()));
    asked.authority = std::move(*authority);
  }
  if (is_clear) {
    asked.visibility = Visibility::kClear;
    asked.method = method.empty() ? "GET" : method;
    asked.path = std::move(path);
  } else if (asked.authority.port == kHttpPort) {
    asked.visibility = Visibility::kPending;
  }
  return asked;
}

Finding answer(const Policy& policy, const AddressGuard& guard, const Inquiry& inquiry,
               WallTime now, std::span<const Bundle> bundles) {
  Finding finding;
  finding.target = inquiry.target;
  const auto asked = parse_target(inquiry.target, inquiry.method);
  if (!asked) {
    end_with(finding, {.name = "target",
                       .outcome = Outcome::kRefused,
                       .text = asked.error().detail,
                       .matched = {}});
    finding.fix = "write host, host:port, or a URL of http or https";
    return finding;
  }
  finding.target = asked->authority.str();
  if (inquiry.is_ambiguous) {
    finding.steps.push_back(target_step(*asked));
    end_with(finding, {.name = "subject",
                       .outcome = Outcome::kRefused,
                       .text = "several pods claim " + inquiry.subject.address->str(),
                       .matched = {}});
    finding.reason = Reason::kSubjectAmbiguous;
    finding.fix = "wait until all but one have ended";
    return finding;
  }
  const Request request = asked->request();
  Explanation explained = explain(policy, inquiry.subject, request, now);
  const Decision& decision = explained.decision;
  finding.verdict = decision.verdict;
  finding.reason = decision.reason;
  finding.steps = std::move(explained.steps);
  finding.steps.insert(finding.steps.begin(), target_step(*asked));
  if (decision.pattern &&
      (decision.reason == Reason::kAllowed || decision.reason == Reason::kDeniedByRule)) {
    finding.matched = policy.cite(*decision.pattern);
  }
  finding.nearest = std::move(explained.nearest);
  finding.fix = std::move(explained.fix);
  finding.line = std::move(explained.line);
  if (decision.reason != Reason::kAllowed && decision.reason != Reason::kDeniedByRule &&
      decision.reason != Reason::kPolicyInvalid) {
    for (const BundleMatch& match : bundles_with(bundles, asked->authority.host, request.port)) {
      finding.bundles.push_back(describe(match));
    }
  }
  if (decision.verdict == Verdict::kDeny) {
    finding.steps.push_back(not_reached("addresses"));
    finding.steps.push_back(not_reached("handshake"));
    return finding;
  }
  Follow follow(policy, guard, inquiry, *asked, decision, now, finding);
  follow.addresses();
  follow.handshake();
  return finding;
}

std::string_view word(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPassed:
      return "passed";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kNotReached:
      break;
  }
  return "not-reached";
}

std::string text(const Finding& finding) {
  std::string out = std::string(word(finding.verdict)) + " " + escaped(finding.target);
  if (finding.reason != Reason::kAllowed) {
    out +=
        ": " + std::string(word(finding.reason)) + ", " + std::string(info(finding.reason).summary);
  }
  out += "\n\n";
  for (const Step& step : finding.steps) {
    const std::string_view mark = step.outcome == Outcome::kPassed    ? "ok"
                                  : step.outcome == Outcome::kRefused ? "NO"
                                                                      : "-";
    out += "  " + padded(step.name, 11) + padded(mark, 4) + escaped_prose(step.text) + "\n";
  }
  const auto add = [&](std::string_view label, std::string_view value) {
    if (!value.empty()) out += padded(label, 15) + escaped_prose(value) + "\n";
  };
  if (finding.nearest || !finding.bundles.empty() || !finding.fix.empty()) out += "\n";
  if (finding.nearest) add("nearest miss:", finding.nearest->text);
  for (const std::string& bundle : finding.bundles) add("bundle:", bundle);
  add("to change it:", finding.fix);
  add("the line:", finding.line);
  return out;
}

}  // namespace ebbgate::policy
