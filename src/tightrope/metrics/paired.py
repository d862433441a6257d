"""Distances of a picture from the one it should be, for paired tasks: L1, PSNR and SSIM, a number a picture.

Papers on super-resolution take the luma of BT.601 and leave a border of as many pixels as the scale away: `luma`, `border`.

Axes: N images, C channels, H W pixels.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from tightrope.core.errors import InputError

WINDOW, SIGMA = 11, 1.5  # pixels
K1, K2 = 0.01, 0.03
LUMA = (65.481, 128.553, 24.966)  # of red, green and blue in 0 ... 1, to 16 ... 235 of 255 (ITU-R BT.601)
BATCH = 16  # images of float64 at once


def l1(images: Tensor, targets: Tensor, *, data_range: float | None = None) -> Float[Tensor, " N"]:
    """Mean |a - b| / L, lower is better, in [0, 1]. The arguments are those of `psnr`.

    Raises:
        InputError: as `psnr`.
    """
    images, targets, limit = _comparable("l1", images, targets, data_range)
    pairs = zip(images.split(BATCH), targets.split(BATCH), strict=True)
    return torch.cat([(a.double() - b.double()).abs().flatten(1).mean(1) for a, b in pairs]) / limit


def psnr(
    images: Tensor, targets: Tensor, *, data_range: float | None = None, luma: bool = False, border: int = 0
) -> Float[Tensor, " N"]:
    """10 log10(L^2 / mean squared error) in dB, higher is better; infinite for equal images.

    Args:
        images: (N, C, H, W), uint8, or floats in [0, data_range].
        targets: of the same shape and kind.
        data_range: L; 255 for uint8, and to be given for floats.
        luma: compare Y of BT.601, not rounded, instead of the colours; C is 3.
        border: pixels left away on each side.

    Raises:
        InputError: shapes, kinds or ranges that do not fit; nothing left inside the border.
    """
    images, targets, limit = _comparable("psnr", images, targets, data_range)
    found = [
        (_prepared(a, limit, luma, border) - _prepared(b, limit, luma, border)).square().flatten(1).mean(1)
        for a, b in zip(images.split(BATCH), targets.split(BATCH), strict=True)
    ]
    return 10 * torch.log10(limit**2 / torch.cat(found))


def ssim(
    images: Tensor, targets: Tensor, *, data_range: float | None = None, luma: bool = False, border: int = 0
) -> Float[Tensor, " N"]:
    """Structural similarity (Wang et al. 2004, equation 13), 1 for equal images, in [-1, 1].

    The window is a Gaussian of 11 x 11 pixels and sigma 1.5, covariances are of the population, the mean is over all
    windows that fit into the image and over the channels. The arguments are those of `psnr`.

    Raises:
        InputError: as `psnr`; images under 11 pixels inside the border.
    """
    images, targets, limit = _comparable("ssim", images, targets, data_range)
    if min(images.shape[2:]) - 2 * border < WINDOW:
        raise InputError(
            f"ssim: images of {tuple(images.shape[2:])} pixels less the border hold no window of {WINDOW} x {WINDOW}."
        )
    found = [
        _ssim(_prepared(a, limit, luma, border), _prepared(b, limit, luma, border), limit)
        for a, b in zip(images.split(BATCH), targets.split(BATCH), strict=True)
    ]
    return torch.cat(found)


def _ssim(a: Float[Tensor, "N C H W"], b: Float[Tensor, "N C H W"], limit: float) -> Float[Tensor, " N"]:
    c1, c2 = (K1 * limit) ** 2, (K2 * limit) ** 2
    mean_a, mean_b, square_a, square_b, product = (_blurred(x) for x in (a, b, a * a, b * b, a * b))
    variance_a, variance_b, covariance = square_a - mean_a**2, square_b - mean_b**2, product - mean_a * mean_b
    likeness = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return (likeness / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))).flatten(1).mean(1)


def _blurred(x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H-10 W-10"]:
    offset = torch.arange(WINDOW, dtype=x.dtype) - WINDOW // 2
    weights = torch.exp(-(offset**2) / (2 * SIGMA**2))
    weights = (weights / weights.sum()).expand(x.shape[1], 1, 1, WINDOW)
    x = functional.conv2d(x, weights, groups=x.shape[1])
    return functional.conv2d(x, weights.mT, groups=x.shape[1])


def _prepared(x: Tensor, limit: float, luma: bool, border: int) -> Float[Tensor, "N c h w"]:
    x = x.double()
    if luma:
        if x.shape[1] != 3:
            raise InputError(f"luma: images have {x.shape[1]} channels; 3 (red, green, blue) were expected.")
        red, green, blue = x.split(1, dim=1)
        x = (16 * limit + LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue) / 255
    if not 0 <= 2 * border < min(x.shape[2:]):
        raise InputError(f"border: {border} pixels a side leave nothing of images of {tuple(x.shape[2:])} pixels; give less.")
    return x[:, :, border : x.shape[2] - border, border : x.shape[3] - border]


def _comparable(caller: str, images: Tensor, targets: Tensor, data_range: float | None) -> tuple[Tensor, Tensor, float]:
    if images.ndim != 4 or images.shape != targets.shape or not images.numel():
        shapes = f"{tuple(images.shape)} and {tuple(targets.shape)}"
        raise InputError(f"{caller}: images and targets have the shapes {shapes}; one shape (N, C, H, W) was expected.")
    if images.dtype != targets.dtype:
        raise InputError(f"{caller}: images are {images.dtype} and targets {targets.dtype}; give both in one kind.")
    limit = 255.0 if data_range is None and images.dtype == torch.uint8 else data_range
    if limit is None or not 0 < limit < float("inf"):
        raise InputError(f"{caller}: data_range is {data_range}; give the largest value that floats can take, such as 1.")
    for name, x in (("images", images), ("targets", targets)):
        if not (x.min() >= 0 and x.max() <= limit):
            raise InputError(f"{caller}: {name} leave [0, {limit:g}] or hold a NaN; rescale them, or set data_range.")
    return images.detach().cpu(), targets.detach().cpu(), limit
