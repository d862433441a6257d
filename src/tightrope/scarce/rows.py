"""A table with the column to be predicted, held in memory as its file writes it, and the GAN that makes more rows of it.

Axes: n rows, m chosen ones.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Int

from tightrope import data as data_room
from tightrope.core.errors import InputError
from tightrope.core.files import write_atomically
from tightrope.data.tables.columns import CATEGORIES, NUMBERS
from tightrope.data.tables.dataset import TableDataset
from tightrope.data.tables.encoding import Codec
from tightrope.data.tables.loading import PREFIX, source_of
from tightrope.data.tables.schema import Schema, near
from tightrope.judging.tables import columns_of_cells
from tightrope.metrics.tables.columns import CATEGORY, Columns
from tightrope.options import Options
from tightrope.synthesizer import TableSynthesizer

LEAST = 6  # rows of a class: some to test on, and both folds of the others need two
MOST = 100_000  # rows: more of them are not few
CLASSES = 10  # different numbers, at most, of a target that are taken for classes
QUARTERS = 4  # of a numeric target, for folds and for SMOTE
SEEN = 20_000  # rows in training, where no time is given: seconds on a core for a few hundred rows
SMALL: dict[str, Any] = {"width": 128, "d_width": 128, "batch": 64}  # few rows need no larger networks
SPARE = 1.1  # rows drawn for each one wanted: copies are dropped
Cells = Mapping[str, Sequence[str]]


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a table.

    Attributes:
        cells: every column of the file, as the file writes it.
        columns: those that are learned from; the target among them.
        target: the column to be predicted.
        codec, schema: of the whole table: how cells are read.
    """

    name: str
    cells: Cells
    columns: Columns
    target: str
    codec: Codec
    schema: Schema

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def of_classes(self) -> bool:
        """The target is a class, not a number."""
        return self.columns.kinds[self.target] == CATEGORY

    @property
    def classes(self) -> list[str]:
        """The classes' names, sorted; of a number its quarters."""
        return sorted(set(self.columns.values[self.target].tolist())) if self.of_classes else ["1", "2", "3", "4"]

    @property
    def groups(self) -> Int[np.ndarray, " n"]:
        """The class of each row by number; of a numeric target which quarter it is in."""
        values = self.columns.values[self.target]
        if self.of_classes:
            return np.searchsorted(np.array(self.classes, object), values).astype(np.int64)
        ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
        return (ranks * QUARTERS // len(values)).astype(np.int64)

    def at(self, index: Int[np.ndarray, " m"]) -> Rows:
        """Some of them."""
        cells = {name: [column[i] for i in index.tolist()] for name, column in self.cells.items()}
        return dataclasses.replace(self, cells=cells, columns=self.columns.take(index))

    def folds(self, count: int, seed: int) -> list[Int[np.ndarray, " m"]]:
        """Indices in `count` parts, each with its share of every class; chance decides which."""
        return self.dealt([1 / count] * count, seed)

    def dealt(self, shares: Sequence[float], seed: int) -> list[Int[np.ndarray, " m"]]:
        """Indices in parts of these shares of every class, at least 2 rows of it each where there are as many."""
        dice, groups = np.random.default_rng(seed), self.groups
        parts: list[list[np.ndarray]] = [[] for _ in shares]
        for group in np.unique(groups):
            index = dice.permutation((groups == group).nonzero()[0])
            cuts = np.clip(np.round(np.cumsum(shares)[:-1] * len(index)).astype(int), 2, max(2, len(index) - 2))
            for part, some in zip(parts, np.split(index, cuts), strict=True):
                part.append(some)
        return [np.sort(np.concatenate(part)) for part in parts]

    def read(self, cells: Cells) -> Columns:
        """Cells of other rows as columns like these."""
        return read_as(self.codec, cells, self.target, self.of_classes)


Maker = Callable[[Rows, Mapping[int, int], int], Cells]  # (rows to learn from, how many to make of each class, seed) -> rows


def load(data: str | Path, target: str) -> Rows:
    """A table's file, and its column `target`. Rows that do not say the target are left out.

    Raises:
        InputError: no such column, one value, a class of too few rows, too few or too many rows, a target that is not learned.
    """
    name = PREFIX + str(data).removeprefix(PREFIX)
    dataset = cast(TableDataset, data_room.load(name))
    source, schema = source_of(name)
    if target not in source.columns:
        raise InputError(
            f"--target {target}: {dataset.name} has no such column; {near(target, source.columns)}.".replace("?.", "?")
        )
    if len(dataset) > MOST:
        raise InputError(f"{dataset.name}: {len(dataset):,} rows are not few; give at most {MOST:,} to augment.")
    cells: dict[str, list[str]] = {column: [] for column in source.columns}
    for chunk in source.chunks():
        for column, part in zip(source.columns, chunk, strict=True):
            cells[column] += part
    return with_target(dataset.name, cells, dataset.codec, schema, target)


def with_target(name: str, cells: Cells, codec: Codec, schema: Schema, target: str) -> Rows:
    """The rows that say the target, checked. Raises InputError as `load` says."""
    of = next(column for column in codec.columns if column.name == target)
    if of.type == "constant":
        raise InputError(
            f"--target {target}: every row has the same value; there is nothing to tell apart, choose another column."
        )
    if of.type not in (*NUMBERS, *CATEGORIES):
        raise InputError(f"--target {target}: is {of.type} ({of.note}); choose a column of classes or of numbers.")
    if sum(column.learned for column in codec.columns) < 2:
        raise InputError(f"--target {target}: {name} has no other column to predict it from; give a table with some.")
    gone = {word.lower() for word in codec.missing}
    keep = np.array([i for i, cell in enumerate(cells[target]) if cell.strip().lower() not in gone], np.int64)
    different = {cells[target][i].strip() for i in keep.tolist()}
    classes = of.type in CATEGORIES or len(different) <= CLASSES
    rows = Rows(name, cells, read_as(codec, cells, target, classes), target, codec, schema).at(keep)
    if len(different) < 2:
        raise InputError(f"--target {target}: one class, {next(iter(different), 'none')!r}; at least two are needed.")
    counts = np.bincount(rows.groups, minlength=len(rows.classes))
    if classes and counts.min() < LEAST:
        few = int(counts.argmin())
        many = f"{counts[few]} row{'' if counts[few] == 1 else 's'}"
        raise InputError(
            f"--target {target}: class {rows.classes[few]!r} has {many}; at least {LEAST} of each are needed to test on rows "
            "kept apart, so collect more or leave the class out."
        )
    if counts.min() < LEAST:
        raise InputError(
            f"{name}: {len(rows)} rows say {target}; at least {QUARTERS * LEAST} are needed to test on rows kept apart."
        )
    return rows


def read_as(codec: Codec, cells: Cells, target: str, classes: bool) -> Columns:
    """Cells as columns, the target as a class or as a number. A learned column that is not there is missing in every row."""
    many = len(cells[target])
    whole = {column.name: cells.get(column.name, [codec.missing[0] if codec.missing else ""] * many) for column in codec.columns}
    found = columns_of_cells(codec, whole)
    if not classes:
        return found
    texts = np.asarray([cell.strip() for cell in cells[target]], object)
    return Columns({**found.values, target: texts}, {**found.kinds, target: CATEGORY})


def gan(minutes: float | None = None) -> Maker:
    """Rows of `tabular`, trained on the rows given and on nothing else, asked for class by class."""

    def make(rows: Rows, wanted: Mapping[int, int], seed: int) -> Cells:
        with tempfile.TemporaryDirectory(prefix="tightrope-augment-") as folder:
            name = _save(rows, Path(folder))
            options = Options(judge=0, watch=False, care=False, guard="off", precision="fp32")
            how: dict[str, Any] = {"minutes": minutes} if minutes is not None else {"seen": SEEN}
            made = TableSynthesizer(seed=seed, run=Path(folder) / "run", options=options, **how, **SMALL).fit(name)
            shutil.rmtree(cast(TableDataset, data_room.load(name)).folder)  # these rows are not asked for again
            return below([_drawn(made, rows, group, many, seed) for group, many in sorted(wanted.items()) if many > 0])

    return make


def _drawn(made: TableSynthesizer, rows: Rows, group: int, many: int, seed: int) -> Cells:
    """Rows of a class; of a numeric target there are no classes, and group 0 stands for all."""
    where = {rows.target: rows.classes[group]} if rows.of_classes else None
    drawn: Cells = made.sample(round(SPARE * many) + 1, where=where, seed=seed)
    return drawn


def below(parts: Sequence[Cells]) -> Cells:
    """Tables of the same columns, one below the other."""
    return {name: [cell for part in parts for cell in part[name]] for name in (parts[0] if parts else ())}


def _save(rows: Rows, folder: Path) -> str:
    """The rows and a schema that says of every column what the whole table said, for training: its name."""
    columns: dict[str, dict[str, Any]] = {}
    for column in rows.codec.columns:
        declared = rows.schema.of(column.name)
        said = {key: value for key, value in dataclasses.asdict(declared).items() if value not in (None, ())}
        if "type" not in said and (column.learned or column.type in ("text", "identifier")):
            said["type"] = "category" if column.name == rows.target and rows.of_classes else column.type
        if said.get("type") in ("date", "ordered") and not declared.type:
            said.pop("type")  # found again from the cells
        columns[column.name] = said
    schema: dict[str, Any] = {"missing": list(rows.schema.missing), "columns": {k: v for k, v in columns.items() if v}}
    schema |= {"modes": rows.schema.modes} if rows.schema.modes else {}
    schema |= {"constraints": list(rows.schema.constraints)} if rows.schema.constraints else {}
    write_csv(folder / "rows.csv", rows.cells)
    (folder / "schema.json").write_text(json.dumps(schema), encoding="utf-8")
    return f"{PREFIX}{folder / 'rows.csv'},{folder / 'schema.json'}"


def write_csv(path: Path, cells: Cells) -> None:
    """Cells as a file of values between commas."""

    def write(partial: Path) -> None:
        with partial.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(cells)
            writer.writerows(zip(*cells.values(), strict=True))

    write_atomically(path, write)
