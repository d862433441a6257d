"""Tables judged: what a file would hold of generated rows, or a file that anybody wrote, against the rows trained on.

With rows that training has not seen (`held_out`) every figure of `metrics.tables.scorecard`; without them those that need none.

Axes: n rows, c columns, p packed numbers, w encoded numbers.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Bool, Float32

from tightrope import data as data_room
from tightrope.core.data import Dataset
from tightrope.core.errors import InputError
from tightrope.core.files import write_json
from tightrope.data.catalog import DATABASE_SUFFIXES, PARQUET_SUFFIXES, TABLE_SUFFIXES
from tightrope.data.tables.columns import NUMBERS, Column
from tightrope.data.tables.constraints import Rule
from tightrope.data.tables.dataset import TableDataset
from tightrope.data.tables.encoding import Codec
from tightrope.data.tables.likewise import likewise
from tightrope.data.tables.loading import PREFIX, is_table, source_of
from tightrope.judging.subjects import COUNT, LEAST_UNSEEN, Asked, Case, Subject
from tightrope.metrics.judge import spread_index
from tightrope.metrics.protocol import Record, record
from tightrope.metrics.suite import Figure
from tightrope.metrics.tables import overlays, privacy, scorecard
from tightrope.metrics.tables.columns import CATEGORY, NUMBER, Columns, coded
from tightrope.metrics.tables.constraints import Constraint

ROWS_FILE = "rows.csv"  # what `tightrope sample` writes into a folder
ROWS = 10  # that are shown as text
MOST_REAL = 20_000  # training rows that are compared with: their neighbours are looked up
UNSEEN = (
    "Nothing is known of rows that training has not seen: usefulness, the two-sample test and privacy need some "
    "(--held-out FILE; tell `tightrope train` the same file)."
)


def columns(table: TableDataset | Codec, rows: Float32[np.ndarray, "n _"]) -> Columns:
    """Packed rows (of the data, as they are) or encoded ones (of a generator, all constraints met) as a file would hold them."""
    codec = table.codec if isinstance(table, TableDataset) else table
    packed = rows.shape[1] == len(codec.blocks) != codec.width
    return columns_of_cells(codec, codec.write(*codec.values(rows)) if packed else codec.cells(rows))


def columns_of_cells(codec: Codec, cells: Mapping[str, Sequence[str]]) -> Columns:
    """Cells read as the codec's columns: numbers, dates in seconds; categories as texts, also those the data does not have.

    Raises:
        InputError: a column that is learned is not there.
    """
    learned = [column for column in codec.columns if column.learned]
    for column in learned:
        if column.name not in cells:
            raise InputError(f"the table has no column {column.name!r}, which the training data has; give tables of one kind.")
    kinds = {column.name: NUMBER if column.type in NUMBERS else CATEGORY for column in learned}
    return Columns({column.name: _values(column, cells[column.name], codec.missing) for column in learned}, kinds)


def _values(column: Column, cells: Sequence[str], missing: Sequence[str]) -> np.ndarray:
    unique = list(dict.fromkeys(cells))
    place = dict(zip(unique, range(len(unique)), strict=True))
    places = np.fromiter(map(place.__getitem__, cells), np.int64, len(cells))
    gone = [cell.strip().lower() in missing for cell in unique]
    if column.type in NUMBERS and column.form is not None:
        return np.where(gone, np.nan, column.form.read(unique))[places]
    known = {text.strip(): text for text in column.texts}  # another's file may leave the spaces out
    texts = [None if lost else known.get(cell.strip(), cell) for cell, lost in zip(unique, gone, strict=True)]
    return np.asarray(texts, object)[places]


def read_like(codec: Codec, path: str | Path) -> tuple[Columns, list[str]]:
    """Another table with the columns of this one, and what has to be said of it."""
    source, _ = source_of(str(path))
    read: dict[str, list[str]] = {name: [] for name in source.columns}
    for chunk in source.chunks():
        for name, cells in zip(source.columns, chunk, strict=True):
            read[name] += cells
    if not read[source.columns[0]]:
        raise InputError(f"{path}: no rows below the names; give a table with rows.")
    try:
        found = columns_of_cells(codec, read)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return found, _strange(codec, read, found, str(path))


def _strange(codec: Codec, read: Mapping[str, Sequence[str]], table: Columns, name: str) -> list[str]:
    """A sentence on the categories that training has not seen, and one on cells that should be numbers and are none."""
    new, none = [], []
    for column in codec.columns:
        kind = table.kinds.get(column.name)
        if kind == CATEGORY and (texts := set(table.values[column.name].tolist()) - {None, *column.texts}):
            new.append(f"{column.name} ({len(texts)})")
        if kind == NUMBER and (gone := np.isnan(table.values[column.name])).any():
            cells = [read[column.name][row] for row in np.flatnonzero(gone).tolist()]
            lost = sum(cell.strip().lower() not in codec.missing for cell in cells)
            none += [f"{column.name} ({lost})"] if lost else []
    said = [f"{name} has categories that training never saw, in {', '.join(new)}; they count as they are."] if new else []
    return said + (
        [f"{name} has cells that are no numbers or dates, in {', '.join(none)}; they count as missing."] if none else []
    )


def unseen(real: Dataset, path: str | Path) -> TableDataset:
    """Rows held out, as training sees rows, but for those with categories that it has not seen.

    Raises:
        InputError: they cannot be read, are too few, or are the training data itself.
    """
    table = cast(TableDataset, real)
    return likewise(table, Path(path).name, _unseen(table, path)[0].values)


def _unseen(real: TableDataset, path: str | Path) -> tuple[Columns, list[str]]:
    table, notes = read_like(real.codec, path)
    if len(table) < LEAST_UNSEEN:
        raise InputError(f"--held-out {path}: holds {len(table)} rows; at least {LEAST_UNSEEN} are needed.")
    if len(table) == len(real) and digest(table) == digest(columns(real, np.asarray(real.packed))):
        raise InputError(f"--held-out {path}: is the data itself; give real rows that were not trained on.")
    return table, notes


def digest(table: Columns) -> str:
    """What tells two tables apart, whatever their files are called."""
    found = hashlib.sha256()
    for name, column in table.values.items():
        found.update(f"{name}\0{table.kinds[name]}\0".encode())
        found.update(column.tobytes() if table.kinds[name] == NUMBER else "\0".join(map(str, column)).encode())
    return found.hexdigest()


@dataclasses.dataclass(frozen=True)
class Held:
    """A rule of the schema as a constraint on columns."""

    rule: Rule
    codec: Codec

    def broken(self, table: Columns) -> Bool[np.ndarray, " n"]:
        values = np.full((len(table), len(self.codec.columns)), np.nan)
        for i, column in enumerate(self.codec.columns):
            if column.name in table.values:
                own = table.values[column.name]
                level = dict(zip(column.texts, column.worth, strict=True))
                numbers = table.kinds[column.name] == NUMBER
                values[:, i] = own if numbers else [level.get(text, np.nan) for text in own.tolist()]
        return self.rule.broken(values, self.codec.columns)


def is_file(what: str | Path, data: str | Path | None) -> bool:
    """Whether rows of a file are to be judged: the data is named as a table, and so is this, or it can be read as one."""
    if data is None or not (str(data).startswith(PREFIX) or is_table(str(data))):
        return False
    name = rows_in(what)
    path = Path(name.partition("#")[0])
    suffix = Path(path.stem if path.suffix.lower() == ".gz" else path).suffix.lower()
    return name.startswith(PREFIX) or (path.is_file() and suffix in TABLE_SUFFIXES | PARQUET_SUFFIXES | DATABASE_SUFFIXES)


def rows_in(what: str | Path) -> str:
    """The file itself, or the one that `tightrope sample` leaves in a folder."""
    written = Path(what) / ROWS_FILE
    return str(written if written.is_file() else what)


def records_beside(what: str | Path) -> Path:
    """Where the records of a file are kept."""
    path = Path(rows_in(what).removeprefix(PREFIX).partition("#")[0])
    return path.with_name(f"{path.name}.metrics.jsonl")


def of_file(what: str | Path, data: str | Path, asked: Asked, *, quick: bool = False) -> list[Record]:
    """A table that anybody made against the one it was made after.

    Args:
        quick: shapes, trends, rare categories and violations alone.
    """
    _refuse(asked)
    real = cast(TableDataset, data_room.load(data if str(data).startswith(PREFIX) else f"{PREFIX}{data}"))
    fake, notes = read_like(real.codec, rows_in(what))
    chosen = spread_index(len(fake), asked.get("count", COUNT)).numpy()
    return records(real, fake.take(chosen), asked, notes, quick=quick)


def of_generator(case: Case, asked: Asked, *, quick: bool = False, shown: bool = True) -> list[Record]:
    """A run's or a generator's rows; what a run held out is found in its record.

    Args:
        quick: as of `of_file`.
        shown: what the report draws goes into a run's folder `judged`, real rows as points among it.
    """
    _refuse(asked)
    subject, real = case.subject, cast(TableDataset, case.data)
    fake, notes = drawn(subject, real), list(subject.notes)
    held = asked.get("held_out")
    if held is None and subject.run is not None and (known := subject.run.record.get("held_out")) is not None:
        try:
            _unseen(real, known)
            held = known
        except InputError as error:  # moved or changed since: what can be said without it is said
            notes = [*notes, f"what the run held out cannot be used: {error}"]
    found = records(real, fake, cast(Asked, {**asked, "held_out": held}), notes, quick=quick)
    if subject.run is not None and shown:
        _keep_drawn(subject, real, fake)
    return [({} if subject.seen is None else {"seen": subject.seen}) | entry for entry in found]


def _refuse(asked: Asked) -> None:
    """What is of pictures."""
    for key in ("extractor", "weights", "size"):
        if asked.get(key) is not None:
            raise InputError(f"--{key} {asked.get(key)}: is of pictures; rows of tables are compared as a file holds them.")


def _keep_drawn(subject: Subject, real: TableDataset, fake: Columns) -> None:
    """What the report draws, beside the run."""
    index = spread_index(len(real), MOST_REAL).numpy()
    a, b = coded(columns(real, np.asarray(real.packed[index])), fake)
    rows = real.codec.cells(real.modality.to_array(subject.at(torch.arange(min(ROWS, subject.count)))))
    views = {"marginals": overlays.marginals(a, b), "association": overlays.association(a, b), "clouds": overlays.clouds(a, b)}
    (subject.home / "judged").mkdir(exist_ok=True)
    write_json(subject.home / "judged" / "table.json", {**views, "rows": rows})


def drawn(subject: Subject, real: TableDataset) -> Columns:
    """A subject's rows as a file would hold them."""
    return columns(real.codec, real.modality.to_array(subject.at(torch.arange(subject.count))))


