"""Classes for samples to be made. Axis: N batch, K classes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from tightrope.core.spec import DataSpec

WIDEST = 16  # classes that stand side by side in a picture


def weights(labels: Tensor, classes: int) -> Float[Tensor, "n k"]:
    """Labels as shares of classes: whole numbers (N,) become one-hot rows, shares (N, K) stay, so that classes can be mixed."""
    return labels if labels.is_floating_point() else F.one_hot(labels, classes).float()


def draw(spec: DataSpec, n: int, generator: torch.Generator) -> Int64[Tensor, " n"]:
    """n classes drawn in the proportions of the data (equal ones where these are not known)."""
    shares = torch.tensor(spec.shares or [1.0] * len(spec.classes))
    return torch.multinomial(shares, n, replacement=True, generator=generator)


def side_by_side(spec: DataSpec, count: int) -> tuple[int, int]:
    """(rows, columns) of a sheet of about `count` samples with a class a column; the first WIDEST classes of more."""
    columns = min(len(spec.classes), WIDEST)
    return max(1, count // columns), columns
