"""Losses where it is known what should come out: of pixels, and of a critic's features. Axes: N batch, C, H W.

Isola et al. 2017, "Image-to-image translation with conditional adversarial networks", arXiv:1611.07004, equation 3 (L1); Wang
et al. 2018, "High-resolution image synthesis and semantic manipulation with conditional GANs", arXiv:1711.11585, equation 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Maps = Float[Tensor, "n c h w"]
Scalar = Float[Tensor, ""]


def l1(made: Maps, wanted: Maps) -> Scalar:
    """E |y - G(x)|, a pixel and channel on average: equation 3 of Isola et al."""
    return F.l1_loss(made, wanted)


def matched(on_real: Sequence[Sequence[Maps]], on_fake: Sequence[Sequence[Maps]]) -> Scalar:
    """sum_i |D_i(x, y) - D_i(x, G(x))| over the layers i of a critic, the mean of its elements each: equation 4 of Wang et al.

    Where there are several critics, the mean over them, as the authors' code has it. No gradient reaches the features of reals.

    Args:
        on_real, on_fake: a critic each, and for it a layer each.
    """
    pairs = [
        F.l1_loss(fake, real.detach())
        for reals, fakes in zip(on_real, on_fake, strict=True)
        for real, fake in zip(reals, fakes, strict=True)
    ]
    return torch.stack(pairs).sum() / len(on_real)
