"""Images: squares of pixels in a memory map, and how they are shown and saved.

Axes: n samples, C channels, H W pixels; the networks' range is [-1, 1], a file's 0..255.
"""

from __future__ import annotations

import math
import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from PIL import Image
from torch import Tensor

from tightrope.core.data import Modality
from tightrope.core.errors import InputError
from tightrope.core.spec import DataSpec
from tightrope.data.cache import HEADER, read_index
from tightrope.data.catalog import shown
from tightrope.data.sources import Reject

GAP = 2  # white pixels between the images of a grid
MOST_MAPPED = 512 << 20  # bytes of the pixel file that stay in this process's memory
_PAGES = 64 << 10  # bytes that the system maps around each one that is read


class Images:
    """The modality of pictures."""

    name = "images"
    exact = False

    def grid(self, samples: Float[Tensor, "n C H W"], columns: int | None = None) -> UInt8[np.ndarray, "H W 3"]:
        """All samples on white, one pixel to one pixel, 2 pixels apart."""
        pixels = self.to_array(samples)
        count, height, width, channels = pixels.shape
        if channels == 1:
            pixels = np.repeat(pixels, 3, axis=3)
        columns = columns or max(1, math.ceil(math.sqrt(count)))
        rows = -(-count // columns)
        sheet = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), 255, np.uint8)
        for i, image in enumerate(pixels):
            top, left = (place * (side + GAP) + GAP for place, side in zip(divmod(i, columns), (height, width), strict=True))
            sheet[top : top + height, left : left + width] = image
        return sheet

    def to_array(self, samples: Float[Tensor, "n C H W"]) -> UInt8[np.ndarray, "n H W C"]:
        """uint8, round((x + 1) * 127.5); values outside [-1, 1] are clamped."""
        if samples.ndim != 4 or samples.shape[1] not in (1, 3):
            raise InputError(f"images have the shape (n, 1 or 3, H, W), not {tuple(samples.shape)}.")
        values = samples.detach().to("cpu", torch.float32)
        require_finite(values)
        pixels = ((values + 1) * 127.5).round_().clamp_(0, 255).to(torch.uint8)
        return np.ascontiguousarray(pixels.permute(0, 2, 3, 1).numpy())

    def save(self, samples: Float[Tensor, "n C H W"], names: list[str], folder: Path) -> list[Path]:
        """One PNG a sample, `folder/name.png`."""
        pixels = self.to_array(samples)
        if len(names) != len(pixels):
            raise InputError(f"{len(pixels)} images and {len(names)} names; give one name an image.")
        paths = [folder / f"{name}.png" for name in names]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path, image in zip(paths, pixels, strict=True):
                # whole or not there, but without a flush to the disk for each of many small files
                partial = path.with_name(path.name + ".partial")
                Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(partial, "PNG")
                os.replace(partial, path)
        except OSError as error:
            raise InputError(f"{shown(folder)}: images cannot be written ({error.strerror or error}).") from error
        return paths


def require_finite(values: Tensor) -> None:
    """Refuse to draw or store NaN: a picture would hide it."""
    broken = int((~torch.isfinite(values)).sum())
    if broken:
        raise InputError(f"the samples hold {broken} values that are not finite; the generator that made them has diverged.")


class ImageDataset:
    """Images of one cache folder. `core.data.Dataset`, plus `rejects`, `names()`, `index` and `folder`."""

    def __init__(self, *, name: str, folder: Path, index: dict[str, Any], licence: str | None, source: dict[str, Any]) -> None:
        count, *shape = index["shape"]
        self.name = name
        self.folder = folder
        self.index = index
        self.licence = licence
        self.source = source
        self.fingerprint: str = index["fingerprint"]
        self.modality: Modality = Images()
        self.rejects = [Reject(*entry) for entry in index.get("rejects", [])]
        self._labels = np.load(folder / "labels.npy") if index["classes"] else None
        classes = tuple(index["classes"])
        shares = () if self._labels is None else tuple((np.bincount(self._labels, minlength=len(classes)) / count).tolist())
        self.spec = DataSpec(modality="images", shape=tuple(shape), classes=classes, shares=shares, count=count)
        self._map = _map(folder / "pixels.npy")
        self._pixels = np.frombuffer(self._map, np.uint8, offset=HEADER).reshape(index["shape"])
        self._touched = 0

    def __len__(self) -> int:
        return self.spec.count

    def batch(self, index: Int64[Tensor, " n"], channels: slice = slice(None)) -> Float[Tensor, "n C H W"]:
        """Images at `index`, fp32 in [-1, 1]; of some channels where several pictures lie in one."""
        pixels = torch.from_numpy(self._pixels[index.numpy(), channels])
        self._forget(len(pixels))
        return pixels.float().mul_(1 / 127.5).sub_(1)

    def _forget(self, count: int) -> None:
        """Now and then unmap what was read, so that memory does not grow to the size of the data; the system's cache keeps it."""
        self._touched += count * max(self._pixels[0].nbytes, _PAGES)
        if self._touched > MOST_MAPPED:
            self._touched = 0
            if len(self._map) > MOST_MAPPED and hasattr(mmap, "MADV_DONTNEED"):
                self._map.madvise(mmap.MADV_DONTNEED)

    def labels(self, index: Int64[Tensor, " n"]) -> Int64[Tensor, " n"] | None:
        """Classes at `index`, or None."""
        return None if self._labels is None else torch.from_numpy(self._labels[index.numpy()])

    def names(self) -> list[str]:
        """The file (or drawing) each image came from; control characters are escaped."""
        return (self.folder / "names.txt").read_text(encoding="utf-8").split("\n")[:-1]

    def __reduce__(self) -> tuple[Any, ...]:
        # a pickled memory map would be a copy of all pixels
        return _again, (self.name, self.folder, self.index, self.licence, self.source)


def _map(path: Path) -> mmap.mmap:
    try:
        with open(path, "rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(path)}: the pixel cache cannot be read ({error}); delete its folder and try again.") from error


def _again(name: str, folder: Path, index: dict[str, Any], licence: str | None, source: dict[str, Any]) -> ImageDataset:
    if read_index(folder, index["key"]) is None:
        raise InputError(f"{shown(folder)}: the pixel cache is gone; load the data again.")
    return ImageDataset(name=name, folder=folder, index=index, licence=licence, source=source)
