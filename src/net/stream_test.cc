#include "net/stream.h"

#include <gtest/gtest.h>
#include <sys/ioctl.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/task.h"
#include "net/testing.h"

namespace ebbgate::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::abort_on_failure;
using testing::connected_pair;
using testing::ip;
using testing::make_loop;
using testing::run_to_end;
using testing::Socket;

// Two streams that are the ends of one connection.
struct Ends {
  std::unique_ptr<Loop> loop = make_loop();
  Stream one;
  Stream other;

  Ends() : Ends(connected_pair()) {}

  [[nodiscard]] Deadline soon() const { return loop->after(seconds(20)); }

 private:
  explicit Ends(std::array<int, 2> fds) : one(*loop, fds[0]), other(*loop, fds[1]) {}
};

Task<void> write_text(Stream& stream, std::string text, Deadline deadline) {
  const auto written = co_await stream.write_all(text, deadline);
  EXPECT_TRUE(written);
}

// Reads until the end of the stream.
Task<std::string> read_all(Stream& stream, Deadline deadline) {
  std::string all;
  std::string buffer(64 * 1024, '\0');
  for (;;) {
    const auto got = co_await stream.read_some(buffer, deadline);
    EXPECT_TRUE(got);
    if (!got || *got == 0) co_return all;
    all.append(buffer, 0, *got);
  }
}

Task<IoResult<std::string>> read_once(Stream& stream, Deadline deadline) {
  std::string buffer(1024, '\0');
  const auto got = co_await stream.read_some(buffer, deadline);
  if (!got) co_return std::unexpected(got.error());
  buffer.resize(*got);
  co_return buffer;
}

Task<void> pause(Loop& loop, Duration allowance) {
  SleepAwaiter sleep = sleep_until(loop, loop.after(allowance));
  co_await sleep;
}

Task<void> write_later(Stream& stream, std::string text, Duration later) {
  co_await pause(stream.loop(), later);
  const auto written = co_await stream.write_all(text, Deadline::never());
  EXPECT_TRUE(written);
}

Task<void> reads_what_is_there_and_then_waits(Ends& ends) {
  co_await write_text(ends.one, "first", ends.soon());
  const auto first = co_await read_once(ends.other, ends.soon());
  EXPECT_EQ(first, "first");
  spawn(write_later(ends.one, "second", milliseconds(20)), abort_on_failure);
  const auto second = co_await read_once(ends.other, ends.soon());
  EXPECT_EQ(second, "second");
}

TEST(Stream, ReadsWhatIsThereAndElseWaits) {
  Ends ends;
  run_to_end(*ends.loop, reads_what_is_there_and_then_waits(ends));
}

Task<void> half_closes(Ends& ends) {
  co_await write_text(ends.one, "question", ends.soon());
  ends.one.shutdown_write();
  const std::string question = co_await read_all(ends.other, ends.soon());
  EXPECT_EQ(question, "question");
  EXPECT_TRUE(ends.other.peer_is_done());
  co_await write_text(ends.other, "answer", ends.soon());
  ends.other.close();
  const std::string answer = co_await read_all(ends.one, ends.soon());
  EXPECT_EQ(answer, "answer");
}

TEST(Stream, StillCarriesTheAnswerWhenOneDirectionHasEnded) {
  Ends ends;
  run_to_end(*ends.loop, half_closes(ends));
}

Task<void> times_out_and_loses_nothing(Ends& ends) {
  const MonotonicTime begun = ends.loop->now();
  const auto nothing = co_await read_once(ends.other, ends.loop->after(milliseconds(30)));
  EXPECT_EQ(nothing, std::unexpected(std::errc::timed_out));
  EXPECT_GE(ends.loop->now() - begun, milliseconds(30));
  co_await write_text(ends.one, "late", ends.soon());
  const auto late = co_await read_once(ends.other, ends.soon());
  EXPECT_EQ(late, "late");
}

TEST(Stream, TimesOutAndCanBeReadAfterwards) {
  Ends ends;
  run_to_end(*ends.loop, times_out_and_loses_nothing(ends));
}

// The octets come in the very turn in which the reader, already timed out, waits to be resumed.
struct Race {
  Stream* reader;
  Stream* writer;
  Timer timer{&Race::on_time, this};
  static void on_time(void* self) {
    const Race& race = *static_cast<Race*>(self);
    EXPECT_EQ(::send(race.writer->fd(), "x", 1, MSG_NOSIGNAL), 1);
  }
};

