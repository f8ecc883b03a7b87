// The other side, for tests: an authority that issues certificates of any kind, and a server on a
// loopback address that speaks TLS (or not) as a script has it, each connection on a thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace ebbgate::tls::testing {

struct Identity {
  std::string certificate_pem;
  std::string key_pem;
};

struct CertificateRequest {
  std::string common_name = "test";
  std::vector<std::string> names = {};  // "DNS:example.test", "IP:127.0.0.1"
  std::chrono::seconds from{-3600};     // validity, from now on
  std::chrono::seconds until{3600};
};

class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name);
  ~TestAuthority();
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  [[nodiscard]] Identity issue(const CertificateRequest& request) const;
  [[nodiscard]] const std::string& certificate_pem() const { return certificate_pem_; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string certificate_pem_;
};

// One connection as the server's script sees it. Blocking; gives up after ten seconds.
class Conversation {
 public:
  Conversation(int fd, void* ssl) : fd_(fd), ssl_(ssl) {}

  // Empty: the end.
  [[nodiscard]] std::string read_some();
  // Reads up to the end of a request's head, and as much body as Content-Length says. Empty: the
  // end came first.
  [[nodiscard]] std::string read_request();
  void write(std::string_view bytes);
  void write_slowly(std::string_view bytes);  // an octet at a time
  void close_orderly();                       // TLS's own end; without it the connection is cut
  void reset();
  [[nodiscard]] std::string client_certificate() const;  // its common name, or empty

 private:
  int fd_;
  void* ssl_;  // null: in the clear
  std::string pending_;
};

struct ServerOptions {
  Identity identity = {};          // without: in the clear
  std::string client_ca_pem = {};  // clients have to show a certificate of this authority
  bool only_tls11 = false;
  bool is_silent = false;  // takes connections and says nothing, not even TLS
};

class Server {
 public:
  using Script = std::function<void(Conversation&)>;
  Server(ServerOptions options, Script script);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] int connections() const { return connections_; }
  [[nodiscard]] int handshakes() const { return handshakes_; }

 private:
  void accept_all();
  void serve(int fd);

  struct Context;
  ServerOptions options_;
  Script script_;
  std::unique_ptr<Context> context_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> is_ending_ = false;
  std::atomic<int> connections_ = 0;
  std::atomic<int> handshakes_ = 0;
  std::mutex mutex_;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace ebbgate::tls::testing
