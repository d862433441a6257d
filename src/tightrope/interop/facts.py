"""What a generator's file says of itself, and what the run in whose directory it lies says of it."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

from tightrope.core.errors import InputError
from tightrope.core.shelf import Source
from tightrope.explore.generator import Generator

UNKNOWN = "not stated"
LAST, BEST = "generator.safetensors", "best.safetensors"  # of a run
Record = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Facts:
    """What the files say.

    Attributes:
        file: the generator's.
        header: its header, texts.
        numbers: stored in it, weights and statistics.
        sha256: of the file.
        run: run.json of the run it lies in; empty elsewhere.
        metrics: of that run.
        title, paper: of the recipe.
        by_class: whether samples are made for a class; None where nothing says.
    """

    file: Path
    header: dict[str, str]
    numbers: int
    sha256: str
    run: Record
    metrics: list[Record]
    title: str
    paper: str
    by_class: bool | None

    @property
    def recipe(self) -> str:
        """Its name."""
        return Path(self.header.get("recipe", UNKNOWN)).stem

    @property
    def spec(self) -> Record:
        """Shape and classes of what it draws."""
        return json.loads(self.header["spec"])

    def say(self, key: str) -> str:
        """One text of the header, or that it is not there."""
        return self.header.get(key) or UNKNOWN


def generator_file(place: str | Path) -> Path:
    """The generator's file of a run's directory, or the file itself."""
    path = Path(place)
    return path / LAST if path.is_dir() else path


def gather(place: str | Path, generator: Generator | None = None) -> Facts:
    """Read what is known of a run's generator, or of a generator's file.

    Args:
        generator: what was opened from it, which tells its paper where no run does.

    Raises:
        InputError: there is no such file, or the run's records are damaged.
    """
    file = generator_file(place)
    if not file.is_file():
        raise InputError(f"{file}: no such file; name a run or a generator.safetensors.")
    with safe_open(file, framework="np") as opened:
        header = dict((generator.header if generator else opened.metadata()) or {})
        numbers = sum(int(np.prod(opened.get_slice(name).get_shape())) for name in opened.keys())
    in_run = file.name in (LAST, BEST)
    run, metrics = (_records(file.parent / name) if in_run else [] for name in ("run.json", "metrics.jsonl"))
    of_recipe = run[0].get("recipe", {}) if run else {}
    title, paper, by_class = (of_recipe.get(key) for key in ("title", "paper", "conditional"))
    if generator and not run:
        by_class = generator.recipe.CONDITIONAL
        title, paper = _about(type(generator.recipe)) if "system" not in header else (header.get("container"), None)
    with open(file, "rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return Facts(
        file, header, numbers, sha256, run[0] if run else {}, metrics,
        title or UNKNOWN, paper or UNKNOWN, by_class,
    )  # fmt: skip


def _about(recipe: type) -> tuple[str, str]:
    """A recipe's first sentence and paper, from the text of its file."""
    source = Source.read(Path(inspect.getfile(recipe)))
    return source.sentence, source.paragraph("Paper:")


def _records(path: Path) -> list[Record]:
    """The record of a JSON file, or those of one with a record a line; none where there is no file."""
    if not path.is_file():
        return []
    try:
        text = path.read_text(encoding="utf-8")
        return [json.loads(part) for part in (text.splitlines() if path.suffix == ".jsonl" else [text])]
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is damaged ({error}); move it away, and the card is written without it.") from error
