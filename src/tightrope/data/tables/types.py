"""What kind of values a column holds, judged by its different cells and how often each occurs; a schema has the last word.

Number before date before boolean before identifier, text and category. What has few values becomes levels (a one-hot); a number
with many becomes quantiles, with its frequent values, words among it, and missing cells as levels beside.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from tightrope.core.errors import InputError
from tightrope.data.catalog import shown
from tightrope.data.tables.columns import Column
from tightrope.data.tables.formats import Date, Number, date_of, number_of
from tightrope.data.tables.quantiles import Quantiles
from tightrope.data.tables.schema import Declared, Schema
from tightrope.data.tables.tally import Tally

FEW = 32  # different numbers that are levels
SOME, PARTS = 128, 10  # different numbers up to which they are cut into intervals, and into how many, if the schema does not say
OFTEN = 3  # times that a number is there on average, where its values are few or some
SPIKE = 0.05  # share of the rows from which on a number is a level of its own
MIXED = 0.9  # share of numbers in a column of numbers and words
MOST_WORDS = 20
UNLIKE = 0.5  # share of different cells from which on words are text
TO_JUDGE = 20  # rows that it takes to call a column without repetitions an identifier
WORDY = 4.0  # words in a cell of free text
_CODES = re.compile(r"(^|[^a-z])(zip|zipcode|postcode|postal|plz)([^a-z]|$)", re.IGNORECASE)
_IDENTITY = re.compile(r"(^|[^a-z])(id|uuid|guid|key|index|rowid|nr|no)$", re.IGNORECASE)
_UNNAMED = re.compile(r"unnamed: ?\d+", re.IGNORECASE)  # as pandas heads the index it has written
_BOOLEANS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"}, {"0", "1"}, {"on", "off"})
SCALES = (
    ("very low", "low", "medium", "high", "very high"), ("low", "moderate", "high"), ("small", "medium", "large"),
    ("xs", "s", "m", "l", "xl", "xxl"), ("never", "rarely", "sometimes", "often", "always"),
    ("very bad", "bad", "fair", "good", "very good"), ("poor", "fair", "average", "good", "very good", "excellent"),
    ("strongly disagree", "disagree", "neutral", "agree", "strongly agree"),
    ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
    ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"),
)  # fmt: skip


def column_of(name: str, tally: Tally, schema: Schema) -> Column:
    """What a column is.

    Raises:
        InputError: it is not what the schema says.
    """
    said = schema.of(name)
    cells, nothing = Counter[str](), Counter[str]()
    for cell, count in tally.seen.items():
        (nothing if cell.strip().lower() in schema.missing else cells)[cell] += count * tally.stride
    missing = nothing.most_common(1)[0][0] if nothing else None
    base: dict[str, Any] = {"name": name, "rows": tally.rows, "missing": missing}
    lacking = sum(nothing.values())
    if said.type == "ignore":
        return Column(**base, type="text", note="left out, as the schema says")
    if not cells:
        return Column(**base, type="constant", texts=(missing or "",), worth=(np.nan,), note="all cells are missing; written so")
    if len(cells) == 1 and not nothing:
        only = next(iter(cells))
        return Column(
            **base, type="constant", texts=(only,), worth=(0.0,), counts=(tally.rows,), note="one value; written, not learned"
        )
    found = Found(name, cells, tally)
    kind, form, note = found.declared(said, schema.where) if said.type else found.judged()
    if kind in ("text", "identifier"):
        return Column(**base, type=kind, note=note, texts=(max(cells, key=lambda cell: (len(cell), cell)),), worth=(0.0,))
    if form is not None:
        modes = said.modes or schema.modes
        return _numeric(base, kind, form, note, cells, lacking, modes, (said.low, said.high))
    return _categories(base, kind, note, cells, lacking, said)


class Found:
    """Judges a column: its different cells that say something, the frequent ones first."""

    def __init__(self, name: str, cells: Counter[str], tally: Tally) -> None:
        self.name, self.counts, self.rows = name, cells, sum(cells.values())
        self.cells = [cell for cell, _ in cells.most_common()]
        self.thinned = tally.stride > 1
        self.different = len(cells) / self.rows

    def judged(self) -> tuple[str, Number | Date | None, str]:
        """Type, form and note."""
        if {cell.strip().lower() for cell in self.cells} in _BOOLEANS:
            return "boolean", None, ""
        number = number_of(self.cells)
        if number is not None:
            share, words = self._numbers(number)
            if share == 1 and _CODES.search(self.name):
                return "category", None, "a code, by its name; say type = 'integer' if it is a number"
            if share == 1 and self._counted(number):
                return "identifier", None, "every row has its own number; new ones are made"
            if share == 1:
                return _kind(number), number, ""
            if share >= MIXED and words <= MOST_WORDS:
                return _kind(number), number, f"numbers, and {words} other value{'s' * (words > 1)} kept as they are"
        date = date_of(self.cells)
        return ("date", date, "") if date is not None else self._words()

    def _numbers(self, form: Number) -> tuple[float, int]:
        """Share of the rows that are numbers, and how many different cells are none."""
        is_number = np.isfinite(form.read(self.cells))
        counts = np.asarray([self.counts[cell] for cell in self.cells])
        return float(counts[is_number].sum() / self.rows), int((~is_number).sum())

    def _counted(self, form: Number) -> bool:
        """Whole numbers, no two alike, that are called an identifier or count without a gap."""
        if self.different < 1 or self.thinned or self.rows < TO_JUDGE or form.decimals != 0:
            return False
        values = form.read(self.cells)
        named = _IDENTITY.search(self.name) or _UNNAMED.fullmatch(self.name)
        return bool(named) or values.max() - values.min() + 1 == len(values)

    def _words(self) -> tuple[str, None, str]:
        lengths = sum(len(cell.split()) for cell in self.cells[:1000]) / min(len(self.cells), 1000)
        many = self.thinned or (self.rows >= TO_JUDGE and self.different >= UNLIKE)
        number = number_of(self.cells)
        share, words = self._numbers(number) if number else (0.0, 0)
        if many and share >= 1 - MIXED:
            return (
                "text",
                None,
                f"mixed: {share:.0%} numbers and {words:,} other cells; left out (mend it, or say its type in a schema)",
            )
        if many and (lengths >= WORDY or self.different < 1 or self.thinned):
            what = "free text" if lengths >= WORDY else "names or free text"
            return (
                "text",
                None,
                f"{what} ({len(self.cells):,} different cells in {self.rows:,} rows): left out, as it would repeat real rows",
            )
        if many:
            return "identifier", None, "every row has its own; new ones are made"
        if share >= UNLIKE and words > MOST_WORDS:
            return "category", None, f"mixed: {share:.0%} numbers and {words} different words; taken as categories"
        small = {cell.strip().lower() for cell in self.cells}
        return ("ordered" if len(small) > 2 and _scale(small) else "category"), None, ""

    def declared(self, said: Declared, where: str) -> tuple[str, Number | Date | None, str]:
        """As the schema says, where that is possible."""
        kind = said.type or ""
        note = "as the schema says"
        if kind == "date":
            date = date_of(self.cells, said.format)
            if date is None:
                raise self._wrong(where, f"{shown(self.cells[0])!r} is no date in it; give the format of all its dates")
            return kind, date, note
        if kind in ("integer", "number", "money"):
            number = number_of(self.cells)
            share, words = self._numbers(number) if number else (0.0, len(self.cells))
            if number is None or (share < 1 and words > MOST_WORDS) or not share:
                raise self._wrong(
                    where, f"{words:,} of its different cells are no numbers ({shown(self.cells[0])!r} is one of its cells)"
                )
            return kind, number, note
        if kind == "boolean" and len(self.cells) != 2:
            raise self._wrong(where, f"it has {len(self.cells)} different values; a boolean has two")
        return kind, None, note

    def _wrong(self, where: str, why: str) -> InputError:
        return InputError(f"{where}: column {shown(self.name)!r} cannot be what is said: {why}.")


def _kind(form: Number) -> str:
    return "money" if form.money else "integer" if form.decimals == 0 else "number"


def _scale(small: set[str]) -> tuple[str, ...] | None:
    return next((scale for scale in SCALES if small <= set(scale)), None)


def _categories(base: dict[str, Any], kind: str, note: str, cells: Counter[str], lacking: int, said: Declared) -> Column:
    """Levels, the frequent ones first; ordered ones in their order, and true after false."""
    texts = [text for text, _ in sorted(cells.items(), key=lambda pair: (-pair[1], pair[0]))]
    order: Sequence[str] = said.order or _scale({text.strip().lower() for text in texts}) or ()
    if kind == "ordered":
        unknown = next((text for text in texts if order and not {text.strip(), text.strip().lower()} & set(order)), None)
        if unknown is not None or not order:
            what = f"{shown(unknown)!r} is not in the order" if unknown is not None else "an order is needed"
            raise InputError(f"column {shown(base['name'])!r}: {what}; list all its values in the schema, from low to high.")
        texts.sort(key=lambda text: order.index(text.strip() if text.strip() in order else text.strip().lower()))
    elif kind == "boolean":
        texts.sort(key=lambda text: (text.strip().lower() in ("1", "true", "yes", "t", "y", "on"), text))
    counts = [cells[text] for text in texts]
    worth = [float(place) for place in range(len(texts))]
    if base["missing"] is not None:
        texts, worth, counts = [*texts, base["missing"]], [*worth, np.nan], [*counts, lacking]
    high = float(len(cells) - 1)
    lists: dict[str, Any] = {"texts": tuple(texts), "worth": tuple(worth), "counts": tuple(counts)}
    return Column(**base, **lists, type=kind, note=note, low=0.0, high=high, step=1.0)


def _numeric(
    base: dict[str, Any], kind: str, form: Number | Date, note: str, cells: Counter[str], lacking: int, modes: int | None,
    bounds: tuple[float | None, float | None],
) -> Column:  # fmt: skip
    """Levels and quantiles of a number or a date."""
    texts = list(cells)
    read = form.read(texts)
    counts = np.asarray([cells[text] for text in texts], np.float64)
    is_number = ~np.isnan(read)
    words = {text: int(count) for text, count, said in zip(texts, counts, is_number, strict=True) if not said}
    values, places = np.unique(read[is_number], return_inverse=True)
    tally = np.bincount(places, counts[is_number])
    few = len(values) <= FEW and tally.sum() >= OFTEN * len(values)
    own = np.ones(len(values), bool) if few else tally >= SPIKE * (counts.sum() + lacking)
    rest = ~own if (~own).sum() > 1 else np.zeros(len(values), bool)
    own = ~rest
    levels = [*form.write(values[own]), *words]
    worth = [*values[own].tolist(), *[np.nan] * len(words)]
    numbers = [*tally[own].astype(int).tolist(), *words.values()]
    if base["missing"] is not None:
        levels, worth, numbers = [*levels, base["missing"]], [*worth, np.nan], [*numbers, lacking]
    step = _step(values, form)
    low, high = (float(end if said is None else said) for said, end in zip(bounds, (values[0], values[-1]), strict=True))
    if low > high:
        raise InputError(f"column {shown(base['name'])!r}: its low is above its high; mend the schema.")
    lists: dict[str, Any] = {"texts": tuple(levels), "worth": tuple(worth), "counts": tuple(numbers)}
    quantiles = Quantiles.fit(values[rest], tally[rest], step) if rest.any() else None
    ends: dict[str, Any] = {"low": low, "high": high, "anchor": float(values[0]), "step": step}
    parts = modes or (PARTS if rest.sum() <= SOME and tally[rest].sum() >= OFTEN * rest.sum() else 1)
    return Column(**base, **lists, **ends, type=kind, note=note, form=form, quantiles=quantiles, modes=parts if rest.any() else 0)


def _step(values: np.ndarray, form: Number | Date) -> float:
    """The greatest number of which all differences are multiples, in units of what the file can write; 0 for none."""
    unit = form.step if isinstance(form, Number) else 1e-6 if "%f" in form.format else 1.0
    if not unit or (values[-1] - values[0]) / unit > 2.0**52:
        return 0.0
    return float(np.gcd.reduce(np.rint((values - values[0]) / unit).astype(np.int64))) * unit
