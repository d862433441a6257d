"""What is embedded and which kinds of files are known: names and sentences only, so that help and errors come at once."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

EMBEDDED = {
    "fashion": "15,500 grey images of clothes, 10 classes, 32x32 (Fashion-MNIST, MIT; $TIGHTROPE_FASHION: all 60,000)",
    "emoji": "3,819 colour drawings in 9 groups, 64x64 (Noto Emoji, Apache-2.0)",
    "emoji-pairs": "3,139 pairs of drawings, 64x64: Noto Emoji (Apache-2.0) to Fluent Emoji Flat (MIT), for translation",
    "ring8": "100,000 points: 8 Gaussians on a circle of radius 1, sigma 0.01",
    "grid25": "100,000 points: 25 Gaussians on the grid {-4, -2, 0, 2, 4} squared, sigma 0.05",
}
IMAGE_SUFFIXES = frozenset({".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif"})
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})
DATABASE_SUFFIXES = frozenset({".db", ".sqlite", ".sqlite3"})
SHEETS = frozenset({"grid.png", "interpolation.gif", "mix.png", "mix.gif"})  # many samples in one picture, as `sample` writes
KNOWN = (
    "a folder or .zip of images, .npz, .npy, IDX files (*-ubyte, *-ubyte.gz), a table (.csv, .csv.gz, .parquet, .db), "
    "or a .csv of points"
)
PAIRED = frozenset({"emoji-pairs"})  # the embedded ones that are pairs
PREFIXES = (
    "pairs",
    "edges",
    "grey",
    "mask",
    "down4",
    "degraded4",
    "patches",
    "unpaired",
    "stacked",
    "table",
)  # see `tightrope.data.prefixes`
STACKED = "stacked:"  # before the folder of MNIST whose digits are stacked, see `tightrope.data.stacked`
EMBEDDED_FOLDER = Path(__file__).parent / "embedded"


def names() -> dict[str, str]:
    """The embedded data sets: name -> one line."""
    return dict(EMBEDDED)


def near(name: str) -> str:
    """A clause that names the embedded sets, the likely one first."""
    word, colon, _ = name.partition(":")
    if colon and len(word) > 1 and "/" not in word and "\\" not in word:
        alike = difflib.get_close_matches(word.lower(), PREFIXES, n=1, cutoff=0.6)
        guess = f"did you mean {alike[0]}:? " if alike else ""
        return f"{guess}Data begins with {', '.join(f'{prefix}:' for prefix in PREFIXES)} or is named without a colon"
    close = difflib.get_close_matches(name.lower(), EMBEDDED, n=1, cutoff=0.6)
    guess = f"did you mean {close[0]!r}? " if close else ""
    return f"{guess}Embedded are {', '.join(EMBEDDED)}"


def shown(name: str | os.PathLike[str]) -> str:
    """A file name that fits on one line of any terminal: control characters and broken UTF-8 are escaped."""
    text = os.fspath(name).encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
