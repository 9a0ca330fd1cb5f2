#include "python/freeze/immortalize.h"

#include <optional>

namespace frozen_arena {
namespace {

std::optional<bool> mark_strings;

}  // namespace

void SetMarkStringsInterned(bool mark) noexcept { mark_strings = mark; }

bool MarksStringsInterned() noexcept {
  if (!mark_strings.has_value()) mark_strings = kHasImmortal && IsDebugInterpreter();
  return *mark_strings;
}

}  // namespace frozen_arena
