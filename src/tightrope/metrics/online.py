"""The cheap figures of a run in training: fresh samples on a rolling window against a fixed real reference.

| figure | sees | null |
|---|---|---|
| coverage | dropped modes; over its null, so that 1 is as good as real data | 1 |
| recall | dropped modes and shrinking within modes; over that of real data | 1 |
| duplicates | the share of repeated samples, beyond that among real ones | about 0 |
| js | bins of the real data that are over- or under-filled | `js_null` of the bins, a few 0.01 |
| vendi | the effective number of different samples, over that of real data | 1 |
| authenticity | copies of the data (towards 0); ties count half | about 0.5 |
| faithful | samples far from the data: the share that is no farther than 99 % of real samples are | 0.99 |
| reach | dropped modes alone: the share of the data with a sample among its nearest 2 %; over its null | 1 |
| spread | shrinking, collapse: the mean distance of two samples, over that of two real ones | 1 |
| score | sqrt(coverage * recall) * (1 - duplicates), the first two at most 1: what "best" means | 1 |

Axes: N window, R reference, d features.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tightrope.core.data import Dataset
from tightrope.core.seeds import generator
from tightrope.metrics import bins, diversity, judge
from tightrope.metrics.extractor import Extractor
from tightrope.metrics.manifold import coverage_null
from tightrope.metrics.neighbours import nearest

FIGURES = ("coverage", "recall", "vendi", "authenticity", "faithful", "reach", "spread", "score")  # the higher the better
LEAST_REAL = 100  # real samples that are worth comparing with
REFERENCE = 1_000
LENGTH = 512  # samples of the window: two looks
VENDI = 256  # samples: the kernel's matrix is decomposed at every look
K = 5  # of coverage and recall alike
BINS = 50
WIDE = 0.02  # of the reference: the neighbourhood of `reach`
ALIKE = 1 + 1e-5  # distances of rows tie, and are not rounded alike
TYPICAL = 0.99  # of real samples are no farther from the others than `faithful` allows


class Window:
    """Compares the newest LENGTH generated samples with the data.

    Args:
        extractor: whose features are compared.
        dataset: at least LEAST_REAL real samples; at most REFERENCE of them are the reference.
    """

    def __init__(self, extractor: Extractor, dataset: Dataset) -> None:
        self.extractor = extractor
        ordered = judge.reference(extractor, dataset, REFERENCE).values  # as stored: perhaps class by class
        self.real = ordered[torch.randperm(len(ordered), generator=generator(0, "window"))]
        self.many = max(K, round(WIDE * len(self.real)))
        own = nearest(self.real, self.real, self.many, apart=True).distance.float()
        self.radius, self.wide, self.nearest = own[:, K - 1] * ALIKE, own[:, -1] * ALIKE, own[:, 0]
        self.typical = torch.quantile(self.nearest, TYPICAL) * ALIKE
        self.centres = bins.kmeans(self.real, min(BINS, len(self.real) // 10, len(self.real.unique(dim=0))))
        self.counts = bins.bin_counts(self.real, self.centres)
        self.bandwidth = diversity.vendi_bandwidth(self.real)
        self.between = torch.pdist(self.real[:LENGTH]).mean()
        self.fake = torch.empty(0, self.real.shape[1])
        self._nulls: dict[int, tuple[float, float, float, float]] = {}

    def forget(self) -> None:
        """Begin the window anew: the samples to come are another generator's."""
        self.fake = self.fake[:0]

    def look(self, stored: np.ndarray) -> dict[str, float]:
        """Take in fresh samples as files hold them; returns the window's figures."""
        fresh = self.extractor.read(stored).features.float()
        self.fake = torch.cat([self.fake, fresh])[-LENGTH:]
        recall_null, vendi_null, scale, usual = self._null(len(self.fake))
        to_real, apart = _distances(self.fake, self.real), _distances(self.fake, self.fake).fill_diagonal_(torch.inf)
        own = apart.topk(min(K, len(self.fake) - 1), largest=False).values
        closest = to_real.min(1)
        coverage = _share((to_real <= self.radius).any(0)) / coverage_null(len(self.real), len(self.fake), K)
        reach = _share((to_real <= self.wide).any(0)) / coverage_null(len(self.real), len(self.fake), self.many)
        recall = _share((to_real <= own[:, -1:] * ALIKE).any(0)) / max(recall_null, 1e-9)
        beyond = max(0.0, _share(own[:, 0] <= scale) - usual)
        duplicates = beyond / max(1 - usual, 0.5)  # chance is not blown up where nearly all real samples repeat
        return {
            "coverage": coverage,
            "recall": recall,
            "duplicates": duplicates,
            "js": bins.js(self.counts, bins.bin_counts(self.fake, self.centres)).item(),
            "vendi": diversity.vendi(self.fake[-VENDI:], self.bandwidth) / vendi_null,
            "authenticity": _farther(closest.values, self.nearest[closest.indices]),
            "faithful": _share(closest.values <= self.typical),
            "reach": reach,
            "spread": (torch.pdist(self.fake).mean() / self.between).item(),
            "score": (min(coverage, 1) * min(recall, 1)) ** 0.5 * (1 - duplicates),
        }

    def _null(self, n: int) -> tuple[float, float, float, float]:
        """Recall, Vendi score, scale and share of duplicates of n real samples, against the others where there are enough."""
        if n not in self._nulls:
            some, others = self.real[: min(n, len(self.real) // 2)], self.real[min(n, len(self.real) // 2) :]
            own = nearest(some, some, min(K, len(some) - 1), apart=True).distance.float()
            recall = _share((_distances(some, others) <= own[:, -1:] * ALIKE).any(0))
            scale = diversity.DUPLICATE * own[:, 0].median().item()
            self._nulls[n] = recall, diversity.vendi(some[-min(n, VENDI) :], self.bandwidth), scale, _share(own[:, 0] <= scale)
        return self._nulls[n]


def _distances(one: Tensor, other: Tensor) -> Tensor:
    """By differences, not by a matrix product: duplicates are at exactly 0."""
    return torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist")


def _farther(one: Tensor, other: Tensor) -> float:
    """The share of distances that are greater than the others, ties half: rows of a table may be alike by chance."""
    return (_share(one > other * ALIKE) + _share(one * ALIKE >= other)) / 2


def _share(outcomes: Tensor) -> float:
    return outcomes.double().mean().item()