def records(real: TableDataset, fake: Columns, asked: Asked, notes: list[str], *, quick: bool = False) -> list[Record]:
    """All figures that can be had, as records; notes are with the first."""
    codec, seed, held, target = real.codec, asked.get("seed", 0), asked.get("held_out"), asked.get("target")
    if target is not None and not codec.column(target)[1].learned:
        raise InputError(f"--target {target}: this column is not learned ({codec.column(target)[1].type}); name another.")
    index = spread_index(len(real), MOST_REAL).numpy()
    train = columns(real, np.asarray(real.packed[index]))
    if len(train) < len(real):
        notes = [*notes, f"compared with {len(train):,} of {len(real):,} training rows, drawn evenly."]
    protocol: Record = {
        "extractor": "rows as a file holds them", "n_real": len(train), "n_generated": len(fake),
        "reference": f"{real.name} {real.fingerprint[:12]}", "seed": seed,
    }  # fmt: skip
    rules: dict[str, Constraint] = {rule.text: Held(rule, codec) for rule in codec.rules}
    if held is None or quick:
        found = unseen_by_nobody(train, fake, rules, seed, quick=quick)
        notes = [*notes, *([] if quick else [UNSEEN])]
    else:
        unseen, said = _unseen(real, held)
        protocol["held_out"] = f"{Path(str(held)).name} {digest(unseen)[:12]}, {len(unseen)} rows"
        notes = [*notes, *said]
        found = scorecard.figures(train, unseen, fake, target=target, constraints=rules, seed=seed)
    plain = [figure for figure in found if figure.value == figure.value]
    plain[0] = plain[0]._replace(notes=(*notes, *plain[0].notes))
    return [
        record(f.name, f.value, f.better, protocol | f.protocol, interval=f.interval, null=f.null, notes=f.notes) for f in plain
    ]


