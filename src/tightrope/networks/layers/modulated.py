"""StyleGAN2's convolutions: with resampling, and modulated by styles. Axis: N batch, I inputs, O outputs, H W.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", section 2.2: a style scales the inputs of a
convolution, and the weights of each output are brought to norm 1 again ("demodulation", equation 3). Scaling the pixels by the
style, convolving once with the weights all samples share, and scaling the result is the same map as a kernel a sample.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.networks.layers import tiled
from tightrope.networks.layers.bilinear import convolution, transposed
from tightrope.networks.layers.filters import Filter, centred, upfirdn2d

Pixels = Float[Tensor, "n i h w"]
Kernel = Float[Tensor, "o i k k"]


def resampled(
    x: Pixels, weight: Kernel, f: Filter | None = None, *, up: int = 1, down: int = 1, flip_weight: bool = True
) -> Float[Tensor, "n o h2 w2"]:
    """A convolution that keeps the place of pixels, at `up` times or 1 / `down` of their density, filtered by f.

    Args:
        flip_weight: correlate, as PyTorch's convolutions do; else convolve.
    """
    if up > 1:
        return _upwards(x, weight.flip(2, 3) if flip_weight else weight, f, up)
    weight = weight if flip_weight else weight.flip(2, 3)
    if down > 1:
        return _downwards(x, weight, f, down)
    if tiled.worth(x, weight):
        return tiled.correlated(x, weight)
    return convolution(x, weight, 1, weight.shape[2] // 2)


def _upwards(x: Pixels, weight: Kernel, f: Filter | None, up: int) -> Float[Tensor, "n o h2 w2"]:
    """A transposed convolution that fills the zeros between pixels, then the filter."""
    kernel = weight.shape[2]
    sides = [kernel // 2 + side for taps in _taps(f) for side in centred(taps, up, 1)]
    if kernel == 1:
        return upfirdn2d(convolution(x, weight), f, up=up, padding=sides, gain=up * up)
    full = transposed(x, weight.transpose(0, 1), up)
    before, after = 1 - kernel, up - kernel
    padding = [sides[0] + before, sides[1] + after, sides[2] + before, sides[3] + after]
    return upfirdn2d(full, f, padding=padding, gain=up * up)


def _downwards(x: Pixels, weight: Kernel, f: Filter | None, down: int) -> Float[Tensor, "n o h2 w2"]:
    """The filter, then every `down`-th convolution."""
    kernel = weight.shape[2]
    sides = [kernel // 2 + side for taps in _taps(f) for side in centred(taps, 1, down)]
    if kernel == 1:
        return convolution(upfirdn2d(x, f, down=down, padding=sides), weight)
    return convolution(upfirdn2d(x, f, padding=sides), weight, down)


def _taps(f: Filter | None) -> tuple[int, int]:
    """Across, along."""
    return (1, 1) if f is None else (f.shape[-1], f.shape[0])


def demodulation(weight: Kernel, styles: Float[Tensor, "n i"], eps: float = 1e-8) -> Float[Tensor, "n o"]:
    """1 / the norm of each output's weights times the style (equation 3)."""
    return (styles.square() @ weight.square().sum((2, 3)).t() + eps).rsqrt()


def modulated(
    x: Pixels,
    weight: Kernel,
    styles: Float[Tensor, "n i"],
    f: Filter | None = None,
    *,
    up: int = 1,
    gain: float = 1,
    shift: Float[Tensor, " o"] | None = None,
) -> Float[Tensor, "n o h2 w2"]:
    """gain y + shift, y a convolution whose inputs are scaled by the sample's style, of outputs whose weights have norm 1."""
    y = resampled(x * styles.to(x.dtype)[:, :, None, None], weight, f, up=up, flip_weight=up == 1)
    with torch.autocast(x.device.type, enabled=False):
        scale = (demodulation(weight, styles) * gain).to(y.dtype)[:, :, None, None]
        return y * scale if shift is None else torch.addcmul(shift.to(y.dtype)[:, None, None], y, scale)


def coloured(
    x: Pixels, weight: Float[Tensor, "o i 1 1"], styles: Float[Tensor, "n i"], shift: Float[Tensor, " o"]
) -> Float[Tensor, "n o h w"]:
    """A 1x1 convolution to a few outputs, modulated and not demodulated: here a kernel a sample is less than scaled pixels."""
    n, _, h, w = x.shape
    with torch.autocast(x.device.type, enabled=False):
        kernels = (weight[None, :, :, 0, 0] * styles[:, None]).mT  # N I O
        pixels = x.permute(0, 2, 3, 1).reshape(n, h * w, -1).to(kernels.dtype)
        return torch.baddbmm(shift, pixels, kernels).view(n, h, w, -1).permute(0, 3, 1, 2)