Task<void> times_out_as_octets_come(Ends& ends) {
  Race race{&ends.other, &ends.one};
  const Deadline deadline = ends.loop->after(milliseconds(30));
  ends.loop->arm(race.timer, deadline);
  const auto nothing = co_await read_once(ends.other, deadline);
  EXPECT_EQ(nothing, std::unexpected(std::errc::timed_out));
  const auto late = co_await read_once(ends.other, ends.soon());
  EXPECT_EQ(late, "x");
}

TEST(Stream, LeavesOctetsThatComeTogetherWithTheDeadlineToTheNextRead) {
  Ends ends;
  run_to_end(*ends.loop, times_out_as_octets_come(ends));
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 131 >> 4);
  return text;
}

Task<void> write_and_shut(Stream& stream, std::string text, Deadline deadline) {
  co_await write_text(stream, std::move(text), deadline);
  stream.shutdown_write();
}

Task<void> read_into(Stream& stream, std::string& out, Deadline deadline) {
  out = co_await read_all(stream, deadline);
}

// Until the other direction, which is read meanwhile, has been read to its end, too.
Task<void> read_last(Ends& ends, std::string& out, const std::string& meanwhile) {
  const Deadline deadline = ends.soon();
  co_await read_into(ends.one, out, deadline);
  while (meanwhile.empty() && ends.loop->now() < deadline.when()) {
    const Deadline look = ends.loop->after(milliseconds(1));
    co_await sleep_until(*ends.loop, look);
  }
}

TEST(Stream, CarriesMoreThanTheBuffersHoldInBothDirectionsAtOnce) {
  Ends ends;
  const std::string text = pattern(8 * 1024 * 1024);
  std::string there;
  std::string back;
  spawn(write_and_shut(ends.one, text, ends.soon()), abort_on_failure);
  spawn(write_and_shut(ends.other, text, ends.soon()), abort_on_failure);
  spawn(read_into(ends.other, there, ends.soon()), abort_on_failure);
  run_to_end(*ends.loop, read_last(ends, back, there));
  EXPECT_TRUE(there == text);
  EXPECT_TRUE(back == text);
}

Task<void> write_until_it_times_out(Ends& ends) {
  const std::string text = pattern(64 * 1024 * 1024);
  const auto written = co_await ends.one.write_all(text, ends.loop->after(milliseconds(30)));
  EXPECT_FALSE(written);
  if (!written) EXPECT_EQ(written.error(), std::errc::timed_out);
}

TEST(Stream, TimesOutWhenNobodyReadsWhatItWrites) {
  Ends ends;
  run_to_end(*ends.loop, write_until_it_times_out(ends));
}

Task<void> notices_a_reset(Ends& ends) {
  ends.one.reset();
  const auto got = co_await read_once(ends.other, ends.soon());
  EXPECT_EQ(got, std::unexpected(std::errc::connection_reset));
  const auto written = co_await ends.other.write_all("more", ends.soon());
  EXPECT_FALSE(written);
  if (!written) EXPECT_EQ(written.error(), std::errc::broken_pipe);
}

TEST(Stream, ReportsAResetToTheReaderAndABrokenPipeToTheWriter) {
  Ends ends;
  run_to_end(*ends.loop, notices_a_reset(ends));
}

Task<void> waits_until_readable(Ends& ends) {
  spawn(write_later(ends.one, "octets", milliseconds(20)), abort_on_failure);
  const auto readable = co_await ends.other.until_readable(ends.soon());
  EXPECT_TRUE(readable);
  int waiting = 0;
  ::ioctl(ends.other.fd(), FIONREAD, &waiting);
  EXPECT_EQ(waiting, 6);
  const auto got = co_await read_once(ends.other, ends.soon());
  EXPECT_EQ(got, "octets");
  const auto nothing = co_await ends.other.until_readable(ends.loop->after(milliseconds(20)));
  EXPECT_EQ(nothing, std::unexpected(std::errc::timed_out));
}

TEST(Stream, WaitsUntilAReadIsWorthTryingWithoutReading) {
  Ends ends;
  run_to_end(*ends.loop, waits_until_readable(ends));
}

Task<void> read_error(Stream& stream, std::errc& error) {
  const auto got = co_await read_once(stream, Deadline::never());
  error = got ? std::errc{} : got.error();
}

