// The tables of the document's keys, from the innermost map outwards, and the reading by them.
#include "config/document_yaml.h"

#include <algorithm>
#include <array>
#include <utility>

#include "config/bundles.h"
#include "config/detail/key.h"
#include "config/detail/rows.h"
#include "config/detail/yaml.h"

namespace ebbgate::config {
namespace detail {
namespace {

using policy::Document;
using policy::Entry;
using policy::SubjectRule;

constexpr std::string_view kApiVersion = "ebbgate.dev/v1alpha1";

Parsed<policy::Mode> mode(std::string_view text) {
  return word<policy::Mode>(text, std::array<std::string_view, 2>{"enforce", "report"});
}
Parsed<policy::SniRule> sni(std::string_view text) {
  return word<policy::SniRule>(text, std::array<std::string_view, 3>{"require", "optional", "off"});
}
Parsed<policy::TlsRule> tls(std::string_view text) {
  return word<policy::TlsRule>(text, std::array<std::string_view, 2>{"require", "off"});
}
Parsed<policy::EchRule> ech(std::string_view text) {
  return word<policy::EchRule>(text, std::array<std::string_view, 2>{"allow", "deny"});
}

void read_hosts(Reader& reader, const Value& value, Entry& entry) {
  if (!reader.want_list(value, "`hosts`")) return;
  for (const Value& item : value.children()) {
    take<policy::Pattern::parse>(reader, item, "an element of `hosts`", [&](const auto& pattern) {
      entry.hosts.add(pattern, item.position());
    });
  }
  entry.hosts.shrink_to_fit();
}

void read_bundle(Reader& reader, const Value& value, Entry& entry) {
  if (!reader.want_text(value, "`bundle`")) return;
  if (!entry.bundle) entry.bundle.emplace();
  entry.bundle->name = value.text();
  entry.bundle->position = value.position();
}

void read_parameters(Reader& reader, const Value& value, Entry& entry) {
  if (!reader.want_map(value, "`parameters`")) return;
  if (!entry.bundle) entry.bundle.emplace();
  for (const auto& [name, argument] : value.members()) {
    if (!reader.want_text(argument, in_ticks(name.text()))) continue;
    entry.bundle->arguments.emplace_back(name.text(), argument.text());
  }
}

// Adds the hosts of the entry's bundle to those that it lists itself.
void expand_bundle(Reader& reader, Entry& entry, bool allows) {
  if (!entry.bundle) return;
  const policy::BundleUse& use = *entry.bundle;
  if (use.name.empty()) {
    reader.error(entry.position, "`parameters` without a `bundle`", "name the bundle");
    return;
  }
  const policy::Bundle* bundle = policy::find_bundle(builtin_bundles(), use.name);
  if (bundle == nullptr) {
    const std::string_view near = nearest_bundle(use.name);
    reader.error(use.position, "there is no bundle " + quoted(use.name),
                 near.empty() ? "`ebbgate bundles list` names them" : "write " + std::string(near));
    return;
  }
  if (allows && !entry.ports.empty() && entry.hosts.empty()) {
    reader.error(entry.position, "`ports` says nothing here: the hosts of a bundle have their own",
                 "leave it out");
  }
  auto expanded = policy::expand(*bundle, use.arguments,
                                 allows ? policy::BundlePorts::kOwn : policy::BundlePorts::kNone);
  if (!expanded) {
    reader.error(use.position, std::move(expanded.error().message),
                 std::move(expanded.error().fix));
    return;
  }
  for (const policy::ExpandedHost& host : *expanded) entry.hosts.add(host.pattern, use.position);
}

void read_pod_labels(Reader& reader, const Value& value, SubjectRule& rule) {
  if (!reader.want_map(value, "`podLabels`")) return;
  for (const auto& [name, label] : value.members()) {
    if (!reader.want_text(label, in_ticks(name.text()))) continue;
    rule.pod_labels.emplace_back(name.text(), label.text());
  }
  if (value.members().empty()) {
    reader.error(value.position(), "`podLabels` is empty", "leave it out, or fill it");
  }
}

constexpr std::string_view kUseCidr = "say who is meant by `cidr`";

constexpr std::array kSubjectKeys = std::to_array<Key<SubjectRule>>({
    {{.name = "cidr", .doc = "The block that holds the client's address.", .is_of_cluster = true},
     one<"cidr", &SubjectRule::cidr, parse_cidr>},
    {{.name = "user",
      .doc = "The user whose password was given.",
      .is_of_cluster = true,
      .later = kUseCidr},
     one<"user", &SubjectRule::user, parse_text>},
    {{.name = "certificate",
      .doc = "The subject of the client's TLS certificate, as in CN=ci.",
      .is_of_cluster = true,
      .later = kUseCidr},
     one<"certificate", &SubjectRule::certificate, parse_text>},
    {{.name = "namespace",
      .doc = "The Kubernetes namespace of the pod.",
      .later = kUseCidr,
      .is_of_pods = true},
     one<"namespace", &SubjectRule::pod_namespace, parse_text>},
    {{.name = "serviceAccount",
      .doc = "The service account of the pod.",
      .needs = "namespace",
      .later = kUseCidr,
      .is_of_pods = true},
     one<"serviceAccount", &SubjectRule::service_account, parse_text>},
    {{.name = "podLabels",
      .shape = Shape::kLabels,
      .doc = "Labels that the pod has, all of them.",
      .needs = "namespace",
      .later = kUseCidr,
      .is_of_pods = true},
     read_pod_labels},
});

constexpr Key<Entry> kHosts{
    {.name = "hosts",
     .shape = Shape::kTexts,
     .doc = "Names (example.com), names with all below (.example.com), all names below "
            "(*.example.com), addresses and blocks; each perhaps with :PORT or :PORT-PORT.",
     .is_one_of = true},
    read_hosts};
constexpr Key<Entry> kPorts{
    {.name = "ports",
     .shape = Shape::kPorts,
     .doc = "Ports of the hosts that name none: 80 and 443 where it is absent, all in a deny "
            "entry."},
    list<"ports", &Entry::ports, parse_ports>};
constexpr Key<Entry> kMethods{
    {.name = "methods",
     .shape = Shape::kTexts,
     .doc = "Methods of requests in the clear; an entry with methods never concerns a tunnel."},
    list<"methods", &Entry::methods, parse_method>};
constexpr Key<Entry> kPaths{
    {.name = "paths",
     .shape = Shape::kTexts,
     .doc = "Beginnings of paths of requests in the clear, which end at a slash of the path; an "
            "entry with paths never concerns a tunnel."},
    list<"paths", &Entry::paths, parse_path>};
constexpr Key<Entry> kOwner{{.name = "owner", .doc = "Whose entry it is."},
                            one<"owner", &Entry::owner, parse_text>};
constexpr Key<Entry> kReason{{.name = "reason", .doc = "Why it is needed."},
                             one<"reason", &Entry::reason, parse_text>};
constexpr Key<Entry> kTicket{{.name = "ticket", .doc = "Where it was asked for."},
                             one<"ticket", &Entry::ticket, parse_text>};
constexpr Key<Entry> kExpires{{.name = "expires",
                               .shape = Shape::kTime,
                               .doc = "From when on it matches nothing, as in "
                                      "2026-12-31T00:00:00Z."},
                              one<"expires", &Entry::expires, parse_time>};
constexpr Key<Entry> kBundle{{.name = "bundle",
                              .doc = "A named set of hosts that Ebbgate brings with it, each "
                                     "with its ports; `ebbgate bundles list` names them.",
                              .is_one_of = true},
                             read_bundle};
constexpr Key<Entry> kParameters{{.name = "parameters",
                                  .shape = Shape::kLabels,
                                  .doc = "What the bundle has to know, such as region.",
                                  .needs = "bundle"},
                                 read_parameters};

constexpr std::array kAllowKeys = std::to_array<Key<Entry>>({
    kHosts,
    kPorts,
    {{.name = "sni",
      .shape = Shape::kWord,
      .doc = "Whether the TLS server name has to be the name that was asked for.",
      .words = "require|optional|off",
      .is_of_cluster = true},
     one<"sni", &Entry::sni, sni>},
    {{.name = "tls",
      .shape = Shape::kWord,
      .doc = "off: the tunnel may hold other things than TLS, and the server may speak first.",
      .words = "require|off",
      .is_of_cluster = true},
     one<"tls", &Entry::tls, tls>},
    {{.name = "ech",
      .shape = Shape::kWord,
      .doc = "Whether an Encrypted ClientHello passes.",
      .words = "allow|deny",
      .is_of_cluster = true},
     one<"ech", &Entry::ech, ech>},
    {{.name = "addresses",
      .shape = Shape::kTexts,
      .doc = "Special addresses, such as private ones, that the hosts may resolve to.",
      .is_of_cluster = true},
     list<"addresses", &Entry::addresses, parse_cidr>},
    kMethods,
    kPaths,
    kOwner,
    kReason,
    kTicket,
    kExpires,
    kBundle,
    kParameters,
    {{.name = "egressAddress",
      .doc = "The source address for the connection to the origin.",
      .is_of_cluster = true,
      .later = "leave it out"}},
    {{.name = "via",
      .doc = "The parent proxy that the connection goes through.",
      .is_of_cluster = true,
      .later = "leave it out"}},
    {{.name = "intercept",
      .doc = "Whether the gateway ends the TLS and judges what is inside.",
      .is_of_cluster = true,
      .later = "leave it out"}},
});

constexpr std::array kDenyKeys = std::to_array<Key<Entry>>(
    {kHosts, kPorts, kMethods, kPaths, kOwner, kReason, kTicket, kExpires, kBundle, kParameters});

template <auto kMember, const auto& kKeys>
void read_entries(Reader& reader, const Value& value, Document& document) {
  const bool allows = kMember == &Document::allow;
  if (!reader.want_list(value, allows ? "`allow`" : "`deny`")) return;
  for (const Value& item : value.children()) {
    Entry& entry = (document.*kMember).emplace_back();
    entry.position = item.position();
    reader.object<Entry>(item, allows ? "an allow entry" : "a deny entry", kKeys, entry);
    expand_bundle(reader, entry, allows);
  }
}

void read_subjects(Reader& reader, const Value& value, Document& document) {
  if (!reader.want_list(value, "`subjects`")) return;
  for (const Value& item : value.children()) {
    SubjectRule& rule = document.subjects.emplace_back();
    rule.position = item.position();
    reader.object<SubjectRule>(item, "a subject", kSubjectKeys, rule);
    if (item.kind() != NodeKind::kMap) continue;
    if (item.members().empty()) {
      reader.error(item.position(), "a subject that asks for nothing would be everyone",
                   "name a cidr, or leave `subjects` out for everyone");
    } else if ((rule.service_account || !rule.pod_labels.empty()) && !rule.pod_namespace &&
               !reader.is_namespaced()) {
      reader.error(item.position(), "`serviceAccount` and `podLabels` need `namespace`", "add it");
    }
  }
}

// A namespace's name (RFC 1123 label), or `*` for all.
Parsed<std::string> delegate_namespace(std::string_view text) {
  if (text == "*") return std::string(text);
  auto name = parse_object_name(text);
  if (name && (text.size() > 63 || text.contains('.'))) {
    return std::unexpected(Fault{quoted(text) + " is no name of a namespace",
                                 "write letters, digits and `-`, or `*` for every namespace"});
  }
  return name;
}

void read_delegated_hosts(Reader& reader, const Value& value, policy::Delegation& delegation) {
  if (!reader.want_list(value, "`hosts`")) return;
  for (const Value& item : value.children()) {
    take<policy::Pattern::parse>(reader, item, "an element of `hosts`", [&](const auto& pattern) {
      delegation.hosts.add(pattern, item.position());
    });
  }
  delegation.hosts.shrink_to_fit();
}

constexpr std::array kDelegateKeys = std::to_array<Key<policy::Delegation>>({
    {{.name = "namespaces",
      .shape = Shape::kTexts,
      .doc = "Whose documents may allow it: names of namespaces, or * for every one.",
      .is_required = true},
     list<"namespaces", &policy::Delegation::namespaces, delegate_namespace>},
    {{.name = "hosts",
      .shape = Shape::kTexts,
      .doc = "Within which hosts; as in an entry of allow.",
      .is_required = true},
     read_delegated_hosts},
    {{.name = "ports",
      .shape = Shape::kPorts,
      .doc = "On which ports of the hosts that name none: 80 and 443 where it is absent."},
     list<"ports", &policy::Delegation::ports, parse_ports>},
});

void read_delegate(Reader& reader, const Value& value, Document& document) {
  document.delegate.emplace().position = value.position();
  reader.object<policy::Delegation>(value, "`delegate`", kDelegateKeys, *document.delegate);
}

constexpr std::array kSpecKeys = std::to_array<Key<Document>>({
    {{.name = "subjects",
      .shape = Shape::kObjects,
      .doc = "Whom the document is for: who has all fields of one of the elements. Absent: "
             "everyone.",
      .nested = infos_of<kSubjectKeys>},
     read_subjects},
    {{.name = "mode",
      .shape = Shape::kWord,
      .doc = "report: decide and record, but let pass.",
      .words = "enforce|report",
      .is_of_cluster = true},
     one<"mode", &Document::mode, mode>},
    {{.name = "allow",
      .shape = Shape::kObjects,
      .doc = "What is allowed.",
      .nested = infos_of<kAllowKeys>},
     read_entries<&Document::allow, kAllowKeys>},
    {{.name = "deny",
      .shape = Shape::kObjects,
      .doc = "What is refused, whatever allows it.",
      .nested = infos_of<kDenyKeys>},
     read_entries<&Document::deny, kDenyKeys>},
    {{.name = "delegate",
      .shape = Shape::kObject,
      .doc = "What the documents of namespaces may allow, in Kubernetes.",
      .is_of_cluster = true,
      .nested = infos_of<kDelegateKeys>},
     read_delegate},
});

void read_spec(Reader& reader, const Value& value, Document& document) {
  reader.object<Document>(value, "`spec`", kSpecKeys, document);
  const auto members = value.members();
  const bool says_something =
      document.mode == policy::Mode::kReport || std::ranges::any_of(members, [](const auto& row) {
        return row.first.text() != "mode" && row.first.text() != "subjects";
      });
  if (value.kind() == NodeKind::kMap && !says_something) {
    reader.error(value.position(), "`spec` neither allows nor denies anything",
                 "add `allow` or `deny`");
  }
}

constexpr std::array kMetadataKeys = std::to_array<Key<Document>>({
    {{.name = "name", .doc = "What records call the document.", .is_required = true},
     one<"name", &Document::name, parse_object_name>},
    {{.name = "labels", .shape = Shape::kLabels, .doc = "Not looked at."}},
    {{.name = "annotations", .shape = Shape::kLabels, .doc = "Not looked at."}},
    {{.name = "namespace",
      .doc = "The namespace whose pods the document is for.",
      .later = "say who is meant in `subjects`",
      .is_of_resources = true},
     one<"namespace", &Document::resource_namespace, parse_object_name>},
    {{.name = "uid", .shape = Shape::kAnything, .doc = "Kept by Kubernetes."}},
    {{.name = "generation", .shape = Shape::kAnything, .doc = "Kept by Kubernetes."}},
    {{.name = "resourceVersion", .shape = Shape::kAnything, .doc = "Kept by Kubernetes."}},
    {{.name = "creationTimestamp", .shape = Shape::kAnything, .doc = "Kept by Kubernetes."}},
    {{.name = "managedFields", .shape = Shape::kAnything, .doc = "Kept by Kubernetes."}},
    {{.name = "generateName", .shape = Shape::kAnything, .doc = "Kept by Kubernetes."}},
    {{.name = "ownerReferences", .shape = Shape::kAnything, .doc = "Kept by Kubernetes."}},
    {{.name = "finalizers", .shape = Shape::kAnything, .doc = "Kept by Kubernetes."}},
    {{.name = "deletionTimestamp", .shape = Shape::kAnything, .doc = "Kept by Kubernetes."}},
    {{.name = "deletionGracePeriodSeconds",
      .shape = Shape::kAnything,
      .doc = "Kept by Kubernetes."}},
    {{.name = "selfLink", .shape = Shape::kAnything, .doc = "Kept by Kubernetes."}},
});

void read_metadata(Reader& reader, const Value& value, Document& document) {
  reader.object<Document>(value, "`metadata`", kMetadataKeys, document);
  if (!reader.reads_resources()) return;
  if (reader.is_namespaced() && document.resource_namespace.empty()) {
    reader.error(value.position(), "an EgressPolicy of a cluster has a `namespace`",
                 "add it, or write ClusterEgressPolicy");
  } else if (!reader.is_namespaced() && !document.resource_namespace.empty()) {
    reader.error(value.position(), "a ClusterEgressPolicy has no `namespace`",
                 "leave it out, or write EgressPolicy");
  }
}

// Both are checked before anything else of the document.
constexpr std::array kDocumentKeys = std::to_array<Key<Document>>({
    {{.name = "apiVersion",
      .shape = Shape::kWord,
      .doc = "The version of this language.",
      .words = kApiVersion,
      .is_required = true}},
    {{.name = "kind",
      .shape = Shape::kWord,
      .doc = "In files both mean the same.",
      .words = "EgressPolicy|ClusterEgressPolicy",
      .is_required = true}},
    {{.name = "metadata",
      .shape = Shape::kObject,
      .doc = "What the document is called.",
      .is_required = true,
      .nested = infos_of<kMetadataKeys>},
     read_metadata},
    {{.name = "spec",
      .shape = Shape::kObject,
      .doc = "What it says.",
      .is_required = true,
      .nested = infos_of<kSpecKeys>},
     read_spec},
    {{.name = "status", .shape = Shape::kAnything, .doc = "Kept by Kubernetes."}},
});

bool names_namespace(const Value& root) {
  for (const auto& [key, metadata] : root.members()) {
    if (key.text() != "metadata") continue;
    return std::ranges::any_of(metadata.members(),
                               [](const auto& row) { return row.first.text() == "namespace"; });
  }
  return false;
}

// Whether the document says that it is one of ours: if not, its other keys are no mistakes. Its
// kind is what the reader goes by from here on.
bool is_policy(Reader& reader, const Value& root) {
  for (const auto& [key, value] : root.members()) {
    const bool is_version = key.text() == "apiVersion";
    if (!is_version && key.text() != "kind") continue;
    if (!reader.want_text(value, in_ticks(key.text()))) return false;
    const std::string_view text = value.text();
    const bool fits =
        is_version ? text == kApiVersion : text == "EgressPolicy" || text == "ClusterEgressPolicy";
    if (fits) {
      if (!is_version) reader.set_namespaced(reader.reads_resources() && text == "EgressPolicy");
      continue;
    }
    reader.error(value.position(),
                 in_ticks(key.text()) + " is " + quoted(text) + ", which is no policy's",
                 "write " + std::string(is_version ? kApiVersion : "EgressPolicy"));
    return false;
  }
  return true;
}

void read_document(Reader& reader, const Value& root, std::vector<Document>& documents) {
  if (root.is_text()) {
    reader.error(root.position(), "this is not a policy document",
                 "give a plain list to --allow-file, or name it *.list");
    return;
  }
  reader.set_namespaced(false);
  reader.set_resource(names_namespace(root));
  if (!is_policy(reader, root)) return;
  Document& document = documents.emplace_back();
  document.file = reader.file();
  document.position = root.position();
  reader.object<Document>(root, "the document", kDocumentKeys, document);
}

}  // namespace

std::vector<KeyInfo> document_key_infos() {
  return infos_of<kDocumentKeys>();
}

}  // namespace detail

ParsedDocuments parse_documents(std::string_view text, const std::string& file,
                                const DocumentOptions& options) {
  ParsedDocuments out;
  const auto yaml = detail::Yaml::parse(text, file);
  if (!yaml) {
    out.problems = yaml.error();
    return out;
  }
  detail::Reader reader(file, options);
  const std::vector<detail::Value> roots = yaml->documents();
  for (const detail::Value& root : roots) detail::read_document(reader, root, out.documents);
  if (roots.empty()) {
    reader.error({}, "the file holds no document", "write one, or leave the file out");
  }
  out.problems = reader.take_problems();
  return out;
}

}  // namespace ebbgate::config
