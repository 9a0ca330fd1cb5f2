// A bare number does not become a size in bytes by itself.
// error: conversion from .int. to non-scalar type|no viable conversion
#include "arena/units.h"

using namespace frozen_arena;

#ifdef FZA_CONTROL
Bytes size(4096);
#else
Bytes size = 4096;
#endif
