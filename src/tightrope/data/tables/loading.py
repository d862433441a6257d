"""From a path, a SQLite table or a frame to a `TableDataset`.

table:FILE                    any table, also one of numbers alone
table:FILE,SCHEMA.toml        with a schema from elsewhere
table:FILE.db#TABLE           a table of a SQLite file; table:FILE.db#SELECT ... for a query
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tightrope.core.errors import InputError
from tightrope.data.catalog import DATABASE_SUFFIXES, PARQUET_SUFFIXES, TABLE_SUFFIXES, shown
from tightrope.data.tables.dataset import TableDataset, build, content_key
from tightrope.data.tables.reading import Csv, Source, looks_like_table
from tightrope.data.tables.schema import Schema, beside, read_schema, schema_from
from tightrope.data.tables.stores import Parquet, Sqlite, keep_frame

PREFIX = "table:"


def load_rows(name: str, root: Path | None = None, progress: Callable[[int, int], None] | None = None) -> TableDataset:
    """A table by the name above, its prefix left out or not."""
    rest = name.removeprefix(PREFIX)
    path, asked, schema = _parts(rest)
    said = read_schema(schema) if schema else Schema(where=shown(path))
    source = _source(path, asked, said)
    place = os.path.abspath(path) + (f"#{asked}" if asked else "")
    folder, record = build(source, said, place, content_key(path, schema, asked or ""), root, progress)
    written = f",{os.path.abspath(schema)}" if schema and schema != beside(path) else ""
    return TableDataset(folder, record, name=_stem(path), source={"data": PREFIX + place + written})


def source_of(name: str) -> tuple[Source, Schema]:
    """The cells of a table by the name above, before anything is made of them, and what is said of its columns."""
    path, asked, file = _parts(name.removeprefix(PREFIX))
    schema = read_schema(file) if file else Schema(where=shown(path))
    return _source(path, asked, schema), schema


def is_table(name: str) -> bool:
    """A file that is read as a table without being told to: by its kind, by a schema beside it, or by what it holds."""
    path = Path(name.partition("#")[0]).expanduser() if name else Path()
    suffix = path.suffix.lower()
    try:
        if not path.is_file():
            return False
        if suffix in DATABASE_SUFFIXES | PARQUET_SUFFIXES or (
            suffix == ".gz" and Path(path.stem).suffix.lower() in TABLE_SUFFIXES
        ):
            return True
        return suffix in TABLE_SUFFIXES and (beside(path) is not None or looks_like_table(path))
    except (OSError, ValueError):  # no name of a file; `load` says so
        return False


def load_frame(frame: Any, *, schema: Mapping[str, Any] | None = None, cache: Path | None = None) -> TableDataset:
    """A pandas or polars frame; `schema` holds what its file would.

    The frame is kept in the cache, so that `load(**dataset.source)` finds it again.
    """
    path = keep_frame(frame, cache)
    if schema is not None:
        schema_from(dict(schema))  # its errors come before anything is written
        return load_rows(f"{path},{_kept_schema(path, schema)}", cache)
    return load_rows(str(path), cache)


def _kept_schema(path: Path, schema: Mapping[str, Any]) -> Path:
    import hashlib
    import json

    from tightrope.core.files import write_text

    text = json.dumps(schema, sort_keys=True)
    kept = path.with_name(f"{path.stem}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.json")
    write_text(kept, text)
    return kept


def _parts(rest: str) -> tuple[Path, str | None, Path | None]:
    """The file, what is asked of it, and the schema."""
    if not rest:
        raise InputError("table: nothing follows the colon; name a file, table:FILE or table:FILE,SCHEMA.toml.")
    asked: str | None = None
    before, hash_mark, after = rest.partition("#")
    if hash_mark and Path(before).suffix.lower() in DATABASE_SUFFIXES:
        rest, asked = before, after
    path, schema = Path(rest).expanduser(), None
    text, comma, last = (asked if asked is not None else rest).rpartition(",")
    if comma and Path(last).suffix.lower() in (".toml", ".json"):
        schema = Path(last).expanduser()
        asked, path = (text, path) if asked is not None else (None, Path(text).expanduser())
    for place, what in ((path, "table"), (schema, "schema")):
        if place is not None and not place.is_file():
            raise InputError(f"{shown(place)}: no such file; name the {what}'s file (table:FILE,SCHEMA.toml).")
    return path, asked, schema or beside(path)


def _source(path: Path, asked: str | None, schema: Schema) -> Source:
    suffix = path.suffix.lower()
    if suffix in DATABASE_SUFFIXES:
        return Sqlite(path, asked)
    if suffix in PARQUET_SUFFIXES:
        return Parquet(path)
    return Csv(path, encoding=schema.encoding, delimiter=schema.delimiter)


def _stem(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).stem
