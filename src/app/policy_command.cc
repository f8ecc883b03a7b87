#include "app/policy_command.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "analyse/policy_diff.h"
#include "app/aws_session.h"
#include "app/detail/diff_json.h"
#include "app/diff_command.h"
#include "app/exit_code.h"
#include "app/own_flags.h"
#include "base/base64.h"
#include "base/escape.h"
#include "config/load_policy.h"
#include "config/source_url.h"
#include "source/accept.h"
#include "source/policy_source.h"
#include "source/public_key.h"
#include "source/publish.h"

namespace ebbgate::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kHelp = R"(usage: ebbgate policy push URL FILE [FLAGS]

Writes the policy in FILE to where gateways read it with --policy-source: ssm:///parameter or
s3://bucket/key. It is checked as gateways would check it, compared with what is there now, and only
then written; gateways have it at their next look, without a restart.

Examples:
  ebbgate policy push ssm:///ebbgate/allowlist policy.yaml --dry-run
  ebbgate policy push ssm:///ebbgate/allowlist policy.yaml
  ebbgate policy push ssm:///ebbgate/allowlist long.yaml --via s3://policies/allowlist.yaml

Flags:
  --via s3://BUCKET/KEY  For more than the 8 KiB of a parameter: the text goes there, and the
                         parameter names it by version and SHA-256. The bucket should keep versions.
  --signature FILE       Of the policy's octets, by an Ed25519 key: 64 octets, or base64. It is
                         written beside the policy as .sig, or with --via into the parameter.
  --dry-run              Check and compare, and write nothing.
  --allow-rollback       Write a policy whose `# ebbgate-version:` is below that of the one there.
  --region REGION        Default: AWS_REGION.
  --profile NAME         A profile of ~/.aws; default: what the environment says.
  --ca-file FILE         Whom to trust instead of the system's authorities.
  --format text|json     What to print; default: text.
  --help                 This text.
  and the flags of `ebbgate run` that say what a policy means: --allow-port, --sni, --report-only,
  --allow-private, --inside, --nat64. They are for the comparison.

Exit codes: 0 it is there (or was already), 1 failed and nothing was written, 2 usage, 3 an invalid
policy.
)";

constexpr Duration kPatience = std::chrono::minutes(2);

struct Options {
  std::string region;
  std::string profile;
  std::string ca_file;
  std::string via;
  std::string signature;
  std::string format = "text";
  bool is_dry_run = false;
  bool allow_rollback = false;
};

OwnFlag text_flag(std::string_view name, std::string& value) {
  return {name, config::FlagValue::kRequired, [&value](const std::string& given) {
            value = given;
            return given.empty() ? "it is empty" : "";
          }};
}

int refuse(int code, const std::string& message) {
  std::fprintf(stderr, "ebbgate policy push: %s\n", message.c_str());
  return code;
}

std::string region_of(const Options& options) {
  if (!options.region.empty()) return options.region;
  for (const char* variable : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    if (const char* value = std::getenv(variable); value != nullptr && *value != '\0') return value;
  }
  return {};
}

config::LoadedPolicy loaded(const config::Settings& settings, const std::string& name,
                            const source::Accepted& accepted) {
  return config::look_at_policy(
      settings, random_seed(),
      {{.name = name, .text = accepted.text, .is_list = accepted.is_list}});
}

// What came of it, for people and programs.
struct Outcome {
  analyse::PolicyDiff diff;  // empty where there was nothing before
  bool is_first = false;
  bool is_same = false;
  std::string version;  // of what is there now; empty: nothing was written
};

void print(const Outcome& outcome, const std::string& url, const Options& options) {
  if (options.format == "json") {
    std::puts(Json{{"url", url},
                   {"written", !outcome.version.empty()},
                   {"version", outcome.version},
                   {"first", outcome.is_first},
                   {"same", outcome.is_same},
                   {"diff", detail::json_of(outcome.diff)}}
                  .dump(2, ' ', false, Json::error_handler_t::replace)
                  .c_str());
    return;
  }
  if (!outcome.version.empty()) {
    std::printf("%s is %s now\n", url.c_str(), outcome.version.c_str());
  } else if (outcome.is_same) {
    std::printf("%s holds this already: nothing is written\n", url.c_str());
  } else {
    std::printf("nothing is written: --dry-run\n");
  }
}

