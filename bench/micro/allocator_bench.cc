// What one allocation of CPython takes: pymalloc alone, with our hooks in, and inside a block.
#include <benchmark/benchmark.h>

#include <cstdio>

#include "allocator/hooks.h"
#include "allocator/install.h"
#include "allocator/python_compat.h"
#include "allocator/scope.h"
#include "arena/arena.h"
#include "bench/micro/sizes.h"

namespace frozen_arena {
namespace {

constexpr TracemallocControl kNoTracemalloc = {[] { return false; }, [] { return 0; }, [] {},
                                               [](int) {}};

// Runs in the order of registration: those of stock come before the hooks, which stay.
void InstallHooks() {
  bool restarted = false;
  EnsureInstalled(kNoTracemalloc, &restarted);
}

// A block whose arena outlives all that is allocated in it.
class Block {
 public:
  Block() : arena_(Arena::Create({})) {
    InstallHooks();
    arena_->Allocate(LaneKind::kPayload, 64);
    BeginBlock();
    RouteThread(arena_);
  }
  ~Block() {
    RouteThread(nullptr);
    EndBlock();
    arena_->Abandon();
    arena_->DropHandle();
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

 private:
  Arena* arena_;
};

void StockAllocate(benchmark::State& state) { TimeAllocate(state, PyObject_Malloc, PyObject_Free); }
BENCHMARK(StockAllocate)->Apply(Sizes);

void StockFree(benchmark::State& state) { TimeFree(state, PyObject_Malloc, PyObject_Free); }
BENCHMARK(StockFree)->Apply(Sizes);

void StockGrow(benchmark::State& state) {
  TimeGrow(state, PyMem_Malloc, PyMem_Realloc, PyMem_Free);
}
BENCHMARK(StockGrow)->Arg(4096)->Arg(1 << 20);

void StockRawFree(benchmark::State& state) { TimeFree(state, PyMem_RawMalloc, PyMem_RawFree); }
BENCHMARK(StockRawFree)->Arg(1000);

void HookedAllocate(benchmark::State& state) {
  InstallHooks();
  TimeAllocate(state, PyObject_Malloc, PyObject_Free);
}
BENCHMARK(HookedAllocate)->Apply(Sizes);

void HookedFree(benchmark::State& state) {
  InstallHooks();
  TimeFree(state, PyObject_Malloc, PyObject_Free);
}
BENCHMARK(HookedFree)->Apply(Sizes);

void HookedRawFree(benchmark::State& state) {
  InstallHooks();
  TimeFree(state, PyMem_RawMalloc, PyMem_RawFree);
}
BENCHMARK(HookedRawFree)->Arg(1000);

void BlockAllocate(benchmark::State& state) {
  const Block block;
  TimeAllocate(state, PyObject_Malloc, PyObject_Free);
}
BENCHMARK(BlockAllocate)->Apply(Sizes);

void BlockFree(benchmark::State& state) {
  const Block block;
  TimeFree(state, PyObject_Malloc, PyObject_Free);
}
BENCHMARK(BlockFree)->Apply(Sizes);

void BlockGrow(benchmark::State& state) {
  const Block block;
  TimeGrow(state, PyMem_Malloc, PyMem_Realloc, PyMem_Free);
}
BENCHMARK(BlockGrow)->Arg(4096)->Arg(1 << 20);

}  // namespace
}  // namespace frozen_arena

int main(int argc, char** argv) {
  Py_Initialize();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;  // without the interpreter's end: there is nothing to take down
}
