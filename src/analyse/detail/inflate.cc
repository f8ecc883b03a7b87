#include "analyse/detail/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>

namespace ebbgate::analyse::detail {
namespace {

constexpr int kGzipWindow = 15 + 16;  // the largest window; gzip framing only (zlib.h)

uInt length_of(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

}  // namespace

struct Inflate::Stream {
  z_stream z{};
};

Inflate::Inflate() : stream_(std::make_unique<Stream>()) {
  if (inflateInit2(&stream_->z, kGzipWindow) != Z_OK) throw std::bad_alloc();
}

Inflate::~Inflate() {
  inflateEnd(&stream_->z);
}

Inflate::Step Inflate::step(std::span<const char> in, std::span<char> out) {
  if (state_ == State::kDamaged) return {.consumed = in.size(), .produced = 0};
  z_stream& z = stream_->z;
  // zlib's type for octets that it only reads is not const.
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));  // NOLINT
  z.avail_in = length_of(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = length_of(out.size());
  const int result = inflate(&z, Z_NO_FLUSH);
  const Step step{.consumed = length_of(in.size()) - z.avail_in,
                  .produced = length_of(out.size()) - z.avail_out};
  if (result == Z_STREAM_END) {
    state_ = inflateReset(&z) == Z_OK ? State::kBetween : State::kDamaged;
  } else if (result == Z_OK || result == Z_BUF_ERROR) {
    state_ = State::kMore;
  } else {
    state_ = State::kDamaged;
  }
  return step;
}

}  // namespace ebbgate::analyse::detail
