"""DiffAugment: random colour, translation and cutout that gradients pass through. Axis: N batch, C channel, H W pixels.

Zhao et al. 2020, "Differentiable augmentation for data-efficient GAN training", section 3. Randomness comes from torch's
global generator, which the loop seeds for every move.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "n c h w"]


def _draw(x: Images) -> Float[Tensor, "n 1 1 1"]:
    return torch.rand(len(x), 1, 1, 1, dtype=x.dtype, device=x.device)


def colour(x: Images) -> Images:
    """Brightness +- 0.5, then saturation by 0 to 2 around each pixel's mean, then contrast by 0.5 to 1.5 around each image's."""
    x = x + (_draw(x) - 0.5)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * (2 * _draw(x))
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (x - mean) * (_draw(x) + 0.5)


def translate(x: Images, fill: Literal["constant", "replicate"] = "replicate") -> Images:
    """Shift by up to an eighth of the side, whole pixels. Outside are the edge's pixels, or zeros ("constant", the paper's)."""
    (n, _, h, w), device = x.shape, x.device
    down, right = (torch.randint(-int(side / 8 + 0.5), int(side / 8 + 0.5) + 1, (n, 1), device=device) for side in (h, w))
    rows = (torch.arange(h, device=device) + down + 1).clamp(0, h + 1)
    columns = (torch.arange(w, device=device) + right + 1).clamp(0, w + 1)
    padded = F.pad(x, (1, 1, 1, 1), mode=fill).permute(0, 2, 3, 1)
    sample = torch.arange(n, device=device)[:, None, None]
    return padded[sample, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(x: Images) -> Images:
    """A square of half the side becomes 0; its centre may lie anywhere, so that some of it may be outside."""
    (n, _, h, w), device = x.shape, x.device
    inside = []
    for side in (h, w):
        size = int(side / 2 + 0.5)
        centre = torch.randint(0, side + (1 - size % 2), (n, 1), device=device)
        place = torch.arange(side, device=device)
        first, last = (centre - size // 2).clamp_min(0), (centre - size // 2 + size - 1).clamp_max(side - 1)
        inside.append((place >= first) & (place <= last))
    return x * ~(inside[0][:, None, :, None] & inside[1][:, None, None, :])


def augment(x: Images, p: float | Tensor) -> Images:
    """Colour and translation, each image with probability `p`."""
    if not isinstance(p, Tensor) and p <= 0:
        return x
    return torch.where(_draw(x) < p, translate(colour(x)), x)
