"""Pairs on the disk: two folders (or zips) whose files have equal names, or one of pictures that lie side by side.

Both pictures of a pair are decoded at once, by the rules of `decode`, into one picture of six channels in the pixel cache: given
first, target after it. A pair stays aligned because both are cut to their centre square and scaled to one size; therefore
both must have one aspect ratio.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tightrope.core.errors import InputError
from tightrope.data import cache
from tightrope.data.catalog import shown
from tightrope.data.decode import SMALLEST, Square, checked, decode, quiet, square, whole
from tightrope.data.files import Decoder, Progress, default_size, nothing
from tightrope.data.groups import stem
from tightrope.data.images import ImageDataset
from tightrope.data.licences import licence_in
from tightrope.data.sources import Container, Entry, Folder, Listing, Unusable, Zip

SIDES = ("given", "target")  # names of sub-folders, and the order of the channels


def container_at(path: Path, name: str) -> Container:
    """The folder or zip of a data's name."""
    if path.is_dir():
        return Folder(path)
    if path.suffix.lower() == ".zip" and path.is_file():
        return Zip(path)
    raise InputError(f"{shown(name)}: {shown(path)} is neither a folder nor a .zip of images; check the path.")


class Matched:
    """Two containers, seen as one: an entry is a target whose given picture has its name, whatever the ending."""

    def __init__(self, given: Container, target: Container) -> None:
        self.given, self.target, self.path = given, target, target.path
        self.listing = Listing()
        sides = [self._by_name(side) for side in (given, target)]
        self.of = dict(sides[0])
        for side, other, container in ((0, 1, given), (1, 0, target)):
            for name, entry in sides[side].items():
                if name not in sides[other]:
                    self.listing.reject(f"{container.path}/{entry.name}", f"no picture of that name in the {SIDES[other]} folder")
        self.counts = tuple(map(len, sides))
        self.listing.entries = [entry for name, entry in sides[1].items() if name in sides[0]]
        self.listing.finish()

    def _by_name(self, container: Container) -> dict[str, Entry]:
        for reject in container.listing.rejects:
            self.listing.reject(f"{container.path}/{reject.path}", reject.reason)
        found: dict[str, Entry] = {}
        for entry in container.listing.entries:
            first = found.setdefault(stem(entry.name), entry)
            if first is not entry:
                self.listing.reject(f"{container.path}/{entry.name}", f"{shown(first.name)} has the same name")
        return found

    def open(self, entry: Entry) -> BinaryIO:
        return self.target.open(entry)

    def read(self, entry: Entry, side: int) -> Square:
        """Both pictures of a pair, six channels."""
        with self.given.open(self.of[stem(entry.name)]) as file:
            try:
                given = decode(file, side)
            except Unusable as error:
                raise Unusable(f"the picture given {error}") from error
        with self.open(entry) as file:
            target = decode(file, side)
        _require_alike(given, target)
        pixels = np.concatenate([given.pixels, target.pixels], axis=2)
        return Square(pixels, target.width, target.height, target.kind)

    def key(self) -> str:
        return hashlib.sha256(f"{self.given.listing.key()}{self.target.listing.key()}".encode()).hexdigest()


def _require_alike(given: Square, target: Square) -> None:
    """One aspect ratio, but for the pixel by which a scaled side is rounded."""
    sides = (given.width, given.height, target.width, target.height)
    if abs(given.width * target.height - given.height * target.width) > max(sides):
        shapes = "{}x{} pixels and its target {}x{}".format(*sides)
        raise Unusable(f"the picture given has {shapes}: their aspect ratios differ, so they cannot lie on each other")


class SideBySide:
    """A container of double pictures: the left half is given, the right one is the target."""

    def __init__(self, inner: Container) -> None:
        self.inner, self.path, self.listing = inner, inner.path, inner.listing

    def open(self, entry: Entry) -> BinaryIO:
        return self.inner.open(entry)

    def read(self, entry: Entry, side: int) -> Square:
        """Both halves, six channels."""
        with self.open(entry) as file, checked(file) as image:
            kind, picture = f"{image.format} {image.mode}", whole(image)
            width, height = picture.width // 2, picture.height
            if picture.width % 2:
                raise Unusable(f"{picture.width} pixels wide; two pictures of equal width side by side make an even number")
            if width < SMALLEST:
                raise Unusable(f"each half is {width} pixels wide; at least {SMALLEST} are needed")
            halves = [picture.crop((left, 0, left + width, height)) for left in (0, width)]
            pixels = np.concatenate([np.asarray(square(half, side)) for half in halves], axis=2)
            return Square(pixels, width, height, kind)

    def key(self) -> str:
        return self.listing.key()


