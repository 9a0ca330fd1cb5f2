// Each sanitizer build must end the process at a fault, with the sanitizer's own message: a build
// whose flags went missing would otherwise pass every test. The faults are compiled with the flags
// of the layers.
#include <gtest/gtest.h>

#include <climits>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <thread>

namespace {

// What the compiler can neither see through nor leave out, so that the fault stays in the program.
volatile std::size_t g_past_the_end = 16;
volatile int g_one = 1;
volatile int g_sink = 0;

[[maybe_unused]] void ReadPastTheEnd() {
  const auto block = std::make_unique<char[]>(16);
  g_sink = block[g_past_the_end];
}

[[maybe_unused]] void OverflowAnInt() { g_sink = INT_MAX - 1 + 2 * g_one; }

[[maybe_unused]] void WriteFromTwoThreads() {
  int shared = 0;
  std::thread other([&shared] { shared = g_one; });
  shared = g_one + 1;
  other.join();
  g_sink = shared;
}

#if defined(__SANITIZE_ADDRESS__)
TEST(PlantedFault, AddressSanitizerDiesOfAReadPastTheEnd) {
  EXPECT_DEATH(ReadPastTheEnd(), "AddressSanitizer: heap-buffer-overflow");
}
#elif defined(__SANITIZE_THREAD__)
TEST(PlantedFault, ThreadSanitizerReportsARace) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(WriteFromTwoThreads();
              std::exit(0), testing::ExitedWithCode(66), "ThreadSanitizer: data race");
}
#else
TEST(PlantedFault, UndefinedBehaviorSanitizerDiesOfASignedOverflow) {
  EXPECT_DEATH(OverflowAnInt(), "runtime error: signed integer overflow");
}
#endif

}  // namespace
