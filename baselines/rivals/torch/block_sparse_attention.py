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
    return sum(side * side for side in SIDES[site.shape["schedule"]])


def seeing(site, device):
    """The scale of each token, and whether a query of one scale sees a key of another."""
    sizes = torch.tensor([side * side for side in SIDES[site.shape["schedule"]]], device=device)
    scale = torch.repeat_interleave(torch.arange(len(sizes), device=device), sizes)
    sees = {
        "block_diagonal": lambda query, key: query == key,
        "block_causal": lambda query, key: query >= key,
    }
    return scale, sees[site.shape["mask"]]


def block_mask(site):
    scale, sees = seeing(site, site.device)
    return flex.create_block_mask(
        lambda b, h, i, j: sees(scale[i], scale[j]), None, None, len(scale), len(scale), site.device
    )


def additive_mask(site, q):
    """0 where a query sees a key and −∞ elsewhere, (1, 1, L, L)."""
    scale, sees = seeing(site, q.device)
    length = len(scale)
    rows = -(-length // ALIGNMENT) * ALIGNMENT
    bias = torch.full((length, rows), float("-inf"), dtype=q.dtype, device=q.device)[:, :length]
    bias.masked_fill_(sees(scale[:, None], scale[None, :]), 0.0)
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