// The new text as gateways will take it, and what it means.
struct Judged {
  source::Accepted accepted;
  std::shared_ptr<const policy::Policy> policy;
};

class Push {
 public:
  Push(Options options, config::Settings settings, source::Publication publication, Judged judged)
      : options_(std::move(options)),
        settings_(std::move(settings)),
        publication_(std::move(publication)),
        judged_(std::move(judged)) {}

  // Out: the exit code.
  [[nodiscard]] net::Task<int> run(AwsSession& session) {
    const Deadline deadline = session.loop().after(kPatience);
    auto source = source::make_source(publication_.to,
                                      {session.client().context().transport, &session.client()});
    if (!source) co_return refuse(kFailed, source.error().detail);
    auto there = co_await (*source)->fetch({});
    if (!there && !is_absence(there.error().detail)) {
      co_return refuse(kFailed, there.error().detail + "; nothing was written");
    }
    const bool has_text = there && there->has_value();
    if (const int code = compare(has_text ? &**there : nullptr); code != kFine) co_return code;
    // A signature may come later than what it is of.
    const bool is_news = !outcome_.is_same || !publication_.signature.empty();
    if (is_news && !options_.is_dry_run) {
      auto written = co_await source::publish(session.client(), publication_, deadline);
      if (!written) co_return refuse(kFailed, written.error().detail);
      outcome_.version = *std::move(written);
    }
    print(outcome_, publication_.to.text, options_);
    co_return kFine;
  }

 private:
  static bool is_absence(std::string_view detail) {
    return detail.contains("ParameterNotFound") || detail.contains("NoSuchKey");
  }

  // Holds the new text against what is there (null: nothing), and shows what it changes.
  int compare(const source::Fetched* there) {
    std::optional<source::Accepted> before;
    if (there != nullptr) {
      auto accepted =
          source::accept(publication_.to.text, *there, nullptr, {.pods_in_subjects = true});
      if (accepted) before = *std::move(accepted);
    }
    if (before && !options_.allow_rollback) {
      if (const auto fault = source::rollback_fault(judged_.accepted, *before)) {
        return refuse(kFailed, *fault + "; write it with --allow-rollback, or give it a number");
      }
    }
    outcome_.is_same = before && before->text == judged_.accepted.text;
    outcome_.is_first = !before;
    const bool tells = options_.format == "text" && !outcome_.is_same;
    if (!before) {
      if (tells) {
        std::printf(there == nullptr ? "there is no policy yet\n"
                                     : "what is there now is no policy that a gateway takes\n");
      }
      return kFine;
    }
    const auto old_policy = loaded(settings_, publication_.to.text, *before).policy;
    if (old_policy == nullptr) return refuse(kFailed, "what is there now cannot be compared");
    outcome_.diff = analyse::diff_policies(*old_policy, *judged_.policy, SystemClock().wall());
    if (tells) std::fputs(text_of(outcome_.diff).c_str(), stdout);
    return kFine;
  }

  Options options_;
  config::Settings settings_;
  source::Publication publication_;
  Judged judged_;
  Outcome outcome_;
};

