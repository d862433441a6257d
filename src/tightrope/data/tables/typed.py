"""Decoded rows as typed columns, and as the kind of frame that a table was given in. Axes: n rows, c columns."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from tightrope.data.tables.columns import Column
from tightrope.data.tables.encoding import Codec
from tightrope.data.tables.formats import Date
from tightrope.data.tables.stores import cell

TRUE = ("true", "t", "yes", "y", "on", "1")


@dataclasses.dataclass(frozen=True)
class Typed:
    """A column: `kind` is "integer" (int64), "number" (float64), "date" (datetime64) or "text" (objects, None where missing)."""

    kind: str
    values: np.ndarray
    missing: Bool[np.ndarray, " n"]


def kind_of(column: Column) -> str:
    """What a column's values are to programs: numbers beside which words stand are text."""
    words = [value for value in column.worth if value != value]
    if column.form is None or len(words) > (column.missing is not None):
        return "text"
    if isinstance(column.form, Date):
        return "date" if "%Y" in column.form.format else "text"
    return "integer" if column.type == "integer" else "number"


def typed(codec: Codec, levels: Int64[np.ndarray, "n c"], values: Float64[np.ndarray, "n c"], first: int = 0) -> dict[str, Typed]:
    """Decoded rows, the first of which is row `first`, by the names of the columns that are written."""
    texts = codec.write(levels, values, first)
    found = {}
    for i, column in enumerate(codec.columns):
        kind, of = kind_of(column), values[:, i]
        if not column.written:
            continue
        if kind == "text" or not column.learned:
            found[column.name] = _text(column, levels[:, i], of, texts[column.name])
            continue
        missing = np.isnan(of)
        if kind == "integer":
            of = np.where(missing, 0, of).round().astype(np.int64)
        elif kind == "date":
            of = (np.where(missing, 0, of) * 1e6).round().astype(np.int64).astype("datetime64[us]")
            of[missing] = np.datetime64("NaT")
        found[column.name] = Typed(kind, of, missing)
    return found


def _text(column: Column, levels: Int64[np.ndarray, " n"], values: Float64[np.ndarray, " n"], cells: Sequence[str]) -> Typed:
    missing = np.zeros(len(values), bool)
    if column.missing is not None:
        says_nothing = len(column.texts) - 1
        missing = np.isnan(values) & (levels == says_nothing) if column.learned else np.ones(len(values), bool)
    of = np.asarray(cells, object)
    of[missing] = None
    return Typed("text", of, missing)


def joined(parts: Sequence[Mapping[str, Typed]]) -> dict[str, Typed]:
    """Blocks of rows below each other."""
    return {
        name: Typed(
            first.kind,
            np.concatenate([part[name].values for part in parts]),
            np.concatenate([part[name].missing for part in parts]),
        )
        for name, first in parts[0].items()
    }


@dataclasses.dataclass(frozen=True)
class Likeness:
    """The kind of frame that rows are to be: "pandas" or "polars", and the dtypes of its columns as texts.

    `categories` are a pandas categorical's own values, and whether they have an order.
    """

    library: str
    dtypes: dict[str, str]
    categories: dict[str, tuple[list[Any], bool]]

    @classmethod
    def of(cls, frame: Any) -> Likeness | None:
        """None where it is no frame."""
        library = type(frame).__module__.partition(".")[0]
        if library not in ("pandas", "polars"):
            return None
        dtypes = {str(name): str(frame[name].dtype) for name in frame.columns}
        categories = {
            str(name): (frame[name].dtype.categories.tolist(), bool(frame[name].dtype.ordered))
            for name in frame.columns
            if library == "pandas" and dtypes[str(name)] == "category"
        }
        return cls(library, dtypes, categories)

    def frame(self, columns: Mapping[str, Typed]) -> Any:
        """Typed columns as a frame, with the dtypes of the first one where its values allow that."""
        library = import_module(self.library)
        if self.library == "polars":
            return library.DataFrame({name: self._polars(library, name, column) for name, column in columns.items()})
        return library.DataFrame({name: self._pandas(library, name, column) for name, column in columns.items()})

    def _pandas(self, pandas: Any, name: str, column: Typed) -> Any:
        dtype = self.dtypes.get(name, "object")
        values = column.values
        if name in self.categories:
            own, ordered = self.categories[name]
            known = {cell(value): value for value in own}
            texts = values if column.kind == "text" else [cell(value) for value in values.tolist()]
            return pandas.Series(pandas.Categorical([known.get(text) for text in texts], categories=own, ordered=ordered))
        if column.kind == "integer" and column.missing.any():
            values = np.where(column.missing, np.nan, values.astype(np.float64))
        if column.kind == "text" and dtype in ("bool", "boolean"):
            values = np.asarray([None if text is None else text.strip().lower() in TRUE for text in values], object)
        series = pandas.Series(values)
        with contextlib.suppress(TypeError, ValueError):  # as it was, unless the new values cannot be
            if column.kind == "text" and _numeric(dtype):
                series = pandas.to_numeric(series)
            return series.astype(dtype)
        return series

    def _polars(self, polars: Any, name: str, column: Typed) -> Any:
        values = [None if nothing else value for value, nothing in zip(column.values.tolist(), column.missing, strict=True)]
        series = polars.Series(name, values)
        plain = self.dtypes.get(name, "")
        if plain == "Boolean":
            return polars.Series(name, [None if text is None else text.strip().lower() in TRUE for text in values])
        kind = vars(polars).get(plain) if plain.isalnum() else None
        return series if kind is None else series.cast(kind, strict=False)


def _numeric(dtype: str) -> bool:
    return dtype.lower().rstrip("0123456789") in ("int", "uint", "float")
