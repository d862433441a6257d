"""DataSpec: what a recipe needs to know of the data to build its networks. No torch, no pixels."""

from __future__ import annotations

import dataclasses
from typing import Any

from tightrope.core.blocks import Block
from tightrope.core.errors import InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSpec:
    """The shape of a data set.

    Attributes:
        modality: "images", "points", "table", or pictures made of pictures: "pairs" (each with the one it is made of) and
            "unpaired".
        shape: of one sample as the networks see it: (C, H, W) for images, (dim,) for points and encoded rows of a table.
        classes: names of the classes, in label order; empty when the data has no labels.
        shares: of the samples in each class, in label order; empty where there are no classes (or an old file did not say).
        count: number of training samples.
        given: shape of the pictures that samples are to be made of, (C, H, W); () where samples are made of nothing but noise.
        scale, mean: data = standardised * scale + mean (points); images leave them at 1 and ().
        blocks: what the numbers of an encoded row are (tables); else ().
        coding: how encoded rows become a table's cells again; the data room's own (`tightrope.data.tables`).
    """

    modality: str
    shape: tuple[int, ...]
    classes: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    count: int = 0
    given: tuple[int, ...] = ()
    scale: float = 1.0
    mean: tuple[float, ...] = ()
    blocks: tuple[Block, ...] = ()
    coding: dict[str, Any] = dataclasses.field(default_factory=dict, hash=False, repr=False)

    @property
    def pictures(self) -> bool:
        """Samples are pictures, (C, H, W)."""
        return self.modality in ("images", "pairs", "unpaired")

    @property
    def paired(self) -> bool:
        """Every sample comes with the picture that it is to be made of."""
        return self.modality == "pairs"

    @property
    def channels(self) -> int:
        """C of an image; the dimension of a point."""
        return self.shape[0]

    @property
    def size(self) -> int:
        """Side of the square image in pixels; the dimension of a point."""
        return self.shape[-1]

    def labelled(self, recipe: str) -> int:
        """The number of classes.

        Raises:
            InputError: the data has none, and `recipe` makes samples by class.
        """
        if not self.classes:
            raise InputError(
                f"{recipe} makes samples by class and this data has no classes: put each class's images in a folder of its own "
                "(two classes at least), give labels in the .npz, or choose a recipe that needs none."
            )
        return len(self.classes)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> DataSpec:
        lists = {name: tuple(record.get(name, ())) for name in ("shape", "classes", "shares", "given", "mean")}
        blocks = tuple(Block.from_json(block) for block in record.get("blocks", ()))
        return cls(**{**record, **lists, "blocks": blocks})
