// Linked into programs that embed an interpreter and run under AddressSanitizer: what libpython
// keeps at exit is no leak of ours.

extern "C" const char* __lsan_default_suppressions();  // NOLINT: the sanitizer's own name

extern "C" __attribute__((visibility("default"), used)) const char* __lsan_default_suppressions() {
  return "leak:libpython3\n";
}
