"""The modality of a spec alone, for generators that are opened without their data."""

from __future__ import annotations

import numpy as np

from tightrope.core.data import Modality
from tightrope.core.spec import DataSpec
from tightrope.data.images import Images
from tightrope.data.points import Points


def modality_of(spec: DataSpec) -> Modality:
    """How samples of this spec are shown and saved."""
    if spec.modality == "points":
        return Points(spec.scale, np.asarray(spec.mean) if spec.mean else None)
    return Images()
