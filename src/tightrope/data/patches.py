"""`patches:FOLDER`: squares cut out of photographs, side by side and without overlap, into the pixel cache.

Photographs are decoded one at a time and leave row by row, so that memory holds one of them, whatever the folder's size. What
remains at the right and at the bottom is left out. Squares are named PHOTO#ROW-COLUMN: those of one photograph stay together
when some are held out (`groups`).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tightrope.core.errors import InputError
from tightrope.data import cache
from tightrope.data.catalog import shown
from tightrope.data.decode import checked, measure, quiet, whole
from tightrope.data.files import Progress, nothing, originals
from tightrope.data.groups import CUT, stem
from tightrope.data.images import ImageDataset
from tightrope.data.licences import licence_in
from tightrope.data.pairing import container_at
from tightrope.data.sources import Container, Entry, Reject, Unusable

SIDE = 128


def load_patches(name: str, path: Path, size: int | None, root: Path | None, progress: Progress | None) -> ImageDataset:
    """Squares of `size` pixels (128) of every photograph in a folder or zip."""
    container = container_at(path, name)
    if not container.listing.entries:
        raise InputError(nothing(container))
    side, place, key = size or SIDE, os.path.abspath(path), container.listing.key()
    label = f"patches-{path.resolve().stem}"
    folder = cache.folder_for(root, label, f"patches:{place}", side)
    index = cache.read_index(folder, key)
    if index is None:
        with quiet():
            cutter = Cutter(container, side, progress)
            plan = cache.Plan(key, cutter.most(), (3, side, side), (), name)
            index = cache.obtain(folder, plan, cutter.blocks, cutter.facts)
    licence = licence_in(path) if path.is_dir() else None
    return ImageDataset(
        name=label, folder=folder, index=index, licence=licence, source={"data": f"patches:{place}", "size": side}
    )


class Cutter:
    """Cuts photographs in order, and remembers what they were."""

    def __init__(self, container: Container, side: int, progress: Progress | None) -> None:
        self.container, self.side, self.progress = container, side, progress
        self.rejects: list[Reject] = list(container.listing.rejects)
        self.shorter: Counter[int] = Counter()
        self.kinds: Counter[str] = Counter()

    def most(self) -> int:
        """The number of squares, as the headers say."""
        count = 0
        for entry in self.container.listing.entries:
            try:
                with self.container.open(entry) as file:
                    width, height = measure(file)
            except (Unusable, OSError):
                continue  # named when it is decoded
            count += (width // self.side) * (height // self.side)
        return count

    def blocks(self) -> Iterator[cache.Block]:
        """A row of squares at a time."""
        entries = self.container.listing.entries
        for done, entry in enumerate(entries, 1):
            try:
                yield from self._rows(entry)
            except Unusable as error:
                self.rejects.append(Reject(shown(entry.name), str(error)))
            except OSError as error:
                self.rejects.append(Reject(shown(entry.name), f"cannot be read ({error.strerror or error})"))
            except MemoryError:
                self.rejects.append(Reject(shown(entry.name), "too large for the memory of this machine"))
            if self.progress:
                self.progress(done, len(entries))

    def _rows(self, entry: Entry) -> Iterator[cache.Block]:
        picture, side = self._decoded(entry), self.side
        rows, columns = picture.height // side, picture.width // side
        if not rows * columns:
            raise Unusable(f"{picture.width}x{picture.height} pixels; smaller than one square of {side}x{side}")
        for row in range(rows):
            strip = np.asarray(picture.crop((0, row * side, columns * side, (row + 1) * side)))
            pixels = strip.reshape(side, columns, side, 3).transpose(1, 3, 0, 2)
            names = [f"{stem(entry.name)}{CUT}{row}-{column}" for column in range(columns)]
            yield cache.Block(pixels, names, [-1] * columns)

    def _decoded(self, entry: Entry) -> Image.Image:
        with self.container.open(entry) as file, checked(file) as image:
            kind = f"{image.format} {image.mode}"
            picture = whole(image)
        self.shorter[min(picture.size)] += 1
        self.kinds[kind] += 1
        return picture

    def facts(self) -> dict[str, Any]:
        """For the index: rejects by name, and the sizes and kinds of the photographs."""
        rejects = sorted((reject.path, reject.reason) for reject in self.rejects)
        return {"rejects": [list(reject) for reject in rejects], "originals": originals(self.shorter, self.kinds)}
