# The long convolution as torch's users write it: real transforms in f32 with the spectrum at hand, or that of a filter in time.
import torch

from tilemark_site import planner


@planner
def plan(site):
    b, h, n, l = site.axes("b", "h", "n", "l")
    signals = (b, h, l)
    u = site.tensor(0, signals)
    if "taps" in site.shape:
        (taps,) = site.axes("taps")
        k = site.tensor(1, (h, taps), "f32")
    else:
        k, bins = None, torch.view_as_complex(site.tensor(1, (h, n // 2 + 1, 2), "f32"))
    gates = [site.tensor(idx, signals) for idx in (2, 3)] if site.shape["gated"] else None
    y = site.tensor(-1, signals)

    def convolve():
        x = u * gates[0] if gates else u
        spectrum = bins if k is None else torch.fft.rfft(k, n=n)
        product = torch.fft.rfft(x.float(), n=n).mul_(spectrum)
        # The first and the last bin are real, which torch leaves to its caller.
        torch.view_as_real(product)[..., :: n // 2, 1].zero_()
        sums = torch.fft.irfft(product, n=n)[..., :l]
        if gates:
            # Two roundings, as torch makes them by itself.
            torch.mul(sums.to(y.dtype), gates[1], out=y)
        else:
            y.copy_(sums)

    return [("torch.fft.rfft, irfft", convolve, None)]
