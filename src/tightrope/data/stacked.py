"""Stacked MNIST: three random digits are the channels of one image; 1,000 classes, label 100 a + 10 b + c.

Metz et al. 2017 (Unrolled GANs, arXiv:1611.02163, section 3.3.1) proposed it; VEEGAN (Srivastava et al. 2017) and PacGAN (Lin
et al. 2018) train on 128,000 such images. The 28 pixels of a digit become 32 by a margin, as in DDGAN (Xiao et al. 2022).

    tightrope data stacked:./mnist                 a folder with MNIST's IDX files, as they are downloaded
    tightrope data stacked:120000:./mnist          another number of images

Images are put together when they are asked for: the digits alone lie in memory. Both splits are used where both are there.
Axes: n images, C = 3 channels, H W pixels, D digits.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from tightrope.core.data import Modality
from tightrope.core.errors import InputError
from tightrope.core.spec import DataSpec
from tightrope.data.catalog import STACKED, shown
from tightrope.data.idx import find_idx, load_idx
from tightrope.data.images import ImageDataset, Images
from tightrope.data.sources import Reject

COUNT = 128_000  # images, as VEEGAN and PacGAN make them
CHANNELS = 3
DIGITS = 10
MOST = 10_000_000
_RULE = "stacked-1"  # in the fingerprint: changes when the same files and count would give other images


class StackedDataset:
    """Three digits an image. `core.data.Dataset`, plus what an `ImageDataset` tells of its files.

    Args:
        splits: grey images of digits with labels, all of one size.
        count: how many images.
    """

    def __init__(self, splits: list[ImageDataset], count: int, source: dict[str, Any]) -> None:
        self.name, self.source, self.licence = "stacked-mnist", source, splits[0].licence
        self.folder, self.index = splits[0].folder, splits[0].index
        self.rejects: list[Reject] = []
        self.modality: Modality = Images()
        self._digits = np.concatenate([np.load(split.folder / "pixels.npy", mmap_mode="r")[:, 0] for split in splits])
        kinds = np.concatenate([_labels(split) for split in splits])
        # RandomState's stream is frozen by NumPy's policy; default_rng's may change from version to version
        self._parts = np.random.RandomState(1000).randint(len(kinds), size=(count, CHANNELS))
        self._labels = kinds[self._parts] @ np.array([DIGITS**2, DIGITS, 1])
        told = (_RULE, count, *(split.fingerprint for split in splits))
        self.fingerprint = hashlib.sha256(repr(told).encode()).hexdigest()
        self.spec = DataSpec(
            modality="images",
            shape=(CHANNELS, *self._digits.shape[1:]),
            classes=tuple(f"{label:03d}" for label in range(DIGITS**CHANNELS)),
            shares=tuple((np.bincount(self._labels, minlength=DIGITS**CHANNELS) / count).tolist()),
            count=count,
        )

    def __len__(self) -> int:
        return self.spec.count

    def batch(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n C H W"]:
        """Images at `index`, fp32 in [-1, 1]."""
        pixels = torch.from_numpy(self._digits[self._parts[index.numpy()]])
        return pixels.float().mul_(1 / 127.5).sub_(1)

    def labels(self, index: Int64[Tensor, " n"]) -> Int64[Tensor, " n"]:
        """100 a + 10 b + c at `index`."""
        return torch.from_numpy(self._labels[index.numpy()])

    def names(self) -> list[str]:
        """The digits of each image, by their places in the files: train first, then test."""
        return ["-".join(map(str, parts)) for parts in self._parts.tolist()]


def _labels(split: ImageDataset) -> np.ndarray:
    labels = split.labels(torch.arange(len(split)))
    if labels is None or split.spec.classes != tuple(map(str, range(DIGITS))) or split.spec.channels != 1:
        where = shown(split.source["data"])
        raise InputError(f"{where}: not grey digits with labels 0 to 9; give the folder of MNIST's IDX files.")
    return labels.numpy()


def splits(folder: Path, size: int | None, root: Path | None, progress: Callable[[int, int], None] | None) -> list[ImageDataset]:
    """The training digits and, where they are there, the test digits.

    Raises:
        InputError: no IDX files there.
    """
    train = find_idx(folder) if folder.is_dir() else None
    if train is None:
        wanted = "train-images-idx3-ubyte.gz and its labels (and t10k-... beside them)"
        raise InputError(f"{STACKED}{shown(folder)}: names no folder that holds MNIST's files, {wanted}.")
    stem = train.name.removesuffix(".gz").replace("train", "t10k")
    others = [
        train.with_name(name) for name in (stem, f"{stem}.gz") if name.removesuffix(".gz") != train.name.removesuffix(".gz")
    ]
    paths = [train, *[path for path in others if path.is_file()][:1]]
    return [load_idx(path, size, root, name=f"digits-{path.name[:5]}", progress=progress) for path in paths]


def parse(name: str) -> tuple[int, Path]:
    """`stacked:[COUNT:]FOLDER` -> the number of images, and the folder."""
    words = name.removeprefix(STACKED)
    number, colon, rest = words.partition(":")
    count, folder = (int(number), rest) if colon and number.isdigit() else (COUNT, words)
    if not folder or not 2 <= count <= MOST:
        raise InputError(f"{shown(name)}: write stacked:FOLDER or stacked:NUMBER:FOLDER, with 2 to {MOST:,} images.")
    return count, Path(folder).expanduser()


def load_stacked(
    name: str, size: int | None, root: Path | None, progress: Callable[[int, int], None] | None = None
) -> StackedDataset:
    """Stacked MNIST from `stacked:[COUNT:]FOLDER`; 32 px, or `size`."""
    count, folder = parse(name)
    found = splits(folder, size, root, progress)
    source = {"data": f"{STACKED}{count}:{os.path.abspath(folder)}", "size": found[0].spec.size}
    return StackedDataset(found, count, source)
