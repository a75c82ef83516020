# The gradients of attention in which a query sees the keys of some scales only, by the rivals of the
# forward pass, with the output and the log-sum-exp that are the problem's inputs.
import math

import torch
import torch._functorch.config

from tilemark_block_sparse_attention import additive_mask, block_mask, compiled_for, operands, tokens
from tilemark_site import planner

aten = torch.ops.aten
DROPOUT = 0.0
# What a backward pass gets from its forward one is needed again: it is called more than once.
torch._functorch.config.donated_buffer = False


@planner
def plan_masked(site):
    bias = additive_mask(site, operands(site)[0])
    return [
        candidate(site, "aten._scaled_dot_product_efficient_attention_backward", efficient, bias),
        candidate(site, "aten._scaled_dot_product_cudnn_attention_backward", cudnn, bias),
    ]


@planner
def plan_flex(site):
    return [candidate(site, "flex_attention backward", flex, block_mask(site))]


def efficient(site, bias):
    q, k, v = operands(site)
    o, gradient, logarithm = saved(site)
    _, filled, seed, offset = aten._scaled_dot_product_efficient_attention(q, k, v, bias, True)
    # Its rows are filled up to whole vectors, and its output has the heads of a token side by side, which
    # the backward pass takes for granted.
    filled[:, :, : logarithm.shape[2]] = logarithm
    o = o.transpose(1, 2).contiguous().transpose(1, 2)
    wanted = [True, True, True, False]
    return lambda: aten._scaled_dot_product_efficient_attention_backward(
        gradient, q, k, v, bias, o, filled, seed, offset, DROPOUT, wanted
    )


def cudnn(site, bias):
    q, k, v = operands(site)
    o, gradient, logarithm = saved(site)
    forward = aten._scaled_dot_product_cudnn_attention(q, k, v, bias, True)
    starts_q, starts_k, most_q, most_k, seed, offset = forward[2:8]
    logarithm = logarithm.view(forward[1].shape)
    return lambda: aten._scaled_dot_product_cudnn_attention_backward(
        gradient, q, k, v, o, logarithm, seed, offset, bias,
        starts_q, starts_k, most_q, most_k, DROPOUT, False,
    )


def flex(site, mask):
    inputs = [tensor.detach().requires_grad_() for tensor in operands(site)]
    o, gradient, logarithm = saved(site)
    with torch.enable_grad():
        output = compiled_for(site)(*inputs, block_mask=mask)
    # It has no way to be given O and LSE, so those that the forward pass left are overwritten.
    own = {tensor.data_ptr() for tensor in inputs}
    kept = [tensor for tensor in output.grad_fn.saved_tensors if tensor.data_ptr() not in own]
    replace(kept, o)
    replace(kept, logarithm * math.log2(math.e))
    return lambda: torch.autograd.grad(output, inputs, gradient, retain_graph=True)


def replace(kept, value):
    """Overwrites the one tensor of this type and size, without telling its graph."""
    of_its_kind = [t for t in kept if t.dtype == value.dtype and t.numel() == value.numel()]
    if len(of_its_kind) != 1:
        raise RuntimeError(f"the forward pass left {len(of_its_kind)} tensors like {tuple(value.shape)}")
    of_its_kind[0].data.copy_(value.view(of_its_kind[0].shape))


def saved(site):
    """What the forward pass left, and the gradient of its output."""
    b, h, d = site.axes("b", "h", "d")
    rows = (b, h, tokens(site))
    return site.tensor(3, (*rows, d)), site.tensor(4, (*rows, d)), site.tensor(5, rows, "f32")


def candidate(site, name, prepare, mask):
    """One that is prepared when it is first called, so that what it refuses leaves out no other."""
    b, h, d = site.axes("b", "h", "d")
    outputs = [site.tensor(6 + idx, (b, h, tokens(site), d)) for idx in range(3)]
    differentiate, latest = [], [None]

    def enqueue():
        if not differentiate:
            differentiate.append(prepare(site, mask))
        latest[0] = differentiate[0]()[:3]

    def publish():
        for output, result in zip(outputs, latest[0]):
            output.copy_(result)

    return name, enqueue, publish
