"""Regularised linear models of a number or a yes and no, and how well they do on what they were not fitted on.

Hoerl & Kennard 1970 (ridge regression); le Cessie & van Houwelingen 1992 (ridge logistic regression), by Newton's steps.
Axes: N samples, D coordinates.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # penalties that are tried, a sample, in units of the mean variance
STEPS = 12  # of Newton: few are needed, because the penalty keeps the problem tame
FOLDS = 5


class Model(NamedTuple):
    """y = x w + b: the number, or the logit of a yes."""

    w: Float[Tensor, " d"]
    b: Float[Tensor, ""]

    def __call__(self, x: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        return x @ self.w + self.b


class Fitted(NamedTuple):
    """A model of all samples, and what models of four fifths of them said of the other fifth.

    Attributes:
        model: fitted on everything.
        held_out: predictions of every sample by a model that has not seen it.
        ridge: the penalty of the model.
    """

    model: Model
    held_out: Float[Tensor, " n"]
    ridge: float


def fitted(x: Float[Tensor, "n d"], y: Float[Tensor, " n"], yes_no: bool, seed: int = 0) -> Fitted:
    """Fit by the penalty that does best on a quarter kept aside, FOLDS times without a fifth and once with all."""
    draw = torch.Generator().manual_seed(seed)
    x, y = x.double(), y.double()
    scale = (x - x.mean(0)).square().mean().sqrt()
    x = x / scale
    fold = _folds(y, yes_no, FOLDS, draw)
    held_out = torch.zeros_like(y)
    for k in range(FOLDS):
        inside, outside = fold != k, fold == k
        ridge = _best(x[inside], y[inside], yes_no, draw)
        held_out[outside] = _fit(x[inside], y[inside], ridge, yes_no)(x[outside])
    ridge = _best(x, y, yes_no, draw)
    model = _fit(x, y, ridge, yes_no)
    return Fitted(Model((model.w / scale).float(), model.b.float()), held_out.float(), ridge)


def _folds(y: Tensor, yes_no: bool, count: int, draw: torch.Generator) -> Int64[Tensor, " n"]:
    """A fold for every sample; the yes and the no are spread evenly."""
    order = torch.randperm(len(y), generator=draw)
    if yes_no:
        order = order[y[order].argsort(stable=True)]
    fold = torch.empty(len(y), dtype=torch.int64)
    fold[order] = torch.arange(len(y)) % count
    return fold


def _best(x: Tensor, y: Tensor, yes_no: bool, draw: torch.Generator) -> float:
    kept = _folds(y, yes_no, 4, draw) == 0
    losses = [_loss(_fit(x[~kept], y[~kept], ridge, yes_no)(x[kept]), y[kept], yes_no) for ridge in RIDGES]
    return RIDGES[losses.index(min(losses))]


def _loss(said: Tensor, y: Tensor, yes_no: bool) -> float:
    return (F.binary_cross_entropy_with_logits(said, y) if yes_no else F.mse_loss(said, y)).item()


def _fit(x: Float[Tensor, "n d"], y: Float[Tensor, " n"], ridge: float, yes_no: bool) -> Model:
    """Minimise the mean loss + ridge |w|^2 / 2; the offset b is free."""
    n, d = x.shape
    whole = torch.cat([x, x.new_ones(n, 1)], 1)
    penalty = torch.full((d + 1,), ridge, dtype=x.dtype)
    penalty[d] = 1e-9
    if not yes_no:
        w = torch.linalg.solve(whole.T @ whole / n + penalty.diag(), whole.T @ y / n)
        return Model(w[:d], w[d])
    w = x.new_zeros(d + 1)
    for _ in range(STEPS):
        p = torch.sigmoid(whole @ w)
        slope = whole.T @ (p - y) / n + penalty * w
        curve = (whole * (p * (1 - p))[:, None]).T @ whole / n + penalty.diag()
        step = torch.linalg.solve(curve, slope)
        w = w - step
        if step.norm() < 1e-8 * (1 + w.norm()):
            break
    return Model(w[:d], w[d])


def ridge_weights(x: Float[Tensor, "n d"], y: Float[Tensor, "n k"], ridge: float = 1e-2) -> Float[Tensor, "d k"]:
    """Weights of K numbers at once for centred x; `ridge` is in units of the mean variance."""
    wide = x.double()
    moments = wide.T @ wide / len(x)
    penalty = ridge * moments.diagonal().mean() * torch.eye(x.shape[1], dtype=torch.float64)
    return torch.linalg.solve(moments + penalty, wide.T @ (y - y.mean(0)).double() / len(x)).float()
