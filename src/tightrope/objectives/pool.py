"""The pool of earlier fakes that a critic is shown in place of the newest. Axis: N batch, S places of the pool.

Shrivastava et al. 2017, "Learning from simulated and unsupervised images", section 2.3; Zhu et al. 2017 (CycleGAN), appendix 7.1:
50 pictures, and with an even chance one of them for each new one, which takes its place.

    pool = ImagePool(50, (3, 128, 128))        # a player without parameters: its pictures are in checkpoints
    shown = pool(fakes.detach())
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn


class Draws(NamedTuple):
    """For every new picture whether it is swapped, and with which."""

    swapped: Bool[Tensor, " n"]
    places: Int64[Tensor, " n"]


class ImagePool(nn.Module):
    """Takes new pictures and gives as many back: while it fills, the same; then either those or earlier ones.

    It waits for no device: what is swapped is chosen by tensors.

    Args:
        size: S; 0 gives every picture back.
        shape: of a picture.
    """

    kept: Float[Tensor, "s *x"]
    count: Int64[Tensor, ""]

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("kept", torch.zeros(size, *shape))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def draw(self, n: int) -> Draws:
        """By PyTorch's generator of the pool's device."""
        where = self.kept.device
        return Draws(torch.rand(n, device=where) > 0.5, torch.randint(self.size, (n,), device=where))

    @torch.no_grad()
    def forward(self, new: Float[Tensor, "n *x"], draws: Draws | None = None) -> Float[Tensor, "n *x"]:
        if not self.size:
            return new
        swapped, places = draws or self.draw(len(new))
        given = []
        for image, swap, place in zip(new, swapped, places, strict=True):  # one after another: each may meet the one before
            filling = self.count < self.size
            place = torch.where(filling, self.count, place)[None]
            old, image = self.kept.index_select(0, place), image[None].to(self.kept.dtype)
            taken, earlier = filling | swap, ~filling & swap
            self.kept.index_copy_(0, place, torch.where(taken, image, old))
            given.append(torch.where(earlier, old, image))
            self.count.add_(filling)
        return torch.cat(given).to(new.dtype)
