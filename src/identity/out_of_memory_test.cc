// Every allocation of a change fails once: the index stays one that can be read, and is right as
// soon as the same is told again.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <string>

#include "identity/pod_index.h"

namespace {

long g_left = -1;  // how many allocations succeed before one fails; below zero: all do

[[maybe_unused]] void* allocate(std::size_t size) {
  if (g_left == 0) {
    g_left = -1;
    throw std::bad_alloc();
  }
  if (g_left > 0) --g_left;
  void* memory = std::malloc(std::max<std::size_t>(size, 1));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

#if !__has_feature(thread_sanitizer)  // which has operators of its own that cannot be replaced
void* operator new(std::size_t size) {
  return allocate(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
#endif

namespace ebbgate::identity {
namespace {

PodState pod(std::string name, const std::vector<const char*>& where, int started) {
  PodState state{.name = std::move(name), .pod_namespace = "shop"};
  state.labels = {{"a-label-that-has-to-be-allocated", "x"}};
  for (const char* each : where) state.addresses.push_back(*IpAddress::parse(each));
  state.started = WallTime(std::chrono::seconds(started));
  return state;
}

TEST(PodIndexWithoutMemory, IsRightAsSoonAsItIsToldAgain) {
#if __has_feature(thread_sanitizer)
  GTEST_SKIP() << "no allocation can be made to fail";
#endif
  const PodState moved = pod("a", {"10.1.0.2", "2001:db8::2", "10.1.0.3"}, 1);
  PodState later = pod("b", {"10.1.0.1", "10.1.0.4"}, 2);
  later.ends = WallTime(std::chrono::hours(1));
  const PodState ending = later;
  const PodState added = pod("c", {"10.1.0.5", "10.1.0.4"}, 3);
  for (long allowed = 0, failures = 1; failures > 0; ++allowed) {
    failures = 0;
    PodIndex index;
    index.set_pod_blocks({*Cidr::parse("10.1.0.0/16")});
    index.put(pod("a", {"10.1.0.1"}, 1));
    index.put(pod("b", {"10.1.0.4"}, 2));
    index.publish();
    PodReader reader(index);
    const auto whose = [&](const char* where) {
      const Found found = reader.find(*IpAddress::parse(where), WallTime{}, MonotonicTime{});
      return found.pod ? found.pod->name : std::string();
    };
    const auto change = [&] {
      try {
        for (const PodState* each : {&moved, &ending, &added}) index.put(*each);
        index.publish();
      } catch (const std::bad_alloc&) {
        ++failures;
      }
    };
    g_left = allowed;
    change();
    g_left = -1;
    static_cast<void>(whose("10.1.0.1"));
    const long failed = failures;
    change();
    ASSERT_EQ(failures, failed);
    EXPECT_EQ(whose("10.1.0.1"), "b") << allowed;
    EXPECT_EQ(whose("10.1.0.2"), "a") << allowed;
    EXPECT_EQ(whose("10.1.0.3"), "a") << allowed;
    EXPECT_EQ(whose("10.1.0.4"), "c") << allowed;
    EXPECT_EQ(whose("10.1.0.5"), "c") << allowed;
    EXPECT_EQ(index.outside_count(), 1U);
    for (const char* name : {"a", "b", "c"}) index.remove("shop", name);
    index.publish();
    EXPECT_EQ(index.outside_count(), 0U);
    EXPECT_EQ(whose("10.1.0.4"), "");
    ASSERT_LT(allowed, 1000) << "nothing fails";
    if (failed == 0) EXPECT_GT(allowed, 20) << "the test tests nothing";
  }
}

}  // namespace
}  // namespace ebbgate::identity
