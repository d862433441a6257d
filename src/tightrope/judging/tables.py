"""Tables judged: what a file would hold of generated rows, or a file that anybody wrote, against the rows trained on.

With rows that training has not seen (`held_out`) every figure of `metrics.tables.scorecard`; without them those that need none.

Axes: n rows, c columns, p packed numbers, w encoded numbers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Bool, Float32

from tightrope import data as data_room
from tightrope.core.errors import InputError
from tightrope.core.files import write_json
from tightrope.data.tables.columns import NUMBERS, Column
from tightrope.data.tables.constraints import Rule
from tightrope.data.tables.dataset import TableDataset
from tightrope.data.tables.encoding import Codec
from tightrope.data.tables.loading import PREFIX, is_table
from tightrope.judging.subjects import COUNT, LEAST_UNSEEN, Asked, Case, Subject
from tightrope.metrics.judge import spread_index
from tightrope.metrics.protocol import Record, record
from tightrope.metrics.suite import Figure
from tightrope.metrics.tables import overlays, privacy, scorecard
from tightrope.metrics.tables.columns import CATEGORY, NUMBER, Columns, coded
from tightrope.metrics.tables.constraints import Constraint

ROWS = 10  # that are shown as text
UNSEEN = (
    "Nothing is known of rows that training has not seen: usefulness, the two-sample test and privacy need some "
    "(--held-out FILE; tell `tightrope train` the same file)."
)


# ---------------------------------------------------------------- rows as columns
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
    from tightrope.data.tables.loading import _parts, _source
    from tightrope.data.tables.schema import Schema, read_schema

    place, asked, schema = _parts(str(path).removeprefix(PREFIX))
    source = _source(place, asked, read_schema(schema) if schema else Schema(where=str(place)))
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
    return found, _strange(codec, found, str(path))


def _strange(codec: Codec, table: Columns, name: str) -> list[str]:
    """A sentence on the categories that training has not seen."""
    found = []
    for column in codec.columns:
        if table.kinds.get(column.name) == CATEGORY:
            new = {text for text in table.values[column.name].tolist() if text is not None} - set(column.texts)
            found += [f"{column.name} ({len(new)})"] if new else []
    return [f"{name} has categories that training never saw, in {', '.join(found)}; they count as they are."] if found else []


# ---------------------------------------------------------------- records
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


def is_of_tables(what: str | Path, data: str | Path | None) -> bool:
    """Whether the real data, as named, is a table."""
    name = str(what if data is None else data)
    return name.startswith(PREFIX) or is_table(name)


def of_file(what: str | Path, data: str | Path, asked: Asked) -> list[Record]:
    """A table that anybody made against the one it was made after."""
    real = cast(TableDataset, data_room.load(data))
    fake, notes = read_like(real.codec, what)
    chosen = spread_index(len(fake), asked.get("count", COUNT)).numpy()
    return records(real, fake.take(chosen), asked, notes)


def of_generator(case: Case, asked: Asked, *, shown: bool = True) -> list[Record]:
    """A run's or a generator's rows; what a run held out is found in its record.

    Args:
        shown: what the report draws goes into a run's folder `judged`, real rows as points among it.
    """
    subject, real = case.subject, cast(TableDataset, case.data)
    fake = drawn(subject, real)
    held = asked.get("held_out") or (subject.run.record.get("held_out") if subject.run else None)
    found = records(real, fake, cast(Asked, {**asked, "held_out": held}), list(subject.notes))
    if subject.run is not None and shown:
        _keep_drawn(subject, real, fake)
    return [({} if subject.seen is None else {"seen": subject.seen}) | entry for entry in found]


def _keep_drawn(subject: Subject, real: TableDataset, fake: Columns) -> None:
    """What the report draws, beside the run."""
    a, b = coded(columns(real.codec, np.asarray(real.packed)), fake)
    rows = real.codec.cells(real.modality.to_array(subject.at(torch.arange(min(ROWS, subject.count)))))
    views = {"marginals": overlays.marginals(a, b), "association": overlays.association(a, b), "clouds": overlays.clouds(a, b)}
    (subject.home / "judged").mkdir(exist_ok=True)
    write_json(subject.home / "judged" / "table.json", {**views, "rows": rows})


def drawn(subject: Subject, real: TableDataset) -> Columns:
    """A subject's rows as a file would hold them."""
    return columns(real.codec, real.modality.to_array(subject.at(torch.arange(subject.count))))


def records(real: TableDataset, fake: Columns, asked: Asked, notes: list[str]) -> list[Record]:
    """All figures that can be had, as records; notes are with the first."""
    codec, seed, held = real.codec, asked.get("seed", 0), asked.get("held_out")
    train = columns(real, np.asarray(real.packed))
    protocol: Record = {
        "extractor": "rows as a file holds them", "n_real": len(train), "n_generated": len(fake),
        "reference": f"{real.name} {real.fingerprint[:12]}", "seed": seed,
    }  # fmt: skip
    rules: dict[str, Constraint] = {rule.text: Held(rule, codec) for rule in codec.rules}
    if held is None:
        found, notes = unseen_by_nobody(train, fake, rules, seed), [*notes, UNSEEN]
    else:
        unseen, said = read_like(codec, held)
        if len(unseen) < LEAST_UNSEEN:
            raise InputError(f"--held-out {held}: holds {len(unseen)} rows; at least {LEAST_UNSEEN} are needed.")
        protocol["held_out"] = f"{Path(str(held)).name}, {len(unseen)} rows"
        notes = [*notes, *said]
        found = scorecard.figures(train, unseen, fake, target=asked.get("target"), constraints=rules, seed=seed)
    plain = [figure for figure in found if figure.value == figure.value]
    plain[0] = plain[0]._replace(notes=(*notes, *plain[0].notes))
    return [
        record(f.name, f.value, f.better, protocol | f.protocol, interval=f.interval, null=f.null, notes=f.notes) for f in plain
    ]


def unseen_by_nobody(train: Columns, fake: Columns, rules: dict[str, Constraint], seed: int) -> list[Figure]:
    """What needs no held-out rows; the null is one half of the training rows against the other."""
    order = np.random.default_rng(seed).permutation(len(train))
    a, f = coded(train, fake)
    first, second = a.take(order[: len(a) // 2]), a.take(order[len(a) // 2 :])
    families = (scorecard.quality_figures, lambda x, h, y, _: scorecard.rare_figures(x, h, y))
    found = [
        figure for family in families for figure in family(a, a, f, seed)
    ]  # against all rows; its null comes from the halves
    nulls = {figure.name: figure.value for family in families for figure in family(first, first, second, seed)}
    found = [figure._replace(null=nulls.get(figure.name)) for figure in found]
    for name, rule in rules.items():
        share, usual = (float(rule.broken(table).mean()) for table in (fake, train))
        found.append(Figure(f"violations[{name}]", share, "lower", {}, null=usual))
    return [*found, *_copies(a, f, seed)]


def _copies(train: Any, fake: Any, seed: int) -> list[Figure]:
    """Authenticity beside that of training rows among the others: also told without rows held out."""
    draw = np.random.default_rng(seed)
    some = fake.take(draw.permutation(len(fake))[: scorecard.MOST // 5])
    usual = draw.permutation(len(train))
    cut = min(len(some), len(train) // 2)
    rest, own = train.take(usual[cut:]), train.take(usual[:cut])
    value, null = float(privacy.authentic_rows(train, some).mean()), float(privacy.authentic_rows(rest, own).mean())
    return [Figure("authenticity", value, None, {}, null=null)]
