"""The Frechet distance between two Gaussians fitted to features (Dowson and Landau 1982; Heusel et al. 2017).

    |m1 - m2|^2 + Tr(S1) + Tr(S2) - 2 Tr((S1 S2)^(1/2))
    Tr((S1 S2)^(1/2)) = sum_i sqrt(lambda_i(F^T S2 F))   with F F^T = S1

The second line is symmetric, so its eigenvalues are real whatever the rank: no matrix square root, no imaginary
part. The value depends on the number of samples (it falls about linearly in 1/n): compare only equal n.

Axes: n samples, d features.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.core.errors import InputError


class Moments:
    """Mean and covariance of features that arrive in batches, in float64, in memory that does not grow with n.

    Sums are taken of features minus the first batch's mean: features far from zero lose no digits.
    """

    def __init__(self) -> None:
        self.n = 0
        self._shift = self._sum = self._outer = torch.empty(0, dtype=torch.float64)

    def add(self, features: Float[Tensor, "n d"]) -> None:
        """Take one batch in.

        Raises:
            InputError: not a matrix, another d than before, or a non-finite value; nothing was taken in.
        """
        batch = features.detach().to("cpu", torch.float64)
        if batch.ndim != 2 or (self.n and batch.shape[1] != len(self._shift)):
            expected = f"(n, {len(self._shift)})" if self.n else "(n, d)"
            raise InputError(f"Moments: features have the shape {tuple(batch.shape)}; {expected} was expected.")
        if not torch.isfinite(batch).all():
            raise InputError("Moments: features hold a NaN or an infinity; look at the samples they come from.")
        if not len(batch):
            return
        if not self.n:
            self._shift = batch.mean(0)
            self._sum, self._outer = (
                torch.zeros_like(self._shift),
                batch.new_zeros(batch.shape[1], batch.shape[1]),
            )
        centred = batch - self._shift
        self.n += len(batch)
        self._sum = self._sum + centred.sum(0)
        self._outer = self._outer + centred.T @ centred

    def merge(self, other: Moments) -> Moments:
        """The moments of both sets of samples together; neither operand changes."""
        first, second = (self, other) if self.n else (other, self)
        merged = Moments()
        merged.n, merged._shift, merged._sum, merged._outer = first.n, first._shift, first._sum, first._outer
        if second.n:
            _same_dimensions(first, second)
            step = second._shift - first._shift
            cross = torch.outer(step, second._sum)
            merged.n += second.n
            merged._sum = first._sum + second._sum + second.n * step
            merged._outer = first._outer + second._outer + cross + cross.T + second.n * torch.outer(step, step)
        return merged

    @property
    def dimensions(self) -> int:
        """d, or 0 before the first batch."""
        return len(self._shift)

    @property
    def mean(self) -> Float[Tensor, " d"]:
        """Mean in float64."""
        self._require(1)
        return self._shift + self._sum / self.n

    def covariance(self, ddof: int = 1) -> Float[Tensor, "d d"]:
        """Covariance in float64, divided by n - ddof."""
        self._require(1 + ddof)
        offset = self._sum / self.n
        return (self._outer - self.n * torch.outer(offset, offset)) / (self.n - ddof)

    def _require(self, count: int) -> None:
        if self.n < count:
            raise InputError(f"Moments: {self.n} samples were added and at least {count} are needed; add more samples.")


def frechet_distance(a: Moments, b: Moments) -> float:
    """The distance in the squared units of the features; `a` is the reference, whose factor is taken. ddof is 1.

    Rounding below zero is clamped: equal moments give 0 within 1e-6 of the traces.

    Raises:
        InputError: n < 2, or different d.
    """
    _same_dimensions(a, b)
    mean_gap = (a.mean - b.mean).square().sum()
    covariance_a, covariance_b = a.covariance(), b.covariance()
    distance = mean_gap + covariance_a.trace() + covariance_b.trace() - 2 * _root_trace(covariance_a, covariance_b)
    return max(distance.item(), 0.0)


def _same_dimensions(a: Moments, b: Moments) -> None:
    if a.n and b.n and a.dimensions != b.dimensions:
        raise InputError(f"Moments: {a.dimensions} and {b.dimensions} features cannot be compared; use one extractor.")


def _root_trace(a: Float[Tensor, "d d"], b: Float[Tensor, "d d"]) -> Float[Tensor, ""]:
    """Tr((A B)^(1/2)). Directions of A below rounding are left out: the root would turn 1e-16 into 1e-8 each."""
    values, vectors = torch.linalg.eigh(a)
    kept = values > values[-1].clamp(min=0) * len(values) * torch.finfo(torch.float64).eps
    factor = vectors[:, kept] * values[kept].sqrt()
    return torch.linalg.eigvalsh(factor.T @ b @ factor).clamp(min=0).sqrt().sum()
