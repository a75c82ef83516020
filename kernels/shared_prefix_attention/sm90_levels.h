// A list of work made of levels of shared keys: a prefix that all sequences see and, where there is one, a level that each run of
// sequences shares. A tile's rows are the heads of a group within consecutive sequences of one run; its keys are those of the prefix and
// then the run's own, in whole stages of each, of which every part has a range. Knows no product and no pipeline.
#pragma once
#include "block_sparse_attention/sm90_feeder.h"

struct Levels {
    const TensorMap &prefix_k, &prefix_v, &level_k, &level_v;    // (Hk, P, D), (Hk runs, M, D)
    int prefix, level;                                           // keys: P and M
    int heads, runs, run_rows;                                   // rows of a head that are a run's
    int parts, tiles;

    // The stages of a tile, as they follow one another.
    struct Keys {
        const Levels& levels;
        int first, head, run;

        DEVICE KeyPlace at(int stage) const {
            int within = first + stage - levels.prefix_stages();
            if (within < 0) return {levels.prefix_k, levels.prefix_v, (first + stage) * TILE_N, head};
            return {levels.level_k, levels.level_v, within * TILE_N, head * levels.runs + run};
        }
    };

    // Keys of either level from the tile's first stage on, and how many stages are the prefix's. Every row of a tile sees the same.
    struct Seen { int prefix, level, change; };

    DEVICE int prefix_stages() const { return ceil_div(prefix, TILE_N); }

    DEVICE int first_stage(int part) const { return part * (prefix_stages() + ceil_div(level, TILE_N)) / parts; }

    // Tiles of a head and part side by side, since they share keys. The segment is the part.
    DEVICE Place at(int index) const {
        int in_run = ceil_div(run_rows, TILE_M), in_head = runs * in_run, tile = index % in_head, rest = index / in_head;
        int part = rest / heads;
        int row = tile / in_run * run_rows + tile % in_run * TILE_M;
        return {rest % heads, row, part, first_stage(part + 1) - first_stage(part)};
    }

    DEVICE Keys keys(Place place) const { return {*this, first_stage(place.segment), place.head, place.row / run_rows}; }

    DEVICE int end(Place place) const { return (place.row / run_rows + 1) * run_rows; }

    DEVICE Seen seen(Place place, int) const {
        int first = first_stage(place.segment), change = prefix_stages() - first;
        return {prefix - first * TILE_N, level + change * TILE_N, change};
    }

    // Keys of a stage's level from its first on.
    DEVICE int left(Seen seen, int stage) const { return (stage < seen.change ? seen.prefix : seen.level) - stage * TILE_N; }

    DEVICE bool is_short(Place) const { return false; }

    DEVICE bool hides(Seen seen, Place, int stage, int keys) const { return __any_sync(~0u, left(seen, stage) < keys); }

    // Masks what lies beyond the last key of a level.
    template <int N> DEVICE void hide(float (&s)[N], Seen seen, Place, int stage, int column) const {
        int end = left(seen, stage) - column;
        mask(s, {end, end});
    }
};
