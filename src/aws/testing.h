// The world as the tests of this folder see it: a transport that answers by script, a clock that
// stands still, an environment and files that are maps. Nothing else includes it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "aws/context.h"
#include "aws/credentials.h"
#include "aws/sigv4.h"
#include "net/testing.h"

namespace ebbgate {

// What a failing test shows of a secret, in place of its octets.
inline void PrintTo(const Secret& /*secret*/, std::ostream* out) {
  *out << "(secret)";
}

}  // namespace ebbgate

namespace ebbgate::aws::testing {

class TestClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override { return now; }
  WallTime now = WallTime(std::chrono::seconds(1'440'938'160));  // 2015-08-30T12:36:00Z
};

// Answers in the order of the script and remembers what it was asked.
class Script final : public https::Transport {
 public:
  explicit Script(net::Loop& loop) : loop_(&loop) {}

  [[nodiscard]] net::Task<Result<https::Response>> send(https::Request request) override {
    seen.push_back(std::move(request));
    if (answers_later) {  // in a later turn of the loop, as a network does
      const Deadline soon = loop_->after(std::chrono::milliseconds(1));
      (void)co_await net::sleep_until(*loop_, soon);
    }
    if (answers.empty()) co_return fail(Reason::kInternal, Side::kSelf, "not in the script");
    Result<https::Response> answer = std::move(answers.front());
    answers.pop_front();
    co_return answer;
  }
  Script& answer(int status, std::string body, std::vector<https::Header> headers = {}) {
    answers.emplace_back(https::Response{status, std::move(headers), std::move(body)});
    return *this;
  }
  Script& breaks(Reason reason) {
    answers.emplace_back(fail(reason, Side::kOrigin, "by script"));
    return *this;
  }

  std::vector<https::Request> seen;
  std::deque<Result<https::Response>> answers;
  bool answers_later = false;

 private:
  net::Loop* loop_;
};

[[nodiscard]] inline std::string header_of(const https::Request& request, std::string_view name) {
  for (const https::Header& header : request.headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

struct World {
  std::unique_ptr<net::Loop> loop = net::testing::make_loop();
  Script network{*loop};
  TestClock clock;
  std::map<std::string, std::string> variables;
  std::map<std::string, std::string> files;
  std::uint64_t random = 0;
  Context context{*loop,
                  network,
                  clock,
                  [this] { return random; },
                  [this](const std::string& name) -> std::optional<std::string> {
                    const auto found = variables.find(name);
                    if (found == variables.end()) return std::nullopt;
                    return found->second;
                  },
                  [this](const std::string& path) -> Result<std::string> {
                    const auto found = files.find(path);
                    if (found == files.end()) {
                      return fail(Reason::kInternal, Side::kSelf, path + ": no such file");
                    }
                    return found->second;
                  }};

  // Runs one conversation to its end. It needs the loop only where it waits, and a loop serves
  // once: so that happens at most once in a test.
  template <typename T>
  [[nodiscard]] T run(net::Task<T> task) {
    std::optional<T> out;
    net::spawn(keep(*this, std::move(task), out), net::testing::abort_on_failure);
    if (!out) {
      is_serving_ = true;
      loop->run();
    }
    return *std::move(out);
  }

 private:
  template <typename T>
  static net::Task<void> keep(World& world, net::Task<T> task, std::optional<T>& out) {
    out.emplace(co_await task);
    if (world.is_serving_) world.loop->stop();
  }

  bool is_serving_ = false;
};

// The pair of AWS's own examples.
[[nodiscard]] inline Credentials example_credentials() {
  return {"AKIDEXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), {}, std::nullopt};
}

}  // namespace ebbgate::aws::testing
