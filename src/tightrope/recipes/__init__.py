"""The systems, one file each; the file's name is the recipe's name. Importing this package imports none of them.

`catalogue()` reads every file's header, fields and presets from its source text, without running it and without torch:
from it come the command-line flags, `tightrope recipes`, and the answers to mistyped names. `find(name)` imports one.
A recipe of your own is used by its path: `tightrope train ./my_gan.py fashion`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tightrope.core.errors import InputError
from tightrope.core.hyper import Hyper, unknown_field
from tightrope.core.shelf import Shelf, Source
from tightrope.core.spec import DataSpec

SHELF = Shelf(Path(__file__).parent, "tightrope.recipes", "recipe")
FEW = 10_000  # samples below which a recipe's preset for few is chosen


@dataclass(frozen=True)
class Header:
    """What a recipe's file says of itself."""

    name: str
    path: Path
    sentence: str
    paper: str
    run: str
    expect: str
    fields: dict[str, Hyper]
    presets: dict[str, dict[str, Any]]
    modalities: tuple[str, ...]
    class_name: str

    def suited(self, spec: DataSpec) -> str:
        """The preset that is chosen for such data by itself, the most special there is; "default" where there is none."""
        few = [f"{spec.modality}-few"] * (0 < spec.count < FEW)
        names = (f"{spec.modality}-{spec.size}", *few, spec.modality)
        return next((name for name in names if name in self.presets), "default")

    def resolve(self, preset: str | None, overrides: dict[str, Any]) -> dict[str, Any]:
        """Field values that differ from the defaults: the preset's, then the user's, all checked.

        Args:
            preset: a name of PRESETS; None or "default" for none.
            overrides: the user's own values.
        """
        preset = preset or "default"
        if preset != "default" and preset not in self.presets:
            raise InputError(f"--preset {preset}: {self.name} has default, {', '.join(self.presets)}.")
        chosen = {**self.presets.get(preset, {}), **overrides}
        for name in chosen:
            if name not in self.fields:
                raise unknown_field(name, self.fields, f"recipe {self.name}")
        return {name: self.fields[name].check(value) for name, value in chosen.items()}


def names() -> list[str]:
    """Recipes that come with the package."""
    return SHELF.names()


def catalogue() -> list[Header]:
    """The header of every recipe that comes with the package."""
    return [header(name) for name in names()]


def header(name: str) -> Header:
    """Read one recipe's header; `name` is a name of `names()` or a path to a recipe's file."""
    source = Source.read(SHELF.path(name))
    path, classes = source.path, [node for node in source.tree.body if isinstance(node, ast.ClassDef) and _decorated(node)]
    if len(classes) != 1:
        raise InputError(f"{path}: a recipe's file holds one class made by @recipe, this one has {len(classes)}.")
    table = _table(classes[0])
    return Header(
        name=path.stem,
        path=path,
        sentence=source.sentence,
        paper=source.paragraph("Paper:"),
        run=source.paragraph("Run:"),
        expect=source.paragraph("Expect:"),
        fields=_fields(classes[0]),
        presets=table.get("PRESETS", {}),
        modalities=tuple(table.get("MODALITIES", ())),
        class_name=classes[0].name,
    )


def find(name: str) -> type[Any]:
    """Import a recipe's file and return its class."""
    head = header(name)
    found: type[Any] = vars(SHELF.load(head.path))[head.class_name]
    return found


def build(
    name: str, spec: DataSpec, preset: str | None = None, fields: Mapping[str, Any] | None = None, data: str = "the data"
) -> Any:
    """A recipe for data of this shape: the fields of the preset that suits it (or of `preset`), then the user's own.

    Raises:
        InputError: it does not make this kind of data; a preset or field is wrong.
    """
    head = header(name)
    if spec.modality not in head.modalities:
        raise InputError(f"recipe {head.name} makes {' and '.join(head.modalities)}, {data} holds {spec.modality}.")
    return find(name)(**head.resolve(preset or head.suited(spec), dict(fields or {})))


def _decorated(node: ast.ClassDef) -> bool:
    return any(isinstance(d, ast.Name) and d.id == "recipe" for d in node.decorator_list)


def _table(node: ast.ClassDef) -> dict[str, Any]:
    """The class's capitalised constants, which are literals."""
    return {
        item.target.id: ast.literal_eval(item.value)
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.target.id.isupper() and item.value
    }


def _fields(node: ast.ClassDef) -> dict[str, Hyper]:
    found = {}
    for item in node.body:
        if not (isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and isinstance(item.value, ast.Call)):
            continue
        default, doc = (ast.literal_eval(argument) for argument in item.value.args)
        extras = {k.arg: ast.literal_eval(k.value) for k in item.value.keywords if k.arg}
        name = item.target.id
        found[name] = Hyper(name=name, type=ast.unparse(item.annotation), default=default, doc=doc, **extras)
    return found
