#include "net/loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <limits>
#include <new>
#include <string>
#include <utility>

#include "net/owned_fd.h"

namespace ebbgate::net {
namespace {

constexpr int kCompletionsPerResume = 32;
constexpr int kMaxEvents = 256;

MonotonicTime read_clock() {
  return std::chrono::steady_clock::now();
}

std::uint64_t tag(std::uint32_t index, std::uint32_t generation) {
  return std::uint64_t{generation} << 32 | index;
}

}  // namespace

Wait::Wait(Loop& loop) : loop_(&loop) {}

Wait::~Wait() {
  if (prev_ != nullptr) prev_->next_ = next_;
  if (next_ != nullptr) next_->prev_ = prev_;
  if (loop_->waits_ == this) loop_->waits_ = next_;
}

void Wait::begin(std::coroutine_handle<> frame, Deadline deadline) {
  frame_ = frame;
  end_ = End::kPending;
  if (loop_->is_giving_up_) {
    finish(End::kStopped);
    return;
  }
  next_ = loop_->waits_;
  if (next_ != nullptr) next_->prev_ = this;
  loop_->waits_ = this;
  loop_->arm(timer_, deadline);
}

void Wait::finish(End end) {
  if (end_ != End::kPending) return;
  end_ = end;
  timer_.disarm();
  loop_->resume_soon(*this);
}

void Wait::on_deadline(void* self) {
  static_cast<Wait*>(self)->finish(End::kTimedOut);
}

Result<std::unique_ptr<Loop>> Loop::make() {
  const int epoll_fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) {
    return fail(Reason::kInternal, Side::kSelf, std::string("epoll_create1: ") + strerror(errno));
  }
  const int event_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event_fd < 0) {
    const int error = errno;
    ::close(epoll_fd);
    return fail(Reason::kInternal, Side::kSelf, std::string("eventfd: ") + strerror(error));
  }
  std::unique_ptr<Loop> loop(new Loop(epoll_fd, event_fd));
  if (!loop->watch(*loop->posted_channel_, EPOLLIN | EPOLLET)) {
    return fail(Reason::kInternal, Side::kSelf, std::string("epoll_ctl: ") + strerror(errno));
  }
  return loop;
}

Loop::Loop(int epoll_fd, int event_fd) : epoll_fd_(epoll_fd), now_(read_clock()), wheel_(now_) {
  posted_channel_ = &open(event_fd);
  posted_channel_->handler = &Loop::on_posted;
  posted_channel_->owner = this;
}

Loop::~Loop() {
  for (Channel& channel : channels_) {
    if (channel.fd >= 0) ::close(channel.fd);
  }
  ::close(epoll_fd_);
}

Channel& Loop::open(int fd) {
  if (free_channels_ == nullptr) {
    OwnedFd owned(fd);
    Channel& added = channels_.emplace_back();
    added.index = static_cast<std::uint32_t>(channels_.size() - 1);
    added.fd = owned.release();
    return added;
  }
  Channel& channel = *free_channels_;
  free_channels_ = std::exchange(channel.next, nullptr);
  channel.fd = fd;
  return channel;
}

bool Loop::watch(Channel& channel, std::uint32_t events) {
  if (channel.is_registered) return true;
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag(channel.index, channel.generation);
  if (::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, channel.fd, &event) != 0) return false;
  channel.is_registered = true;
  channel.reports_write = (events & EPOLLOUT) != 0;
  return true;
}

bool Loop::watch_writable(Channel& channel) {
  if (channel.reports_write) return true;
  if (!channel.is_registered) return watch(channel, kAllEdges);
  channel.reports_write = rewatch(
      channel, channel.is_muted ? kAllEdges & ~static_cast<std::uint32_t>(EPOLLIN) : kAllEdges);
  return channel.reports_write;
}

bool Loop::mute(Channel& channel, bool is_muted) {
  if (channel.is_muted == is_muted) return true;
  std::uint32_t events = channel.reports_write ? kAllEdges : kReadEdges;
  if (is_muted) events &= ~static_cast<std::uint32_t>(EPOLLIN);
  if (!rewatch(channel, events)) return false;
  channel.is_muted = is_muted;
  return true;
}

bool Loop::rewatch(Channel& channel, std::uint32_t events) {
  if (!channel.is_registered) return watch(channel, events);
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag(channel.index, channel.generation);
  return ::epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, channel.fd, &event) == 0;
}

void Loop::unwatch(Channel& channel) {
  if (!channel.is_registered) return;
  ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, channel.fd, nullptr);
  channel.is_registered = false;
}

