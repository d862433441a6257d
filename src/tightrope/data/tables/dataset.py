"""A table as training sees it: read twice, typed, and packed into a file that is read through a memory map.

    CACHE/<name>-<hash of place>/rows.npy     float32 (rows, blocks): a number a block
                                 table.json   codec, notes, fingerprint; written last: without it the rest is not read

Memory: a chunk of cells and the counts of the first pass, whatever the number of rows. Axes: n rows, w encoded numbers.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from tightrope.core.data import Modality
from tightrope.core.errors import InputError
from tightrope.core.files import require_space, write_atomically, write_json
from tightrope.core.strata import Strata
from tightrope.data.cache import folder_for
from tightrope.data.sources import Reject
from tightrope.data.tables.columns import Column
from tightrope.data.tables.encoding import MOST_WIDE, Codec
from tightrope.data.tables.modality import Tables
from tightrope.data.tables.reading import Source
from tightrope.data.tables.schema import Schema
from tightrope.data.tables.tally import tallies
from tightrope.data.tables.types import column_of

VERSION = 2
LEAST = 10  # rows
PIECE = 1 << 16  # rows that are read back at once
Progress = Callable[[int, int], None]


class TableDataset:
    """Rows of a table. `core.data.Dataset`, plus `codec` (columns, blocks, decoding), `packed` and `broken`.

    Attributes:
        packed: float32 (n, blocks), a memory map: the scalar, or the place of the 1, of each of `spec.blocks`.
        broken: constraint -> rows of the data in which it does not hold.
        rejects: the columns that are left out or made anew, each with the reason.
    """

    def __init__(self, folder: Path, record: dict[str, Any], *, name: str, source: dict[str, Any]) -> None:
        self.name, self.source, self.folder = name, source, folder
        self.licence: str | None = None
        self.fingerprint: str = record["fingerprint"]
        self.codec = Codec.from_json(record["coding"])
        self.packed: Float32[np.ndarray, "n p"] = np.load(folder / "rows.npy", mmap_mode="r")
        self.spec = self.codec.spec(len(self.packed), record["coding"])
        self.modality: Modality = Tables(self.codec)
        self.broken: dict[str, int] = record["broken"]
        self.rejects = [Reject(c.name, c.note) for c in self.codec.columns if c.type in ("text", "identifier", "constant")]

    def __len__(self) -> int:
        return len(self.packed)

    def batch(self, index: Int64[Tensor, " n"]) -> Float[Tensor, "n w"]:
        """Encoded rows at `index`, fp32: scalars in [-1, 1], one-hots of 0 and 1."""
        return torch.from_numpy(self.codec.expand(np.asarray(self.packed[index.numpy()])))

    @functools.cached_property
    def strata(self) -> Strata:
        """The rows by their categories; read once, when a recipe first asks."""
        places = [i for i, block in enumerate(self.spec.blocks) if block.kind == "onehot"]
        codes = torch.from_numpy(np.asarray(self.packed[:, places]).astype(np.int32))
        return Strata([self.spec.blocks[i] for i in places], codes)

    def labels(self, index: Int64[Tensor, " n"]) -> None:
        """None: any column can be given or asked for."""

    def with_rows(self, name: str, packed: Float32[np.ndarray, "n p"]) -> TableDataset:
        """The same table with other rows, in memory."""
        other = copy.copy(self)
        other.__dict__.pop("strata", None)
        other.name, other.packed, other.spec = name, packed, dataclasses.replace(self.spec, count=len(packed))
        other.fingerprint = _fingerprint(packed, dict(self.spec.coding))
        return other


def build(
    source: Source, schema: Schema, place: str, key: str, root: Path | None, progress: Progress | None
) -> tuple[Path, dict[str, Any]]:
    """The folder of the packed rows and its record, made if it is not there for this key."""
    folder = folder_for(root, Path(source.name).name, place, None)
    if (record := _known(folder, key)) is not None:
        return folder, record
    schema.check_columns(source.columns)
    columns, count = _typed(source, schema)
    codec = Codec(columns, schema.constraints, schema.missing, source.delimiter)
    _check_width(source.name, codec)
    coding = json.loads(json.dumps(codec.to_json()))  # as it will be read from the cache
    codec = Codec.from_json(coding)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.json").unlink(missing_ok=True)
    require_space(folder, 4 * count * len(codec.blocks), "the cache of encoded rows")
    write_atomically(folder / "rows.npy", lambda path: _pack(path, source, codec, count, progress))
    rows = np.load(folder / "rows.npy", mmap_mode="r")
    record = {
        "version": VERSION,
        "key": key,
        "coding": coding,
        "broken": _broken(rows, codec),
        "fingerprint": _fingerprint(rows, coding),
    }
    write_json(folder / "table.json", record)
    return folder, record


def _known(folder: Path, key: str) -> dict[str, Any] | None:
    try:
        record = json.loads((folder / "table.json").read_text(encoding="utf-8"))
        whole = record["version"] == VERSION and record["key"] == key
        return record if whole and len(np.load(folder / "rows.npy", mmap_mode="r")) else None
    except (OSError, ValueError, KeyError, TypeError):  # absent, foreign or damaged: it is made anew
        return None


def _typed(source: Source, schema: Schema) -> tuple[list[Column], int]:
    """The first pass: what every column is, and the number of rows."""
    counted = tallies(len(source.columns))
    for chunk in source.chunks():
        for tally, cells in zip(counted, chunk, strict=True):
            tally.add(cells)
    count = counted[0].rows
    if count < LEAST:
        rows = {0: "no rows", 1: "one row"}.get(count, f"{count} rows")
        raise InputError(f"{source.name}: {rows} below the names; not a table to learn from, which has {LEAST} rows at least.")
    return [column_of(name, tally, schema) for name, tally in zip(source.columns, counted, strict=True)], count


def _check_width(name: str, codec: Codec) -> None:
    if not codec.width:
        why = "; ".join(f"{column.name}: {column.note}" for column in codec.columns[:3])
        raise InputError(f"{name}: no column can be learned ({why}); a schema beside the table can say what they are.")
    if codec.width > MOST_WIDE:
        raise InputError(
            f"{name}: its columns become {codec.width:,} numbers a row; {MOST_WIDE:,} are the most, so leave columns out "
            '(type = "ignore" in the schema).'
        )


def _pack(path: Path, source: Source, codec: Codec, count: int, progress: Progress | None) -> None:
    """The second pass: every chunk is packed and written."""
    rows = np.lib.format.open_memmap(path, "w+", np.float32, (count, len(codec.blocks)))
    done = 0
    for chunk in source.chunks():
        part = codec.pack(chunk, done)
        if done + len(part) > count:
            break
        rows[done : done + len(part)] = part
        done += len(part)
        if progress:
            progress(done, count)
    if done != count:
        raise InputError(f"{source.name}: changed while it was read; run the same command again.")
    rows.flush()


def _broken(rows: Float32[np.ndarray, "n p"], codec: Codec) -> dict[str, int]:
    """How many rows of the data break each constraint; keys are counted within pieces."""
    found = dict.fromkeys((rule.text for rule in codec.rules), 0)
    for start in range(0, len(rows), PIECE) if codec.rules else ():
        values = codec.values(np.asarray(rows[start : start + PIECE]))[1]
        for rule in codec.rules:
            found[rule.text] += int(rule.broken(values, codec.columns).sum())
    return found


def _fingerprint(rows: Float32[np.ndarray, "n p"], coding: dict[str, Any]) -> str:
    """sha256 of the columns and of the rows: the content as training sees it."""
    digest = hashlib.sha256(json.dumps(coding, sort_keys=True).encode())
    for start in range(0, len(rows), PIECE):
        digest.update(np.ascontiguousarray(rows[start : start + PIECE], "<f4").tobytes())
    return digest.hexdigest()


def content_key(path: Path, schema: Path | None, more: str) -> str:
    """Changes with the size and time of the files and with what else was asked for."""
    stats = [(os.path.abspath(p), p.stat().st_size, p.stat().st_mtime_ns) for p in (path, schema) if p is not None]
    return hashlib.sha256(f"{VERSION} {stats} {more}".encode("utf-8", "surrogateescape")).hexdigest()
