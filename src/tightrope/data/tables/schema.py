"""The small file beside a table that corrects what was found in it: `adult.table.toml` (or .json) for `adult.csv.gz`.

encoding = "latin-1"                      # of a CSV; else UTF-8, or UTF-16 with its mark
delimiter = ";"
missing = ["", "?", "-999"]               # cells that say nothing; else the usual ones
constraints = ["17 <= age <= 90", "start <= end", "total = net + tax", "unique(id)"]

[columns.grade]
type = "ordered"                          # see TYPES
order = ["low", "medium", "high"]

[columns.when]
type = "date"
format = "%d.%m.%Y"

[columns.price]
low = 0                                   # bounds of what comes out; else those of the data
modes = 8                                 # intervals of equally many rows, told apart by a one-hot
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tightrope.core.errors import InputError
from tightrope.data.catalog import shown

TYPES = ("integer", "number", "money", "date", "boolean", "category", "ordered", "identifier", "text", "ignore")
MISSING = ("", "?", "-", ".", "na", "n/a", "nan", "null", "none", "missing", "#n/a")
SUFFIXES = (".table.toml", ".table.json")
MOST_MODES = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Declared:
    """What the schema says of one column; None where it says nothing."""

    type: str | None = None
    order: tuple[str, ...] = ()
    format: str | None = None
    low: float | None = None
    high: float | None = None
    modes: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schema:
    """All that a schema says; None where it says nothing. `where`: the file, for messages."""

    where: str = ""
    encoding: str | None = None
    delimiter: str | None = None
    missing: tuple[str, ...] = MISSING
    constraints: tuple[str, ...] = ()
    modes: int | None = None
    columns: dict[str, Declared] = dataclasses.field(default_factory=dict)

    def of(self, column: str) -> Declared:
        return self.columns.get(column, Declared())

    def check_columns(self, names: Sequence[str]) -> None:
        """Raise InputError where it speaks of a column that the table has not."""
        for name in self.columns:
            if name not in names:
                raise InputError(f"{self.where}: the table has no column {shown(name)!r}; {near(name, names)}.")


def near(name: str, names: Sequence[str]) -> str:
    """A clause that names columns, the likely one first."""
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return (
        f"did you mean {shown(close[0])!r}?"
        if close
        else f"there are {', '.join(map(shown, names[:12]))}" + (" ..." if len(names) > 12 else "")
    )


def beside(path: Path) -> Path | None:
    """The schema beside a table, where there is one."""
    stem = Path(path.name.removesuffix(".gz")).stem
    return next((there for suffix in SUFFIXES if (there := path.with_name(stem + suffix)).is_file()), None)


def read_schema(path: Path) -> Schema:
    """A schema from TOML or JSON.

    Raises:
        InputError: what is wrong in it, in one sentence.
    """
    where = shown(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        record = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({error.strerror}); name the schema's file.") from error
    except ValueError as error:  # of decoding, of JSON and of TOML
        raise InputError(f"{where}: not a schema in {'JSON' if path.suffix == '.json' else 'TOML'} ({error}).") from error
    return schema_from(record, where)


def schema_from(record: Any, where: str = "schema") -> Schema:
    """A schema from the values that its file holds."""
    said = _known(record, Schema, where, skip=("where",))
    columns = _table(said.pop("columns", {}), f"{where}: columns")
    for key in ("missing", "constraints"):
        if key in said:
            said[key] = _words(said[key], f"{where}: {key}")
    if "missing" in said:
        said["missing"] = tuple(word.strip().lower() for word in said["missing"])
    if "modes" in said:
        _modes(said["modes"], f"{where}: modes")
    for key in ("encoding", "delimiter"):
        if not isinstance(said.get(key, ""), str) or (key == "delimiter" and len(said.get(key, ",")) != 1):
            raise InputError(
                f"{where}: {key} is {said[key]!r}; give {'a name' if key == 'encoding' else 'one character'} in quotes."
            )
    return Schema(
        where=where, **said, columns={name: _declared(part, f"{where}: column {shown(name)!r}") for name, part in columns.items()}
    )


def _declared(record: Any, where: str) -> Declared:
    said = _known(record if isinstance(record, dict) else {"type": record}, Declared, where)
    if said.get("type") is not None and said["type"] not in TYPES:
        raise InputError(f"{where}: no type is called {said['type']!r}; there are {', '.join(TYPES)}.")
    if "order" in said:
        said["order"] = _words(said["order"], f"{where}: order")
        if len(set(said["order"])) != len(said["order"]) or said.setdefault("type", "ordered") != "ordered":
            raise InputError(f"{where}: order lists the values of an ordered column, from low to high, each once.")
    for key in ("low", "high"):
        if key in said and (isinstance(said[key], bool) or not isinstance(said[key], int | float)):
            raise InputError(f"{where}: {key} is {said[key]!r}; give a number.")
    if "modes" in said:
        _modes(said["modes"], f"{where}: modes")
    if not isinstance(said.get("format", ""), str):
        raise InputError(f"{where}: format is {said['format']!r}; write it as strptime does, '%d.%m.%Y'.")
    return Declared(**said)


def _known(record: Any, kind: type, where: str, skip: tuple[str, ...] = ()) -> dict[str, Any]:
    fields = [field.name for field in dataclasses.fields(kind) if field.name not in skip]
    for key in _table(record, where):
        if key not in fields:
            raise InputError(f"{where}: {shown(str(key))!r} is not known; {near(str(key), fields)}.")
    return dict(record)


def _table(record: Any, where: str) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise InputError(f"{where}: names and values are expected, not {str(record)[:40]!r}.")
    return record


def _words(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(word, str) for word in value):
        raise InputError(f"{where}: give a list of texts in quotes.")
    return tuple(value)


def _modes(value: Any, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_MODES:
        raise InputError(f"{where}: {value!r}; give a whole number from 1 to {MOST_MODES}.")
