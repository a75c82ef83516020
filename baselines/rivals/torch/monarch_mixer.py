# A layer of M2-BERT as torch's users write it: products and the short convolution in the tensors' own type, long convolutions by real
# transforms in f32 with the spectra at hand; as it is, and compiled. What a model keeps in its own type is converted beforehand.
import os

# Compiled here and now: a pool of helper processes would be started from this program's own binary.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")

import torch
import torch.nn.functional as F

from tilemark_site import planner

BLOCKS, TAPS, EPSILON = 4, 3, 1e-5


@planner
def plan(site):
    b, l, d = site.axes("b", "l", "d")
    n = max(256, 1 << (2 * l - 1).bit_length())
    y = site.tensor(10, (b, l, d))
    spectra = torch.view_as_complex(site.tensor(3, (2, d, n // 2 + 1, 2), "f32")).clone()
    # The first and the last bin are real, which torch leaves to its caller.
    torch.view_as_real(spectra)[..., :: n // 2, 1].zero_()
    narrow, wide = d // BLOCKS, d
    vectors = lambda idx, dims: site.tensor(idx, dims, "f32").to(y.dtype)
    weights = (
        site.tensor(1, (3 * d, d)),
        vectors(2, (3 * d, 1, TAPS)),
        spectra,
        vectors(4, (2, d, 1)),
        site.tensor(5, (d, d)),
        vectors(6, (2, d)),
        vectors(7, (2, d)),
        site.tensor(8, (BLOCKS, 2 * wide, narrow)).transpose(1, 2),
        site.tensor(9, (BLOCKS, narrow, wide)).transpose(1, 2),
    )
    u = site.tensor(0, (b, l, d))
    torch.compiler.reset()
    compiled = torch.compile(layer, dynamic=False)
    return [
        ("torch.fft, linear, bmm", lambda: layer(u, weights, n, y), None),
        ("torch.compile", lambda: compiled(u, weights, n, y), None),
    ]


def convolved(x, spectrum, n):
    products = torch.fft.rfft(x.float(), n=n) * spectrum
    return torch.fft.irfft(products, n=n)[..., : x.shape[-1]].to(x.dtype)


def layer(u, weights, n, y):
    project, short, spectra, bias, out, gamma, beta, widen, narrow = weights
    b, l, d = u.shape
    projected = F.linear(u, project).transpose(1, 2)
    x1, x2, v = F.conv1d(projected, short, padding=TAPS - 1, groups=3 * d)[..., :l].chunk(3, dim=1)
    z, own = x1 * v, u.transpose(1, 2)
    mixed = x2 * (convolved(z, spectra[0], n) + bias[0] * z) + convolved(own, spectra[1], n) + bias[1] * own
    x = F.layer_norm(u + F.linear(mixed.transpose(1, 2), out), (d,), gamma[0], beta[0], EPSILON)
    blocks = x.view(b * l, BLOCKS, d // BLOCKS).transpose(0, 1)
    first, second = torch.bmm(blocks, widen).chunk(2, dim=-1)
    changed = torch.bmm(F.gelu(first) * second, narrow).transpose(0, 1).reshape(b, l, d)
    y.copy_(F.layer_norm(x + changed, (d,), gamma[1], beta[1], EPSILON))
