// What a head costs: read, and made anew for the next hop.
#include <benchmark/benchmark.h>

#include <string>

#include "http/forward.h"

namespace ebbgate::http {
namespace {

constexpr std::string_view kConnect =
    "CONNECT registry-1.docker.io:443 HTTP/1.1\r\nHost: registry-1.docker.io:443\r\n"
    "User-Agent: docker/24.0.5 go/go1.20.14\r\nProxy-Connection: Keep-Alive\r\n\r\n";

constexpr std::string_view kBrowserGet =
    "GET http://www.example.com/assets/app/main.css?v=20240501 HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "Proxy-Connection: keep-alive\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
    "\r\n"
    "Referer: http://www.example.com/\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Accept-Language: en-GB,en;q=0.9\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
    "If-None-Match: \"5f3c6f1a-1d2b\"\r\n"
    "Cache-Control: max-age=0\r\n\r\n";

constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\nDate: Mon, 06 May 2024 10:00:00 GMT\r\nServer: nginx\r\n"
    "Content-Type: text/css\r\nContent-Length: 48211\r\nLast-Modified: Wed, 01 May 2024 09:00:00 "
    "GMT\r\nConnection: keep-alive\r\nETag: \"5f3c6f1a-1d2b\"\r\nCache-Control: max-age=600\r\n"
    "Accept-Ranges: bytes\r\n\r\n";

void read_request(benchmark::State& state, std::string_view octets) {
  for (auto _ : state) {
    RequestReader reader;
    benchmark::DoNotOptimize(reader.read(octets));
    benchmark::DoNotOptimize(reader.head());
  }
}

void read_next_request(benchmark::State& state, std::string_view octets) {
  RequestReader reader;
  for (auto _ : state) {
    benchmark::DoNotOptimize(reader.read(octets));
    benchmark::DoNotOptimize(reader.head());
  }
}

void read_in_octets(benchmark::State& state, std::string_view octets) {
  for (auto _ : state) {
    RequestReader reader;
    for (std::size_t size = 1; size <= octets.size(); ++size) {
      benchmark::DoNotOptimize(reader.read(octets.substr(0, size)));
    }
  }
}

void forward_request(benchmark::State& state) {
  RequestReader reader;
  if (!reader.read(kBrowserGet)) state.SkipWithError("the request is refused");
  const Authority authority = *asked_of_proxy(reader.head());
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_forwarded(out, reader.head(), authority, "ebbgate", Persistence::kKeepAlive);
    benchmark::DoNotOptimize(out.data());
  }
}

void read_and_forward_response(benchmark::State& state) {
  ResponseReader reader;
  std::string out;
  for (auto _ : state) {
    out.clear();
    benchmark::DoNotOptimize(reader.read(kResponse, {}));
    append_forwarded(out, reader.head(), reader.head().body, "ebbgate", Persistence::kKeepAlive);
    benchmark::DoNotOptimize(out.data());
  }
}

BENCHMARK_CAPTURE(read_request, connect, kConnect);
BENCHMARK_CAPTURE(read_request, browser_get, kBrowserGet);
BENCHMARK_CAPTURE(read_next_request, connect, kConnect);
BENCHMARK_CAPTURE(read_next_request, browser_get, kBrowserGet);
BENCHMARK_CAPTURE(read_in_octets, browser_get, kBrowserGet);
BENCHMARK(forward_request);
BENCHMARK(read_and_forward_response);

}  // namespace
}  // namespace ebbgate::http
