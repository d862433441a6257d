"""What the loop, the judge and the report need of data: a Dataset of samples, and a Modality that shows and saves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from tightrope.core.spec import DataSpec
from tightrope.core.strata import Strata


class Modality(Protocol):
    """A kind of data: how samples become pictures for people and files for programs.

    `exact` is True where values need more than bf16's 8 bits of mantissa (coordinates do, pixels do not).
    """

    name: str
    exact: bool

    def grid(self, samples: Float[Tensor, "n *x"], columns: int | None = None) -> UInt8[np.ndarray, "H W 3"]:
        """One picture that shows all samples: a grid of images, a scatter plot of points."""
        ...

    def to_array(self, samples: Float[Tensor, "n *x"]) -> np.ndarray:
        """Samples as users store them: uint8 (n, H, W, C) for images, float32 (n, dim) for points."""
        ...

    def save(self, samples: Float[Tensor, "n *x"], names: list[str], folder: Path) -> list[Path]:
        """Write one file a sample (PNG for images, one CSV for points); returns the paths."""
        ...


class Translatable(Protocol):
    """What a Dataset has beside the rest where `spec.given` is not empty: pictures that its samples are to be made of.

    Attributes:
        givens: number of pictures given; as many as samples where they are pairs.
        held: pictures of the same kind that training never sees, to judge by; None where there are none.
    """

    givens: int
    held: Dataset | None

    def given(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n *given"]:
        """Pictures given at `index` (of the samples at the same index, where they are pairs), always the same, in [-1, 1]."""
        ...

    def drawn(
        self, index: Int64[Tensor, " n"], generator: torch.Generator
    ) -> tuple[Float[Tensor, "n *x"], Float[Tensor, "n *given"]]:
        """For training: the samples at `index` and pictures given: their own, made anew where chance has a part in it, or any."""
        ...


class Stratified(Protocol):
    """What a Dataset of rows has beside the rest: its samples by the values of their one-hot blocks.

    Attributes:
        strata: a stratum a block of kind "onehot" and a value of it.
    """

    @property
    def strata(self) -> Strata: ...


class Dataset(Protocol):
    """Real samples, read by index from memory or a memory map, never decoded twice.

    Attributes:
        name: what the user called it ("fashion", a folder's name).
        spec: shapes and classes.
        fingerprint: sha256 of the content as training sees it.
        licence: as stated by the source, or None.
        source: what to pass to `tightrope.data.load` to get it again: {"data": ..., plus options}.
    """

    name: str
    spec: DataSpec
    fingerprint: str
    licence: str | None
    source: dict[str, Any]
    modality: Modality

    def __len__(self) -> int: ...

    def batch(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n *x"]:
        """Samples at `index` in the networks' range ([-1, 1] for images; standardised for points), fp32."""
        ...

    def labels(self, index: Int64[Tensor, " n"]) -> Int64[Tensor, " n"] | None:
        """Class labels at `index`, or None when the data has none."""
        ...
