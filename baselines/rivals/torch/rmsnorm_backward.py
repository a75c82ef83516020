# The gradients of RMS normalisation: torch's own operator, and the formula under torch.compile.
# The operator takes the rows' scales from a forward pass, which is made here; the compiled formula
# takes them from r, as the family does.
import torch

from tilemark_rmsnorm import EPSILON, compiled_for
from tilemark_site import planner

aten = torch.ops.aten


@planner
def plan(site):
    rows, hidden = site.axes("rows", "hidden")
    dims, row = (rows, hidden), (hidden,)
    residual = site.shape["residual"]
    r, dy = site.tensor(0, dims), site.tensor(1, dims)
    dr = site.tensor(2, dims) if residual else None
    weight, dx, dw = site.tensor(-3, row), site.tensor(-2, dims), site.tensor(-1, row)
    function = compiled_for(site, differentiated)
    return [
        library(r, dy, dr, weight, dx, dw),
        ("torch.compile", lambda: function(r, dy, dr, weight, dx, dw), None),
    ]


def library(r, dy, dr, weight, dx, dw):
    scales = aten._fused_rms_norm(r, list(weight.shape), weight, EPSILON)[1]
    latest = [None]

    def enqueue():
        latest[0] = aten._fused_rms_norm_backward(
            dy, r, list(weight.shape), scales, weight, [True, True]
        )
        if dr is not None:
            torch.add(latest[0][0], dr, out=dx)

    def publish():
        if dr is None:
            dx.copy_(latest[0][0])
        dw.copy_(latest[0][1])

    return "aten._fused_rms_norm_backward", enqueue, publish


def differentiated(r, dy, dr, weight, dx, dw):
    r, dy = r.float(), dy.float()
    scales = torch.rsqrt(r.square().mean(-1, keepdim=True) + EPSILON)
    gradient, normalised = dy * weight, r * scales
    result = scales * (gradient - normalised * (gradient * normalised).mean(-1, keepdim=True))
    dx.copy_(result if dr is None else result + dr)
    dw.copy_((dy * normalised).sum(0))
