# The gradients of attention by two of torch's back ends, each called by its own operator with the
# output and the log-sum-exp that are the problem's inputs. What else a forward pass leaves to its
# backward one, such as the state of a dropout that there is none of, is taken from a real one here.
import torch

from tilemark_attention import operands
from tilemark_site import planner

aten = torch.ops.aten
DROPOUT = 0.0


@planner
def plan_flash(site):
    q, k, v = operands(site)
    o, gradient, logarithm = saved(site)
    causal = site.shape["causal"]
    forward = aten._scaled_dot_product_flash_attention(q, k, v, DROPOUT, causal, False)
    starts_q, starts_k, most_q, most_k, seed, offset = forward[2:8]

    def differentiate():
        return aten._scaled_dot_product_flash_attention_backward(
            gradient, q, k, v, o, logarithm,
            starts_q, starts_k, most_q, most_k, DROPOUT, causal, seed, offset,
        )

    return [candidate(site, "aten._scaled_dot_product_flash_attention_backward", differentiate)]


@planner
def plan_cudnn(site):
    q, k, v = operands(site)
    o, gradient, logarithm = saved(site)
    causal, bias = site.shape["causal"], None
    forward = aten._scaled_dot_product_cudnn_attention(q, k, v, bias, True, DROPOUT, causal, False)
    starts_q, starts_k, most_q, most_k, seed, offset = forward[2:8]
    logarithm = logarithm.view(forward[1].shape)

    def differentiate():
        return aten._scaled_dot_product_cudnn_attention_backward(
            gradient, q, k, v, o, logarithm, seed, offset, bias,
            starts_q, starts_k, most_q, most_k, DROPOUT, causal,
        )

    return [candidate(site, "aten._scaled_dot_product_cudnn_attention_backward", differentiate)]


def saved(site):
    """What the forward pass left, and the gradient of its output."""
    b, h, n, d = site.axes("b", "h", "n", "d")
    queries = (b, h, n, d)
    return site.tensor(3, queries), site.tensor(4, queries), site.tensor(5, (b, h, n), "f32")


def candidate(site, name, differentiate):
    b, h, hk, n, nk, d = site.axes("b", "h", "hk", "n", "nk", "d")
    dims = [(b, h, n, d), (b, hk, nk, d), (b, hk, nk, d)]
    outputs = [site.tensor(6 + idx, extents) for idx, extents in enumerate(dims)]
    latest = [None]

    def enqueue():
        latest[0] = differentiate()

    def publish():
        for output, result in zip(outputs, latest[0]):
            output.copy_(result)

    return name, enqueue, publish
