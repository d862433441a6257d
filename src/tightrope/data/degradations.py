"""Second-order degradations: what happens to a photograph between the camera and the web, twice.

Wang et al. 2021, Real-ESRGAN (arXiv:2107.10833), section 3: blur, resizing, noise and JPEG, and all of it a second time, with
sinc filters for ringing; the ranges are those of its section 4.1. JPEG is Pillow's, of 8-bit pixels, not a differentiable
copy of it. One picture at a time, because each draws kernels and sizes of its own; pixels in [0, 1].
Axes: C channel, H W pixels, k side of a kernel.
"""

from __future__ import annotations

import dataclasses
import io
import math

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

SIDES = (7, 9, 11, 13, 15, 17, 19, 21)  # k
GAUSSIAN, GENERALISED = 0.7, 0.15  # shares of the kinds of blur; the rest are plateaus
ROUND = 0.65  # share of kernels that blur alike in all directions
SINC = 0.1  # share of kernels that ring instead
GENERALISED_POWER, PLATEAU_POWER = (0.5, 4.0), (1.0, 2.0)  # beta
MODES = ("area", "bilinear", "bicubic")
GREY_NOISE = 0.4
QUALITY = (30, 95)
LAST_SINC = 0.8


@dataclasses.dataclass(frozen=True)
class Order:
    """One of the two rounds.

    Attributes:
        blurred: share of pictures that are blurred.
        sigma: of the blur, in pixels.
        larger, smaller: shares of pictures that are scaled up and down.
        scale: by what.
        gauss: standard deviation of the noise, of 255.
        poisson: scale of shot noise; 1 is that of 255 photons at white.
    """

    blurred: float
    sigma: tuple[float, float]
    larger: float
    smaller: float
    scale: tuple[float, float]
    gauss: tuple[float, float]
    poisson: tuple[float, float]


FIRST = Order(1.0, (0.2, 3.0), 0.2, 0.7, (0.15, 1.5), (1.0, 30.0), (0.05, 3.0))
SECOND = Order(0.8, (0.2, 1.5), 0.3, 0.4, (0.3, 1.2), (1.0, 25.0), (0.05, 2.5))


