// The API as the tests of this folder and of those that watch see it: a transport that answers by
// script. Nothing else includes it.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "https/transport.h"
#include "kube/client.h"
#include "net/signal.h"
#include "net/testing.h"

namespace ebbgate::kube::testing {

struct Answer {
  int status = 200;
  std::vector<std::string> pieces = {};
  std::vector<https::Header> headers = {};
  std::optional<Reason> breaks = {};  // after the pieces; nothing: an orderly end
  bool has_no_head = false;           // it breaks before anything came
  Duration lasts = {};                // after the pieces, before its end
};

// Answers in the order of the script and remembers what it was asked. What is not in the script
// is waited for in vain, and the loop is stopped: the test is over.
class Script final : public https::StreamTransport {
 public:
  explicit Script(net::Loop& loop) : loop_(&loop) {}

  [[nodiscard]] net::Task<Result<https::Response>> send(https::Request request) override {
    co_return co_await answer(std::move(request), nullptr);
  }
  [[nodiscard]] net::Task<Result<https::Response>> stream(https::Request request,
                                                          https::BodySink sink) override {
    co_return co_await answer(std::move(request), &sink);
  }

  Script& add(Answer answer) {
    answers.push_back(std::move(answer));
    return *this;
  }
  Script& add(std::string body) { return add({.pieces = {std::move(body)}}); }
  Script& status(int status, std::string body = "", std::vector<https::Header> headers = {}) {
    return add({.status = status, .pieces = {std::move(body)}, .headers = std::move(headers)});
  }
  Script& breaks(Reason reason) { return add({.breaks = reason, .has_no_head = true}); }

  // The path and query of the request, without the server.
  [[nodiscard]] std::string path(std::size_t index) const {
    const std::string& url = seen.at(index).url;
    return url.substr(url.find('/', std::string_view("https://").size()));
  }

  std::vector<https::Request> seen;
  std::deque<Answer> answers;
  bool stops_at_end = true;

 private:
  net::Task<Result<https::Response>> answer(https::Request request, https::BodySink* sink) {
    seen.push_back(std::move(request));
    // In a later turn of the loop, as a network does.
    net::Signal turn(*loop_);
    loop_->post([&turn] { turn.notify_all(); });
    static_cast<void>(co_await turn.wait(Deadline::never()));
    if (answers.empty()) {
      if (stops_at_end) loop_->stop();
      static_cast<void>(co_await net::sleep_until(*loop_, Deadline::never()));
      co_return fail(Reason::kDraining, Side::kSelf, "the test is over");
    }
    Answer answer = std::move(answers.front());
    answers.pop_front();
    if (answer.has_no_head) co_return fail(*answer.breaks, Side::kOrigin, "by script");
    https::Response response{.status = answer.status, .headers = std::move(answer.headers)};
    const bool is_taken = sink != nullptr && answer.status / 100 == 2;
    if (is_taken && !(*sink)({})) co_return response;
    for (const std::string& piece : answer.pieces) {
      if (!is_taken) {
        response.body += piece;
      } else if (!(*sink)(piece)) {
        co_return response;
      }
    }
    if (answer.lasts > Duration::zero()) {
      const Deadline end = loop_->after(answer.lasts);
      static_cast<void>(co_await net::sleep_until(*loop_, end));
    }
    if (answer.breaks) co_return fail(*answer.breaks, Side::kOrigin, "by script");
    co_return response;
  }

  net::Loop* loop_;
};

struct World {
  std::unique_ptr<net::Loop> loop = net::testing::make_loop();
  Script api{*loop};
  Client client{*loop,
                api,
                [] { return std::uint64_t{1}; },
                {.server = "https://api.example:6443",
                 .backoff = std::chrono::milliseconds(1),
                 .max_object = 4096}};

  // Runs one conversation to its end; once.
  template <typename T>
  [[nodiscard]] T run(net::Task<T> task) {
    api.stops_at_end = false;
    std::optional<T> out;
    net::testing::run_to_end(*loop, keep(std::move(task), out));
    return *std::move(out);
  }

 private:
  template <typename T>
  static net::Task<void> keep(net::Task<T> task, std::optional<T>& out) {
    out.emplace(co_await task);
  }
};

// `{"metadata":{"name":…,"resourceVersion":…}}`
[[nodiscard]] inline std::string object(const std::string& name, const std::string& version) {
  return R"({"metadata":{"name":")" + name + R"(","resourceVersion":")" + version + R"("}})";
}
[[nodiscard]] inline std::string event(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}
[[nodiscard]] inline std::string list(const std::string& version, const std::string& items,
                                      const std::string& next = "") {
  return R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":")" + version +
         (next.empty() ? "" : R"(","continue":")" + next) + R"("},"items":[)" + items + "]}\n";
}
[[nodiscard]] inline std::string status(int code, const std::string& reason) {
  return R"({"kind":"Status","apiVersion":"v1","status":"Failure","message":"so it is","reason":")" +
         reason + R"(","code":)" + std::to_string(code) + "}";
}

}  // namespace ebbgate::kube::testing