def unseen_by_nobody(
    train: Columns, fake: Columns, rules: Mapping[str, Constraint], seed: int, *, quick: bool = False
) -> list[Figure]:
    """What needs no held-out rows; the null is one half of the training rows against the other."""
    order = np.random.default_rng(seed).permutation(len(train))
    a, f = coded(train, fake)
    first, second = a.take(order[: len(a) // 2]), a.take(order[len(a) // 2 :])
    found = scorecard.quality_figures(a, a, f, seed) + scorecard.rare_figures(a, a, f)
    usual = scorecard.quality_figures(first, first, second, seed) + scorecard.rare_figures(first, first, second)
    nulls = {figure.name: figure.value for figure in usual}
    found = [figure._replace(null=nulls.get(figure.name)) for figure in found]
    for name, rule in rules.items():
        share, own = (float(rule.broken(table).mean()) for table in (fake, train))
        found.append(Figure(f"violations[{name}]", share, "lower", {}, null=own))
    return found if quick else [*found, *_copies(a, f, seed)]


def _copies(train: Any, fake: Any, seed: int) -> list[Figure]:
    """Authenticity beside that of training rows among the others: also told without rows held out."""
    draw = np.random.default_rng(seed)
    some = fake.take(draw.permutation(len(fake))[: scorecard.MOST // 5])
    usual = draw.permutation(len(train))
    cut = min(len(some), len(train) // 2)
    rest, own = train.take(usual[cut:]), train.take(usual[:cut])
    value, null = float(privacy.authentic_rows(train, some).mean()), float(privacy.authentic_rows(rest, own).mean())
    return [Figure("authenticity", value, None, {}, null=null)]
