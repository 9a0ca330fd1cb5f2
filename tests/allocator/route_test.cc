// Routes are pure functions: the whole table, line by line.
#include "allocator/route.h"

#include <gtest/gtest.h>

namespace frozen_arena {
namespace {

TEST(RouteTest, ObjectsAndPayloadNeverShareALane) {
  EXPECT_EQ(LaneFor(Domain::kObj), LaneKind::kObjects);
  EXPECT_EQ(LaneFor(Domain::kMem), LaneKind::kPayload);
  EXPECT_EQ(LaneFor(Domain::kRaw), LaneKind::kPayload);
}

TEST(RouteTest, TheStateOfTheArenaDecidesOnAReallocation) {
  struct Row {
    bool ours;
    ArenaState state;
    ReallocRoute route;
  };
  constexpr Row kTable[] = {
      {false, ArenaState::kBuilding, ReallocRoute::kOrdinary},
      {false, ArenaState::kSealed, ReallocRoute::kOrdinary},
      {true, ArenaState::kBuilding, ReallocRoute::kSameArena},
      {true, ArenaState::kSealing, ReallocRoute::kLeaveArena},
      {true, ArenaState::kSealed, ReallocRoute::kLeaveArena},
      {true, ArenaState::kAbandoned, ReallocRoute::kLeaveArena},
  };
  for (const Row& row : kTable) EXPECT_EQ(RouteRealloc(row.ours, row.state), row.route);
}

}  // namespace
}  // namespace frozen_arena
