"""The cheap figures of a run in training: fresh samples on a rolling window against a fixed real reference.

| figure | sees | null |
|---|---|---|
| coverage | dropped modes; over its null, so that 1 is as good as real data | 1 |
| recall | dropped modes and shrinking within modes; over that of real data | 1 |
| duplicates | the share of repeated samples | about 0 |
| js | bins of the real data that are over- or under-filled | `js_null` of the bins, a few 0.01 |
| vendi | the effective number of different samples, over that of real data | 1 |
| authenticity | copies of the data (towards 0) | about 0.5 |
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
from tightrope.metrics.neighbours import nearest, within

LEAST_REAL = 100  # real samples that are worth comparing with
REFERENCE = 1_000
LENGTH = 512  # samples of the window: two looks
VENDI = 256  # samples: the kernel's matrix is decomposed at every look
K = 5  # of coverage and recall alike
BINS = 50


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
        own = nearest(self.real, self.real, K, apart=True).distance
        self.radius, self.nearest = own[:, -1], own[:, 0]
        self.centres = bins.kmeans(self.real, min(BINS, len(self.real) // 10))
        self.counts = bins.bin_counts(self.real, self.centres)
        self.bandwidth = diversity.vendi_bandwidth(self.real)
        self.fake = torch.empty(0, self.real.shape[1])
        self._nulls: dict[int, tuple[float, float, float]] = {}

    def look(self, stored: np.ndarray) -> dict[str, float]:
        """Take in fresh samples as files hold them; returns the window's figures."""
        fresh = self.extractor.read(stored).features.float()
        self.fake = torch.cat([self.fake, fresh])[-LENGTH:]
        recall_null, vendi_null, scale = self._null(len(self.fake))
        own = nearest(self.fake, self.fake, K, apart=True).distance
        to_real = nearest(self.fake, self.real)
        covered = within(self.fake, self.real, self.radius, strict=True).per_centre > 0
        coverage = _share(covered) / coverage_null(len(self.real), len(self.fake), K)
        recall = _share(within(self.real, self.fake, own[:, -1]).per_query > 0) / max(recall_null, 1e-9)
        duplicates = _share(own[:, 0] < scale)
        return {
            "coverage": coverage,
            "recall": recall,
            "duplicates": duplicates,
            "js": bins.js(self.counts, bins.bin_counts(self.fake, self.centres)).item(),
            "vendi": diversity.vendi(self.fake[-VENDI:], self.bandwidth) / vendi_null,
            "authenticity": _share(to_real.distance[:, 0] > self.nearest[to_real.index[:, 0]]),
            "score": (min(coverage, 1) * min(recall, 1)) ** 0.5 * (1 - duplicates),
        }

    def _null(self, n: int) -> tuple[float, float, float]:
        """Recall, Vendi score and the scale of duplicates of n real samples, against the other ones where there are enough."""
        if n not in self._nulls:
            some, others = self.real[: min(n, len(self.real) // 2)], self.real[min(n, len(self.real) // 2) :]
            own = nearest(some, some, min(K, len(some) - 1), apart=True).distance
            recall = _share(within(others, some, own[:, -1]).per_query > 0)
            scale = diversity.DUPLICATE * own[:, 0].median().item()
            self._nulls[n] = recall, diversity.vendi(some[-min(n, VENDI) :], self.bandwidth), scale
        return self._nulls[n]


def _share(outcomes: Tensor) -> float:
    return outcomes.double().mean().item()
