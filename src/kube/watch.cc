#include "kube/watch.h"

#include <algorithm>
#include <new>
#include <utility>

#include "kube/detail/cutter.h"
#include "kube/detail/percent.h"
#include "kube/detail/persistent.h"
#include "kube/detail/scan.h"

namespace ebbgate::kube {
namespace {

// As many streams in a row that the API refuses, and the version may be what it refuses.
constexpr int kMostResumes = 3;
// A stream that ends sooner than this and brought nothing is a failure: or it would be begun again
// at once, for ever.
constexpr Duration kShortStream = std::chrono::seconds(1);

[[nodiscard]] bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

// Whether an event of version `that` is not older than or the same as `seen`. Versions are opaque,
// but where they are numbers they grow (the API guarantees it from 1.35 on, and etcd did before).
[[nodiscard]] bool is_news(std::string_view that, std::string_view seen) {
  if (!is_number(that) || !is_number(seen)) return that != seen;
  if (that.size() != seen.size()) return that.size() > seen.size();
  return that > seen;
}

[[nodiscard]] Failure unreadable(std::string why) {
  return failed(Failure::Kind::kUnreadable, std::move(why)).error();
}

}  // namespace

class ListWatch::Impl {
 public:
  Impl(Client& client, Resource resource, Watcher& watcher, Selection selection,
       WatchOptions options)
      : client_(client),
        resource_(std::move(resource)),
        watcher_(watcher),
        selection_(std::move(selection)),
        options_(options),
        running_(client.loop(), [this] { return run(); }) {}

  void start() { running_.start(); }
  [[nodiscard]] const WatchState& state() const { return state_; }
  [[nodiscard]] const Resource& resource() const { return resource_; }

 private:
  net::Task<void> run();
  [[nodiscard]] net::Task<Outcome<void>> list();
  [[nodiscard]] net::Task<Outcome<void>> watch();
  [[nodiscard]] https::Request request() const;
  // Out: what ends the stream.
  [[nodiscard]] std::optional<Failure> take(std::string_view text);
  // The stream is sound: what it brings from now on is all there is to know.
  void heard();
  static void on_sound(void* self) { static_cast<Impl*>(self)->heard(); }
  void note_failure(const Failure& failure);
  void set_lost(std::optional<MonotonicTime> since);
  [[nodiscard]] Duration pause(const Failure& failure) const;

  Client& client_;
  Resource resource_;
  Watcher& watcher_;
  Selection selection_;
  WatchOptions options_;
  WatchState state_;
  std::string server_;                  // that its version is of
  std::optional<MonotonicTime> heard_;  // when anything came last
  net::Timer sound_{&Impl::on_sound, this};
  int failures_in_row_ = 0;
  detail::Persistent running_;
};

void ListWatch::Impl::set_lost(std::optional<MonotonicTime> since) {
  const bool was_lost = state_.is_lost();
  const bool is_other = since != state_.lost_since;
  state_.lost_since = since;
  if (is_other || was_lost != state_.is_lost()) watcher_.on_freshness();
}

void ListWatch::Impl::heard() {
  sound_.disarm();
  heard_ = client_.loop().now();
  if (state_.is_synced) state_.last_error.clear();
  set_lost(std::nullopt);
}

void ListWatch::Impl::note_failure(const Failure& failure) {
  ++failures_in_row_;
  ++state_.failures;
  state_.last_error = failure.describe(resource_.str());
  state_.last_status = failure.kind == Failure::Kind::kStatus ? failure.status : 0;
  set_lost(state_.lost_since ? state_.lost_since : heard_.value_or(client_.loop().now()));
}

Duration ListWatch::Impl::pause(const Failure& failure) const {
  const int doublings = std::clamp(failures_in_row_ - 1, 0, 16);
  const Duration bound =
      std::min(options_.backoff * (1U << static_cast<unsigned>(doublings)), options_.max_backoff);
  const Duration own = client_.jittered(bound);
  const Duration asked = failure.retry_after.value_or(Duration{});
  return std::max(own, std::min(asked, client_.options().max_wait));
}

net::Task<void> ListWatch::Impl::run() {
  net::Loop& loop = client_.loop();
  state_.version.clear();  // of one that ran out of memory nobody knows what it had handed on
  while (!loop.is_giving_up()) {
    // A version is one server's: another one may know the same, of other objects.
    if (server_ != client_.server()) {
      server_ = client_.server();
      state_.version.clear();
    }
    const bool is_listing = state_.version.empty();
    Outcome<void> done;
    try {
      done = is_listing ? co_await list() : co_await watch();
    } catch (const std::bad_alloc&) {
      done = failed(Failure::Kind::kUnreadable, "there is no memory for what the API sent");
    }
    if (done) continue;
    const Failure& failure = done.error();
    note_failure(failure);
    // What cannot be read, or is refused again and again, may be the version's fault; that the API
    // is busy is not.
    const bool is_refused = failure.kind == Failure::Kind::kStatus && failure.status != 429 &&
                            failure.status != 503 && failures_in_row_ >= kMostResumes;
    if (failure.is_gone() || failure.kind == Failure::Kind::kUnreadable || is_refused) {
      state_.version.clear();
    }
    const Deadline until = loop.after(pause(failure));
    static_cast<void>(co_await net::sleep_until(loop, until));
  }
}

net::Task<Outcome<void>> ListWatch::Impl::list() {
  watcher_.begin_list();
  Client::Take take = [this](std::string_view object) {
    watcher_.take(Change::kPut, object);
    return true;
  };
  std::function<void()> again = [this] { watcher_.begin_list(); };
  auto version = co_await client_.list(resource_, selection_, std::move(take), std::move(again));
  if (!version) co_return std::unexpected(std::move(version.error()));
  state_.version = *std::move(version);
  ++state_.lists;
  watcher_.end_list();
  watcher_.settle();
  // A whole list is news, whatever becomes of the watch. That failures come in a row is not over
  // with it, or a watch that is refused again and again would cost a list each time.
  if (!std::exchange(state_.is_synced, true)) {
    failures_in_row_ = 0;
    heard_ = client_.loop().now();
    state_.last_error.clear();
    state_.lost_since.reset();
    watcher_.on_freshness();
  } else {
    heard();
  }
  co_return Outcome<void>{};
}

https::Request ListWatch::Impl::request() const {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
      client_.jittered(2 * options_.stream));  // once to twice as long
  https::Request out;
  out.url = client_.server() + resource_.path() +
            "?watch=true&allowWatchBookmarks=true&resourceVersion=" +
            detail::percent_encoded(state_.version) +
            "&timeoutSeconds=" + std::to_string(std::max<std::int64_t>(seconds.count(), 1)) +
            selection_.query();
  out.headers = {{"Accept", "application/json"}};
  out.timeout = client_.options().timeout;
  out.piece_timeout = options_.quiet;
  return out;
}

