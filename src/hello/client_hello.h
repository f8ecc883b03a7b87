// What a client says first after CONNECT, or in transparent mode: the TLS ClientHello (RFC 8446
// 4.1.2, RFC 6066 3, RFC 9849). Buffered bytes come in; the name that it asks for, whether it
// hides another one, or why it cannot be trusted to say so come out. Nothing is terminated.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/hostname.h"
#include "base/result.h"

namespace ebbgate::hello {

// The largest ClientHello that is read, its handshake header included. Post-quantum key shares
// make 2 KiB usual.
inline constexpr std::size_t kMaxClientHello = 64 * 1024;  // octets

// The most octets that a ClientHello may take with its record headers: how much a caller may have
// to buffer. Room for the largest one in records of no more than five octets each.
inline constexpr std::size_t kMaxClientHelloOnWire = 2 * kMaxClientHello;

struct ClientHello {
  std::optional<Hostname> sni;  // server_name, folded
  bool ech = false;             // encrypted_client_hello of type outer; GREASE looks the same

  bool operator==(const ClientHello&) const = default;
};

// Reads one ClientHello from a buffer that grows. A call looks only at what is new, whatever the
// pieces are; one record is parsed where it lies, several are put together once, at the end.
class ClientHelloReader {
 public:
  // In: every octet that the client has sent, from the first one on; what was there at the last
  // call is still the same, though it may have moved.
  // Out: the ClientHello as soon as its last octet is there, nothing while it is not. What follows
  // it in `buffered` (early data) is not looked at.
  // Errors, as soon as they show, all of Side::kClient:
  //   kNotTls        its first or second octet is not that of a handshake record of TLS, as in an
  //                  SSLv2 hello; known at that octet
  //   kSniMalformed  it begins so, but breaks RFC 8446: a record that is empty, over 2^14 octets or
  //                  of another type in between; another handshake message; lengths that disagree;
  //                  octets after the hello in its last record; an extension twice; a server_name
  //                  that is not exactly one host_name which Hostname::parse takes (so no NUL, no
  //                  IP literal in any notation, no two names, no other type of name);
  //                  more than kMaxClientHello or kMaxClientHelloOnWire octets
  //   kEchDenied     it has ECH of type inner, which no client sends in the clear, or ESNI (0xffce)
  // After a hello or an error the reader is done and not called again.
  [[nodiscard]] Result<std::optional<ClientHello>> read(std::string_view buffered);

 private:
  // The header of the record that begins at next_record_, as much of it as is there; whether it
  // was whole and is now counted.
  Result<bool> count_record(std::string_view buffered);
  // The header of the message, spread over records as it may be.
  Result<void> read_message_header(std::string_view buffered);

  std::size_t next_record_ = 0;  // where the record after those counted begins, maybe not yet there
  std::size_t payload_ = 0;      // octets of the message in the records counted
  std::size_t message_ = 0;      // octets of the whole message; 0: not yet known
};

}  // namespace ebbgate::hello
