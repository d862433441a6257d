"""The Frechet distance between two Gaussians fitted to features (Dowson and Landau 1982; Heusel et al. 2017).

    |m1 - m2|^2 + Tr(S1) + Tr(S2) - 2 Tr((S1 S2)^(1/2))
    Tr((S1 S2)^(1/2)) = sum_i sqrt(lambda_i(F^T S2 F))   with F F^T = S1
                      = sum_i sigma_i(A B^T)             with A^T A = S1, B^T B = S2

Both lines hold whatever the ranks, and neither can give an imaginary part: the second is symmetric, the third needs
no covariance at all and is taken where samples are fewer than features. The value depends on the number of samples
(it falls about linearly in 1/n): compare only equal n, or see tightrope.metrics.intervals.

Axes: n samples, d features, r rank of the reference.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.files import write_atomically
from tightrope.metrics.neighbours import feature_sets

ROWS = 1_024  # samples that are held in float64 at once
BLOCK = 256  # columns of a triangular factor that are multiplied at once
ROUNDING = 1e-6  # of the traces: what the distance is exact to when a covariance lacks rank
EPSILON = torch.finfo(torch.float64).eps


class Moments:
    """Mean and covariance of features that arrive in batches, in float64, in memory that does not grow with n.

    Sums are taken of features minus the first batch's mean: features far from zero lose no digits. Moments of parts
    (shards, processes; they pickle) merge into those of the whole.
    """

    def __init__(self) -> None:
        self.n = 0
        self._shift = self._sum = self._outer = torch.empty(0, dtype=torch.float64)

    def add(self, features: Float[Tensor, "n d"]) -> None:
        """Take one batch in.

        Raises:
            InputError: not a matrix, another d than before, or a non-finite value; nothing was taken in.
        """
        batch = features.detach().cpu()
        if batch.ndim != 2 or (self.n and batch.shape[1] != len(self._shift)):
            expected = f"(n, {len(self._shift)})" if self.n else "(n, d)"
            raise InputError(f"Moments: features have the shape {tuple(batch.shape)}; {expected} was expected.")
        if not all(torch.isfinite(rows).all() for rows in batch.split(ROWS)):
            raise InputError("Moments: features hold a NaN or an infinity; look at the samples they come from.")
        if not len(batch):
            return
        if not self.n:
            self._shift = batch[:ROWS].double().mean(0)
            self._sum = torch.zeros_like(self._shift)
            self._outer = self._shift.new_zeros(batch.shape[1], batch.shape[1])
        for rows in batch.split(ROWS):
            centred = rows.double() - self._shift
            self._sum += centred.sum(0)
            self._outer.addmm_(centred.T, centred)
        self.n += len(batch)

    def merge(self, other: Moments) -> Moments:
        """The moments of both sets of samples together; neither operand changes."""
        first, second = (self, other) if self.n else (other, self)
        merged = Moments()
        merged.n, merged._shift = first.n, first._shift
        merged._sum, merged._outer = first._sum.clone(), first._outer.clone()
        if second.n:
            _same_dimensions(first.dimensions, second.dimensions)
            step = second._shift - first._shift
            cross = torch.outer(step, second._sum)
            merged.n += second.n
            merged._sum += second._sum + second.n * step
            merged._outer += second._outer + cross + cross.T + second.n * torch.outer(step, step)
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


@dataclasses.dataclass(frozen=True)
class Reference:
    """What is needed of the real data: its moments, and the factor of its covariance, which is the slow part.

    Attributes:
        factor: F with F F^T = covariance.
        n: samples behind it; 0 where a foreign file does not say.
        ddof: what n was lessened by; the same is taken for what is compared with it.
        protocol: how the features were made, in words.
    """

    mean: Float[Tensor, " d"]
    covariance: Float[Tensor, "d d"]
    factor: Float[Tensor, "d r"]
    n: int
    ddof: int = 1
    protocol: str = ""

    @classmethod
    def of(cls, moments: Moments, ddof: int = 1, protocol: str = "") -> Reference:
        """The reference with `moments`; ddof 1 as pytorch-fid and torch-fidelity have it, or 0 as StyleGAN has."""
        covariance = moments.covariance(ddof)
        return cls(moments.mean, covariance, _factor(covariance), moments.n, ddof, protocol)

    @property
    def dimensions(self) -> int:
        """d."""
        return len(self.mean)

    def save(self, path: Path) -> None:
        """Write an .npz of arrays; `mu` and `sigma` in it are what other tools read."""
        mean, covariance, factor = (tensor.numpy() for tensor in (self.mean, self.covariance, self.factor))

        def write(partial: Path) -> None:
            with open(partial, "wb") as file:
                np.savez(file, mu=mean, sigma=covariance, factor=factor, n=self.n, ddof=self.ddof, protocol=self.protocol)

        write_atomically(path, write)

    @classmethod
    def load(cls, path: Path) -> Reference:
        """Read a file of `save`, or another tool's .npz with `mu` and `sigma` alone (ddof 1). Nothing in it is executed.

        Raises:
            InputError: the file is missing, is no such .npz, or holds a NaN or shapes that do not fit.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                found = {key: file[key] for key in file.files}
            mean, covariance = (torch.from_numpy(found[key].astype(np.float64)) for key in ("mu", "sigma"))
            if mean.ndim != 1 or covariance.shape != 2 * mean.shape or not torch.isfinite(covariance.sum() + mean.sum()):
                raise ValueError("mu and sigma are not the finite mean and covariance of one set of features")
            factor = torch.from_numpy(found["factor"]) if "factor" in found else _factor(covariance)
            if not torch.isclose(factor.square().sum(), covariance.trace(), rtol=ROUNDING, atol=0):
                raise ValueError("the factor is not that of sigma")
            n, ddof = int(found.get("n", 0)), int(found.get("ddof", 1))
        except Exception as error:
            reason = str(error).partition("\n")[0]
            raise InputError(
                f"{path}: is no file of reference statistics ({reason}); make it again with Reference.save."
            ) from error
        return cls(mean, covariance, factor, n, ddof, str(found.get("protocol", "")))


