// The stream of keys and values that the architecture has: Lds, and attend(). Knows no operation.
#pragma once
#if defined(__gfx950__)
#include "attention/gfx950_stream.h"
#else
#include "attention/gfx942_stream.h"
#endif
