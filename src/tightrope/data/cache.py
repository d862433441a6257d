"""The pixel cache: images decoded once into a file that is read through a memory map.

    CACHE/<name>-<hash of place and size>/pixels.npy   uint8 (N, C, H, W), a plain NumPy file
                                          labels.npy   int64 (N,), when there are classes
                                          names.txt    one line an image
                                          index.json   written last: without it the rest is not read

`index.json` holds the key of the content it was made from and the fingerprint of what came out.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tightrope.core.errors import InputError
from tightrope.core.files import cache_root, remove_partials, require_space, write_atomically, write_json, write_text
from tightrope.data.catalog import shown

VERSION = 1
HEADER = 128  # bytes before the pixels in an .npy file as written here
PIECE = 8 << 20  # bytes that are read at once
LONGEST_WAIT = 600.0  # seconds for another process that builds the same cache


@dataclasses.dataclass(frozen=True)
class Block:
    """Some images in order: uint8 (n, C, H, W), their names, and their labels (-1 for none)."""

    pixels: np.ndarray
    names: list[str]
    labels: list[int]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be built: the most images there can be, their shape, the classes, and the key of the content."""

    key: str
    most: int
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    source: str


def folder_for(root: Path | None, name: str, place: str, size: int | None) -> Path:
    """One folder for one place and size, so that changed content replaces its old cache instead of piling up."""
    slug = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in name)[:40] or "data"
    digest = hashlib.sha256(f"{place}\0{size}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return (root or cache_root()) / f"{slug}-{digest}"


def read_index(folder: Path, key: str) -> dict[str, Any] | None:
    """The index of a whole cache made from content with this key, else None."""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        if index["version"] != VERSION or index["key"] != key:
            return None
        whole = HEADER + int(np.prod(index["shape"])) == (folder / "pixels.npy").stat().st_size
        if index["classes"]:
            whole = whole and np.load(folder / "labels.npy").shape == (index["shape"][0],)
        return index if whole else None
    except (OSError, ValueError, KeyError, TypeError):  # absent, foreign or damaged: it is built anew
        return None


def obtain(
    folder: Path, plan: Plan, blocks: Callable[[], Iterable[Block]], facts: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """The index of the cache in `folder`, built from `blocks()` if need be. `facts()` is asked after the last block."""
    index = read_index(folder, plan.key)
    if index is not None:
        return index
    with _alone(folder):
        index = read_index(folder, plan.key)
        return index if index is not None else _build(folder, plan, blocks(), facts)


def _build(folder: Path, plan: Plan, blocks: Iterable[Block], facts: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)  # who held the lock before may have failed and removed it
    (folder / "index.json").unlink(missing_ok=True)  # from here on the folder is no cache
    remove_partials(folder)
    spare = 4 / 3 if plan.shape[0] == 3 else 1  # grey images are written a second time, as one channel
    require_space(folder, int(plan.most * int(np.prod(plan.shape)) * spare), "the pixel cache")
    tally = Tally(plan.shape)
    pixels = folder / "pixels.npy"
    try:
        write_atomically(pixels, lambda partial: tally.write(partial, blocks))
        if tally.count < 2:
            raise InputError(_too_few(plan.source, tally.count, facts().get("rejects", [])))
        if tally.grey and plan.shape[0] == 3:
            colour, tally = tally, Tally((1, *tally.shape[1:]))
            write_atomically(pixels, lambda partial: tally.write(partial, _one_channel(pixels, colour)))
        index = _finish(folder, plan, tally, facts())
    except InputError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return index


def _finish(folder: Path, plan: Plan, tally: Tally, facts: dict[str, Any]) -> dict[str, Any]:
    """Labels, names, fingerprint, and at last the index."""
    labels = np.asarray(tally.labels, np.int64)
    used, labels = np.unique(labels, return_inverse=True)  # a class that lost all its images is no class
    classes = [plan.classes[i] for i in used] if plan.classes else []
    labels = labels.astype(np.int64)
    if classes:
        write_atomically(folder / "labels.npy", lambda partial: _save(partial, labels))
    write_text(folder / "names.txt", "".join(f"{shown(name)}\n" for name in tally.names))
    shape = [tally.count, *tally.shape]
    index = {
        "version": VERSION,
        "key": plan.key,
        "source": shown(plan.source),
        "shape": shape,
        "classes": classes,
        "fingerprint": fingerprint(folder / "pixels.npy", shape, classes, labels),
        **facts,
    }
    write_json(folder / "index.json", index)
    return index


def _save(path: Path, array: np.ndarray) -> None:
    with open(path, "wb") as file:
        np.save(file, array)


def _too_few(source: str, count: int, rejects: list[list[str]]) -> str:
    found = "no usable image" if count == 0 else "only one usable image; training needs at least two"
    if not rejects:
        return f"{shown(source)}: {found}."
    first = f"{rejects[0][0]}: {rejects[0][1]}"
    return f"{shown(source)}: {found} ({len(rejects)} rejected; the first is {first})."


class Tally:
    """Streams blocks into a file and counts what it has seen. Memory: names and labels, never pixels."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self.count = 0
        self.grey = True
        self.names: list[str] = []
        self.labels: list[int] = []

    def write(self, path: Path, blocks: Iterable[Block]) -> None:
        with open(path, "wb") as file:
            file.seek(HEADER)
            for block in blocks:
                self._add(file, block)
            file.seek(0)
            file.write(_header((self.count, *self.shape)))

    def _add(self, file: BinaryIO, block: Block) -> None:
        pixels = np.ascontiguousarray(block.pixels)
        self.shape = pixels.shape[1:]
        if self.grey and pixels.shape[1] == 3:
            first = pixels[:, :1]
            self.grey = bool((pixels[:, 1:] == first).all())
        file.write(pixels.data)
        self.count += len(pixels)
        self.names += block.names
        self.labels += block.labels


def _header(shape: tuple[int, ...]) -> bytes:
    """The head of an .npy file (format 1.0), always HEADER bytes."""
    text = repr({"descr": "|u1", "fortran_order": False, "shape": shape}).encode()
    return b"\x93NUMPY\x01\x00" + (HEADER - 10).to_bytes(2, "little") + text.ljust(HEADER - 11) + b"\n"


def _one_channel(path: Path, colour: Tally) -> Iterator[Block]:
    """Read back an RGB cache whose images are all grey, first channel only."""
    names, labels, shape = colour.names, colour.labels, colour.shape
    many = max(1, PIECE // int(np.prod(shape)))
    with open(path, "rb") as file:
        file.seek(HEADER)
        for start in range(0, len(names), many):
            stop = min(start + many, len(names))
            content = file.read((stop - start) * int(np.prod(shape)))
            pixels = np.frombuffer(content, np.uint8).reshape(-1, *shape)
            yield Block(pixels[:, :1], names[start:stop], labels[start:stop])


def fingerprint(path: Path, shape: list[int], classes: list[str], labels: np.ndarray) -> str:
    """sha256 of shape, classes, pixels and labels: the content as training sees it. Reads, never maps: memory stays flat."""
    digest = hashlib.sha256(json.dumps([shape, classes]).encode())
    with open(path, "rb") as file:
        file.seek(HEADER)
        while piece := file.read(PIECE):
            digest.update(piece)
    if classes:
        digest.update(labels.astype("<i8").tobytes())
    return digest.hexdigest()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a lock while building, so that the processes of one run decode once. The system frees it when one dies."""
    with _lock_file(folder) as file:
        try:
            import fcntl
        except ImportError:  # Windows: two builders write the same content under two names; the last rename wins
            yield
            return
        limit = time.monotonic() + LONGEST_WAIT
        while time.monotonic() < limit:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.1)
            except OSError:  # a file system without locks
                break
        yield


def _lock_file(folder: Path) -> BinaryIO:
    """Make the folder, and open the file beside it that is locked."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return open(folder.with_name(folder.name + ".lock"), "wb")
    except OSError as error:
        message = f"{shown(folder)}: the cache cannot be made ({error.strerror}); set TIGHTROPE_CACHE to a folder of yours."
        raise InputError(message) from error
