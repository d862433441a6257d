"""Path length regularisation: a step in W should change the image equally much everywhere. Axis: N batch, L layers, W style.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", section 3.2, equation 4: (||J^T y|| - a)^2 with J
the derivative of images in styles, y noise of the images' shape, a the running mean of the lengths. One backward pass is J^T y.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.core import processes

Lengths = Float[Tensor, " n"]


def path_lengths(images: Float[Tensor, "n c h w"], ws: Float[Tensor, "n l w"], noise: Float[Tensor, "n c h w"]) -> Lengths:
    """||J^T y|| a sample, a mean square over layers, differentiable once more.

    Args:
        images: drawn from `ws`, which required grad before they were.
        noise: N(0, 1); scaled here by 1 / sqrt(H W), so that lengths do not depend on the resolution.
    """
    y = noise / math.sqrt(images.shape[2] * images.shape[3])
    (slope,) = torch.autograd.grad((images * y).sum(), ws, create_graph=True)
    return slope.square().sum(2).mean(1).sqrt()


def path_length_penalty(lengths: Lengths, mean: Float[Tensor, ""]) -> Lengths:
    """(length - a)^2 a sample, given the running mean a."""
    return (lengths - mean).square()


class PathLength(nn.Module):
    """The running mean of path lengths, as a buffer: a player of its own, whose value times a weight (2) is G's penalty.

    Args:
        decay: how far the mean moves to that of a batch.
    """

    mean: Tensor

    def __init__(self, decay: float = 0.01) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("mean", torch.zeros(()))

    def forward(
        self, images: Float[Tensor, "n c h w"], ws: Float[Tensor, "n l w"], noise: Float[Tensor, "n c h w"] | None = None
    ) -> Float[Tensor, ""]:
        """The penalty on this batch; noise is drawn unless given.

        The mean moves first, and the batch's share of it is not a constant to the gradient: so in the published code.
        """
        lengths = path_lengths(images, ws, torch.randn_like(images) if noise is None else noise)
        mean = self.mean.lerp(processes.batch_mean(lengths).to(self.mean), self.decay)
        self.mean.copy_(mean.detach())
        return path_length_penalty(lengths, mean).mean()
