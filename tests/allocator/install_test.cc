// The hooks in a real interpreter: what is routed, what is not, and who else may hook.
#include "allocator/install.h"

#include <cstring>
#include <thread>

#include <gtest/gtest.h>

#include "allocator/hooks.h"
#include "allocator/python_compat.h"
#include "allocator/scope.h"
#include "arena/arena.h"

namespace frozen_arena {
namespace {

constexpr TracemallocControl kNoTracemalloc = {[] { return false; }, [] { return 0; }, [] {},
                                               [](int) {}};

void Install() {
  bool restarted = true;
  EnsureInstalled(kNoTracemalloc, &restarted);
  EXPECT_FALSE(restarted);
}

// One interpreter for the program; each test leaves the hooks as it found them.
class InstallTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    Py_Initialize();
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &without_us_);
  }
  void SetUp() override {
    Install();
    arena_ = Arena::Create({});
  }
  void TearDown() override { arena_->DropHandle(); }
  Arena* arena_ = nullptr;
  static inline PyMemAllocatorEx without_us_{};
};

TEST_F(InstallTest, ABlockRoutesObjectsAndPayloadToTheirLanes) {
  BeginBlock();
  void* object = nullptr;
  void* payload = nullptr;
  void* raw = nullptr;
  {
    const RoutingScope scope(arena_);
    object = PyObject_Malloc(64);
    payload = PyMem_Malloc(64);
    raw = PyMem_RawMalloc(64);
  }
  EXPECT_EQ(arena_->LaneOf(object), LaneKind::kObjects);
  EXPECT_EQ(arena_->LaneOf(payload), LaneKind::kPayload);
  EXPECT_EQ(FindArena(raw), nullptr);
  PyObject_Free(object);
  PyMem_Free(payload);
  PyMem_RawFree(raw);
  EXPECT_TRUE(EndBlock());
  EXPECT_EQ(arena_->stats().live_blocks, 0U);
}

TEST_F(InstallTest, AThreadWithoutAScopeAllocatesAsUsual) {
  BeginBlock();
  const RoutingScope scope(arena_);
  std::thread([] { EXPECT_EQ(RoutedArena(), nullptr); }).join();
  RouteAllThreads(arena_);
  std::thread([this] { EXPECT_EQ(RoutedArena(), arena_); }).join();
  RouteAllThreads(nullptr);
  EXPECT_TRUE(EndBlock());
}

TEST_F(InstallTest, ABlockOfASealedArenaIsFreedAndReallocatedOutsideBlocks) {
  BeginBlock();
  char* kept = nullptr;
  char* grown = nullptr;
  {
    const RoutingScope scope(arena_);
    kept = static_cast<char*>(PyObject_Malloc(100));
    grown = static_cast<char*>(PyMem_Calloc(1, 100));
  }
  std::memset(kept, 'k', 100);
  std::memset(grown, 'g', 100);
  EXPECT_TRUE(EndBlock());
  ASSERT_EQ(arena_->Seal(), Status::kOk);
  char* const moved = static_cast<char*>(PyMem_Realloc(grown, 5000));
  EXPECT_EQ(FindArena(moved), nullptr);
  EXPECT_EQ(moved[99], 'g');
  char* const shortened = static_cast<char*>(PyObject_Realloc(kept, 50));
  EXPECT_EQ(FindArena(shortened), nullptr);
  EXPECT_EQ(shortened[49], 'k');
  PyMem_Free(moved);
  PyObject_Free(shortened);
  EXPECT_EQ(arena_->stats().live_blocks, 0U);
}

TEST_F(InstallTest, ZeroBytesGiveABlockOfTheirOwn) {
  BeginBlock();
  const RoutingScope scope(arena_);
  void* const first = PyObject_Malloc(0);
  void* const second = PyMem_Calloc(0, 8);
  EXPECT_NE(first, nullptr);
  EXPECT_NE(second, nullptr);
  PyObject_Free(first);
  PyMem_Free(second);
  EXPECT_TRUE(EndBlock());
}

TEST_F(InstallTest, InstallingTwiceDoesNotHookTwice) {
  PyMemAllocatorEx once{};
  PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &once);
  Install();
  PyMemAllocatorEx twice{};
  PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &twice);
  EXPECT_EQ(once.free, twice.free);
  EXPECT_EQ(once.ctx, twice.ctx);
  EXPECT_TRUE(HooksAreInChain(Domain::kRaw));
}

PyMemAllocatorEx below_stranger{};
void* StrangeMalloc(void* ctx, std::size_t size) { return below_stranger.malloc(ctx, size); }

TEST_F(InstallTest, UninstallRefusesUnderSomebodyElsesHook) {
  PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &below_stranger);
  PyMemAllocatorEx stranger = below_stranger;
  stranger.malloc = &StrangeMalloc;
  stranger.free = [](void* ctx, void* block) { below_stranger.free(ctx, block); };
  PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &stranger);
  EXPECT_EQ(Uninstall(false), Status::kSomeoneHookedOnTop);
  PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &below_stranger);
  EXPECT_EQ(Uninstall(true), Status::kWrongState);
  EXPECT_EQ(Uninstall(false), Status::kOk);
  EXPECT_FALSE(HooksAreInChain(Domain::kRaw));
}

TEST_F(InstallTest, HooksThatSomebodyDroppedInABlockAreNoticedAndPutBack) {
  BeginBlock();
  PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &without_us_);
  EXPECT_FALSE(EndBlock());
  BeginBlock();
  EXPECT_TRUE(HooksAreInChain(Domain::kObj));
  EXPECT_TRUE(EndBlock());
}

TEST_F(InstallTest, NestedBlocksKeepTheHooksUntilTheLastIsLeft) {
  BeginBlock();
  BeginBlock();
  EXPECT_TRUE(EndBlock());
  EXPECT_TRUE(HooksAreInChain(Domain::kObj));
  EXPECT_TRUE(EndBlock());
  EXPECT_EQ(HooksAreInChain(Domain::kObj), DescribeHooks().permanent);
}

}  // namespace
}  // namespace frozen_arena
