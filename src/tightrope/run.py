"""A run directory: what it records, its generator, its metrics, its report."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from tightrope import data as data_room
from tightrope import recipes
from tightrope.core.data import Dataset
from tightrope.core.errors import InputError
from tightrope.core.hyper import values
from tightrope.core.spec import DataSpec
from tightrope.explore.generator import NETWORK, Generator, read


def trusted(named: str | None, recorded: str, where: Path) -> str:
    """The recipe to import: one of the package, or a file that the user has named; never a file on a record's word alone."""
    if named is None and recorded.endswith(".py"):
        raise InputError(f"{where}: was trained with a recipe file; name that file to let it run: --recipe {recorded}")
    return named or recorded


class Run:
    """A run directory.

    Attributes:
        path: the directory.
        own_recipe: the recipe's file as the user named it, where it is not one of the package's.
    """

    def __init__(self, path: str | Path, recipe: str | None = None) -> None:
        self.path, self.own_recipe = Path(path), recipe
        if not (self.path / "run.json").is_file():
            raise InputError(f"{path}: is not a run (it holds no run.json); `tightrope train` makes one under runs/.")

    @property
    def record(self) -> dict[str, Any]:
        """run.json."""
        try:
            loaded: dict[str, Any] = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{self.path / 'run.json'}: is damaged ({error}).") from None
        return loaded

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """metrics.jsonl."""
        path = self.path / "metrics.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def dataset(self, progress: Callable[[int, int], None] | None = None) -> Dataset:
        """The run's data, as training saw it; InputError when the files have changed since."""
        try:
            known = self.record["data"]
            source, _ = dict(known["source"]), known["fingerprint"]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{self.path / 'run.json'}: does not say what the data is; name it: --data DATA.") from error
        loaded = data_room.load(**source, progress=progress)
        if loaded.fingerprint != known["fingerprint"]:
            raise InputError(
                f"{known['source']['data']}: the data has changed since {self.path} began (its fingerprint differs); "
                "bring the old files back, or start a new run."
            )
        return loaded

    @property
    def recipe(self) -> str:
        """The recipe's name, or its file as the user named it."""
        return trusted(self.own_recipe, self.record["recipe"]["file"], self.path)

    def generator(self, best: bool = False) -> Generator:
        """The averaged generator at the end of training, or where its samples were the best."""
        file = self.path / "best.safetensors"
        if best and not file.is_file():
            raise InputError(
                f"{self.path}: no best generator was kept (trained with --no-watch, or too briefly); leave out --best."
            )
        return load(file if best else self.path, self.own_recipe)

    def report(self) -> Path:
        """Write report.html and return its path."""
        from tightrope import report

        return report.build(self.path)


def load(path: str | Path, recipe: str | None = None) -> Generator:
    """Open a generator: a run directory, its generator.safetensors, or one that was imported. No code of the file's own is run.

    Args:
        recipe: the recipe's file, where it was trained with a file of your own.
    """
    file = Path(path)
    if file.is_dir():
        Run(file)
        file = file / "generator.safetensors"
    header, tensors = read(file)
    if header["format"] == NETWORK:
        return _imported(file, header, tensors)
    cls = recipes.find(trusted(recipe, header["recipe"], file))
    try:
        fields, spec = json.loads(header["fields"]), DataSpec.from_json(json.loads(header["spec"]))
        return Generator(cls(**fields), spec, tensors, header)
    except (RuntimeError, TypeError, KeyError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{file}: does not fit this version's recipe {header['recipe']!r} ({first}).") from error


def _imported(file: Path, header: dict[str, str], tensors: dict[str, Tensor]) -> Generator:
    """A network of another project."""
    from tightrope.interop import imported  # its systems are not needed for what was trained here

    try:
        recipe, spec, named, said = imported.opened(header, tensors)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    return Generator(recipe, spec, named, said)


def recipe_record(header: recipes.Header, file: str, built: Any, preset: str | None, fields: dict[str, Any]) -> dict[str, Any]:
    """run.json's "recipe"."""
    declared = {name: dataclasses.asdict(field) for name, field in header.fields.items()}
    own_file = str(Path(file).resolve()) if file.endswith(".py") else file
    return {
        "name": header.name, "file": own_file, "title": header.sentence, "paper": header.paper, "preset": preset,
        "fields": values(built), "overrides": fields, "declared": declared, "conditional": built.CONDITIONAL,
    }  # fmt: skip


def data_record(dataset: Dataset) -> dict[str, Any]:
    """run.json's "data"."""
    return {
        "name": dataset.name, "source": dataset.source, "fingerprint": dataset.fingerprint,
        "licence": dataset.licence, "count": len(dataset), "spec": dataset.spec.to_json(),
    }  # fmt: skip


def facts(record: dict[str, Any]) -> dict[str, str]:
    """The header of the generator's file."""
    recipe, data = record["recipe"], record["data"]
    return {
        "tightrope": record["tightrope"], "recipe": recipe["file"], "fields": json.dumps(recipe["fields"]),
        "spec": json.dumps(data["spec"]), "data": data["name"], "data_fingerprint": data["fingerprint"],
        "data_licence": data["licence"] or "not stated", "seed": str(record["seed"]),
    }  # fmt: skip


def brief(record: dict[str, Any]) -> dict[str, Any]:
    """What the console says when a run begins."""
    keys = ("precision", "probe", "threads", "processes", "budget", "parameters", "tick")
    return {**{key: record[key] for key in keys}, "recipe": record["recipe"]["name"], "data": record["data"]["name"]}
