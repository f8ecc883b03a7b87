#include "source/kube_policies.h"

#include <algorithm>
#include <map>
#include <utility>

namespace ebbgate::source {

// The objects of one kind. Not kube::ObjectSet, to which every status that is written is a change.
class KubePolicies::Kind final : public kube::Watcher {
 public:
  struct Held {
    config::ResourceId id;
    std::shared_ptr<const std::string> text;
  };
  using Objects = std::map<kube::ObjectId, Held>;

  Kind(KubePolicies& owner, std::string name, std::string plural, kube::WatchOptions options)
      : owner_(owner),
        name_(std::move(name)),
        watch_(*owner.client_,
               {.group = "ebbgate.dev", .version = "v1alpha1", .plural = std::move(plural)}, *this,
               {}, options) {}

  void start() { watch_.start(); }
  [[nodiscard]] const kube::WatchState& state() const { return watch_.state(); }
  [[nodiscard]] const Objects& objects() const { return objects_; }

  void begin_list() override {
    listed_.clear();
    is_listing_ = true;
  }

  void take(kube::Change change, std::string_view object) override {
    auto state = kube::state_of(object);
    if (!state) return;  // without a name there is nobody to tell, and the API has none such
    if (change == kube::Change::kRemoved) {
      has_changed_ |= objects_.erase(state->id) > 0;
      return;
    }
    Held held{.id = {.kind = name_,
                     .in_namespace = state->id.in_namespace,
                     .name = state->id.name,
                     .uid = std::move(state->uid),
                     .generation = state->generation},
              .text = std::make_shared<const std::string>(object)};
    if (is_listing_) {
      listed_.insert_or_assign(std::move(state->id), std::move(held));
      return;
    }
    Held& known = objects_[std::move(state->id)];
    has_changed_ |= !says_the_same(known, held);
    known = std::move(held);
  }

  void end_list() override {
    const auto is_same = [](const Objects::value_type& one, const Objects::value_type& other) {
      return one.first == other.first && says_the_same(one.second, other.second);
    };
    has_changed_ |= !std::ranges::equal(objects_, listed_, is_same);
    objects_ = std::exchange(listed_, {});
    is_listing_ = false;
  }

  void settle() override {
    if (std::exchange(has_changed_, false)) owner_.note_change();
  }

  void on_freshness() override {
    const kube::WatchState& now = watch_.state();
    if (now.is_lost()) {
      if (!std::exchange(is_in_trouble_, true)) say(trouble(now));
      return;
    }
    if (std::exchange(is_in_trouble_, false)) say("the policies are watched again: " + plural());
    // The list that made it whole may be an empty one.
    if (!std::exchange(was_synced_, true)) owner_.note_change();
  }

 private:
  // The API counts the changes of a spec, and nothing else of a resource is policy.
  static bool says_the_same(const Held& one, const Held& other) {
    if (one.text == nullptr || one.id != other.id) return false;
    return one.id.generation > 0 || *one.text == *other.text;
  }

  [[nodiscard]] std::string plural() const { return watch_.resource().str(); }

  [[nodiscard]] std::string trouble(const kube::WatchState& now) const {
    if (!now.is_synced && now.last_status == 404) {
      return now.last_error + ": its definition is not installed; apply what `ebbgate kube " +
             "manifests` gives, it is asked for again until then";
    }
    return now.last_error +
           (now.is_synced ? "; the policies stay as they were" : "; it is tried again");
  }

  void say(const std::string& line) const {
    if (owner_.say_) owner_.say_(line);
  }

  KubePolicies& owner_;
  std::string name_;
  Objects objects_;
  Objects listed_;
  bool is_listing_ = false;
  bool has_changed_ = false;
  bool is_in_trouble_ = false;
  bool was_synced_ = false;
  kube::ListWatch watch_;
};

KubePolicies::KubePolicies(kube::Client& client, std::function<void()> on_change,
                           std::function<void(std::string_view)> say, kube::WatchOptions options)
    : client_(&client),
      on_change_(std::move(on_change)),
      say_(std::move(say)),
      cluster_(
          std::make_unique<Kind>(*this, "ClusterEgressPolicy", "clusteregresspolicies", options)),
      namespaced_(std::make_unique<Kind>(*this, "EgressPolicy", "egresspolicies", options)) {}

KubePolicies::~KubePolicies() = default;

void KubePolicies::start() {
  cluster_->start();
  namespaced_->start();
}

bool KubePolicies::is_synced() const {
  return cluster_->state().is_synced && namespaced_->state().is_synced;
}

std::vector<config::PolicyResource> KubePolicies::resources() const {
  std::vector<config::PolicyResource> out;
  out.reserve(count());
  for (const Kind* kind : {cluster_.get(), namespaced_.get()}) {
    for (const auto& [id, held] : kind->objects()) {
      out.push_back({.id = held.id, .text = held.text});
    }
  }
  return out;
}

std::size_t KubePolicies::count() const {
  return cluster_->objects().size() + namespaced_->objects().size();
}

const std::string* KubePolicies::text(const kube::ObjectId& id) const {
  const Kind& kind = id.in_namespace.empty() ? *cluster_ : *namespaced_;
  const auto found = kind.objects().find(id);
  return found == kind.objects().end() ? nullptr : found->second.text.get();
}

const kube::WatchState& KubePolicies::cluster() const {
  return cluster_->state();
}
const kube::WatchState& KubePolicies::namespaced() const {
  return namespaced_->state();
}

std::optional<MonotonicTime> KubePolicies::lost_since() const {
  const auto one = cluster().lost_since;
  const auto other = namespaced().lost_since;
  return one && other ? std::min(one, other) : (one ? one : other);
}

void KubePolicies::note_change() {
  // The first change waits for those that come with it; the others do not put it off.
  if (!is_synced() || gather_.is_armed()) return;
  client_->loop().arm(gather_, client_->loop().after(kGather));
}

void KubePolicies::on_gathered(void* self) {
  static_cast<KubePolicies*>(self)->on_change_();
}

}  // namespace ebbgate::source