def two_folders(
    name: str, given: Path, target: Path, size: int | None, root: Path | None, progress: Progress | None
) -> ImageDataset:
    """Pairs by equal names.

    Raises:
        InputError: one of them is no folder or empty, or fewer than half of the smaller one's files have a partner.
    """
    sides = [container_at(path, name) for path in (given, target)]
    for side in sides:
        if not side.listing.entries:
            raise InputError(nothing(side))
    both = Matched(*sides)
    matching = len(both.listing.entries)
    if 2 * matching < min(both.counts) or not matching:
        alone = next(reject for reject in both.listing.rejects if reject.reason.startswith("no picture of that name"))
        raise InputError(
            f"{shown(name)}: only {matching} of {both.counts[0]} and {both.counts[1]} pictures have equal names; "
            f"{alone.path}, for one, has no partner. Give both files of a pair one name, endings aside."
        )
    place = f"{os.path.abspath(given)}\0{os.path.abspath(target)}"
    data = _stored(both, f"pairs-{given.resolve().name}-{target.resolve().name}", place, name, size, root, progress)
    data.source |= {"data": f"pairs:{os.path.abspath(given)},{os.path.abspath(target)}"}
    data.licence = licences(*(licence_in(path) for path in (given, target) if path.is_dir()))
    return data


def one_folder(name: str, path: Path, size: int | None, root: Path | None, progress: Progress | None) -> ImageDataset:
    """Pictures side by side, or the sub-folders `given` and `target`."""
    if all((path / side).is_dir() for side in SIDES):
        return two_folders(name, path / SIDES[0], path / SIDES[1], size, root, progress)
    inner = container_at(path, name)
    if not inner.listing.entries:
        raise InputError(nothing(inner))
    _require_flat(name, inner)
    data = _stored(SideBySide(inner), f"pairs-{path.resolve().stem}", os.path.abspath(path), name, size, root, progress)
    data.source |= {"data": f"pairs:{os.path.abspath(path)}"}
    data.licence = licence_in(path) if path.is_dir() else None
    return data


def _require_flat(name: str, inner: Container) -> None:
    """Two folders of equal names in one are most likely the two sides of pairs: those have to be named."""
    tops: dict[str, set[str]] = {}
    for entry in inner.listing.entries:
        top, _, rest = entry.name.partition("/")
        tops.setdefault(top if rest else "", set()).add(stem(rest))
    if len(tops) == 2 and "" not in tops and set.intersection(*tops.values()):
        first, second = (shown(inner.path / top) for top in sorted(tops))
        raise InputError(f"{shown(name)}: holds two folders of equal names; say which is given: pairs:{first},{second}.")


def _stored(
    both: Matched | SideBySide, label: str, place: str, name: str, size: int | None, root: Path | None, progress: Progress | None
) -> ImageDataset:
    """The pixel cache of six channels."""
    folder = cache.folder_for(root, label, f"pairs:{place}", size)
    key = both.key()
    index = cache.read_index(folder, key)
    if index is None:
        with quiet():
            side = size or default_size(both)
            plan = cache.Plan(key, len(both.listing.entries), (6, side, side), (), name)
            decoder = Decoder(both, side, (), progress, both.read)
            watched = GreyWatch(decoder)
            index = cache.obtain(folder, plan, watched.blocks, lambda: decoder.facts() | {"grey": watched.grey})
    return ImageDataset(name=label, folder=folder, index=index, licence=None, source={"size": index["shape"][2]})


class GreyWatch:
    """Passes blocks of six channels on, and notes whether all pictures of a side are grey."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder, self.grey = decoder, [True, True]

    def blocks(self) -> Iterator[cache.Block]:
        for block in self.decoder.blocks():
            for side, grey in enumerate(self.grey):
                pixels = block.pixels[:, 3 * side : 3 * side + 3]
                self.grey[side] = grey and bool((pixels[:, 1:] == pixels[:, :1]).all())
            yield block


def licences(*stated: str | None) -> str | None:
    """What several sources state, each once; None where any of them says nothing."""
    known = list(dict.fromkeys(text for text in stated if text))
    return "; ".join(known) if known and all(stated) else None
