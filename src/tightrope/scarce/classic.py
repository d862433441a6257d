"""Classic augmentation of pictures as pure functions of a batch and its dice: moved, mirrored, lit otherwise, mixed.

Axes: N batch, C channel, H W pixels, K classes, n pictures; the range is [-1, 1].
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from tightrope.core.seeds import generator

TURN = math.radians(10)
SHIFT = 0.1  # of the side
ZOOM = 0.1
LIGHT = 0.2  # added, of the range's half
CONTRAST = 0.2
MIXED = 0.4  # alpha of mixup's Beta distribution
ASKED = 500  # pictures whose mirror images are looked at
SLACK = 0.03  # of their share of right neighbours that mirror images may lose
COARSE = 16  # pixels of a side at which pictures are compared

Images = Float[Tensor, "N C H W"]


def moved(x: Images, dice: torch.Generator) -> Images:
    """Each picture turned, shifted and zoomed a little about its centre; the edge's pixels go on outside."""
    turn, zoom, right, down = (2 * torch.rand(4, len(x), generator=dice) - 1).unbind()
    angle, scale = TURN * turn, 1 + ZOOM * zoom
    cosine, sine = torch.cos(angle) / scale, torch.sin(angle) / scale
    rows = torch.stack([cosine, -sine, 2 * SHIFT * right, sine, cosine, 2 * SHIFT * down], 1)
    grid = F.affine_grid(rows.view(-1, 2, 3), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def mirrored(x: Images, dice: torch.Generator) -> Images:
    """Each picture left to right, or not: an even chance."""
    return torch.where(_draw(x, dice) < 0.5, x.flip(3), x)


def lit(x: Images, dice: torch.Generator) -> Images:
    """Each picture's contrast about its mean, and its brightness, changed a little; black and white stay the ends."""
    mean = x.mean((1, 2, 3), keepdim=True)
    contrast, light = (1 + CONTRAST * (2 * _draw(x, dice) - 1)), LIGHT * (2 * _draw(x, dice) - 1)
    return (mean + contrast * (x - mean) + light).clamp(-1, 1)


def classic(x: Images, dice: torch.Generator, flips: bool = False) -> Images:
    """All of it; mirrored where that leaves the class what it is."""
    return lit(moved(mirrored(x, dice) if flips else x, dice), dice)


def mixup(x: Images, targets: Float[Tensor, "N K"], dice: np.random.Generator) -> tuple[Images, Float[Tensor, "N K"]]:
    """Each picture and its target mixed with another's by a share from Beta(alpha, alpha) (Zhang et al. 2018, equation 1)."""
    share = torch.as_tensor(dice.beta(MIXED, MIXED, len(x)), dtype=x.dtype)
    other = torch.as_tensor(dice.permutation(len(x)))
    weight = share[:, None, None, None]
    return weight * x + (1 - weight) * x[other], share[:, None] * targets + (1 - share[:, None]) * targets[other]


def may_flip(images: Float[Tensor, "n C H W"], labels: Int64[Tensor, " n"]) -> bool:
    """Whether mirror images are of their class still: their nearest other picture is as often of it as the pictures' own is.

    Digits and letters say no, faces yes; the data decides, without anybody's word.
    """
    some = torch.randperm(len(images), generator=generator(0, "flips"))[:ASKED]
    found, mirror = (_right(images, labels, some, flipped) for flipped in (False, True))
    return bool(mirror.double().mean() >= found.double().mean() - SLACK)


def _right(images: Tensor, labels: Tensor, some: Tensor, flipped: bool) -> Bool[Tensor, " q"]:
    """Whether the nearest picture (never the same one) of `some`, or of their mirror images, is of their class."""
    size = min(COARSE, images.shape[-1])
    coarse = F.adaptive_avg_pool2d(images, size)
    asked = coarse[some].flip(3) if flipped else coarse[some]
    distance = torch.cdist(asked.flatten(1), coarse.flatten(1))
    distance[torch.arange(len(some)), some] = math.inf
    return labels[distance.argmin(1)] == labels[some]


def _draw(x: Images, dice: torch.Generator) -> Float[Tensor, "N 1 1 1"]:
    return torch.rand(len(x), 1, 1, 1, generator=dice)