std::optional<Failure> ListWatch::Impl::take(std::string_view text) {
  auto event = detail::read_event(text);
  if (!event) return unreadable(std::move(event.error().detail));
  if (event->type == "ERROR") {
    return failure_of(500, event->object);
  }
  const bool is_bookmark = event->type == "BOOKMARK";
  const bool is_removal = event->type == "DELETED";
  if (!is_bookmark && !is_removal && event->type != "ADDED" && event->type != "MODIFIED") {
    return unreadable("the API sent an event of an unknown type");
  }
  if (event->version.empty()) return unreadable("the API sent an event without a version");
  failures_in_row_ = 0;
  heard();
  if (!is_news(event->version, state_.version)) return std::nullopt;
  state_.version = std::move(event->version);
  if (is_bookmark) return std::nullopt;
  ++state_.events;
  watcher_.take(is_removal ? Change::kRemoved : Change::kPut, event->object);
  return std::nullopt;
}

net::Task<Outcome<void>> ListWatch::Impl::watch() {
  detail::SequenceCutter cutter(client_.options().max_object);
  std::optional<Failure> end;
  const MonotonicTime begun = client_.loop().now();
  const std::uint64_t events_before = state_.events;
  const std::string version_before = state_.version;
  const std::optional<MonotonicTime> heard_before = heard_;
  detail::TakeObject take_event = [&](std::string_view text) {
    end = take(text);
    return !end;
  };
  https::BodySink sink = [&](std::string_view piece) {
    // After a loss the head of an answer is no news yet: an error may follow it. Where none does,
    // nothing has changed.
    if (!state_.lost_since) {
      heard();
    } else if (piece.empty()) {
      client_.loop().arm(sound_, client_.loop().after(options_.sound));
    }
    const std::uint64_t before = state_.events;
    const auto cut = cutter.feed(piece, take_event);
    if (!cut) end = unreadable(cut.error().detail);
    if (state_.events != before) watcher_.settle();
    return cut && *cut;
  };
  ++state_.streams;
  https::Request asked = request();
  auto response = co_await client_.transport().stream(std::move(asked), std::move(sink));
  sound_.disarm();
  const bool brought_any = state_.events != events_before || state_.version != version_before;
  if (end && !brought_any) heard_ = heard_before;
  if (end) co_return std::unexpected(*std::move(end));
  if (!response) co_return std::unexpected(failure_of(std::move(response.error())));
  if (response->status / 100 != 2) {
    co_return std::unexpected(
        failure_of(response->status, response->body, response->header("retry-after")));
  }
  if (!brought_any && client_.loop().now() - begun < kShortStream) {
    co_return std::unexpected(
        failure_of(Error{Reason::kOriginClosed, Side::kOrigin, "the API ended the watch at once"}));
  }
  co_return Outcome<void>{};
}

ListWatch::ListWatch(Client& client, Resource resource, Watcher& watcher, Selection selection,
                     WatchOptions options)
    : impl_(std::make_unique<Impl>(client, std::move(resource), watcher, std::move(selection),
                                   options)) {}
ListWatch::~ListWatch() = default;

void ListWatch::start() {
  impl_->start();
}
const WatchState& ListWatch::state() const {
  return impl_->state();
}
const Resource& ListWatch::resource() const {
  return impl_->resource();
}

}  // namespace ebbgate::kube
