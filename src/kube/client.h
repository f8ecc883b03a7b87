// The Kubernetes API as far as a gateway needs it: resources by name, in lists of any length, and
// changes by server-side apply. Objects are JSON texts; who asked knows what is in them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "https/transport.h"
#include "kube/failure.h"
#include "net/loop.h"
#include "net/task.h"

namespace ebbgate::kube {

// A kind of object, in one namespace or in all.
struct Resource {
  std::string group = {};  // empty: the core group
  std::string version = "v1";
  std::string plural = {};        // `pods`
  std::string in_namespace = {};  // empty: all of them, or a kind that has none

  // `/api/v1/namespaces/x/pods/name/status`; `name` and `subresource` may be empty. Every part is
  // percent-encoded.
  [[nodiscard]] std::string path(std::string_view name = {},
                                 std::string_view subresource = {}) const;
  // `pods`, `egresspolicies.ebbgate.dev`: for messages.
  [[nodiscard]] std::string str() const;
  bool operator==(const Resource&) const = default;
};

struct Selection {
  std::string labels = {};  // a label selector; empty: everything
  std::string fields = {};

  [[nodiscard]] std::string query() const;  // `&labelSelector=…`, percent-encoded
};

struct ClientOptions {
  std::string server;                                 // of Access
  Duration timeout = std::chrono::seconds(30);        // of one exchange
  int max_attempts = 4;                               // of one call, the first included
  Duration backoff = std::chrono::milliseconds(500);  // before the first retry, at most; doubles
  Duration max_wait = std::chrono::seconds(30);       // of what the API may ask for by Retry-After
  int page = 500;                                 // objects of a list that are asked for at once
  Duration page_time = std::chrono::minutes(2);   // for all of them to come
  std::size_t max_object = std::size_t{4} << 20;  // octets; etcd holds 1.5 MiB
};

struct ApplyOptions {
  std::string field_manager = "ebbgate";
  bool force = false;    // take over fields that others own
  bool dry_run = false;  // judged and answered as if it were done
};

struct CreateOptions {
  bool dry_run = false;  // admitted, changed by webhooks, answered, and not done
};

class Client {
 public:
  // `random`: 64 even bits. Loop and transport outlive it and every call.
  Client(net::Loop& loop, https::StreamTransport& transport, std::function<std::uint64_t()> random,
         ClientOptions options)
      : loop_(&loop),
        transport_(&transport),
        random_(std::move(random)),
        server_(std::make_shared<std::string>(options.server)),
        options_(std::move(options)) {}
  // The same way to the API as `other` has, with other patience.
  Client(const Client& other, ClientOptions options)
      : Client(*other.loop_, *other.transport_, other.random_, std::move(options)) {
    server_ = other.server_;
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // All of these try again where the API is busy (429, 503, 5xx of reading) or the network breaks,
  // as often as the options say. Out: the object's JSON text.
  [[nodiscard]] net::Task<Outcome<std::string>> get(Resource resource, std::string name);
  // Of any path, `/version` say, with its query.
  [[nodiscard]] net::Task<Outcome<std::string>> get_path(std::string path);
  // The same of what is no JSON, such as a container's log, at most as long as an object.
  [[nodiscard]] net::Task<Outcome<std::string>> get_text(std::string path);
  // Conflicts with a manager that owns a field are failures (is_conflict()) unless forced.
  // `subresource`: empty or `status`.
  [[nodiscard]] net::Task<Outcome<std::string>> apply(Resource resource, std::string name,
                                                      std::string json, ApplyOptions options = {},
                                                      std::string subresource = {});
  [[nodiscard]] net::Task<Outcome<std::string>> create(Resource resource, std::string json,
                                                       CreateOptions options = {});
  // RFC 7396. `subresource`: empty or `status`.
  [[nodiscard]] net::Task<Outcome<std::string>> merge_patch(Resource resource, std::string name,
                                                            std::string json,
                                                            std::string subresource = {});
  // What is gone already is a success.
  [[nodiscard]] net::Task<Outcome<void>> remove(Resource resource, std::string name);
  // Whether the API serves the kind; false where its definition is not installed.
  [[nodiscard]] net::Task<Outcome<bool>> serves(Resource resource);

  // Calls `take` with each object's JSON text, page by page, as they come: no more than one object
  // is ever held. `again` is called where the list has to begin anew (its continuation expired);
  // what came before counts no more. False of `take`: no more is wanted, which is kInvalid here.
  // Out: the version that the list is of, for a watch.
  using Take = std::function<bool(std::string_view object)>;
  [[nodiscard]] net::Task<Outcome<std::string>> list(Resource resource, Selection selection,
                                                     Take take, std::function<void()> again);

  [[nodiscard]] net::Loop& loop() const { return *loop_; }
  [[nodiscard]] https::StreamTransport& transport() const { return *transport_; }
  [[nodiscard]] const ClientOptions& options() const { return options_; }
  [[nodiscard]] const std::string& server() const { return *server_; }
  // From now on it is asked there, by those that were made from this one, too; what is under way
  // ends where it began.
  void set_server(std::string server) { *server_ = std::move(server); }
  [[nodiscard]] std::uint64_t random() const { return random_(); }
  // `bound` less a random part of up to half of it.
  [[nodiscard]] Duration jittered(Duration bound) const;

 private:
  [[nodiscard]] net::Task<Outcome<https::Response>> call(https::Request request);
  [[nodiscard]] https::Request request(std::string method, std::string path) const;
  struct Page {
    std::string version;
    std::string next;  // empty: it was the last
  };
  [[nodiscard]] net::Task<Outcome<Page>> list_page(std::string path, const Take* take);
  [[nodiscard]] bool may_retry(const Failure& failure, int attempt) const;
  [[nodiscard]] Duration pause(const Failure& failure, int attempt) const;

  net::Loop* loop_;
  https::StreamTransport* transport_;
  std::function<std::uint64_t()> random_;
  std::shared_ptr<std::string> server_;  // of all that were made from one
  ClientOptions options_;                // but its server
};

}  // namespace ebbgate::kube
