# The gradients of the long convolution by torch's own differentiation, of a forward pass made before.
import torch

from tilemark_site import planner


@planner
def plan(site):
    b, h, n, l = site.axes("b", "h", "n", "l")
    signals, bins, gated = (b, h, l), (h, n // 2 + 1, 2), site.shape["gated"]
    dy, spectrum = site.tensor(2, signals), site.tensor(1, bins, "f32").clone()
    # The first and the last bin are real, which torch leaves to its caller.
    spectrum[:, :: n // 2, 1] = 0
    signal_inputs = [site.tensor(idx, signals).detach() for idx in ((0, 3, 4) if gated else (0,))]
    leaves = [leaf.requires_grad_() for leaf in (signal_inputs[0], spectrum, *signal_inputs[1:])]
    dims = [bins if leaf is spectrum else signals for leaf in leaves]
    gradients = [
        site.tensor(idx - len(leaves), dim, "f32" if dim is bins else None) for idx, dim in enumerate(dims)
    ]
    with torch.enable_grad():
        y = convolved(*leaves, n=n, l=l)
    latest = [None]

    def enqueue():
        latest[0] = torch.autograd.grad(y, leaves, dy, retain_graph=True)

    def publish():
        for gradient, found in zip(gradients, latest[0]):
            gradient.copy_(found)

    return [("torch.autograd.grad of rfft, irfft", enqueue, publish)]


def convolved(u, spectrum, pre=None, post=None, *, n, l):
    x = u if pre is None else u * pre
    product = torch.fft.rfft(x.float(), n=n) * torch.view_as_complex(spectrum)
    sums = torch.fft.irfft(product, n=n)[..., :l].to(u.dtype)
    return sums if post is None else sums * post
