"""StyleGAN2's convolutions: with resampling, and modulated by styles. Axis: N batch, I inputs, O outputs, H W.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", section 2.2: a style scales the inputs of a
convolution, and the weights of each output are brought to norm 1 again ("demodulation", equation 3). Scaling the pixels by the
style, convolving once with the weights all samples share, and scaling the result is the same map as a kernel a sample.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

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
    return F.conv2d(x, weight, padding=weight.shape[2] // 2)


def _upwards(x: Pixels, weight: Kernel, f: Filter | None, up: int) -> Float[Tensor, "n o h2 w2"]:
    """A transposed convolution that fills the zeros between pixels, then the filter."""
    kernel = weight.shape[2]
    sides = [kernel // 2 + side for taps in _taps(f) for side in centred(taps, up, 1)]
    if kernel == 1:
        return upfirdn2d(F.conv2d(x, weight), f, up=up, padding=sides, gain=up * up)
    full = F.conv_transpose2d(x, weight.transpose(0, 1), stride=up)
    before, after = 1 - kernel, up - kernel
    padding = [sides[0] + before, sides[1] + after, sides[2] + before, sides[3] + after]
    return upfirdn2d(full, f, padding=padding, gain=up * up)


def _downwards(x: Pixels, weight: Kernel, f: Filter | None, down: int) -> Float[Tensor, "n o h2 w2"]:
    """The filter, then every `down`-th convolution."""
    kernel = weight.shape[2]
    sides = [kernel // 2 + side for taps in _taps(f) for side in centred(taps, 1, down)]
    if kernel == 1:
        return F.conv2d(upfirdn2d(x, f, down=down, padding=sides), weight)
    return F.conv2d(upfirdn2d(x, f, padding=sides), weight, stride=down)


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
    demodulate: bool = True,
    flip_weight: bool = True,
) -> Float[Tensor, "n o h2 w2"]:
    """A convolution whose inputs are scaled by the sample's style, of outputs whose weights have norm 1."""
    y = resampled(x * styles.to(x.dtype)[:, :, None, None], weight, f, up=up, flip_weight=flip_weight)
    if not demodulate:
        return y
    with torch.autocast(x.device.type, enabled=False):
        scale = demodulation(weight, styles)
    return y * scale.to(y.dtype)[:, :, None, None]
