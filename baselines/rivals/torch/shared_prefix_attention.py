# Decoding over a shared prefix as torch's users write it: one kernel over keys that were repeated for
# every sequence, once, before anybody times; and Hydragen's own recipe of two calls and a merge.
import torch

from tilemark_site import planner

aten = torch.ops.aten


@planner
def plan_repeated(site):
    q, shared, own = operands(site)
    b = len(q)
    levels = [[p.expand(b, -1, -1, -1) for p in shared], own]
    if site.shape["m"] > 0:
        levels.append(second_level(site))
    k, v = (torch.cat(rows, 2) for rows in zip(*levels))

    def cudnn():
        return aten._scaled_dot_product_cudnn_attention(q, k, v, None, True)

    def flash():
        return aten._scaled_dot_product_flash_attention(q, k, v)

    return [
        candidate(site, "aten._scaled_dot_product_cudnn_attention", cudnn),
        candidate(site, "aten._scaled_dot_product_flash_attention", flash),
    ]


@planner
def plan_two_calls(site):
    q, shared, own = operands(site)
    # Queries of all sequences as those of one.
    q_of_all = q.transpose(0, 2)

    def attend():
        o, logarithm = aten._scaled_dot_product_flash_attention(q_of_all, *shared)[:2]
        own_o, own_logarithm = aten._scaled_dot_product_flash_attention(q, *own)[:2]
        o, logarithm = o.transpose(0, 2), logarithm.transpose(0, 2)
        weight = torch.sigmoid(own_logarithm - logarithm).unsqueeze(-1)
        merged = torch.lerp(o.float(), own_o.float(), weight)
        return merged, torch.logaddexp(logarithm, own_logarithm)

    return [candidate(site, "two aten._scaled_dot_product_flash_attention and a merge", attend)]


def operands(site):
    """Queries (B, H, 1, D); keys and values of the prefix (1, Hk, P, D), and of sequences."""
    b, h, hk, p, u, d = site.axes("b", "h", "hk", "p", "u", "d")
    shared = [site.tensor(idx, (hk, p, d)).unsqueeze(0) for idx in (1, 2)]
    own = [site.tensor(idx, (b, hk, u, d)) for idx in (3, 4)]
    return site.tensor(0, (b, h, d)).unsqueeze(2), shared, own


def second_level(site):
    """Keys and values that runs of sequences share, repeated for each sequence."""
    b, hk, d, groups, m = site.axes("b", "hk", "d", "groups", "m")
    rows = [site.tensor(idx, (hk, groups, m, d)).transpose(0, 1) for idx in (5, 6)]
    return [level.repeat_interleave(b // groups, 0) for level in rows]


def candidate(site, name, attend):
    b, h, d = site.axes("b", "h", "d")
    first = 7 if site.shape["m"] > 0 else 5
    output, logarithm = site.tensor(first, (b, h, d)), site.tensor(first + 1, (b, h), "f32")
    latest = [None]

    def enqueue():
        latest[0] = attend()[:2]

    def publish():
        output.copy_(latest[0][0].reshape(b, h, d))
        logarithm.copy_(latest[0][1].reshape(b, h))

    return name, enqueue, publish
