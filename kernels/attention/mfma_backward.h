// The backward pass's stream of passing rows that the architecture has: Lds, meet_keys() and meet_queries(). Knows no launch.
#pragma once
#if defined(__gfx950__)
#include "attention/gfx950_backward.h"
#else
#include "attention/gfx942_backward.h"
#endif
