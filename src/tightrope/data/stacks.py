"""Images that come as one array (IDX, .npy, .npz): cut to squares block by block and put in the cache."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tightrope.core.errors import InputError
from tightrope.data import cache
from tightrope.data.catalog import shown
from tightrope.data.decode import SMALLEST
from tightrope.data.files import originals
from tightrope.data.resizing import background, default_side, fit

MANY = 512  # images in one block
LARGEST_SIDE = 4096
MOST_CLASSES = 10_000


@dataclasses.dataclass(frozen=True)
class Stack:
    """`count` images of `shape` (H, W, C), handed over as uint8 (n, H, W, C) parts of at most MANY, with their labels."""

    count: int
    shape: tuple[int, int, int]
    parts: Callable[[], Iterable[np.ndarray]]
    kind: str
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a stack is cached: found by path and size, keyed by the sizes and times of its files."""

    path: Path
    folder: Path
    key: str
    size: int | None


def place_of(path: Path, others: list[Path], size: int | None, root: Path | None, name: str) -> Place:
    try:
        stamps = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in (path, *others)]
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be read ({error.strerror}); check its rights.") from error
    key = hashlib.sha256(repr(stamps).encode("utf-8", "surrogateescape")).hexdigest()
    return Place(path, cache.folder_for(root, name, os.path.abspath(path), size), key, size)


def store(place: Place, stack: Stack, progress: Callable[[int, int], None] | None) -> dict[str, Any]:
    """The index of the cache of a stack."""
    check(place.path, stack)
    height, width, channels = stack.shape
    side = place.size or default_side(min(height, width))
    plan = cache.Plan(place.key, stack.count, (channels, side, side), stack.classes, os.fspath(place.path))

    def facts() -> dict[str, Any]:
        return {"originals": originals(Counter({min(height, width): stack.count}), Counter({stack.kind: stack.count}))}

    return cache.obtain(place.folder, plan, lambda: _blocks(stack, side, progress), facts)


def check(path: Path, stack: Stack) -> None:
    height, width, _ = stack.shape
    if stack.count < 2:
        raise InputError(f"{shown(path)}: holds {stack.count} images; training needs at least two.")
    if min(height, width) < SMALLEST or max(height, width) > LARGEST_SIDE:
        wanted = f"from {SMALLEST} to {LARGEST_SIDE} pixels a side are read"
        raise InputError(f"{shown(path)}: holds images of {width}x{height} pixels; {wanted}.")
    if stack.labels is not None and len(stack.labels) != stack.count:
        raise InputError(f"{shown(path)}: {stack.count} images and {len(stack.labels)} labels; each image needs one label.")


def _blocks(stack: Stack, side: int, progress: Callable[[int, int], None] | None) -> Iterator[cache.Block]:
    done, margin, first = 0, None, True
    for part in stack.parts():
        if first:
            # one rule for the whole set: decided on its first images
            margin, first = background(part), False
        until = done + len(part)
        labels = [-1] * len(part) if stack.labels is None else stack.labels[done:until].tolist()
        yield cache.Block(fit(part, side, pad=margin), [str(i) for i in range(done, until)], labels)
        done = until
        if progress:
            progress(done, stack.count)


def numbered(path: Path, labels: np.ndarray, names: tuple[str, ...] = ()) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels as 0..K-1 and the names of the classes; `names` is used where it covers all labels."""
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"{shown(path)}: labels are {labels.dtype}; whole numbers are needed, one an image.")
    if len(labels) and names and labels.min() >= 0 and labels.max() < len(names):
        return labels.astype(np.int64), names
    used, numbers = np.unique(labels, return_inverse=True)
    if len(used) > MOST_CLASSES:
        raise InputError(f"{shown(path)}: {len(used)} different labels; at most {MOST_CLASSES} classes are supported.")
    return numbers.astype(np.int64), tuple(str(value) for value in used)
