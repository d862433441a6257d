"""Images in a folder or a zip: measured, decoded in parallel, in order, and put in the cache.

Decoding runs in threads: Pillow lets go of Python's lock while it decodes and scales (benchmarks/data_folder.py), and
threads need no pickling, no guard in the user's script and no second copy of torch.
"""

from __future__ import annotations

import itertools
import os
import statistics
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from tightrope.core.errors import InputError
from tightrope.data import cache
from tightrope.data.catalog import IMAGE_SUFFIXES, shown
from tightrope.data.decode import MOST_PIXELS, Square, decode, measure, quiet
from tightrope.data.images import ImageDataset
from tightrope.data.licences import licence_in
from tightrope.data.resizing import default_side
from tightrope.data.sources import Container, Entry, Folder, Reject, Unusable, class_names, class_of, wrapped

MEASURED = 1000  # files whose headers decide the default size
BLOCK_BYTES = 1 << 20  # decoded pixels a task hands over
Progress = Callable[[int, int], None]
Read = Callable[[Entry, int], Square]


def load_container(container: Container, size: int | None, root: Path | None, progress: Progress | None) -> ImageDataset:
    """A data set from a folder or zip."""
    path, listing = container.path, container.listing
    if not listing.entries:
        raise InputError(nothing(container))
    place = os.path.abspath(path)
    name = path.resolve().name if isinstance(container, Folder) else path.stem
    folder = cache.folder_for(root, name, place, size)
    key = listing.key()
    index = cache.read_index(folder, key)
    if index is None:
        index = _fill(container, size, folder, key, progress)
    licence = licence_in(path) if isinstance(container, Folder) else None
    source = {"data": place, "size": index["shape"][2]}
    return ImageDataset(name=name, folder=folder, index=index, licence=licence, source=source)


def _fill(container: Container, size: int | None, folder: Path, key: str, progress: Progress | None) -> dict[str, Any]:
    entries = container.listing.entries
    with quiet():
        side = size or default_size(container)
        classes = class_names(entries)
        plan = cache.Plan(key, len(entries), (3, side, side), classes, os.fspath(container.path))
        decoder = Decoder(container, side, classes, progress, lambda entry, side: _square(container, entry, side))
        return cache.obtain(folder, plan, decoder.blocks, decoder.facts)


def _square(container: Container, entry: Entry, side: int) -> Square:
    with container.open(entry) as file:
        return decode(file, side)


def nothing(container: Container) -> str:
    """Why a folder or zip is of no use."""
    rejects = container.listing.rejects
    if not rejects:
        return f"{shown(container.path)}: no images in it; give a folder or zip of {', '.join(sorted(IMAGE_SUFFIXES))} files."
    first = f"{rejects[0].path}: {rejects[0].reason}"
    return f"{shown(container.path)}: no usable image ({len(rejects)} rejected; the first is {first})."


def default_size(container: Container) -> int:
    """The default size from the headers of at most MEASURED files, evenly spread."""
    entries = container.listing.entries
    step = max(1, len(entries) // MEASURED)
    shorter = []
    for entry in entries[::step]:
        try:
            with container.open(entry) as file:
                width, height = measure(file)
        except (Unusable, OSError):
            continue  # named when it is decoded
        if width * height <= MOST_PIXELS:
            shorter.append(min(width, height))
    return default_side(statistics.median_low(shorter)) if shorter else 32


class Decoder:
    """Decodes entries in order with a bounded number of tasks in flight, and remembers what the originals were."""

    def __init__(self, container: Container, side: int, classes: tuple[str, ...], progress: Progress | None, read: Read) -> None:
        self.container, self.side, self.read = container, side, read
        self.number = {name: i for i, name in enumerate(classes)}
        self.depth = wrapped(container.listing.entries)
        self.progress = progress
        self.rejects: list[Reject] = list(container.listing.rejects)
        self.shorter: Counter[int] = Counter()
        self.kinds: Counter[str] = Counter()

    def blocks(self) -> Iterator[cache.Block]:
        """Blocks in the order of the entries, whatever the order in which threads finish."""
        entries = self.container.listing.entries
        many = min(256, max(1, BLOCK_BYTES // (3 * self.side**2)))
        parts = iter([entries[i : i + many] for i in range(0, len(entries), many)])
        workers = min(16, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
        done = 0
        with ThreadPoolExecutor(workers) as pool:
            flying: deque[Future[list[tuple[Entry, Square | str]]]] = deque(
                pool.submit(self._decode, part) for part in itertools.islice(parts, 2 * workers)
            )
            try:
                while flying:
                    results = flying.popleft().result()
                    flying.extend(pool.submit(self._decode, part) for part in itertools.islice(parts, 1))
                    done += len(results)
                    if block := self._collect(results):
                        yield block
                    if self.progress:
                        self.progress(done, len(entries))
            finally:  # interrupted: do not decode what nobody will read
                pool.shutdown(wait=True, cancel_futures=True)

    def _decode(self, entries: list[Entry]) -> list[tuple[Entry, Square | str]]:
        return [(entry, self._one(entry)) for entry in entries]

    def _one(self, entry: Entry) -> Square | str:
        """A square, or why not."""
        try:
            return self.read(entry, self.side)
        except Unusable as error:
            return str(error)
        except OSError as error:
            return f"cannot be read ({error.strerror or error})"
        except MemoryError:
            return "too large for the memory of this machine"

    def _collect(self, results: list[tuple[Entry, Square | str]]) -> cache.Block | None:
        squares, names, labels = [], [], []
        for entry, result in results:
            if isinstance(result, str):
                self.rejects.append(Reject(shown(entry.name), result))
                continue
            squares.append(result.pixels)
            names.append(entry.name)
            labels.append(self.number[class_of(entry, self.depth)] if self.number else -1)
            self.shorter[min(result.width, result.height)] += 1
            self.kinds[result.kind] += 1
        return cache.Block(np.stack(squares).transpose(0, 3, 1, 2), names, labels) if squares else None

    def facts(self) -> dict[str, Any]:
        """For the index: rejects by name, and the sizes and kinds of the originals."""
        rejects = sorted((reject.path, reject.reason) for reject in self.rejects)
        return {"rejects": [list(reject) for reject in rejects], "originals": originals(self.shorter, self.kinds)}


def originals(shorter: Counter[int], kinds: Counter[str]) -> dict[str, Any]:
    """Shorter sides in pixels (smallest, median, largest, and counts by power of two), and kinds of files."""
    if not shorter:
        return {"kinds": dict(kinds)}
    sides = sorted(shorter)
    half, passed, median = sum(shorter.values()) / 2, 0, sides[-1]
    for side in sides:
        passed += shorter[side]
        if passed >= half:
            median = side
            break
    histogram: Counter[int] = Counter()
    for side in sides:
        histogram[1 << (side.bit_length() - 1)] += shorter[side]
    return {
        "shorter_side": {"min": sides[0], "median": median, "max": sides[-1]},
        "histogram": {f"{low}-{2 * low - 1}": histogram[low] for low in sorted(histogram)},
        "kinds": dict(kinds.most_common()),
    }
