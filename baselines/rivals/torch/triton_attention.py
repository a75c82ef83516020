# Flash attention as a user of Triton writes it, by us: what a compiler makes of the idea that our
# kernels carry out by hand. A program takes a tile of queries and runs over the keys that they see,
# first the blocks that all of them see, then those that need a mask. Tiles come and go through
# tensor descriptors, which read zeros beyond the last row and column.
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor

from tilemark_attention import operands
from tilemark_site import planner

# Queries and keys of a tile, warps and stages of the pipeline, by the width of a padded head.
TILES = {
    64: [(128, 128, 8, 3), (128, 64, 4, 3), (64, 64, 4, 4)],
    128: [(128, 128, 8, 2), (128, 64, 8, 3), (64, 64, 4, 3)],
    256: [(128, 64, 8, 2), (64, 64, 4, 2)],
}


@triton.jit
def add_block(q, k_tiles, v_tiles, key_head, first_key, visible, o, top, total, scale,
              MASKED: tl.constexpr, KEYS: tl.constexpr, HEAD: tl.constexpr):
    """Adds a block of keys to a tile's sums, all in units of the largest score so far."""
    k = k_tiles.load([key_head, first_key, 0]).reshape(KEYS, HEAD)
    scores = tl.dot(q, k.T)
    if MASKED:
        keys = first_key + tl.arange(0, KEYS)
        scores = tl.where(keys[None, :] < visible[:, None], scores, float("-inf"))
    new_top = tl.maximum(top, tl.max(scores, 1) * scale)
    # A row that has seen nothing yet must not subtract one infinity from another.
    base = tl.where(new_top == float("-inf"), 0.0, new_top) if MASKED else new_top
    weights = tl.math.exp2(scores * scale - base[:, None])
    shrink = tl.math.exp2(top - base)
    total = total * shrink + tl.sum(weights, 1)
    v = v_tiles.load([key_head, first_key, 0]).reshape(KEYS, HEAD)
    o = tl.dot(weights.to(v.dtype), v, o * shrink[:, None])
    return o, new_top, total


@triton.jit
def attend(q_tiles, k_tiles, v_tiles, o_tiles, lse, group, n, nk, scale,
           QUERIES: tl.constexpr, KEYS: tl.constexpr, HEAD: tl.constexpr, CAUSAL: tl.constexpr):
    # The last tiles see the most keys, and begin.
    first = (tl.num_programs(0) - 1 - tl.program_id(0)) * QUERIES
    head = tl.program_id(1)
    rows = first + tl.arange(0, QUERIES)
    visible = tl.minimum(rows + 1 + nk - n, nk) if CAUSAL else tl.full([QUERIES], nk, tl.int32)
    seen = tl.minimum(tl.maximum(first + QUERIES + nk - n, 0), nk) if CAUSAL else nk
    seen_by_all = tl.minimum(tl.maximum(first + 1 + nk - n, 0), nk) if CAUSAL else nk
    whole = seen_by_all // KEYS * KEYS
    q = q_tiles.load([head, first, 0]).reshape(QUERIES, HEAD)
    o = tl.zeros([QUERIES, HEAD], tl.float32)
    top = tl.full([QUERIES], float("-inf"), tl.float32)
    total = tl.zeros([QUERIES], tl.float32)
    for key in tl.range(0, whole, KEYS):
        o, top, total = add_block(q, k_tiles, v_tiles, head // group, key, visible, o, top, total,
                                  scale, False, KEYS, HEAD)
    for key in tl.range(whole, seen, KEYS):
        o, top, total = add_block(q, k_tiles, v_tiles, head // group, key, visible, o, top, total,
                                  scale, True, KEYS, HEAD)
    o = o / tl.where(total == 0, 1.0, total)[:, None]
    o_tiles.store([head, first, 0], o.to(q.dtype).reshape(1, QUERIES, HEAD))
    natural = 0.6931471805599453 * (top + tl.math.log2(total))
    tl.store(lse + head.to(tl.int64) * n + rows, natural, mask=rows < n)


@planner
def plan(site):
    q, k, v = operands(site)
    b, h, n, nk, d = site.axes("b", "h", "n", "nk", "d")
    o, lse = site.tensor(3, (b, h, n, d)), site.tensor(4, (b, h, n), "f32")
    width = max(64, triton.next_power_of_2(d))
    scale = 1.4426950408889634 / d**0.5

    def candidate(queries, keys, warps, stages):
        tiles = [tiled(q, queries, width), tiled(k, keys, width)]
        tiles += [tiled(v, keys, width), tiled(o, queries, width)]
        grid = (triton.cdiv(n, queries), b * h)

        def enqueue():
            attend[grid](
                *tiles, lse, h // site.shape["hk"], n, nk, scale, QUERIES=queries, KEYS=keys,
                HEAD=width, CAUSAL=site.shape["causal"], num_warps=warps, num_stages=stages,
            )

        return f"{queries} queries, {keys} keys, {warps} warps, {stages} stages", enqueue, None

    return [candidate(*tile) for tile in TILES[width]]


def tiled(tensor, rows, columns):
    """(B, H, rows, D) as tiles of one head."""
    tensor = tensor.flatten(0, 1)
    return TensorDescriptor(tensor, list(tensor.shape), list(tensor.stride()), [1, rows, columns])
