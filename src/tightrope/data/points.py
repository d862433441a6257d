"""Points: rows of a few coordinates, standardised for the networks, and how they are drawn.

`ring8` and `grid25` follow the protocol of PacGAN (Lin et al. 2018, arXiv:1712.04086, appendix): 100,000 points; a ring of
8 Gaussians, radius 1, sigma 0.01; a grid of 25, {-4, -2, 0, 2, 4} squared, sigma 0.05. Axes: n points, d coordinates, K modes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor

from tightrope.core.data import Modality
from tightrope.core.errors import InputError
from tightrope.core.files import write_text
from tightrope.core.spec import DataSpec
from tightrope.data.images import require_finite
from tightrope.data.sources import Reject

SIDE = 512  # pixels of a drawing
MOST_DRAWN = 20_000
COUNT = 100_000
REAL_COLOUR = (150, 155, 165)
SAMPLE_COLOUR = (205, 50, 60)


class Points:
    """The modality of coordinates: data = standardised * scale + mean. `real` is drawn behind samples."""

    name = "points"
    exact = True

    def __init__(self, scale: float = 1.0, mean: np.ndarray | None = None, real: np.ndarray | None = None) -> None:
        self.scale = scale
        self.mean = mean
        self.real = real

    def grid(self, samples: Float[Tensor, "n d"], columns: int | None = None) -> UInt8[np.ndarray, "H W 3"]:
        """A scatter plot of the first two coordinates, real data in grey behind; what lies outside sits on the edge."""
        points = _plane(self.to_array(samples))
        behind = points[:0] if self.real is None else _plane(self.real[:MOST_DRAWN])
        centre, reach = _view(behind if len(behind) else points)
        sheet = np.full((SIDE, SIDE, 3), 255.0, np.float32)
        _paint(sheet, (behind - centre) / reach, REAL_COLOUR, radius=1.5, opacity=0.15)
        _paint(sheet, (points[:MOST_DRAWN] - centre) / reach, SAMPLE_COLOUR, radius=1.8, opacity=0.6)
        return np.rint(sheet).astype(np.uint8)

    def to_array(self, samples: Float[Tensor, "n d"]) -> Float32[np.ndarray, "n d"]:
        """float32 in the units of the data."""
        if samples.ndim != 2:
            raise InputError(f"points have the shape (n, d), not {tuple(samples.shape)}.")
        values = samples.detach().to("cpu", torch.float32)
        require_finite(values)
        mean = 0.0 if self.mean is None else self.mean
        return (values.numpy() * self.scale + mean).astype(np.float32)

    def save(self, samples: Float[Tensor, "n d"], names: list[str], folder: Path) -> list[Path]:
        """One `points.csv`: name, then the coordinates, in the units of the data."""
        rows = self.to_array(samples)
        if len(names) != len(rows):
            raise InputError(f"{len(rows)} points and {len(names)} names; give one name a point.")
        head = ",".join(["name", *(f"x{i}" for i in range(rows.shape[1]))])
        lines = (",".join([name, *(repr(float(v)) for v in row)]) for name, row in zip(names, rows, strict=True))
        path = folder / "points.csv"
        write_text(path, "\n".join([head, *lines]) + "\n")
        return [path]


def _plane(points: np.ndarray) -> np.ndarray:
    """Two coordinates to draw; a line is drawn at height 0."""
    return points[:, :2] if points.shape[1] > 1 else np.concatenate([points, np.zeros_like(points)], axis=1)


def _view(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre and half-width of a square window around the bulk of the points."""
    if not len(points):
        return np.zeros(2, np.float32), 1.0
    low, high = np.percentile(points, [0.1, 99.9], axis=0)
    return (low + high) / 2, max(float((high - low).max()) / 2 * 1.15, 1e-6)


