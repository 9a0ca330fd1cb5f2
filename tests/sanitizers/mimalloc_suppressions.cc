// Linked into the tests under ThreadSanitizer: mimalloc comes as an object file without its
// instrumentation, so what it synchronises by atomics of its own looks like races where it calls
// memset(). Named one by one: our callbacks run below other functions of mimalloc.

extern "C" const char* __tsan_default_suppressions();  // NOLINT: the sanitizer's own name

extern "C" __attribute__((visibility("default"), used)) const char* __tsan_default_suppressions() {
  return "race:^_mi_theap_init\n";
}
