// One request on its way through the gateway: the facts that are gathered, and the Record that is
// made of them on every way out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/authority.h"
#include "http/request_head.h"
#include "observe/record.h"
#include "observe/request_id.h"
#include "policy/decide.h"
#include "proxy/client.h"
#include "proxy/snapshot.h"

namespace ebbgate::proxy {

struct Exchange {
  Exchange(Client& its_client, MonotonicTime at) : client(its_client), began(at) {}

  Client& client;
  observe::RequestId id;
  MonotonicTime began;

  // From the head; views into it.
  std::string_view method;
  std::string_view target;
  bool is_connect = false;
  bool prefers_json = false;
  bool without_body = false;  // HEAD: an answer has no body
  std::optional<Authority> asked;

  // From the decision.
  SnapshotPtr snapshot;
  policy::Decision decision;

  // From what followed.
  std::optional<IpAddress> origin;
  std::optional<Duration> connect_took;
  std::optional<bool> ech;
  std::string sni;
  std::string content_type;
  std::uint64_t from_client = 0;  // octets, heads included
  std::uint64_t to_client = 0;
  std::uint16_t status = 0;  // of the answer that the client got
};

// Takes what the record needs of a head that was read.
void note_head(Exchange& exchange, const http::RequestHead& head);

// Whether this end means that the gateway refused something, rather than that what it let pass
// failed or ended.
[[nodiscard]] bool is_refusal(const Error& end);

// The texts that a Record borrows; they live as long as this.
struct RecordTexts {
  std::string host;
  std::string rule;
  std::string subject;
};

// The end of an exchange that went as it should.
inline const Error kServed{Reason::kAllowed, Side::kSelf, {}};

// The event that tells how the exchange ended, or that a tunnel opened (kServed). It borrows from
// all three.
[[nodiscard]] observe::Record record_of(const Exchange& exchange, observe::Phase phase,
                                        const Error& end, RecordTexts& texts);

// Records an exchange that was let pass, and how it ended.
void record_passed(const Exchange& exchange, const Error& end);

// Records what was refused, or failed, with this error. A refusal has to wait where the log's queue
// is full; false: it could not be recorded in time, and the client gets no answer.
[[nodiscard]] net::Task<bool> record_refused(Exchange& exchange, Error error);

// The way out of a request that gets an answer of our own: recorded, answered, and the connection
// closed in such a way that the client sees the answer and not a reset (semantics 4).
[[nodiscard]] net::Task<void> refuse(Exchange& exchange, Error error);

}  // namespace ebbgate::proxy
