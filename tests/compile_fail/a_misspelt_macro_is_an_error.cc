// A macro that does not exist is refused, not taken for 0.
// error: is not defined
#include "arena/check.h"

#ifdef FZA_CONTROL
#if FZA_AUDIT
#endif
#else
#if FZA_AUDTI
#endif
#endif