def _paint(sheet: np.ndarray, places: np.ndarray, colour: tuple[int, int, int], radius: float, opacity: float) -> None:
    """Lay discs with soft edges over the sheet; `places` are in [-1, 1], y upwards. Overlapping discs grow denser."""
    if not len(places):
        return
    margin = radius + 1
    at = (np.clip(places * [1, -1], -1, 1) + 1) / 2 * (SIDE - 1 - 2 * margin) + margin
    corner = np.floor(at).astype(np.int64)
    span = int(np.ceil(radius)) + 1
    step = np.arange(-span, span + 1)
    pixel = corner[:, None, None, :] + np.stack(np.meshgrid(step, step), axis=-1)
    distance = np.hypot(*np.moveaxis(pixel - at[:, None, None, :], -1, 0))
    cover = np.clip(radius + 0.5 - distance, 0, 1) * opacity
    pixel = np.clip(pixel, 0, SIDE - 1)
    flat = (pixel[..., 1] * SIDE + pixel[..., 0]).ravel()
    through = np.exp(np.bincount(flat, np.log1p(-cover).ravel(), minlength=SIDE * SIDE)).reshape(SIDE, SIDE, 1)
    sheet[:] = sheet * through + np.asarray(colour) * (1 - through)


class PointDataset:
    """Points in memory. `core.data.Dataset`, plus `centres` (K, d) and `sigma` where known, `mean`, `points`, `rejects`."""

    def __init__(
        self,
        points: np.ndarray,
        *,
        name: str,
        source: dict[str, Any],
        licence: str | None = None,
        centres: np.ndarray | None = None,
        sigma: float | None = None,
    ) -> None:
        self.points = np.ascontiguousarray(points, np.float32)
        self.name, self.source, self.licence = name, source, licence
        self.centres, self.sigma = centres, sigma
        # known mixtures are centred by construction: one scalar is all that networks need
        self.mean = np.zeros(points.shape[1], np.float64) if centres is not None else points.mean(0, dtype=np.float64)
        self.scale = float(np.std(self.points - self.mean))
        if not self.scale > 0 or not np.isfinite(self.scale):
            raise InputError(f"{name}: all points are the same, so there is nothing to learn; give points that differ.")
        digest = hashlib.sha256(repr(self.points.shape).encode())
        digest.update(self.points.astype("<f4").tobytes())
        self.fingerprint = digest.hexdigest()
        mean = tuple(float(m) for m in self.mean)
        self.spec = DataSpec(modality="points", shape=(points.shape[1],), count=len(points), scale=self.scale, mean=mean)
        self.modality: Modality = Points(self.scale, self.mean, self.points[:MOST_DRAWN])
        self.rejects: list[Reject] = []
        self._standard = torch.from_numpy(((self.points - self.mean) / self.scale).astype(np.float32))

    def __len__(self) -> int:
        return len(self.points)

    def batch(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n d"]:
        """Standardised points at `index`, fp32."""
        return self._standard[index]

    def labels(self, index: Int64[Tensor, " n"]) -> None:
        """None: points carry no classes."""


def ring8() -> PointDataset:
    """8 Gaussians on the unit circle."""
    angle = np.arange(8) * (2 * np.pi / 8)
    return _mixture("ring8", np.stack([np.cos(angle), np.sin(angle)], axis=1), sigma=0.01, seed=8)


def grid25() -> PointDataset:
    """25 Gaussians on a 5 x 5 grid."""
    line = np.arange(-4.0, 5.0, 2.0)
    return _mixture("grid25", np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2), sigma=0.05, seed=25)


def _mixture(name: str, centres: np.ndarray, sigma: float, seed: int) -> PointDataset:
    # RandomState's stream is frozen by NumPy's policy; default_rng's may change from version to version
    random = np.random.RandomState(seed)
    component = random.randint(len(centres), size=COUNT)
    points = centres[component] + sigma * random.standard_normal((COUNT, centres.shape[1]))
    return PointDataset(
        points,
        name=name,
        source={"data": name},
        licence="none needed (generated)",
        centres=centres.astype(np.float32),
        sigma=sigma,
    )