TEST(Stream, EndsItsWaitsAtTheHardStopAndWhenTheyAreCancelled) {
  for (const bool is_hard_stop : {true, false}) {
    Ends ends;
    std::errc error{};
    ends.loop->post([&] { is_hard_stop ? ends.loop->give_up_on_everything() : ends.one.cancel(); });
    run_to_end(*ends.loop, read_error(ends.one, error));
    EXPECT_EQ(error, std::errc::operation_canceled) << is_hard_stop;
  }
}

// The other side always has more. Everybody else on the thread must still get a turn.
Task<void> read_without_end(Stream& stream, bool& is_over) {
  std::string buffer(1, '\0');
  while (!is_over) {
    const auto got = co_await stream.read_some(buffer, Deadline::never());
    EXPECT_TRUE(got);
  }
}

TEST(Stream, ThatAlwaysHasMoreDoesNotKeepTheThreadForItself) {
  Ends ends;
  const std::string text(256 * 1024, 'x');
  ASSERT_GT(::send(ends.one.fd(), text.data(), text.size(), MSG_NOSIGNAL), 10'000);
  bool is_over = false;
  ends.loop->post([&] { is_over = true; });
  run_to_end(*ends.loop, read_without_end(ends.other, is_over));
  int left = 0;
  ::ioctl(ends.other.fd(), FIONREAD, &left);
  EXPECT_GT(left, 1000);
}

Task<void> hands_over(Ends& ends) {
  co_await write_text(ends.one, "before", ends.soon());
  const auto before = co_await read_once(ends.other, ends.soon());
  EXPECT_EQ(before, "before");
  Channel& channel = ends.other.release();
  EXPECT_FALSE(ends.other.is_open());
  Stream taken(*ends.loop, channel);
  Stream moved = std::move(taken);
  spawn(write_later(ends.one, "after", milliseconds(10)), abort_on_failure);
  const auto after = co_await read_once(moved, ends.soon());
  EXPECT_EQ(after, "after");
}

TEST(Stream, GoesOnWhereAnotherOwnerLeftIt) {
  Ends ends;
  run_to_end(*ends.loop, hands_over(ends));
}

Task<void> connects(Loop& loop, const Socket& listener) {
  const Endpoint to = listener.local();
  auto connected = co_await Stream::connect(loop, to, loop.after(seconds(20)));
  EXPECT_TRUE(connected);
  if (!connected) co_return;
  EXPECT_EQ(connected->remote(), to);
  EXPECT_EQ(connected->local().address, to.address);
  Stream accepted(loop, listener.accept().release());
  co_await write_text(*connected, "hello", loop.after(seconds(20)));
  const auto got = co_await read_once(accepted, loop.after(seconds(20)));
  EXPECT_EQ(got, "hello");
}

TEST(Connect, LeadsToTheEndpointOfEitherFamily) {
  for (const std::string_view address : {"127.0.0.1", "::1"}) {
    const auto loop = make_loop();
    const Socket listener = Socket::listening(ip(address));
    ASSERT_TRUE(listener.is_open()) << address;
    run_to_end(*loop, connects(*loop, listener));
  }
}

Task<void> fails_to_connect(Loop& loop, Endpoint to, Duration allowance, std::errc error) {
  const auto connected = co_await Stream::connect(loop, to, loop.after(allowance));
  EXPECT_FALSE(connected);
  if (!connected) EXPECT_EQ(connected.error(), error);
}

TEST(Connect, ReportsARefusal) {
  const auto loop = make_loop();
  Socket listener = Socket::listening(ip("127.0.0.1"));
  const Endpoint closed = listener.local();
  listener.close();
  run_to_end(*loop, fails_to_connect(*loop, closed, seconds(20), std::errc::connection_refused));
}

TEST(Connect, TimesOutWhereNothingAnswers) {
  const auto loop = make_loop();
  const Socket full = Socket::listening(ip("127.0.0.1"), 0, 0);
  const Socket fills = Socket::connected(full.local());
  run_to_end(*loop, fails_to_connect(*loop, full.local(), milliseconds(30), std::errc::timed_out));
}

TEST(SocketAddress, GivesBackTheEndpointItWasMadeOf) {
  for (const std::string_view text : {"192.0.2.7:443", "[2001:db8::7]:65535", "0.0.0.0:0"}) {
    const Endpoint endpoint = Endpoint::parse(text).value();
    EXPECT_EQ(SocketAddress(endpoint).endpoint(), endpoint) << text;
  }
  EXPECT_EQ(SocketAddress(*Endpoint::parse("[::ffff:192.0.2.7]:80")).endpoint(),
            *Endpoint::parse("192.0.2.7:80"));
}

}  // namespace
}  // namespace ebbgate::net
