// The Kubernetes client without the gateway around it, for the tests: each line of standard input
// is a JSON object with `do`, each line of standard output what came of it. The cluster is that of
// EBBGATE_PROBE_EKS, by AWS; or of KUBECONFIG; or the one whose pod this process is told to be.
// Watches go on meanwhile.
#include <sys/resource.h>

#include <chrono>
#include <deque>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <thread>

#include "aws/client.h"
#include "aws/context.h"
#include "aws/credentials.h"
#include "config/kubeconfig.h"
#include "dns/resolver.h"
#include "https/client.h"
#include "identity/pod_index.h"
#include "kube/access.h"
#include "kube/client.h"
#include "kube/object_set.h"
#include "kube/pods.h"
#include "kube/policy_reporter.h"
#include "kube/watch.h"
#include "net/background.h"
#include "net/loop.h"
#include "source/eks_access.h"
#include "tls/client_context.h"

namespace {

using namespace ebbgate;
using nlohmann::json;

[[nodiscard]] std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());  // NOLINT: nobody sets any
  if (value == nullptr) return std::nullopt;
  return value;
}

// A gateway's part in telling what became of policies: the watches of both kinds, and the reporter.
struct Reporting {
  Reporting(kube::Client& client, const json& in)
      : spaced(client, policies("egresspolicies"), objects, {}, options(in).watch),
        of_cluster(client, policies("clusteregresspolicies"), cluster_objects, {},
                   options(in).watch),
        reporter(
            client, clock, options(in),
            [this](const kube::ObjectId& id) {
              const auto& all = id.in_namespace.empty() ? cluster_objects : objects;
              const auto found = all.objects().find(id);
              return found == all.objects().end() ? nullptr : &found->second;
            },
            [this](std::string_view line) { said.push_back(std::string(line)); }) {
    spaced.start();
    of_cluster.start();
    reporter.start();
  }
  static kube::Resource policies(std::string plural) {
    return {.group = "ebbgate.dev", .version = "v1alpha1", .plural = std::move(plural)};
  }
  static kube::ReporterOptions options(const json& in) {
    const auto ms = [&](const char* key, int otherwise) {
      return std::chrono::milliseconds(in.value(key, otherwise));
    };
    return {.in_namespace = in.at("namespace"),
            .gateway = in.at("gateway"),
            .times = {ms("renewal", 100), ms("duration", 1000), ms("removal", 1800)},
            .pause = ms("pause", 5),
            .event_pause = ms("event_pause", 5),
            .event_gap = ms("event_gap", 0),
            .gather = ms("gather", 50),
            .settle = ms("settle", 200),
            .backoff = ms("backoff", 50),
            .max_backoff = ms("max_backoff", 200),
            .watch = {.backoff = ms("backoff", 50), .max_backoff = ms("max_backoff", 200)}};
  }
  void report(const json& in) {
    std::vector<kube::ResourceReport> reports;
    for (const json& each : in.at("reports")) {
      auto& out = reports.emplace_back();
      out.id = {each.value("namespace", ""), each.at("name")};
      out.uid = each.at("uid");
      out.generation = each.at("generation");
      out.generation_in_force = each.value("in_force", out.generation);
      out.state = static_cast<kube::ResourceState>(each.value("state", 0));
      out.allow = each.value("allow", 1U);
      for (const json& problem : each.value("problems", json::array())) {
        out.problems.push_back(
            {policy::Severity::kError, problem.at(0), problem.at(1), problem.at(2)});
      }
    }
    const std::string digest = kube::digest_of(reports);
    reporter.report(std::move(reports), in.value("digest", digest));
  }
  [[nodiscard]] json state() const {
    const kube::ReporterState state = reporter.state();
    return {{"synced", spaced.state().is_synced && of_cluster.state().is_synced},
            {"reporter", state.is_reporter},
            {"gateways", state.gateways},
            {"waiting", state.waiting},
            {"statuses", state.statuses},
            {"events", state.events},
            {"failures", state.failures},
            {"error", state.last_error},
            {"said", said}};
  }

  SystemClock clock;
  kube::ObjectSet objects{nullptr};
  kube::ObjectSet cluster_objects{nullptr};
  json said = json::array();
  kube::ListWatch spaced;
  kube::ListWatch of_cluster;
  kube::PolicyReporter reporter;
};

struct Probe {
  Probe(net::Loop& its_loop, kube::Client& its_client, std::string home)
      : loop(its_loop), client(its_client), home_namespace(std::move(home)) {
    index.set_pod_blocks({*Cidr::parse("0.0.0.0/0"), *Cidr::parse("::/0")});
  }

