"""`laplacian-pyramid`: a distance between images that needs no weights; differences at every scale, all as heavy.

Burt & Adelson 1983, "The Laplacian pyramid as a compact image code": a level is an image less its half-sized copy scaled back.
Axes: N images, C channels, H W pixels, D numbers of an embedding.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

COARSEST = 4  # pixels: the side at which no more levels are taken


class Pyramid:
    """The mean squared difference of every level, summed over the levels."""

    id = "laplacian-pyramid"

    def embed(self, images: Float[Tensor, "N C H W"]) -> Float[Tensor, "N D"]:
        """Embeddings whose squared Euclidean distances are the distances; gradients pass through."""
        levels, x = [], images
        while min(x.shape[-2:]) > COARSEST:
            half = _scaled(x, [-(-side // 2) for side in x.shape[-2:]])
            levels.append(x - _scaled(half, list(x.shape[-2:])))
            x = half
        return torch.cat([level.flatten(1) / level[0].numel() ** 0.5 for level in [*levels, x]], 1)


def _scaled(x: Tensor, size: list[int]) -> Tensor:
    return interpolate(x, size, mode="bilinear", antialias=True)