int Loop::give_up(Channel& channel) {
  const int fd = channel.fd;
  assert(fd >= 0);
  const bool is_called_again = channel.is_called_again;
  channel = {.index = channel.index,
             .generation = channel.generation + 1,
             .is_called_again = is_called_again,
             .next = is_called_again ? channel.next : free_channels_};
  if (!is_called_again) free_channels_ = &channel;  // else once its turn has come
  return fd;
}

void Loop::close(Channel& channel) {
  // Closing takes the descriptor out of epoll, too. Should a copy of it live on in a child between
  // fork and exec, late events find a newer generation and are dropped.
  ::close(give_up(channel));
}

void Loop::again_soon(Channel& channel, std::uint32_t events) {
  if (channel.is_called_again) return;
  channel.is_called_again = true;
  channel.again_events = events;
  channel.next = nullptr;
  *again_end_ = &channel;
  again_end_ = &channel.next;
}

void Loop::run_again() {
  // As below, those that ask while these are called wait for the next turn.
  Channel* next = std::exchange(again_, nullptr);
  again_end_ = &again_;
  while (next != nullptr) {
    Channel& channel = *std::exchange(next, next->next);
    channel.is_called_again = false;
    if (channel.fd < 0) {  // closed meanwhile
      channel.next = std::exchange(free_channels_, &channel);
    } else {
      dispatch(channel.index, channel.generation, channel.again_events);
    }
  }
}

void Loop::post(std::move_only_function<void()> work) {
  bool was_empty = false;
  {
    const std::lock_guard lock(posted_mutex_);
    was_empty = posted_.empty();
    posted_.push_back(std::move(work));
  }
  if (was_empty) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(posted_channel_->fd, &one, sizeof one);
  }
}

void Loop::stop() {
  post([this] { is_stopping_ = true; });
}

void Loop::on_posted(Channel& channel, std::uint32_t /*events*/) {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(channel.fd, &count, sizeof count);
  static_cast<Loop*>(channel.owner)->run_posted();
}

void Loop::run_posted() {
  std::vector<std::move_only_function<void()>> work;
  {
    const std::lock_guard lock(posted_mutex_);
    work.swap(posted_);
  }
  for (auto& item : work) {
    budget_ = kCompletionsPerResume;
    try {
      item();
    } catch (const std::bad_alloc&) {
      if (on_out_of_memory) on_out_of_memory();
    }
  }
}

void Loop::dispatch(std::uint32_t index, std::uint32_t generation, std::uint32_t events) {
  Channel& channel = channels_[index];
  if (channel.generation != generation || channel.fd < 0) return;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) channel.may_read = true;
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) channel.may_write = true;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) channel.peer_is_done = true;
  budget_ = kCompletionsPerResume;
  if (channel.handler == nullptr) return;
  try {
    channel.handler(channel, events);
  } catch (const std::bad_alloc&) {
    if (on_out_of_memory) on_out_of_memory();
  }
}

void Loop::resume_soon(Wait& wait) {
  *ready_end_ = &wait;
  ready_end_ = &wait.next_ready_;
}

void Loop::run_ready() {
  // Those that become ready while these run wait for the next turn, so that epoll is asked, too.
  Wait* next = std::exchange(ready_, nullptr);
  ready_end_ = &ready_;
  while (next != nullptr) {
    const Wait& wait = *std::exchange(next, next->next_ready_);
    budget_ = kCompletionsPerResume;
    wait.frame_.resume();
  }
}

void Loop::give_up_on_everything() {
  is_giving_up_ = true;
  for (Wait* wait = waits_; wait != nullptr; wait = wait->next_) wait->finish(Wait::End::kStopped);
}

void Loop::run() {
  std::array<epoll_event, kMaxEvents> events{};
  while (!is_stopping_) {
    int timeout_ms = -1;
    if (ready_ != nullptr || again_ != nullptr) {
      timeout_ms = 0;
    } else if (const auto next = wheel_.until_next(now_)) {
      // Rounded up: waking a millisecond late is better than spinning for the rest of one.
      const auto ms = std::chrono::ceil<std::chrono::milliseconds>(*next).count();
      timeout_ms = static_cast<int>(std::min<std::int64_t>(ms, std::numeric_limits<int>::max()));
    }
    const int count = ::epoll_wait(epoll_fd_, events.data(), kMaxEvents, timeout_ms);
    now_ = read_clock();
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      dispatch(static_cast<std::uint32_t>(event.data.u64),
               static_cast<std::uint32_t>(event.data.u64 >> 32), event.events);
    }
    run_again();
    run_ready();
    std::size_t failed = wheel_.advance(now_);
    for (; failed > 0 && on_out_of_memory; --failed) on_out_of_memory();
  }
}

}  // namespace ebbgate::net