class Dice:
    """Chance, in the words of this module."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=self.generator).item()

    def luck(self, share: float) -> bool:
        return self.uniform(0, 1) < share

    def side(self) -> int:
        return SIDES[int(self.uniform(0, len(SIDES)))]

    def mode(self) -> str:
        return MODES[int(self.uniform(0, len(MODES)))]


def degraded(x: Float[Tensor, "C H W"], factor: int, generator: torch.Generator) -> Float[Tensor, "C h w"]:
    """A worse picture, `factor` times smaller (figure 2 of the paper)."""
    dice, (height, width) = Dice(generator), x.shape[-2:]
    size = (height // factor, width // factor)
    x = jpeg(_round(x, FIRST, (height, width), dice), dice)
    x = _round(x, SECOND, size, dice)
    if dice.luck(0.5):
        return jpeg(_last(x, size, dice), dice)
    return _last(jpeg(x, dice), size, dice).clamp(0, 1)


def _round(x: Float[Tensor, "C H W"], order: Order, size: tuple[int, int], dice: Dice) -> Float[Tensor, "C h w"]:
    """Blur, a size near `size`, noise."""
    if dice.luck(order.blurred):
        x = filtered(x, ringing(dice) if dice.luck(SINC) else blurring(order.sigma, dice))
    luck = dice.uniform(0, 1)
    if luck < order.larger:
        scale = dice.uniform(1, order.scale[1])
    else:
        scale = dice.uniform(order.scale[0], 1) if luck < order.larger + order.smaller else 1.0
    x = resized(x, tuple(max(1, round(side * scale)) for side in size), dice.mode())
    return noisy(x, order, dice).clamp(0, 1)


def _last(x: Float[Tensor, "C H W"], size: tuple[int, int], dice: Dice) -> Float[Tensor, "C h w"]:
    """The size that is wanted, and mostly ringing."""
    x = resized(x, size, dice.mode())
    return filtered(x, ringing(dice)) if dice.luck(LAST_SINC) else x


def blurring(sigma: tuple[float, float], dice: Dice) -> Float[Tensor, "k k"]:
    """A Gaussian (equation 2), exp(-u^b / 2) (generalised) or 1 / (1 + u^b) (a plateau), u = x^T S^-1 x, S round or not."""
    side = dice.side()
    wide, angle = dice.uniform(*sigma), dice.uniform(-math.pi, math.pi)
    tall = wide if dice.luck(ROUND) else dice.uniform(*sigma)
    y, x = _grid(side)
    along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    u, kind = (along / wide) ** 2 + (across / tall) ** 2, dice.uniform(0, 1)
    if kind < GAUSSIAN:
        kernel = torch.exp(-u / 2)
    elif kind < GAUSSIAN + GENERALISED:
        kernel = torch.exp(-(u ** dice.uniform(*GENERALISED_POWER)) / 2)
    else:
        kernel = 1 / (1 + u ** dice.uniform(*PLATEAU_POWER))
    return kernel / kernel.sum()


def ringing(dice: Dice) -> Float[Tensor, "k k"]:
    """The circular low-pass filter w J1(w r) / (2 pi r), equation 6; w is no lower than small kernels can hold."""
    side = dice.side()
    cutoff = dice.uniform(math.pi / 3 if side < 13 else math.pi / 5, math.pi)
    radius = torch.hypot(*_grid(side))
    kernel = cutoff * torch.special.bessel_j1(cutoff * radius) / (2 * math.pi * radius.clamp(min=1e-6))
    kernel[side // 2, side // 2] = cutoff**2 / (4 * math.pi)
    return kernel / kernel.sum()


def _grid(side: int) -> tuple[Tensor, Tensor]:
    """Coordinates of a kernel's places, y and x, from its centre."""
    places = torch.arange(side, dtype=torch.float32) - side // 2
    y, x = torch.meshgrid(places, places, indexing="ij")
    return y, x


def filtered(x: Float[Tensor, "C H W"], kernel: Float[Tensor, "k k"]) -> Float[Tensor, "C H W"]:
    """The channels are the batch: one kernel for all."""
    edge = len(kernel) // 2
    padded = F.pad(x[:, None], (edge, edge, edge, edge), mode="replicate")
    return F.conv2d(padded, kernel[None, None])[:, 0]


def resized(x: Float[Tensor, "C H W"], size: tuple[int, ...], mode: str) -> Float[Tensor, "C h w"]:
    """Without antialiasing: that is how it goes wrong on the web."""
    return F.interpolate(x[None], size=size, mode=mode)[0]


def noisy(x: Float[Tensor, "C H W"], order: Order, dice: Dice) -> Float[Tensor, "C H W"]:
    """Gaussian or Poisson noise, each half of the time; of one value for all channels in `GREY_NOISE` of the cases."""
    gauss, alike = dice.luck(0.5), dice.luck(GREY_NOISE)
    seen = x.mean(0, keepdim=True) if alike else x
    if gauss:
        return x + torch.randn(seen.shape, generator=dice.generator) * dice.uniform(*order.gauss) / 255
    light = seen.clamp(0, 1) * 255
    return x + (torch.poisson(light, generator=dice.generator) - light) / 255 * dice.uniform(*order.poisson)


def jpeg(x: Float[Tensor, "C H W"], dice: Dice) -> Float[Tensor, "C H W"]:
    """Written and read again with a quality from 30 to 95."""
    pixels = (x.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    grey, file = pixels.shape[2] == 1, io.BytesIO()
    Image.fromarray(pixels[..., 0] if grey else pixels).save(file, "JPEG", quality=round(dice.uniform(*QUALITY)))
    read = np.array(Image.open(file))
    return torch.from_numpy(read[None] if grey else read.transpose(2, 0, 1).copy()).float() / 255
