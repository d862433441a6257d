"""Penalties and constraints on weights: clipping, orthogonality. Spectral normalisation is a layer (`networks.layers.spectral`).

Arjovsky, Chintala & Bottou 2017, algorithm 1 (clipping). Brock, Donahue & Simonyan 2019, equation 3 (orthogonal).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn


@torch.no_grad()
def clip_(net: nn.Module, limit: float) -> None:
    """Bring every parameter back into [-limit, limit], in place."""
    for parameter in net.parameters():
        parameter.clamp_(-limit, limit)


def off_diagonal(weight: Float[Tensor, "o *i"]) -> Float[Tensor, ""]:
    """1/2 ||W W^T o (1 - I)||^2, the rows of W one filter each: 0 where all filters are orthogonal, whatever their length.

    The factor is that of the published code, which adds the gradient 2 (W W^T o (1 - I)) W by hand; the paper prints the
    square without 1/2.
    """
    rows = weight.flatten(1)
    products = rows @ rows.mT
    return (products - torch.diag(products.diagonal())).square().sum() / 2


def orthogonal(net: nn.Module, without: Iterable[nn.Module] = ()) -> Float[Tensor, ""]:
    """The sum of `off_diagonal` over all parameters with two axes or more, except those of the modules `without` (embeddings)."""
    skipped = {id(p) for module in without for p in module.parameters()}
    terms = [off_diagonal(p) for p in net.parameters() if p.dim() > 1 and id(p) not in skipped]
    return torch.stack(terms).sum()