// Judges the text as gateways will, who know it by its URL: what ends in .list there is a list,
// whatever the file is called. The file's name stands in the problems, which go to standard error.
// Nothing: it is invalid.
std::optional<Judged> judge(const config::Settings& settings, const std::string& file,
                            const source::Publication& publication) {
  const std::string& url = publication.to.text;
  Judged out;
  out.accepted.text = publication.text;
  out.accepted.is_list = source::is_plain_list(url, publication.text);
  config::LoadedPolicy found = loaded(settings, file, out.accepted);
  std::fputs(config::str(found.problems).c_str(), stderr);
  if (found.policy == nullptr) {
    if (out.accepted.is_list != source::is_plain_list(file, publication.text)) {
      refuse(kInvalid, "gateways take what " + url + " holds for a " +
                           (out.accepted.is_list ? "plain list" : "document") +
                           ", by its name; push it under another, or write it in that form");
    }
    return std::nullopt;
  }
  auto accepted =
      source::accept(url, {.text = publication.text}, nullptr, {.pods_in_subjects = true});
  if (!accepted) {
    refuse(kInvalid, file + ": " + accepted.error().detail);
    return std::nullopt;
  }
  return Judged{.accepted = *std::move(accepted), .policy = std::move(found.policy)};
}

Result<config::SourceUrl> url_of(const std::string& text) {
  auto url = config::parse_source_url(text);
  if (url) return *std::move(url);
  return fail(Reason::kMalformedRequest, Side::kSelf,
              escaped_prose(text) + ": " + url.error().message +
                  (url.error().fix.empty() ? "" : "; " + url.error().fix));
}

std::optional<std::string> read(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(stream), {});
  if (!stream.is_open() || stream.bad()) return std::nullopt;
  return text;
}

int push(const Options& options, CommandLine line) {
  auto to = url_of(line.operands[1]);
  if (!to) return refuse(kUsage, to.error().detail);
  source::Publication publication{.to = *std::move(to), .via = {}, .text = {}, .signature = {}};
  if (!options.via.empty()) {
    auto via = url_of(options.via);
    if (!via) return refuse(kUsage, via.error().detail);
    publication.via = *std::move(via);
  }
  const std::string& file = line.operands[2];
  auto text = read(file);
  if (!text) return refuse(kInvalid, file + ": it cannot be read");
  publication.text = *std::move(text);
  if (!options.signature.empty()) {
    const auto written = read(options.signature);
    const auto octets = written ? source::signature_octets(*written) : std::nullopt;
    if (!octets) {
      return refuse(kInvalid, options.signature +
                                  ": it holds no signature; make one with `openssl pkeyutl -sign "
                                  "-rawin -inkey KEY -in FILE -out SIGNATURE`");
    }
    publication.signature = base64_encoded(*octets);
  }

  config::Settings settings = std::move(line.settings);
  settings.policies.clear();
  auto judged = judge(settings, file, publication);
  if (!judged) return kInvalid;
  if (const auto fault = source::publication_fault(publication)) {
    return refuse(kUsage, file + ": " + *fault);
  }
  const std::string region = region_of(options);
  if (region.empty()) return refuse(kUsage, "no region; write --region, or set AWS_REGION");
  auto session =
      AwsSession::make({.region = region, .profile = options.profile, .ca_file = options.ca_file});
  if (!session) return refuse(kFailed, session.error().detail);
  Push work(options, std::move(settings), std::move(publication), *std::move(judged));
  return (*session)->run(work.run(**session));
}

}  // namespace

int run_policy(std::span<const char* const> words) {
  Options options;
  const std::vector<OwnFlag> own = {text_flag("region", options.region),
                                    text_flag("profile", options.profile),
                                    text_flag("ca-file", options.ca_file),
                                    text_flag("via", options.via),
                                    text_flag("signature", options.signature),
                                    switch_flag("dry-run", options.is_dry_run),
                                    switch_flag("allow-rollback", options.allow_rollback),
                                    format_flag(options.format)};
  CommandLine line = read_command_line(words, own);
  if (line.help) {
    std::fputs(kHelp, stdout);
    return kFine;
  }
  if (line.operands.size() != 3 || line.operands[0] != "push") {
    line.problems.push_back({.file = {},
                             .message = "write `push`, where to, and the file",
                             .fix = "as in `ebbgate policy push ssm:///ebbgate/allowlist FILE`"});
    line.validity = config::Validity::kUsage;
  }
  if (line.validity != config::Validity::kValid) return complain("policy", line);
  return push(options, std::move(line));
}

}  // namespace ebbgate::app
