"""Tables that are not text: Parquet files, SQLite files, pandas and polars frames. Their values become the cells of a CSV.

None is an empty cell, a float is written so that it reads back the same, a date as ISO says.
"""

from __future__ import annotations

import contextlib
import csv
import datetime
import hashlib
import itertools
import os
import sqlite3
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tightrope.core.errors import InputError
from tightrope.core.files import cache_root, write_atomically
from tightrope.data.catalog import shown
from tightrope.data.tables.reading import CELLS, Chunk, checked_names

ROWS = 10_000  # of a frame that are written at once


def cell(value: Any) -> str:
    """One value as the text of a cell."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "True" if value else "False"
        case float():
            return "" if value != value else str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        case datetime.datetime():
            return value.replace(tzinfo=None).isoformat(" ")
        case bytes():
            raise InputError("a column of bytes cannot be learned; leave it out of the table.")
        case _:
            text = str(value)
            return "" if text in ("NaT", "<NA>", "nan") else text


class Parquet:
    """A Parquet file, by pyarrow or polars, whichever is there. `Source`."""

    delimiter = ","

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, shown(path)
        self._library = _library(self.name, "Parquet", ("pyarrow.parquet", "polars"))
        with self._told():
            if self._library.__name__ == "polars":
                names = list(self._library.read_parquet_schema(path))
            else:
                names = self._library.ParquetFile(path).schema_arrow.names
        self.columns = checked_names(self.name, names)

    def chunks(self) -> Iterator[Chunk]:
        many = max(1, CELLS // len(self.columns))
        with self._told():
            if self._library.__name__ == "polars":
                lazy = self._library.scan_parquet(self.path)
                for start in itertools.count(0, many):
                    part = lazy.slice(start, many).collect()
                    if not part.height:
                        return
                    yield [list(map(cell, column.to_list())) for column in part]
            for batch in self._library.ParquetFile(self.path).iter_batches(batch_size=many):
                yield [list(map(cell, column.to_pylist())) for column in batch.columns]

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # both libraries raise errors of their own making
            reason = shown(" ".join(str(error).split())[:120])
            raise InputError(f"{self.name}: cannot be read as Parquet ({reason}); write the file again.") from error


def _library(name: str, what: str, choices: Sequence[str]) -> Any:
    for choice in choices:
        with contextlib.suppress(ImportError):
            return import_module(choice)
    raise InputError(f"{name}: {what} needs pyarrow or polars; pip install 'tightrope[tables]', or save the table as CSV.")


class Sqlite:
    """A table of a SQLite file, or what a query finds in it; the file is opened for reading alone. `Source`."""

    delimiter = ","

    def __init__(self, path: Path, asked: str | None) -> None:
        self.path = path
        self.name = shown(path) + (f"#{shown(asked)}" if asked else "")
        with self._rows("select name from sqlite_master where type in ('table', 'view') order by name") as rows:
            tables = [str(row[0]) for row in rows if not str(row[0]).startswith("sqlite_")]
        self.query = self._query(tables, asked)
        with self._rows(self.query) as rows:
            self.columns = checked_names(self.name, [str(entry[0]) for entry in rows.description])

    def _query(self, tables: list[str], asked: str | None) -> str:
        if asked and asked.lstrip().lower().startswith(("select ", "with ")):
            return asked
        if asked is None and len(tables) != 1:
            raise InputError(f"{self.name}: holds {len(tables)} tables ({_listed(tables)}); name one, {shown(self.path)}#TABLE.")
        if asked is not None and asked not in tables:
            raise InputError(f"{self.name}: no table of this name, and no query (SELECT ...); there are {_listed(tables)}.")
        return 'select * from "{}"'.format((asked or tables[0]).replace('"', '""'))

    def chunks(self) -> Iterator[Chunk]:
        many = max(1, CELLS // len(self.columns))
        with self._rows(self.query) as rows:
            while part := rows.fetchmany(many):
                yield [list(map(cell, column)) for column in zip(*part, strict=True)]

    @contextlib.contextmanager
    def _rows(self, query: str) -> Iterator[sqlite3.Cursor]:
        place = f"file:{quote(str(self.path.resolve()))}?mode=ro"
        try:
            with contextlib.closing(sqlite3.connect(place, uri=True)) as base:
                yield base.execute(query)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise InputError(f"{self.name}: SQLite says {shown(str(error))!r}; check the file and the query.") from error


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names[:10])) + (" ..." if len(names) > 10 else "") if names else "none"


def keep_frame(frame: Any, root: Path | None = None) -> Path:
    """A pandas or polars frame as a CSV file in the cache, named by its content, so that a run can be resumed on it."""
    names = [str(column) for column in frame.columns]
    checked_names("the frame", names)
    digest = hashlib.sha256()
    folder = (root or cache_root()) / "frames"
    folder.mkdir(parents=True, exist_ok=True)

    def write(path: Path) -> None:
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            for start in range(0, len(frame), ROWS):
                part = frame[start : start + ROWS]
                writer.writerows(zip(*(map(cell, part[column].to_list()) for column in frame.columns), strict=True))
        with open(path, "rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)

    unnamed = folder / f"frame-{os.getpid()}.csv"
    write_atomically(unnamed, write)
    path = folder / f"{digest.hexdigest()[:16]}.csv"
    unnamed.replace(path)
    return path
