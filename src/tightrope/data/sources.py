"""Where images come from: a folder or a zip, listed in one pass, with everything that cannot be an image named.

Nothing is ever extracted to the disk, so names inside a zip are labels and cannot lead anywhere.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import posixpath
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from tightrope.core.errors import InputError
from tightrope.data.catalog import IMAGE_SUFFIXES, SHEETS, shown

_LITTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
LARGEST_ENTRY = 256 << 20  # bytes of one image in a zip: it is unpacked in memory
PAPERS = ("license", "licence", "copyright", "copying", "readme", "attribution", "notice")  # read by `licence`, no rejects


@dataclasses.dataclass(frozen=True)
class Reject:
    """A file that cannot be used, and why."""

    path: str
    reason: str


class Unusable(Exception):
    """One file cannot be used; the message is the reason."""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One candidate: its name relative to the source (with /), its bytes, when it was changed."""

    name: str
    size: int
    changed: int


@dataclasses.dataclass
class Listing:
    """Everything a source holds: candidates in the order of their names, and rejects."""

    entries: list[Entry] = dataclasses.field(default_factory=list)
    rejects: list[Reject] = dataclasses.field(default_factory=list)

    def add(self, name: str, size: int, changed: int) -> None:
        """File one name under candidates, rejects, or (silently) neither."""
        # strings, not pathlib: this runs for every file at every start
        last = name.rpartition("/")[2]
        if _hidden(last):
            return
        stem, suffix = posixpath.splitext(last)
        suffix = suffix.lower()
        if suffix not in IMAGE_SUFFIXES and (suffix or stem.lower() in PAPERS):
            if stem.lower() not in PAPERS:
                self.reject(name, f"{shown(suffix)} is not a kind of image that is read")
        elif size == 0:
            self.reject(name, "the file is empty (0 bytes)")
        elif last in SHEETS:
            self.reject(name, "a sheet of samples, as `tightrope sample` writes beside them; rename it if it is an image")
        else:
            self.entries.append(Entry(name, size, changed))

    def reject(self, name: str, reason: str) -> None:
        self.rejects.append(Reject(shown(name), reason))

    def finish(self) -> Listing:
        self.entries.sort(key=lambda entry: entry.name)
        self.rejects.sort(key=lambda reject: reject.path)
        return self

    def key(self) -> str:
        """A cheap key of the content: names, sizes and times of change."""
        digest = hashlib.sha256()
        for entry in self.entries:
            digest.update(f"{entry.name}\0{entry.size}\0{entry.changed}\n".encode("utf-8", "surrogateescape"))
        for reject in self.rejects:
            digest.update(f"{reject.path}\0{reject.reason}\n".encode())
        return digest.hexdigest()


class Container(Protocol):
    """A folder or a zip."""

    path: Path
    listing: Listing

    def open(self, entry: Entry) -> BinaryIO:
        """A seekable file; raises Unusable or OSError."""
        ...


class Folder:
    """Images in a folder, any depth. Links are followed; a folder is read once, so loops end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.listing = Listing()
        self._seen: set[tuple[int, int]] = set()
        try:
            self._enter(path, "")
        except OSError as error:
            raise InputError(f"{shown(path)}: the folder cannot be read ({error.strerror}); check its rights.") from error
        self.listing.finish()

    def _enter(self, path: Path, prefix: str) -> None:
        self._seen.add(_identity(path.stat()))
        linked: list[tuple[str, str]] = []
        pending = list(self._scan(os.fspath(path), prefix, linked))
        while pending or linked:
            # real folders first: which of two names of one folder is read must not depend on the disk's order
            link = not pending
            place, name = linked.pop(0) if link else pending.pop()
            try:
                identity = _identity(os.stat(place))
                if identity in self._seen:
                    self.listing.reject(name, "a link to a folder that is read already (a loop or a double)")
                    continue
                self._seen.add(identity)
                pending.extend(self._scan(place, f"{name}/", linked))
            except OSError as error:
                self.listing.reject(name, f"the folder cannot be read ({error.strerror})")

    def _scan(self, place: str, prefix: str, linked: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """List one folder; yields its sub-folders, collects links to folders."""
        with os.scandir(place) as found:
            for item in found:
                name = prefix + item.name
                if _hidden(item.name):
                    continue
                try:
                    if item.is_dir():
                        if item.is_symlink():
                            linked.append((item.path, name))
                            linked.sort()
                        else:
                            yield item.path, name
                        continue
                    status = item.stat()
                except OSError as error:
                    self.listing.reject(name, f"cannot be read ({error.strerror})")
                    continue
                if stat.S_ISREG(status.st_mode):
                    self.listing.add(name, status.st_size, status.st_mtime_ns)
                else:
                    self.listing.reject(name, "not a regular file")

    def open(self, entry: Entry) -> BinaryIO:
        return open(self.path / entry.name, "rb")


def _hidden(part: str) -> bool:
    """True for .DS_Store, .git and the like; `..` in a zip is only a strange label."""
    return (part[:1] == "." and part not in (".", "..")) or part in _LITTER


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


class Zip:
    """Images in a zip, read in memory. `ZipFile` locks its one file, so threads may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.listing = Listing()
        try:
            self._zip = zipfile.ZipFile(path)
            changed = path.stat().st_mtime_ns
        except OSError as error:
            raise InputError(f"{shown(path)}: cannot be read ({error.strerror or error}); check its rights.") from error
        except Exception as error:  # damaged directories raise BadZipFile, struct.error, ValueError and more
            raise InputError(f"{shown(path)}: not a zip file, or a damaged one; download or pack it again.") from error
        self._infos = {info.filename: info for info in self._zip.infolist() if not info.is_dir()}
        for name, info in self._infos.items():
            if any(_hidden(part) for part in name.split("/")):
                continue
            if info.flag_bits & 0x1:
                self.listing.reject(name, "the entry is encrypted")
            elif info.file_size > LARGEST_ENTRY:
                self.listing.reject(name, f"unpacks to {info.file_size >> 20} MB; at most {LARGEST_ENTRY >> 20} MB are read")
            else:
                self.listing.add(name, info.file_size, changed)
        self.listing.finish()

    def open(self, entry: Entry) -> BinaryIO:
        try:
            with self._zip.open(self._infos[entry.name]) as packed:
                return io.BytesIO(packed.read(LARGEST_ENTRY + 1))
        except Exception as error:  # zipfile, zlib, bz2 and lzma each raise their own on damaged data
            raise Unusable(f"the zip entry is damaged ({type(error).__name__})") from error


def class_names(entries: list[Entry]) -> tuple[str, ...]:
    """First-level folders, sorted, when there are two or more and every candidate is in one; else none.

    Folders that wrap everything (a zip's single top folder) are looked through.
    """
    depth = wrapped(entries)
    found = set()
    for entry in entries:
        parts = entry.name.split("/")
        if len(parts) < depth + 2:
            return ()
        found.add(parts[depth])
    return tuple(sorted(found)) if len(found) >= 2 else ()


def class_of(entry: Entry, depth: int) -> str:
    return entry.name.split("/")[depth]


def wrapped(entries: list[Entry]) -> int:
    """How many leading folders all entries share."""
    if not entries:
        return 0
    # the first and the last of sorted names bound what all have in common
    first, last = entries[0].name.split("/")[:-1], entries[-1].name.split("/")[:-1]
    depth = 0
    while depth < min(len(first), len(last)) and first[depth] == last[depth]:
        depth += 1
    return depth
