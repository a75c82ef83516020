# GEMM as torch's users call it: torch.mm into our C, and for e4m3 torch._scaled_mm.
import torch

from tilemark_site import planner


@planner
def plan(site):
    m, n, k = site.axes("m", "n", "k")
    transposed = site.shape["layout"] == "nt"
    a = site.tensor(0, (m, k))
    b = site.tensor(1, (n, k)).t() if transposed else site.tensor(1, (k, n))
    if site.dtype == "e4m3":
        return [("torch._scaled_mm, fast sums", scaled(site, a, b), None)]
    c = site.tensor(-1, (m, n))
    return [("torch.mm", lambda: torch.mm(a, b, out=c), None)]


def scaled(site, a, b):
    c = site.tensor(-1, (a.shape[0], b.shape[1]), "bf16")
    scale = site.shape.get("scale", "none")
    if scale == "none":
        of_a = of_b = torch.ones((), device=site.device)
    elif scale == "tensor":
        of_a, of_b = site.tensor(2, (1,), "f32"), site.tensor(3, (1,), "f32")
    else:
        of_a, of_b = site.tensor(2, (a.shape[0], 1), "f32"), site.tensor(3, (1, b.shape[1]), "f32")

    def enqueue():
        torch._scaled_mm(a, b, of_a, of_b, out_dtype=torch.bfloat16, use_fast_accum=True, out=c)

    return enqueue
