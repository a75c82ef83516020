# Attention in which a query sees the keys of some scales only, as torch's users write it: a mask that
# is added to the scores of a dense kernel, and FlexAttention, which skips blocks that are masked whole.
# Masks are made once, before anybody times.
import os

# Compiled here and now: a pool of helper processes would be started from this program's own binary.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")

import torch
from torch.nn.attention import flex_attention as flex

from tilemark_site import planner

aten = torch.ops.aten
SIDES = {
    "to4": (1, 2, 3, 4),
    "to6": (1, 2, 3, 4, 5, 6),
    "image256": (1, 2, 3, 4, 5, 6, 8, 10, 13, 16),
    "image512": (1, 2, 3, 4, 6, 9, 13, 18, 24, 32),
    "image1024": (1, 2, 3, 4, 5, 7, 9, 12, 16, 21, 27, 36, 48, 64),
}
# The kernels read rows of a mask in vectors.
ALIGNMENT = 16
compiled = {}


@planner
def plan_masked(site):
    q, k, v = operands(site)
    bias = additive_mask(site, q)

    def efficient():
        return aten._scaled_dot_product_efficient_attention(q, k, v, bias, True)

    def cudnn():
        return aten._scaled_dot_product_cudnn_attention(q, k, v, bias, True)

    return [
        candidate(site, "aten._scaled_dot_product_efficient_attention", efficient),
        candidate(site, "aten._scaled_dot_product_cudnn_attention", cudnn),
    ]


@planner
def plan_flex(site):
    q, k, v = operands(site)
    mask, attend = block_mask(site), compiled_for(site)
    return [candidate(site, "flex_attention", lambda: attend(q, k, v, block_mask=mask, return_lse=True))]


def operands(site):
    b, h, d = site.axes("b", "h", "d")
    return [site.tensor(idx, (b, h, tokens(site), d)) for idx in range(3)]


def tokens(site):
    return sum(sizes(site))


def sizes(site):
    """The tokens of each scale."""
    kind, _, value = site.shape["schedule"].partition(":")
    if kind == "tokens":
        return [int(value)]
    sides = map(int, value.split("+")) if kind == "sides" else SIDES[kind]
    return [side * side for side in sides]


def seeing(site, device):
    """Whether queries see keys, as a function of their indices, which are tensors."""
    kind, _, value = site.shape["mask"].partition(":")
    if kind in ("list", "random"):
        table = torch.zeros(tokens(site), tokens(site), dtype=torch.bool)
        for rows, keys in listed(value) if kind == "list" else drawn(value, len(table)):
            table[rows, keys] = True
        if not table.any(1).all():
            raise NotImplementedError("torch gives NaN to a query that sees no key")
        table = table.to(device)
        return lambda query, key: table[query, key]
    count = torch.tensor(sizes(site), device=device)
    scale = torch.repeat_interleave(torch.arange(len(count), device=device), count)
    if kind == "block_diagonal":
        return lambda query, key: scale[query] == scale[key]
    return lambda query, key: scale[query] >= scale[key]


def listed(blocks):
    """Pairs of ranges of a list of blocks."""
    for block in blocks.split("_"):
        rows, _, keys = block.partition(":")
        for part in filter(None, keys.split("+")):
            yield slice(*map(int, rows.split("-"))), slice(*map(int, part.split("-")))


def drawn(numbers, length):
    """Pairs of ranges of a list that is drawn as the family draws it."""
    size, percent, seed = map(int, numbers.split(":"))
    count = -(-length // size)
    key = mix(mix(seed))
    for i in range(count):
        for j in range(count):
            if i == j or mix(key ^ (i * count + j) * GOLDEN & WORD) % 100 < percent:
                yield slice(i * size, (i + 1) * size), slice(j * size, (j + 1) * size)


GOLDEN, WORD = 0x9E3779B97F4A7C15, 2**64 - 1


def mix(value):
    """The harness's generator: 64 random bits of a counter."""
    z = value + GOLDEN & WORD
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & WORD
    z = (z ^ z >> 27) * 0x94D049BB133111EB & WORD
    return z ^ z >> 31


def block_mask(site):
    length, sees = tokens(site), seeing(site, site.device)
    return flex.create_block_mask(lambda b, h, i, j: sees(i, j), None, None, length, length, site.device)


def additive_mask(site, q):
    """0 where a query sees a key and −∞ elsewhere, (1, 1, L, L); none where each sees all."""
    token = torch.arange(tokens(site), device=q.device)
    seen = seeing(site, q.device)(token[:, None], token[None, :])
    if seen.all():
        return None
    length = len(token)
    rows = -(-length // ALIGNMENT) * ALIGNMENT
    bias = torch.full((length, rows), float("-inf"), dtype=q.dtype, device=q.device)[:, :length]
    bias.masked_fill_(seen, 0.0)
    return bias.expand(*q.shape[:2], length, length)


def candidate(site, name, attend):
    b, h, d = site.axes("b", "h", "d")
    length = tokens(site)
    output, logarithm = site.tensor(3, (b, h, length, d)), site.tensor(4, (b, h, length), "f32")
    latest = [None]

    def enqueue():
        latest[0] = attend()[:2]

    def publish():
        output.copy_(latest[0][0])
        # One kernel fills up its rows, another keeps a last extent of 1.
        logarithm.copy_(latest[0][1].reshape(b, h, -1)[:, :, :length])

    return name, enqueue, publish


def compiled_for(site):
    """FlexAttention as compiled for this problem. The compiler gives up on a function that it has
    compiled for many shapes, so a new problem starts afresh."""
    key = str(site.problem)
    if key not in compiled:
        torch.compiler.reset()
        compiled.clear()
        compiled[key] = torch.compile(flex.flex_attention, dynamic=False)
    return compiled[key]