  net::Loop& loop;
  kube::Client& client;
  std::string home_namespace;
  kube::ObjectSet set{nullptr};
  identity::PodIndex index;
  identity::PodReader reader{index};
  kube::PodFeed feed{index};
  std::unique_ptr<kube::ListWatch> watch;
  std::optional<Reporting> reporting;
};

[[nodiscard]] json told(const kube::Failure& failure) {
  return {{"kind", static_cast<int>(failure.kind)},
          {"status", failure.status},
          {"reason", failure.reason},
          {"said", failure.describe("probe")}};
}
[[nodiscard]] json told(const kube::Outcome<std::string>& outcome) {
  if (!outcome) return {{"failure", told(outcome.error())}};
  return {{"value", json::parse(*outcome, nullptr, false)}};
}

[[nodiscard]] json state_of(const kube::WatchState& state) {
  return {{"synced", state.is_synced}, {"lost", state.is_lost()},  {"lists", state.lists},
          {"streams", state.streams},  {"events", state.events},   {"failures", state.failures},
          {"version", state.version},  {"error", state.last_error}};
}

[[nodiscard]] kube::WatchOptions options_of(const json& in) {
  kube::WatchOptions options;
  options.backoff = std::chrono::milliseconds(in.value("backoff", 20));
  options.max_backoff = std::chrono::milliseconds(in.value("max_backoff", 200));
  options.quiet = std::chrono::milliseconds(in.value("quiet", 100'000));
  options.stream = std::chrono::seconds(in.value("stream", 300));
  return options;
}

[[nodiscard]] json pod_at(Probe& probe, const std::string& address) {
  const SystemClock clock;
  const identity::Found found =
      probe.reader.find(*IpAddress::parse(address), clock.wall(), probe.loop.now());
  json out = {{"presence", static_cast<int>(found.presence)}};
  if (found.pod) {
    out["pod"] = found.pod->pod_namespace + "/" + found.pod->name;
    out["account"] = found.pod->service_account;
  }
  return {{"value", out}};
}

// The most memory that the process ever had, in KiB.
[[nodiscard]] json memory() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return {{"value", usage.ru_maxrss}};
}

net::Task<json> call(Probe& probe, std::string what, json in) {
  kube::Client& client = probe.client;
  const kube::Resource resource{in.value("group", ""), in.value("version", "v1"),
                                in.value("plural", "pods"), in.value("namespace", "")};
  const std::string name = in.value("name", "");
  if (what == "get") co_return told(co_await client.get(resource, name));
  if (what == "path") co_return told(co_await client.get_path(in.at("path")));
  if (what == "create") co_return told(co_await client.create(resource, in.at("object").dump()));
  if (what == "apply") {
    co_return told(co_await client.apply(
        resource, name, in.at("object").dump(),
        {.field_manager = in.value("manager", "probe"), .force = in.value("force", false)},
        in.value("subresource", "")));
  }
  if (what == "patch") {
    co_return told(co_await client.merge_patch(resource, name, in.at("object").dump(),
                                               in.value("subresource", "")));
  }
  if (what == "remove") {
    const auto done = co_await client.remove(resource, name);
    co_return done ? json{{"value", nullptr}} : json{{"failure", told(done.error())}};
  }
  if (what == "serves") {
    const auto serves = co_await client.serves(resource);
    co_return serves ? json{{"value", *serves}} : json{{"failure", told(serves.error())}};
  }
  if (what == "list") {
    std::size_t count = 0;
    kube::Client::Take take = [&](std::string_view object) {
      count += kube::identify(object) ? 1 : 0;
      return true;
    };
    std::function<void()> again = [&] { count = 0; };
    const auto version =
        co_await client.list(resource, {in.value("labels", "")}, std::move(take), std::move(again));
    if (!version) co_return json{{"failure", told(version.error())}};
    co_return json{{"value", count}};
  }
  if (what == "watch" || what == "watch-pods") {
    kube::Watcher* watcher = &probe.set;
    if (what == "watch-pods") watcher = &probe.feed;
    probe.watch = std::make_unique<kube::ListWatch>(client, resource, *watcher, kube::Selection{},
                                                    options_of(in));
    probe.feed.follow(*probe.watch);
    probe.watch->start();
    co_return json{{"value", nullptr}};
  }
  if (what == "state") co_return json{{"value", state_of(probe.watch->state())}};
  if (what == "objects") {
    json out = json::array();
    for (const auto& [id, text] : probe.set.objects()) {
      out.push_back(id.in_namespace + "/" + id.name);
    }
    co_return json{{"value", out}};
  }
  if (what == "begin-reporting") {
    probe.reporting.emplace(client, in);
    co_return json{{"value", nullptr}};
  }
  if (what == "report") probe.reporting->report(in);
  if (what == "farewell") {
    co_await probe.reporting->reporter.farewell(probe.loop.after(std::chrono::seconds(2)));
  }
  if (what == "reporting" || what == "report" || what == "farewell") {
    co_return json{{"value", probe.reporting->state()}};
  }
  if (what == "pod") co_return pod_at(probe, in.at("address"));
  if (what == "pods") co_return json{{"value", probe.index.pod_count()}};
  if (what == "memory") co_return memory();
  if (what == "home") co_return json{{"value", probe.home_namespace}};
  co_return json{{"failure", "unknown: " + what}};
}

net::Task<void> answer_line(Probe& probe, std::string line) {
  json in = json::parse(line);
  std::string what = in.at("do");
  const json out = co_await call(probe, std::move(what), std::move(in));
  std::cout << out.dump(-1, ' ', true, json::error_handler_t::replace) << std::endl;
}

// A client of AWS, for as long as the process runs.
struct Aws {
  Aws(net::Loop& loop, dns::Resolver& resolver, const tls::ClientContext& tls, const Clock& clock)
      : https(loop, resolver, tls), context(aws::system_context(loop, https, clock)) {}

  https::Client https;
  aws::Context context;
  std::unique_ptr<aws::CredentialsProvider> credentials =
      aws::default_credentials(context, {.region = region()});
  aws::Client client{context, *credentials, {.region = region()}};

  static std::string region() { return environment("AWS_REGION").value_or(""); }
};

Result<kube::Access> find_access(net::Loop& loop, const Clock& clock) {
  const auto file = environment("KUBECONFIG");
  if (!file) {
    return kube::access_in_cluster(
        environment, clock, loop,
        environment("EBBGATE_PROBE_ACCOUNT").value_or(kube::kServiceAccountFolder));
  }
  std::stringstream text;
  text << std::ifstream(*file).rdbuf();
  const auto loaded = config::parse_kubeconfig(text.str(), *file);
  if (policy::has_errors(loaded.problems)) {
    return fail(Reason::kInternal, Side::kSelf, policy::str(loaded.problems.front()));
  }
  return kube::access_of(loaded.config, loop, clock);
}

// All of it, in the order in which it is made.
struct Session {
  Session(net::Loop& its_loop, dns::Resolver& its_resolver, const tls::ClientContext& tls)
      : loop(its_loop), resolver(its_resolver), aws(its_loop, its_resolver, tls, clock) {}

  SystemClock clock;
  net::Loop& loop;
  dns::Resolver& resolver;
  Aws aws;
  std::mt19937_64 random{std::random_device{}()};
  std::optional<kube::Access> access;
  std::optional<kube::ClusterTransport> transport;
  std::optional<kube::Client> client;
  std::optional<Probe> probe;
  std::deque<net::Background> calls;
  std::thread lines;

  void answer(std::string line) {
    calls.emplace_back().start(answer_line(*probe, std::move(line)),
                               [](const std::exception_ptr& why) { std::rethrow_exception(why); });
  }
};

net::Task<void> serve(Session& session) {
  Result<kube::Access> access;
  if (const auto cluster = environment("EBBGATE_PROBE_EKS")) {
    const Deadline deadline = session.loop.after(std::chrono::seconds(20));
    access = co_await source::eks_access(session.loop, session.clock, session.aws.client, *cluster,
                                         deadline);
  } else {
    access = find_access(session.loop, session.clock);
  }
  if (!access) {
    std::cout << json{{"failure", access.error().detail}}.dump() << std::endl;
    session.loop.stop();
    co_return;
  }
  session.access = *std::move(access);
  session.transport.emplace(
      *session.access->authenticator,
      kube::network_dial(session.loop, session.resolver, session.access->ca_pem,
                         session.access->tls_name, session.access->ca_file));
  session.client.emplace(
      session.loop, *session.transport, [&] { return session.random(); },
      kube::ClientOptions{.server = session.access->server,
                          .timeout = std::chrono::seconds(5),
                          .backoff = std::chrono::milliseconds(20)});
  session.probe.emplace(session.loop, *session.client, session.access->home_namespace);
  session.lines = std::thread([&session] {
    for (std::string line; std::getline(std::cin, line);) {
      session.loop.post([&session, line] { session.answer(line); });
    }
    session.loop.stop();
  });
}

}  // namespace

int main() {
  tls::initialise();
  const auto loop = net::Loop::make();
  const auto tls = tls::ClientContext::make({});
  if (!loop || !tls) return 1;
  const auto resolver = dns::Resolver::make(**loop, {});
  if (!resolver) return 1;
  Session session(**loop, **resolver, **tls);
  net::Background serving;
  serving.start(serve(session), [](const std::exception_ptr& why) { std::rethrow_exception(why); });
  (*loop)->run();
  if (session.lines.joinable()) session.lines.join();
  return 0;
}