def frechet_distance(reference: Reference | Moments, fake: Moments) -> float:
    """The distance in the squared units of the features. A `Reference` that serves twice saves the factor of its covariance.

    Full rank: 1e-9 relative. Otherwise 1e-6 of the traces; rounding below zero is clamped.

    Raises:
        InputError: n < 2, or different d.
    """
    if reference.n or isinstance(reference, Reference):
        _same_dimensions(reference.dimensions, fake.dimensions or reference.dimensions)
    if isinstance(reference, Moments):
        reference = Reference.of(reference)
    mean, covariance = fake.mean, fake.covariance(reference.ddof)
    spectrum = torch.linalg.eigvalsh(_sandwich(reference.factor, covariance))
    # n samples span n - 1 directions: further eigenvalues are rounding, and the root would turn 1e-16 of it into 1e-8.
    root = spectrum.flip(0)[: fake.n - 1].clamp(min=0).sqrt().sum()
    gap = (reference.mean - mean).square().sum()
    return max((gap + reference.covariance.trace() + covariance.trace() - 2 * root).item(), 0.0)


def frechet_from_features(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], ddof: int = 1) -> float:
    """The same distance from features; where either set has fewer samples than features, by singular values.

    No d x d matrix is formed then: memory is min(n, m)^2, and the value is exact to rounding, whatever the ranks.

    Raises:
        InputError: see `feature_sets`; fewer than 2 samples in either set.
    """
    real, fake = feature_sets("frechet_from_features", least=2, real=real, fake=fake)
    many, few = (real, fake) if len(real) >= len(fake) else (fake, real)
    if len(few) >= few.shape[1]:
        sides = Moments(), Moments()
        for moments, features in zip(sides, (real, fake), strict=True):
            moments.add(features)
        return frechet_distance(Reference.of(sides[0], ddof), sides[1])
    few_mean, many_mean = (torch.stack([rows.double().sum(0) for rows in x.split(ROWS)]).sum(0) / len(x) for x in (few, many))
    b = (few.double() - few_mean) / (len(few) - ddof) ** 0.5
    triangle, trace = b.new_empty(0, len(b)), b.square().sum()
    for rows in many.split(ROWS):
        a = (rows.double() - many_mean) / (len(many) - ddof) ** 0.5
        trace += a.square().sum()
        triangle = torch.linalg.qr(torch.cat([triangle, a @ b.T]), mode="r").R  # of all rows so far: A B^T = Q R
    gap = (few_mean - many_mean).square().sum()
    return max((gap + trace - 2 * torch.linalg.svdvals(triangle).sum()).item(), 0.0)


def frechet_caveats(distance: float, real: Reference | Moments, fake: Moments) -> list[str]:
    """What a reader of the distance must know, one plain sentence each; empty when there is nothing."""
    caveats = []
    for name, moments in (("real", real), ("generated", fake)):
        if 0 < moments.n <= moments.dimensions:
            caveats.append(
                f"{moments.n} {name} samples in {moments.dimensions} dimensions span {moments.n - 1} of them at most: the "
                f"distance is exact for them and says little of where they come from; use more than {moments.dimensions}."
            )
    real_trace = (real.covariance if isinstance(real, Reference) else real.covariance()).trace().item()
    fake_trace = fake.covariance().trace().item()
    scale = max(real.mean.abs().max().item(), fake.mean.abs().max().item()) ** 2
    for name, trace in (("real", real_trace), ("generated", fake_trace)):
        if trace <= EPSILON * scale:
            caveats.append(f"All {name} samples have the same features: their covariance is zero.")
    if distance <= ROUNDING * (real_trace + fake_trace):
        caveats.append(f"The distance {distance:.1e} is below what rounding allows to tell from 0: read it as 0.")
    return caveats


def _same_dimensions(a: int, b: int) -> None:
    if a != b:
        raise InputError(f"Moments: {a} and {b} features cannot be compared; use one extractor.")


def _sandwich(factor: Float[Tensor, "d r"], covariance: Float[Tensor, "d d"]) -> Float[Tensor, "r r"]:
    """The lower triangle of F^T S F, which is all that `eigvalsh` reads; half the work where F is triangular itself."""
    d, r = factor.shape
    if d != r or factor.triu(1).any():
        return factor.T @ covariance @ factor
    product = torch.zeros_like(covariance)
    for j in range(0, d, BLOCK):
        right = covariance[:, j:] @ factor[j:, j : j + BLOCK]
        for i in range(j, d, BLOCK):
            product[i : i + BLOCK, j : j + BLOCK] = factor[i:, i : i + BLOCK].T @ right[i:]
    return product


def _factor(covariance: Float[Tensor, "d d"]) -> Float[Tensor, "d r"]:
    """F with F F^T = S: by Cholesky, or by eigenvectors where S lacks rank, without the directions below rounding."""
    lower, failed = torch.linalg.cholesky_ex(covariance)
    if not failed and lower.diagonal().square().min() > 1e-10 * covariance.diagonal().max():
        return lower
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > values[-1].clamp(min=0) * len(values) * EPSILON
    return vectors[:, kept] * values[kept].sqrt()
