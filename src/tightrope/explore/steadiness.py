"""Directions that move an attribute and leave the rest of a sample alone.

Conditional manipulation (Shen et al. 2020, arXiv:1907.10786, section 3.2) takes out of a direction w what moves single other
attributes. Here everything else is one: with features of a sample close to linear in its place, r = W x, the direction that moves
the attribute most for what it changes of the features is the maximum of a Rayleigh quotient, as Fisher's discriminant is:

    v = argmax (w^T v)^2 / v^T (W^T W + c I) v = (W^T W + c I)^-1 w

Axes: N samples, D coordinates of a place, F features, K of their principal components.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.explore.regression import fitted, ridge_weights

COMPONENTS = 30  # of the features: the rest of them is noise
PLAIN = 1.0  # c, as a share of the mean of W^T W's diagonal: more keeps nearer to w


def steadied(
    x: Float[Tensor, "n d"], y: Float[Tensor, " n"], w: Float[Tensor, " d"], features: Float[Tensor, "n f"]
) -> Float[Tensor, " d"]:
    """The direction v for places x with values y of the attribute (NaN: not known), whose plain direction is w."""
    known, standard = y.isfinite(), (features - features.mean(0)) / features.std(0).clamp(min=1e-6)
    rate = ridge_weights(x - x.mean(0), without(standard, attribute_axis(standard[known], y[known])))
    changes = rate @ rate.T
    return torch.linalg.solve(changes + PLAIN * changes.diagonal().mean() * torch.eye(len(w)), w)


def without(standard: Float[Tensor, "n f"], axis: Float[Tensor, " f"]) -> Float[Tensor, "n k"]:
    """The first principal components of features from which an axis is taken out."""
    rest = standard - (standard @ axis)[:, None] * axis
    _, vectors = torch.linalg.eigh(rest.T @ rest)
    return rest @ vectors[:, -COMPONENTS:]


def attribute_axis(standard: Float[Tensor, "n f"], y: Float[Tensor, " n"]) -> Float[Tensor, " f"]:
    """The unit vector of the features along which the attribute grows."""
    w = fitted(standard, y, bool(((y == 0) | (y == 1)).all())).model.w
    return w / w.norm().clamp(min=1e-12)
