"""Real data and samples brought to one size, one number of channels, one unit; what was done is said.

Axes: n samples; samples in the networks' range.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from tightrope import data as data_room
from tightrope.core.data import Dataset
from tightrope.core.errors import InputError
from tightrope.core.spec import DataSpec
from tightrope.data.catalog import TABLE_SUFFIXES
from tightrope.data.resizing import background

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
MARGIN = (28, 32)  # pixels: sizes between which a margin is usual, see `tightrope.data.resizing`
POINTS_FILE = "points.csv"  # what `tightrope sample` writes of points
Progress = Callable[[int, int], None]


def require_alike(name: str, other: DataSpec, real: DataSpec) -> None:
    """Refuse what cannot be compared with the data."""
    kinds = other.modality == real.modality or (other.given and real.given)  # pairs may have been hidden from a run without
    if other.shape != real.shape or other.given != real.given or not kinds:
        ours, theirs = (f"{spec.shape} made of {spec.given}" if spec.given else f"{spec.shape}" for spec in (other, real))
        raise InputError(
            f"{name}: holds {other.modality} of the shape {ours}, the data {real.modality} of {theirs}; "
            "give samples of the same kind."
        )


@dataclasses.dataclass(frozen=True)
class Pair:
    """Real data and samples at one size; `margin`: the level of what goes around samples that are smaller."""

    real: Dataset
    samples: Any
    notes: list[str]
    margin: float | None = None

    def at(self, index: Tensor) -> Tensor:
        """Samples as the data has them."""
        batch, spec = self.samples.batch(index), self.real.spec
        if not spec.pictures:
            return _in_units(batch, self.samples, self.real)
        if self.margin is not None:
            batch = pad(batch, [(spec.size - self.samples.spec.size) // 2] * 4, value=self.margin)
        return _in_channels(batch, spec.channels)

    @property
    def identity(self) -> dict[str, Any]:
        """What `at` gives depends on this, as JSON."""
        spec = self.real.spec
        units = [spec.scale, list(spec.mean)]
        return {"samples": self.samples.fingerprint, "shape": list(spec.shape), "margin": self.margin, "units": units}


def together(what: str, data: str | Path, size: int | None, progress: Progress | None) -> Pair:
    """Both sets at one size: the one asked for; else the samples' own, where data of that size can be had without scaling."""
    real: Dataset = data_room.load(data, size=size, progress=progress)
    if real.spec.modality == "table":
        raise InputError(
            f"{what}: rows of a file are judged by `tightrope evaluate FILE --data TABLE`; give a run or such a file."
        )
    if not real.spec.pictures:
        written = Path(what) / POINTS_FILE
        samples: Dataset = data_room.load(written if written.is_file() else what, progress=progress)
        require_alike(what, samples.spec, real.spec)
        return Pair(real, samples, [])
    samples = _images(what, real, progress)
    made, original, side = _original_side(samples), _original_side(real), real.spec.size
    if size is not None or made is None or made == side:
        return Pair(real, samples, [])
    if made == original:  # 28 px data trains at 32 px with a margin; samples of 28 px have none: both are read as they are
        return Pair(data_room.load(data, size=made, progress=progress), data_room.load(what, size=made, progress=progress), [])
    if (made, side) == MARGIN:
        plain = data_room.load(what, size=made, progress=progress)
        level = background(plain.modality.to_array(plain.batch(torch.arange(min(256, len(plain))))))
        if level is not None:
            note = f"the samples are {made} px a side and were given a margin to {side} px, as such data has."
            return Pair(real, plain, [note], margin=level / 127.5 - 1)
    return Pair(real, samples, [f"the samples are {made} px a side and were brought to {side} px, the size of the data."])


def _images(what: str, real: Dataset, progress: Progress | None) -> Dataset:
    """Samples at the size of the real images."""
    try:
        return data_room.load(what, size=real.spec.size, progress=progress)
    except InputError:  # points have no size: say what is wrong rather than that
        if Path(what).suffix.lower() in TABLE_SUFFIXES or what in data_room.names():
            require_alike(what, data_room.load(what).spec, real.spec)
        raise


def _original_side(dataset: Any) -> int | None:
    """The side of the files' images in pixels (the median, where they differ), or None where nothing is known."""
    sides = getattr(dataset, "index", {}).get("originals", {}).get("shorter_side", {})
    return sides.get("median")


def colour(channels: int) -> str:
    """What people call images of so many channels."""
    return "grey" if channels == 1 else "RGB"


def _in_units(points: Tensor, samples: Dataset, real: Dataset) -> Tensor:
    """Points standardised by their own data, standardised by the real data instead."""
    stored = torch.from_numpy(samples.modality.to_array(points))
    return (stored - torch.tensor(real.spec.mean)) / real.spec.scale


def _in_channels(images: Tensor, channels: int) -> Tensor:
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return images.expand(-1, 3, -1, -1)
    return (images * images.new_tensor(LUMA).view(3, 1, 1)).sum(1, keepdim=True)
