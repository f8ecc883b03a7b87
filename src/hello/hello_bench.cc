// What a tunnel pays for the ClientHello check and a connection for its PROXY header.
#include <benchmark/benchmark.h>

#include <string>

#include "hello/client_hello.h"
#include "hello/proxy_protocol.h"

namespace ebbgate::hello {
namespace {

std::string vector16(const std::string& content) {
  return std::string{static_cast<char>(content.size() >> 8), static_cast<char>(content.size())} +
         content;
}

// A ClientHello with server_name, sixteen further extensions and a post-quantum key share.
std::string post_quantum_hello() {
  const std::string host = std::string(1, '\0') + vector16("registry-1.docker.io");
  std::string extensions = std::string(2, '\0') + vector16(vector16(host));
  for (char type = 1; type <= 16; ++type) {
    extensions += std::string{'\x01', type} + vector16("content");
  }
  extensions += std::string("\0\x33", 2) + vector16(std::string(1216 + 32 + 10, 'k'));
  const std::string body = "\x03\x03" + std::string(32, 'r') + "\x20" + std::string(32, 's') +
                           vector16("\x13\x01\x13\x02") + std::string("\x01\0", 2) +
                           vector16(extensions);
  return "\x16\x03\x01" + vector16(std::string("\x01\0", 2) + vector16(body));
}

void read_client_hello(benchmark::State& state) {
  const std::string bytes = post_quantum_hello();
  for (auto _ : state) {
    auto hello = ClientHelloReader().read(bytes);
    if (!hello || !hello->has_value()) state.SkipWithError("the ClientHello is not read");
    benchmark::DoNotOptimize(hello);
  }
}
BENCHMARK(read_client_hello);

void read_proxy_header_v1(benchmark::State& state) {
  const std::string bytes = "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n";
  for (auto _ : state) {
    auto header = read_proxy_header(bytes);
    if (!header) state.SkipWithError("the header is not read");
    benchmark::DoNotOptimize(header);
  }
}
BENCHMARK(read_proxy_header_v1);

}  // namespace
}  // namespace ebbgate::hello
