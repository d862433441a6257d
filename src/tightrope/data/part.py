"""A part of a data set: some of its samples, as a data set of their own. For small-data trainings and held-out samples."""

from __future__ import annotations

import dataclasses
import hashlib

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from tightrope.core.data import Dataset


class Part:
    """The samples at `index` of another data set; see `core.data.Dataset`."""

    def __init__(self, whole: Dataset, index: Int64[Tensor, " n"], name: str) -> None:
        self.whole, self.index, self.name = whole, index, name
        self.spec = dataclasses.replace(whole.spec, count=len(index), shares=self._shares())
        digest = hashlib.sha256(whole.fingerprint.encode())
        digest.update(index.numpy().astype("<i8").tobytes())
        self.fingerprint, self.licence, self.source = digest.hexdigest(), whole.licence, whole.source
        self.modality = whole.modality

    def _shares(self) -> tuple[float, ...]:
        """Of the part's samples in each class."""
        labels, classes = self.whole.labels(self.index), len(self.whole.spec.classes)
        if labels is None or not classes or not len(self):
            return ()
        return tuple((torch.bincount(labels, minlength=classes).double() / len(self)).tolist())

    def __len__(self) -> int:
        return len(self.index)

    def batch(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n *x"]:
        return self.whole.batch(self.index[index])

    def labels(self, index: Int64[Tensor, " n"]) -> Int64[Tensor, " n"] | None:
        return self.whole.labels(self.index[index])
