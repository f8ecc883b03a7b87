// The policy in force: documents compiled into one immutable value that workers share. A lookup
// costs one probe of a hash table per label of the name, however many patterns there are.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/document.h"
#include "policy/subject.h"

namespace ebbgate::policy {

struct PolicySettings {
  std::vector<PortRange> default_ports = {{80, 80}, {443, 443}};  // of entries that name none
  SniRule sni = SniRule::kRequire;                                // of entries that say nothing
  bool report_only = false;     // every document is in report mode
  std::uint64_t hash_seed = 0;  // from the system's randomness in the gateway, any in a tool
};

// The conditions that an allow entry puts on what follows a match by name and port.
struct Terms {
  SniRule sni = SniRule::kRequire;
  TlsRule tls = TlsRule::kRequire;
  EchRule ech = EchRule::kAllow;
  std::vector<Cidr> addresses = {};
  bool operator==(const Terms&) const = default;
};

// Indices into one Policy; meaningless in another.
enum class PatternId : std::uint32_t {};
enum class TermsId : std::uint32_t {};
inline constexpr TermsId kDefaultTerms{0};  // those of an entry that says nothing

// What a record, an answer or an explanation says of a pattern. Views are good as long as the
// Policy.
struct Citation {
  std::string_view document;
  std::string_view file;
  Position position = {};
  bool denies = false;
  std::string pattern;  // its canonical text
  const Entry* entry = nullptr;

  [[nodiscard]] std::string where() const;  // file:line:column
};

namespace detail {
class PatternIndex;
struct Hit;
struct NamespacePart;
struct Rule;
}  // namespace detail

class Policy {
 public:
  struct Compiled {
    std::shared_ptr<const Policy> policy;  // null where has_errors(problems)
    std::vector<PolicyProblem> problems;
  };

  // Documents add up; their order does not matter. Reported as warnings: an entry that a wider one
  // of the same list covers (once each), a public or shared-hosting suffix and whom it lets in,
  // entries with methods or paths (they never admit an opaque tunnel). As errors: an entry without
  // hosts, a subject rule that asks for nothing, or for a pod's labels without its namespace, and a
  // document of a namespace that is not about its pods alone.
  [[nodiscard]] static Compiled compile(std::vector<Document> documents,
                                        const PolicySettings& settings = {});

  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;
  ~Policy();

  [[nodiscard]] Citation cite(PatternId pattern) const;
  [[nodiscard]] const Terms& terms(TermsId id) const {
    return terms_[static_cast<std::size_t>(id)];
  }
  [[nodiscard]] const std::vector<Document>& documents() const { return documents_; }
  [[nodiscard]] const PolicySettings& settings() const { return settings_; }
  [[nodiscard]] std::size_t pattern_count() const;

  // For decide(), explain() and review() only: patterns of the cluster's documents, which are all
  // but those of namespaces; of those of one namespace, where the subject is or may be a pod of it;
  // and the index that has a document's patterns.
  [[nodiscard]] const detail::PatternIndex& index() const { return *index_; }
  [[nodiscard]] const detail::NamespacePart* part_for(const Subject& subject) const {
    const Pod* pod = supposed_pod(subject);
    return pod == nullptr ? nullptr : part_of(pod->pod_namespace);
  }
  [[nodiscard]] const detail::PatternIndex& index_of(const Document& document) const;
  [[nodiscard]] const auto& parts() const { return parts_; }
  [[nodiscard]] const std::vector<detail::Rule>& rules() const { return rules_; }
  [[nodiscard]] detail::Hit hit(PatternId pattern) const;

  // Whether report mode relaxes this subject's refusals: there is a document that matches it, and
  // each that does, or may, is in report mode (semantics 11).
  [[nodiscard]] bool reports_only(const Subject& subject) const;

  // A document that lets nothing of the subject pass, or may; null: there is none.
  [[nodiscard]] const Document* closed_by(const Subject& subject) const {
    return closed_by(subject, part_for(subject));
  }
  [[nodiscard]] const Document* closed_by(const Subject& subject,
                                          const detail::NamespacePart* own) const {
    return has_closing_ || own != nullptr ? find_closing(subject, own) : nullptr;
  }

 private:
  Policy(std::vector<Document> documents, PolicySettings settings);
  [[nodiscard]] const detail::NamespacePart* part_of(std::string_view pod_namespace) const;
  [[nodiscard]] const Document* find_closing(const Subject& subject,
                                             const detail::NamespacePart* own) const;
  void add_rules(std::uint32_t document);
  void index_subjects();
  void index_patterns();
  // Calls visit(Document) for every document of the cluster that may concern the subject, and
  // perhaps for others, for as long as it returns true.
  template <typename Visit>
  void visit_about(const Subject& subject, Visit&& visit) const;

  std::vector<Document> documents_;  // the cluster's, then namespace by namespace
  std::uint32_t of_cluster_ = 0;     // how many of them
  PolicySettings settings_;
  std::vector<Terms> terms_;
  std::vector<detail::Rule> rules_;
  std::uint32_t patterns_ = 0;
  std::unique_ptr<detail::PatternIndex> index_;
  std::map<std::string_view, std::unique_ptr<const detail::NamespacePart>> parts_;
  bool has_report_mode_ = false;
  bool has_closing_ = false;  // among the cluster's
  // The cluster's documents by whom they are about: there are thousands, few about one namespace.
  std::map<std::string, std::vector<std::uint32_t>, std::less<>> about_pods_of_;
  std::vector<std::uint32_t> about_others_;
};

}  // namespace ebbgate::policy
