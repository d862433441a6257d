"""The modality of a spec alone, for generators that are opened without their data."""

from __future__ import annotations

import numpy as np

from tightrope.core.data import Modality
from tightrope.core.spec import DataSpec
from tightrope.data.images import Images
from tightrope.data.points import Points
from tightrope.data.tables.encoding import Codec
from tightrope.data.tables.modality import Tables


def modality_of(spec: DataSpec) -> Modality:
    """How samples of this spec are shown and saved."""
    if spec.modality == "points":
        return Points(spec.scale, np.asarray(spec.mean) if spec.mean else None)
    if spec.modality == "table":
        return Tables(Codec.from_json(spec.coding))
    return Images()
