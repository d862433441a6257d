"""IDX files, the format of MNIST and its family: images and, next to them, labels."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tightrope.core.errors import InputError
from tightrope.data import cache
from tightrope.data.catalog import shown
from tightrope.data.images import ImageDataset
from tightrope.data.stacks import MANY, Stack, numbered, place_of, store

FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
# sha256 of the first image of Fashion-MNIST's training and test files: MNIST's files have the same names
_FASHION_FIRST = {
    "5bd44e331a6d6998daf675700cd0c13dcd7af8ab954b7585124124da61459e7b",
    "ffc7351ed0f8bae542820866086177fa4e0b366b97bf9d998dffdb8dbe138787",
}
_NAMES = ("train-images-idx3-ubyte", "train-images.idx3-ubyte", "t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte")
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)


def is_idx(path: Path) -> bool:
    """True for names like train-images-idx3-ubyte.gz."""
    return path.name.lower().removesuffix(".gz").endswith(("-ubyte", ".idx3-ubyte", ".idx1-ubyte", ".idx"))


def find_idx(folder: Path) -> Path | None:
    """The file of images in a folder of IDX files, training split first."""
    for name in _NAMES:
        for suffix in ("", ".gz"):
            if (folder / (name + suffix)).is_file():
                return folder / (name + suffix)
    return None


def load_idx(
    path: Path,
    size: int | None,
    root: Path | None,
    *,
    name: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImageDataset:
    """Images and labels of one IDX file and its neighbour."""
    name = name or path.resolve().parent.name
    labels_path = _labels_of(path)
    place = place_of(path, [labels_path] if labels_path else [], size, root, name)
    index = cache.read_index(place.folder, place.key)
    if index is None:
        index = store(place, _open(path, labels_path), progress)
    licence = "MIT (Zalando SE)" if tuple(index["classes"]) == FASHION else None
    source = {"data": os.path.abspath(path), "size": index["shape"][2]}
    return ImageDataset(name=name, folder=place.folder, index=index, licence=licence, source=source)


def _labels_of(path: Path) -> Path | None:
    """train-images-idx3-ubyte.gz -> train-labels-idx1-ubyte.gz, packed or not, where it exists."""
    wanted = path.name.replace("images", "labels").replace("idx3", "idx1").removesuffix(".gz")
    for name in (wanted, f"{wanted}.gz"):
        if name != path.name and (path.parent / name).is_file():
            return path.parent / name
    return None


def _open(path: Path, labels_path: Path | None) -> Stack:
    with _reader(path) as file:
        count, height, width = _head(path, file, dimensions=3)
        first = _take(path, file, height * width) if count else b""
    shape = (height, width, 1)
    if labels_path is None:
        return Stack(count, shape, lambda: _parts(path), "IDX")
    is_fashion = hashlib.sha256(first).hexdigest() in _FASHION_FIRST
    labels, classes = numbered(labels_path, _labels(labels_path), FASHION if is_fashion else ())
    return Stack(count, shape, lambda: _parts(path), "IDX", labels, classes)


def _labels(path: Path) -> np.ndarray:
    with _reader(path) as file:
        (count,) = _head(path, file, dimensions=1)
        labels = np.frombuffer(_take(path, file, count), np.uint8).astype(np.int64)
        _end(path, file)
        return labels


def _parts(path: Path) -> Iterator[np.ndarray]:
    with _reader(path) as file:
        count, height, width = _head(path, file, dimensions=3)
        for start in range(0, count, MANY):
            many = min(MANY, count - start)
            content = _take(path, file, many * height * width)
            yield np.frombuffer(content, np.uint8).reshape(many, height, width, 1)
        _end(path, file)


def _reader(path: Path) -> BinaryIO:
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed by the caller, or with the gzip that wraps it
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be read ({error.strerror}); check its rights.") from error
    if file.read(2) == b"\x1f\x8b":
        file.close()
        return gzip.open(path, "rb")  # type: ignore[return-value]
    file.seek(0)
    return file


def _head(path: Path, file: BinaryIO, dimensions: int) -> tuple[int, ...]:
    """The lengths in the header; the magic number is 0, 0, 8 (unsigned bytes), number of dimensions."""
    magic = _take(path, file, 4)
    if magic != bytes([0, 0, 8, dimensions]):
        what = "images (three dimensions)" if dimensions == 3 else "labels (one dimension)"
        raise InputError(f"{shown(path)}: not an IDX file of {what}: it begins with {magic.hex()}, not 000008{dimensions:02x}.")
    lengths = tuple(int.from_bytes(_take(path, file, 4), "big") for _ in range(dimensions))
    if math.prod(lengths[1:]) > 1 << 28:
        raise InputError(f"{shown(path)}: its header speaks of images of {lengths[2]}x{lengths[1]} pixels; the file is damaged.")
    return lengths


def _end(path: Path, file: BinaryIO) -> None:
    """Nothing may follow; for gzip, reaching the end is also what checks the sum of the content."""
    if _read(path, file, 1):
        raise InputError(f"{shown(path)}: longer than its header says; download it again.")


def _take(path: Path, file: BinaryIO, length: int) -> bytes:
    """Exactly `length` bytes, a piece at a time: a header may lie, and must not make us reserve what it says."""
    pieces, missing = [], length
    while missing and (piece := _read(path, file, min(missing, cache.PIECE))):
        pieces.append(piece)
        missing -= len(piece)
    if missing:
        raise InputError(f"{shown(path)}: cut off, {missing} bytes are missing; download it again.")
    return b"".join(pieces)


def _read(path: Path, file: BinaryIO, most: int) -> bytes:
    try:
        return file.read(most)
    except _DAMAGED as error:
        raise InputError(f"{shown(path)}: damaged or cut off ({type(error).__name__}); download it again.") from error
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be read ({error.strerror or error}).") from error
