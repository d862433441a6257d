"""What turns stored samples into the features that are compared: the contract every extractor keeps.

Axes: N samples, H W pixels, C channels, d features, K classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from torch import Tensor


class Reading(NamedTuple):
    """What an extractor says of N samples.

    Attributes:
        features: float32 on the CPU.
        logits: of its classes, or None where it tells no classes apart.
    """

    features: Float[Tensor, "N d"]
    logits: Float[Tensor, "N K"] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Extractor:
    """A network (or none, for points) with its weights, and everything that two numbers must share to be compared.

    Attributes:
        id: stands in square brackets in the names of records: "fashion-cnn", "effnet-lite0", "inception-v3-fid".
        dimensions: d.
        input_rule: the exact way from stored samples to the network's input: range, size, resize, normalisation, precision.
        read: stored samples, uint8 (N, H, W, C) images of any size with C of 1 or 3 (or float32 (N, dim) points), to a
            Reading. The reading of a sample does not depend on its neighbours in the batch; callers choose N.
        weights_sha256: of the weights' file; None where nothing was trained.
        licence: of the weights.
        classes: what it tells apart, in the order of its logits.
        facts: what is known of it: held-out accuracy, power, training data.
    """

    id: str
    dimensions: int
    input_rule: str
    read: Callable[[np.ndarray], Reading]
    weights_sha256: str | None = None
    licence: str | None = None
    classes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def protocol(self) -> dict[str, Any]:
        """The entries of a protocol that the extractor decides."""
        known = {"extractor": self.id, "weights_sha256": self.weights_sha256}
        return known | {"features": self.dimensions, "input": self.input_rule}
