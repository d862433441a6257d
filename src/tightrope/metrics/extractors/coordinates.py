"""Points are their own features."""

from __future__ import annotations

import numpy as np
import torch

from tightrope.metrics.extractor import Extractor, Reading


def load(dimensions: int) -> Extractor:
    """The coordinates of points, in the units of their data."""

    def read(stored: np.ndarray) -> Reading:
        return Reading(torch.from_numpy(np.ascontiguousarray(stored)).float())

    return Extractor(id="coordinates", dimensions=dimensions, input_rule="points in the units of their data", read=read)
