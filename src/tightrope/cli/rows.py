"""`tightrope sample` of a table: any number of rows to one file, under conditions, by `tightrope.explore.rows`."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tightrope.cli.console import counting
from tightrope.core.errors import InputError
from tightrope.core.files import write_atomically
from tightrope.data.tables.drawing import marginals_of
from tightrope.data.tables.encoding import Codec
from tightrope.data.tables.writing import Decoded, is_file, write_rows
from tightrope.explore import rows
from tightrope.explore.generator import Generator

SHOWN = 20_000  # rows of which --grid shows the marginals
DEFAULT = 1_000  # rows, where neither the command nor the generator's file says how many
PICTURES: dict[str, Any] = {  # what is of pictures, or of samples one by one
    "seeds": None, "latents": None, "of_class": None, "mix": None, "steps": None, "truncation": None, "psi": 1.0,
    "cutoff": None, "move": [], "npz": False, "gif": False,
}  # fmt: skip


def asked(arguments: Namespace) -> bool:
    """Rows are meant: by a flag of theirs, or by the name of a table's file."""
    said = arguments.rows is not None or arguments.where or arguments.balance is not None or arguments.count
    return bool(said) or (not arguments.latents and not arguments.mix and is_file(Path(arguments.out)))


def sample(arguments: Namespace, generator: Generator) -> None:
    """Draw rows, write them as they come, and say how many there are."""
    if generator.spec.modality != "table":
        raise InputError(
            f"{arguments.run}: makes {generator.spec.modality} and no rows; name a folder (--out DIR), and choose by --seeds."
        )
    for name, usual in PICTURES.items():
        if getattr(arguments, name) != usual:
            flag = "--class" if name == "of_class" else f"--{name}"
            raise InputError(f"{flag}: is of samples one by one; rows are drawn by -n, --where, --balance, --count and --seed.")
    torch.set_num_threads(1)  # its layers are small: two threads wait for each other longer than they work
    work = Work(arguments, generator)
    with counting(quiet=arguments.json) as tell:
        work.write(tell)
    work.say()


def _counts(texts: list[str]) -> dict[str, int] | None:
    """Conditions and how many rows meet each, from texts like "income=>50K:300"."""
    found: dict[str, int] = {}
    for text in texts:
        condition, mark, many = text.rpartition(":")
        if not mark or not many.strip().replace("_", "").isdecimal():
            raise InputError(f"--count {text!r}: write a condition and its number of rows, like 'income=>50K:300'.")
        found[condition] = found.get(condition, 0) + int(many)
    return found or None


class Work:
    """Draws what was asked for and remembers what was written."""

    def __init__(self, arguments: Namespace, generator: Generator) -> None:
        out = Path(arguments.out)
        if not is_file(out) and out.exists() and not out.is_dir():
            raise InputError(f"--out {out}: is a file; name a .csv, .csv.gz or .parquet, or a directory.")
        self.asked, self.codec = arguments, Codec.from_json(generator.spec.coding)
        self.file = out if is_file(out) else out / "rows.csv"
        counts, n = _counts(arguments.count), arguments.rows
        self.count = sum(counts.values()) if counts else n if n is not None else generator.spec.count or DEFAULT
        self.blocks = rows.draw(
            generator, self.codec, n if counts else self.count, where=arguments.where, balance=arguments.balance, counts=counts,
            seed=arguments.seed,
        )  # fmt: skip
        self.first: list[rows.Drawn] = []  # those that --grid shows
        self.picture: Path | None = None
        self.made, self.seconds = 0, 0.0

    def write(self, tell: Any) -> None:
        began = time.perf_counter()
        write_rows(self.file, self.codec, self._told(tell))
        if self.asked.grid:
            self._grid()
        self.seconds = time.perf_counter() - began

    def _told(self, tell: Any) -> Iterator[Decoded]:
        """The blocks, with progress told after each."""
        tell(0, self.count)
        for some in self.blocks:
            if self.asked.grid and some.first < SHOWN:
                self.first.append(some)
            self.made = some.made
            yield some.levels, some.values, some.first
            tell(some.first + len(some), self.count)

    def _grid(self) -> None:
        from PIL import Image

        levels, values = (np.concatenate([getattr(some, of) for some in self.first])[:SHOWN] for of in ("levels", "values"))
        pixels = marginals_of(self.codec, levels, values)
        stem = self.file.name.removesuffix(".gz").rpartition(".")[0]
        self.picture = self.file.with_name("grid.png" if self.file.parent == Path(self.asked.out) else f"{stem}.png")
        write_atomically(self.picture, lambda path: Image.fromarray(pixels).save(path, format="PNG"))

    def say(self) -> None:
        """What was written."""
        if self.asked.json:
            record = {
                "file": str(self.file), "rows": self.count, "made": self.made, "seconds": round(self.seconds, 3),
                "grid": None if self.picture is None else str(self.picture),
            }  # fmt: skip
            print(json.dumps(record))
            return
        of = f"; of those made one in {self.made / self.count:,.3g} was as asked" if self.made > 1.05 * self.count + 4096 else ""
        print(f"{self.count:,} rows in {self.file} ({self.seconds:.1f} s{of})")
        if self.picture is not None:
            print(self.picture)
