"""Rows to files, block by block: CSV (gzipped too) as the table's own file is written, or Parquet with types.

Memory is that of a block, whatever the number of rows. Axes: m rows of a block, c columns.
"""

from __future__ import annotations

import contextlib
import gzip
import io
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import Float64, Int64

from tightrope.core.errors import InputError
from tightrope.core.files import write_atomically
from tightrope.data.catalog import PARQUET_SUFFIXES, TABLE_SUFFIXES, shown
from tightrope.data.tables.encoding import Codec
from tightrope.data.tables.typed import joined, kind_of, typed

Decoded = tuple[Int64[np.ndarray, "m c"], Float64[np.ndarray, "m c"], int]  # levels, values, number of the first row
FAST = 4  # of gzip's levels: half the time of the usual one for a tenth more bytes
GROUP = 1 << 16  # rows of a row group of a Parquet file
OTHERS = (".xlsx", ".xls", ".json", ".jsonl", ".db", ".sqlite", ".sqlite3", ".feather", ".arrow", ".npz", ".npy", ".zip")


def is_file(path: Path) -> bool:
    """The name is of a file that rows can be written to; else it is a folder's.

    Raises:
        InputError: it is a file's of another kind.
    """
    suffix = Path(path.stem).suffix if path.suffix.lower() == ".gz" else path.suffix
    if suffix.lower() in TABLE_SUFFIXES or path.suffix.lower() in PARQUET_SUFFIXES:
        return not path.is_dir()
    if path.suffix.lower() in (*OTHERS, ".gz") and not path.is_dir():
        raise InputError(f"{shown(path)}: rows are written as .csv, .csv.gz or .parquet; name such a file, or a folder.")
    return False


def write_rows(path: Path, codec: Codec, blocks: Iterable[Decoded]) -> None:
    """Write all blocks; the file is there when the last one is in it.

    Raises:
        InputError: pyarrow is missing, the disk is full, or the blocks raise it.
    """
    if path.suffix.lower() in PARQUET_SUFFIXES:
        libraries = _arrow(path)
        write_atomically(path, lambda partial: _parquet(libraries, partial, codec, blocks))
    else:
        write_atomically(path, lambda partial: _csv(partial, path, codec, blocks))


def _csv(partial: Path, path: Path, codec: Codec, blocks: Iterable[Decoded]) -> None:
    mark = "\t" if ".tsv" in [suffix.lower() for suffix in path.suffixes[-2:]] else codec.delimiter
    names = [[column.name] for column in codec.columns if column.written]
    with _text(partial, path.suffix.lower() == ".gz") as file:
        file.write(lines(names, mark))
        for levels, values, first in blocks:
            file.write(lines(list(codec.write(levels, values, first).values()), mark))


def lines(columns: Sequence[Sequence[str]], mark: str) -> str:
    """Columns of cells as lines of a CSV, as the module `csv` writes them, in a quarter of its time."""
    ready = [quoted(cells, mark) for cells in columns]
    if len(ready) == 1:  # an empty line would be no row
        ready = [[cell or '""' for cell in ready[0]]]
    return "\n".join([*map(mark.join, zip(*ready, strict=True)), ""])


def quoted(cells: Sequence[str], mark: str) -> Sequence[str]:
    """Cells with quotes around those that need them; a column is looked through as one text, since hardly any does."""
    special = (mark, '"', "\n", "\r")
    whole = "".join(cells)
    if not any(sign in whole for sign in special):
        return cells
    return ['"{}"'.format(cell.replace('"', '""')) if any(sign in cell for sign in special) else cell for cell in cells]


@contextlib.contextmanager
def _text(path: Path, zipped: bool) -> Iterator[IO[str]]:
    """A file for text; gzipped without name and time, so that the same rows are the same bytes."""
    if not zipped:
        with open(path, "w", encoding="utf-8", newline="") as file:
            yield file
        return
    with (
        open(path, "wb") as raw,
        gzip.GzipFile("", "wb", FAST, raw, mtime=0) as packed,
        contextlib.closing(_wrapped(packed)) as text,
    ):
        yield text


def _wrapped(packed: gzip.GzipFile) -> IO[str]:
    return io.TextIOWrapper(io.BufferedWriter(packed, 1 << 16), encoding="utf-8", newline="")


def _arrow(path: Path) -> tuple[Any, Any]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise InputError(f"{shown(path)}: Parquet needs pyarrow; pip install 'tightrope[tables]', or write a .csv.") from error


def _parquet(libraries: tuple[Any, Any], partial: Path, codec: Codec, blocks: Iterable[Decoded]) -> None:
    arrow, parquet = libraries
    kinds = {"integer": arrow.int64(), "number": arrow.float64(), "date": arrow.timestamp("us"), "text": arrow.string()}
    columns = [column for column in codec.columns if column.written]
    schema = arrow.schema([(column.name, kinds[kind_of(column) if column.learned else "text"]) for column in columns])
    with parquet.ParquetWriter(partial, schema) as writer:
        for group in _groups(blocks):
            rows = joined([typed(codec, *block) for block in group])
            arrays = [arrow.array(of.values, type=schema.field(name).type, mask=of.missing) for name, of in rows.items()]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))


def _groups(blocks: Iterable[Decoded]) -> Iterator[list[Decoded]]:
    """Blocks of GROUP rows or a little more."""
    group: list[Decoded] = []
    for block in blocks:
        group.append(block)
        if sum(len(values) for _, values, _ in group) >= GROUP:
            yield group
            group = []
    if group:
        yield group
