// A part of attention over a shared prefix: what one range of keys gives every query. Rows are those of O, (B, Hk, GROUP).
#pragma once
#include "tile/tile.h"

// Of a row: the maximum of its scores in powers of two, near enough, and the sum of exponentials under it.
struct alignas(8) PartSum { float max, sum; };

struct Part {
    float* o;                                            // (rows, D), not normalised
    PartSum* sums;                                       // (rows)
};
