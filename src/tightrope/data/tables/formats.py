"""How numbers and dates are written in a file: found from examples, read to float64, and written again as they were.

A number may stand between fixed words (`$1,234.50`, `12 %`), with thousands apart and a comma for the point. A date becomes
seconds since 1970 (a time of day: since midnight). Axis: n cells.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

DECIMALS = 9  # more of them are written by significant digits
SAMPLE = 4_000  # different cells by which the marks in numbers are judged
EXACT = 2.0**53  # whole numbers beyond it are no float64
_EPOCH = datetime.datetime(1970, 1, 1)
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_SHAPE = re.compile(r"(?P<before>[^\d+\-.,]*)(?P<number>[+-]?[\d.,][\d., '  ]*?(?:[eE][+-]?\d+)?)(?P<after>[^\d]*)")
_CURRENCY = re.compile(r"[$€£¥₹]|\b(?:USD|EUR|GBP|CHF|JPY)\b", re.IGNORECASE)
_ZEROS = {"date": r"(?<![:\d])0(?=\d(?![:\d]))", "all": r"(?<!\d)0(?=\d(?!\d))"}  # before a single digit
DATES = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%f", "%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%Y%m%dT%H%M%S", "%d.%m.%Y",
    "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S", "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%Y-%m", "%H:%M", "%H:%M:%S",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Number:
    """How a column's numbers are written.

    Attributes:
        before, after: what stands around every one, spaces too.
        thousands, point: the marks within.
        decimals: most digits after the point; None: written by significant digits.
        fixed: every one has that many.
        digits: significant digits where decimals is None.
    """

    before: str = ""
    after: str = ""
    thousands: str = ""
    point: str = "."
    decimals: int | None = 0
    fixed: bool = False
    digits: int = 17

    @property
    def money(self) -> bool:
        return bool(_CURRENCY.search(self.before + self.after))

    @property
    def step(self) -> float:
        """Distance of neighbouring values; 0 where there is none."""
        return 0.0 if self.decimals is None else 10.0**-self.decimals

    def read(self, cells: Sequence[str]) -> Float64[np.ndarray, " n"]:
        """Values; NaN for what is no number of this kind."""
        if not (self.thousands or self.before.strip() or self.after.strip()) and self.point == ".":
            try:
                values = np.asarray(cells, "U").astype(np.float64)
            except ValueError:  # a word among them
                values = np.full(1, np.nan)
            if np.isfinite(values).all() and not any("_" in cell for cell in cells):  # 1_000 is Python's, not a file's
                return values
        return np.asarray([self._one(cell) for cell in cells], np.float64)

    def _one(self, cell: str) -> float:
        text = self._bare(cell)
        return float(text) if text is not None else np.nan

    def _bare(self, cell: str) -> str | None:
        """The number alone as Python writes it, or None."""
        text = cell.strip()
        before, after = self.before.strip(), self.after.strip()
        if not text.startswith(before) or not text.endswith(after):
            return None
        text = text[len(before) : len(text) - len(after)].strip()
        if self.thousands:
            text = text.replace(self.thousands, "")
        if self.point != ".":
            text = text.replace(self.point, ".")
        return text if _PLAIN.fullmatch(text) else None

    def write(self, values: Float64[np.ndarray, " n"]) -> list[str]:
        """Cells; every different value is written once, but for whole numbers, which are quicker than the search for them."""
        if self.decimals == 0 and not self.thousands:
            texts = map(str, np.rint(values).astype(np.int64).tolist())
            return [f"{self.before}{text}{self.after}" for text in texts] if self.before or self.after else list(texts)
        unique, places = np.unique(values, return_inverse=True)
        return np.asarray([self._text(float(v)) for v in unique], object)[places].tolist()

    def _text(self, value: float) -> str:
        if self.decimals is None:
            text = f"{value:.{self.digits}g}"
        else:
            mark = "," if self.thousands else ""
            text = f"{value:{mark}.{self.decimals}f}"
            if not self.fixed and "." in text:
                text = text.rstrip("0").rstrip(".")
            text = "0" if text == "-0" else text
        if self.thousands or self.point != ".":
            text = text.translate({ord(","): self.thousands, ord("."): self.point})
        return f"{self.before}{text}{self.after}"


def number_of(cells: Sequence[str]) -> Number | None:
    """How the numbers among these different cells are written, judged by a few of them; None where they are none."""
    some = [cell for cell in cells[:: max(1, len(cells) // 8)] if any(c.isdigit() for c in cell)]
    shapes = [shape for cell in some if (shape := _SHAPE.fullmatch(cell)) is not None]
    around = dict.fromkeys((shape["before"], shape["after"]) for shape in shapes)
    forms = [form for before, after in around if _names_nothing(form := Number(before=before, after=after))]
    if not forms:
        return None
    sampled = cells[:: max(1, len(cells) // SAMPLE)]
    marked = max((_marked(form, sampled) for form in forms), key=lambda form: sum(_grouped(form, cell) for cell in sampled))
    texts = [text for text in map(marked._bare, cells) if text is not None]
    if not texts or any(_coded(text) for text in texts):
        return None
    return _precise(marked, texts)


def _names_nothing(form: Number) -> bool:
    """Letters that stand before numbers make names of them (A11), unless they are a currency."""
    return form.money or not any(c.isalnum() for c in form.before)


def _marked(form: Number, cells: Sequence[str]) -> Number:
    """With the marks of thousands and of the point: those under which most cells are numbers, plain ones first."""
    choices = [form]
    for thousands, point in ((",", "."), (".", ","), (" ", ","), (" ", "."), ("'", "."), ("", ",")):
        if any(mark in cell for cell in cells for mark in {thousands, point} - {"", "."}):
            choices.append(dataclasses.replace(form, thousands=thousands, point=point))
    counts = [sum(_grouped(choice, cell) for cell in cells) for choice in choices]
    return choices[int(np.argmax(counts))]


def _grouped(form: Number, cell: str) -> bool:
    if form._bare(cell) is None:
        return False
    if not form.thousands:
        return True
    text = cell.strip().removeprefix(form.before.strip()).removesuffix(form.after.strip()).strip()
    return all(len(part) == 3 for part in text.split(form.point)[0].split(form.thousands)[1:])


def _coded(text: str) -> bool:
    """A leading zero says that it is a code and no number; so does a whole number that float64 cannot hold."""
    digits = text.lstrip("+-")
    return (len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()) or (digits.isdigit() and float(digits) > EXACT)


def _precise(form: Number, texts: Sequence[str]) -> Number:
    after = [len(text.partition(".")[2]) for text in texts]
    most = max(after)
    largest = max(abs(float(text)) for text in texts)
    if most > DECIMALS or any("e" in text.lower() for text in texts) or largest * 10.0**most > EXACT:
        digits = max(len(re.sub(r"[eE].*|\D", "", text).lstrip("0")) for text in texts)
        return dataclasses.replace(form, decimals=None, digits=max(1, min(17, digits)))
    return dataclasses.replace(form, decimals=most, fixed=most > 0 and min(after) == most)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Date:
    """How a column's dates are written: as `strptime` says, with the same text around each.

    `bare`: which fields have no zero before a single digit: none (""), those of the date, or "all".
    """

    format: str
    bare: str = ""
    before: str = ""
    after: str = ""

    def read(self, cells: Sequence[str]) -> Float64[np.ndarray, " n"]:
        """Seconds; NaN for what is no date of this kind."""
        return np.asarray([self._one(cell.strip()) for cell in cells], np.float64)

    def _one(self, cell: str) -> float:
        try:
            when = datetime.datetime.strptime(cell, self.format)
        except ValueError:
            return np.nan
        if "%d" not in self.format and "%Y" not in self.format:
            return (when - when.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
        return (when - _EPOCH).total_seconds()

    def write(self, values: Float64[np.ndarray, " n"]) -> list[str]:
        unique, places = np.unique(values, return_inverse=True)
        return np.asarray([self._text(float(v)) for v in unique], object)[places].tolist()

    def _text(self, seconds: float) -> str:
        when = _EPOCH + datetime.timedelta(seconds=seconds)
        text = when.strftime(self.format.replace("%Y", f"{when.year:04d}"))
        return self.before + (re.sub(_ZEROS[self.bare], "", text) if self.bare else text) + self.after


def date_of(cells: Sequence[str], only: str | None = None) -> Date | None:
    """How these different cells are written if all are dates, else None. Of 1/2/2020 the month is first unless it cannot be."""
    sample = cells[:: max(1, len(cells) // 100)]
    if not sample or not any(c.isdigit() for c in sample[0]):
        return None
    lead = len(sample[0]) - len(sample[0].lstrip())
    for format in (only,) if only else DATES:
        form = Date(format=format, before=sample[0][:lead])
        if np.isfinite(form.read(sample)).all() and np.isfinite(form.read(cells)).all():
            styles = (dataclasses.replace(form, bare=bare) for bare in ("", *_ZEROS))
            return next((style for style in styles if style.write(style.read(sample)) == list(sample)), form)
    return None
