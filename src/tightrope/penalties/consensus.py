"""Consensus optimisation: all players together also lower the squared length of their joint gradient.

Mescheder, Nowozin & Geiger, "The numerics of GANs", NeurIPS 2017, arXiv:1705.10461, equation 8:
w <- w - lr (v + a grad 1/2 |v|^2), where v holds each player's gradient of its own loss. v is no
gradient of any one loss; the scalar to be minimised is therefore

    v = field((d_loss, d_weights), (g_loss, g_weights))
    loss = followed(v, weights) + a * consensus(v)        in one phase that moves all players

with both losses computed on graphs that reach every player (nothing detached).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Scalar = Float[Tensor, ""]


def field(*players: tuple[Scalar, Sequence[Tensor]]) -> list[Tensor]:
    """Each player's gradient of its own loss in its own weights, one after the other, differentiable once more."""
    return [part for loss, weights in players for part in torch.autograd.grad(loss, list(weights), create_graph=True)]


def consensus(field: Iterable[Tensor]) -> Scalar:
    """1/2 |v|^2 of the joint gradient v that `field` makes; the header shows how the two stand in a loss."""
    return torch.stack([part.square().sum() for part in field]).sum() / 2


def followed(field: Iterable[Tensor], weights: Iterable[Tensor]) -> Scalar:
    """A scalar whose gradient in the weights is v: <v, w> with v held fixed. Its value means nothing."""
    return torch.stack([(part.detach() * w).sum() for part, w in zip(field, weights, strict=True)]).sum()
