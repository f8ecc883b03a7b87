// A gzip file as it comes, member after member (RFC 1952): compressed octets in, the text out.
#pragma once

#include <memory>
#include <span>

namespace ebbgate::analyse::detail {

class Inflate {
 public:
  Inflate();
  ~Inflate();
  Inflate(const Inflate&) = delete;
  Inflate& operator=(const Inflate&) = delete;

  enum class State : std::uint8_t {
    kMore,     // in the middle of a member
    kBetween,  // behind a whole member, where the file may end
    kDamaged,  // what came is no gzip; nothing more is to be had
  };

  struct Step {
    std::size_t consumed = 0;
    std::size_t produced = 0;
  };
  // Consumes of `in` and produces into `out` what it can; neither may be empty.
  [[nodiscard]] Step step(std::span<const char> in, std::span<char> out);
  [[nodiscard]] State state() const { return state_; }

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
  State state_ = State::kBetween;
};

}  // namespace ebbgate::analyse::detail
