"""Pictures with their classes, held in memory: what few examples are.

Axes: n pictures, C channel, H W pixels, K classes; the range is [-1, 1].
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from tightrope.core.data import Dataset
from tightrope.core.errors import InputError
from tightrope.core.seeds import generator
from tightrope.data import Images

LEAST = 8  # of a class: half of them are kept apart to judge by, and the audit halves the others again
MOST = 100_000  # pictures: more of them are not few


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Pictures, their classes by number, and the classes' names."""

    images: Float[Tensor, "n C H W"]
    labels: Int64[Tensor, " n"]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def counts(self) -> list[int]:
        """Pictures of each class."""
        return torch.bincount(self.labels, minlength=len(self.classes)).tolist()

    def at(self, index: Tensor) -> Pictures:
        """Some of them."""
        return Pictures(self.images[index], self.labels[index], self.classes)

    def of(self, label: int) -> Pictures:
        """Those of one class."""
        return self.at(self.labels == label)

    def with_(self, others: Pictures) -> Pictures:
        """These, then the others."""
        both = torch.cat([self.images, others.images]), torch.cat([self.labels, others.labels])
        return Pictures(*both, self.classes)

    def folds(self, count: int, seed: int) -> list[Int64[Tensor, " m"]]:
        """Indices in `count` parts, each with its share of every class; chance decides which."""
        dice = generator(seed, "folds")
        parts = [(self.labels == k).nonzero().flatten() for k in range(len(self.classes))]
        dealt = [part[torch.randperm(len(part), generator=dice)].tensor_split(count) for part in parts]
        return [torch.cat(fold) for fold in zip(*dealt, strict=True)]

    def save(self, path: Path) -> Path:
        """An .npz that `tightrope.data.load` reads."""
        np.savez(path, images=Images().to_array(self.images), labels=self.labels.numpy(), classes=np.array(self.classes))
        return path

    def plain(self, path: Path) -> Path:
        """The same without classes."""
        np.savez(path, images=Images().to_array(self.images))
        return path


def pictures(dataset: Dataset) -> Pictures:
    """All pictures of a data set with classes.

    Raises:
        InputError: no pictures, no classes, one class, a class with too few pictures, or too many pictures.
    """
    name, spec = dataset.name, dataset.spec
    index = torch.arange(len(dataset))
    labels = dataset.labels(index) if spec.modality == "images" and len(spec.classes) > 1 else None
    if labels is None:
        raise InputError(f"{name}: augment needs pictures of at least two classes; give a folder with a folder a class.")
    if len(dataset) > MOST:
        raise InputError(f"{name}: {len(dataset):,} pictures are not few; give at most {MOST:,} to augment.")
    counts = torch.bincount(labels, minlength=len(spec.classes)).tolist()
    for label, count in zip(spec.classes, counts, strict=True):
        if count < LEAST:
            raise InputError(
                f"{name}: class {label} holds {count} pictures; at least {LEAST} are needed, or leave the class out."
            )
    return Pictures(dataset.batch(index), labels, spec.classes)
