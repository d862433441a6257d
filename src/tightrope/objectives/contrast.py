"""Contrast of patches: a piece of the result must tell its own piece of the input from the others. Axes: N, C, H W; S pieces, F.

Park, Efros, Zhang & Zhu, "Contrastive learning for unpaired image-to-image translation", ECCV 2020, arXiv:2007.15651, section 3;
the loss is InfoNCE's (van den Oord et al. 2018, arXiv:1807.03748, equation 4).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

Maps = Float[Tensor, "n c h w"]
Pieces = Float[Tensor, "n s f"]
Scalar = Float[Tensor, ""]


def patch_nce(queries: Pieces, keys: Pieces, temperature: float = 0.07) -> Scalar:
    """E -log(exp(q_s . k_s / t) / sum_r exp(q_s . k_r / t)), equations 3 and 4: r runs over the pieces of the same picture.

    No gradient reaches the keys.

    Args:
        queries, keys: of length 1 along F; those at the same place belong together.
        temperature: t.
    """
    likeness = queries.float() @ keys.detach().float().mT / temperature
    own = torch.arange(likeness.shape[1], device=likeness.device).expand(len(likeness), -1)
    return F.cross_entropy(likeness.flatten(0, 1), own.flatten())


def places(maps: Maps, count: int) -> Int64[Tensor, " s"]:
    """min(count, H W) different pixels of the maps, by PyTorch's generator of their device: the same for all of the batch."""
    return torch.randperm(maps.shape[2] * maps.shape[3], device=maps.device)[:count]


def at_places(maps: Maps, chosen: Int64[Tensor, " s"]) -> Float[Tensor, "n s c"]:
    """The features of these pixels."""
    return maps.flatten(2)[:, :, chosen].mT
