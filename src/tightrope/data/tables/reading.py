"""Tables as text, a chunk at a time: CSV of any usual delimiter and encoding, gzipped or not. Every table can be read twice.

A chunk is a list of columns, each a sequence of equally many cells.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, TextIO

from tightrope.core.errors import InputError
from tightrope.data.catalog import shown

CELLS = 500_000  # in a chunk
MOST_COLUMNS = 2_000
LONGEST_CELL = 1 << 20
DELIMITERS = ",;\t|"
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
Chunk = Sequence[Sequence[str]]


class Source(Protocol):
    """A table that can be read.

    Attributes:
        name: what people call it.
        columns: the names of its columns.
        delimiter: between the cells of a line that is written.
    """

    name: str
    columns: tuple[str, ...]
    delimiter: str

    def chunks(self) -> Iterator[Chunk]:
        """All rows, from the first, a chunk at a time."""
        ...


def checked_names(name: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The names of columns, each once and none empty.

    Raises:
        InputError: there is but one, there are too many, or two are alike.
    """
    names = tuple(column.strip() for column in columns)
    if len(names) > MOST_COLUMNS:
        raise InputError(f"{name}: {len(names):,} columns; at most {MOST_COLUMNS:,} can be learned, so give a table of fewer.")
    if len(names) < 2:
        raise InputError(f"{name}: one column alone; a table has two at least (is the delimiter another than {DELIMITERS!r}?).")
    for place, column in enumerate(names):
        if not column:
            raise InputError(f"{name}: column {place + 1} has no name; give it one in the first line.")
    seen: dict[str, int] = {}
    for place, column in enumerate(names):
        if column in seen:
            raise InputError(
                f"{name}: the name {shown(column)!r} stands twice (columns {seen[column] + 1} and {place + 1}); rename one."
            )
        seen[column] = place
    return names


class Csv:
    """A CSV file. `Source`."""

    def __init__(self, path: Path, *, encoding: str | None = None, delimiter: str | None = None) -> None:
        self.path, self.name = path, shown(path)
        with _told(self.name, encoding):
            self.encoding = encoding or self._encoding()
            with self._open() as file:
                head = "".join(itertools.islice(_lines(file, self.name), 20))
            self.delimiter = delimiter or _delimiter(head)
            with self._open() as file:
                first = next(self._rows(file), None)
        if first is None:
            raise InputError(f"{self.name}: the file is empty; a table has a first line of names and rows below it.")
        self.columns = checked_names(self.name, first)

    def chunks(self) -> Iterator[Chunk]:
        width = len(self.columns)
        most = max(1, CELLS // width)
        with _told(self.name, self.encoding), self._open() as file:
            rows = self._rows(file)
            next(rows)
            line = 2
            while part := list(itertools.islice(rows, most)):
                if any(len(row) != width for row in part):
                    at, row = next((i, row) for i, row in enumerate(part) if len(row) != width)
                    raise InputError(
                        f"{self.name}: row {line + at} has {len(row)} cells where the first has {width}; "
                        "mend that row (a cell with the delimiter in it stands between quotes)."
                    )
                line += len(part)
                yield list(zip(*part, strict=True))

    def _rows(self, file: TextIO) -> Iterator[list[str]]:
        """Rows with something in them."""
        csv.field_size_limit(LONGEST_CELL)
        return filter(None, csv.reader(file, delimiter=self.delimiter))

    def _open(self) -> TextIO:
        packed = self.path.suffix.lower() == ".gz"
        binary = gzip.open(self.path, "rb") if packed else open(self.path, "rb")  # noqa: SIM115 (closed with the text)
        return io.TextIOWrapper(binary, encoding=self.encoding, newline="")

    def _encoding(self) -> str:
        self.encoding = "latin-1"  # every byte is a letter
        with self._open() as file:
            start = file.read(4).encode("latin-1")
        return next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8")


class _told:
    """Errors of the file system, of decompression and of decoding, as one sentence."""

    def __init__(self, name: str, encoding: str | None) -> None:
        self.name, self.encoding = name, encoding

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        match error:
            case LookupError() if isinstance(error, LookupError) and "encoding" in str(error):
                raise InputError(
                    f"{self.name}: no encoding is called {self.encoding!r}; name one like utf-8 or latin-1."
                ) from error
            case UnicodeError():
                at = f"byte {error.object[error.start]:#04x}" if isinstance(error, UnicodeDecodeError) else "a byte"
                raise InputError(
                    f"{self.name}: {at} is not {self.encoding or 'utf-8'}; say which encoding it is in the table's schema "
                    '(encoding = "latin-1", for instance).'
                ) from error
            case gzip.BadGzipFile() | EOFError() | zlib.error():
                raise InputError(f"{self.name}: not gzip, or cut off; pack it again.") from error
            case csv.Error():
                raise InputError(f"{self.name}: not a CSV file ({error}); is a quote left open?") from error
            case OSError():
                raise InputError(f"{self.name}: cannot be read ({error.strerror or error}); check its rights.") from error


def _lines(file: TextIO, name: str) -> Iterator[str]:
    for _ in range(20):
        line = file.readline(1 << 20)
        if "\0" in line:
            raise InputError(f"{name}: holds zero bytes, so it is no CSV file; save the table as CSV in UTF-8.")
        yield line


def _delimiter(head: str) -> str:
    """The one that cuts the first lines into most cells, equally many a line; a comma where none does."""
    lines = head.splitlines()

    def rank(mark: str) -> tuple[bool, int]:
        counts = [len(row) for row in csv.reader(lines, delimiter=mark) if row]
        return (len(set(counts)) == 1, counts[0]) if counts and counts[0] > 1 else (False, 0)

    return max(DELIMITERS, key=rank)


def looks_like_table(path: Path) -> bool:
    """A first line of names and, below it, a column with something else than numbers, or more columns than points have."""
    from tightrope.data.arrays import MOST_DIMENSIONS, NAME  # where points are read

    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            head = [file.readline(1 << 16) for _ in range(200)]
        mark = _delimiter("".join(head[:20]))
        rows = [row for row in csv.reader(head, delimiter=mark) if row]
    except (OSError, UnicodeError, csv.Error):
        return False
    if len(rows) < 2 or len(rows[0]) < 2 or all(map(_number, rows[0])):
        return False
    skip = int(rows[0][0] == NAME)
    return len(rows[0]) - skip > MOST_DIMENSIONS or not all(_number(cell) for row in rows[1:] for cell in row[skip:])


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
