"""`tightrope show`: a recipe's fields, networks, phases and costs; on the console, as JSON, or as a picture or page."""

from __future__ import annotations

import json
import textwrap
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tightrope import recipes
from tightrope.cli.parsing import Parser, field_flags
from tightrope.core.blocks import Block
from tightrope.core.errors import InputError
from tightrope.core.hyper import Hyper
from tightrope.core.spec import DataSpec

if TYPE_CHECKING:
    from tightrope.report.described import Description

WIDTH = 110
SHAPE = {"size": 32, "channels": 1, "classes": 10}  # where no data is named: that of fashion
ROW = (  # of a table, where none is named: a category of ten values, and a number that may be missing
    Block(column="category", kind="onehot", role="category", start=0, stop=10),
    Block(column="number", kind="onehot", role="mode", start=10, stop=12),
    Block(column="number", kind="scalar", role="value", start=12, stop=13, gate=(11,)),
)
HIGH = {"size": 4096, "channels": 3, "classes": 100_000}
ENDINGS = (".svg", ".md")


def arguments(parser: Parser) -> None:
    """The flags of the verb."""
    parser.description = (
        "Show what a recipe is: fields, networks with shapes and parameters, what each phase does, what it costs."
    )
    parser.epilog = """A recipe's fields are flags too. Without --data the shape is that of fashion, of points on a plane, or of a
small table.

examples:
  tightrope show dcgan
  tightrope show swift --data emoji --size 64
  tightrope show r3gan --size 64 --channels 3 --width 128
  tightrope show ./my_gan.py --out my_gan.svg"""
    add = parser.add_argument
    add("recipe", metavar="RECIPE", help="a name of `tightrope recipes` or a recipe's file")
    add("--data", metavar="DATA", help="an embedded set or a path: for this data's shape and classes")
    add("--size", metavar="PX", help="for images of PX x PX (default: 32)")
    add("--channels", metavar="C", help="for images of 1 or 3 channels (default: 1)")
    add("--classes", metavar="K", help="for data with K classes, 0 for none (default: 10)")
    add("--preset", metavar="P", help="one of the recipe's presets; the shape chooses by default")
    add("--out", metavar="FILE", type=Path, help="write the diagram (FILE.svg) or a page with it (FILE.md); a folder gets both")


def show(arguments: Namespace) -> None:
    """Everything about one recipe."""
    header = recipes.header(arguments.recipe)
    if arguments.rest and not arguments.rest[0].startswith("--"):
        raise InputError(f"{arguments.rest[0]!r} is one argument too many: tightrope show takes one RECIPE (data: --data DATA).")
    asked = _shape(arguments, header)
    fields = field_flags(arguments.rest, header.fields, arguments.own_flags, header.name)
    header.resolve(arguments.preset, fields)
    _check_out(arguments.out)
    spec = _spec(arguments.data, asked, header)
    from tightrope.describe import describe  # torch

    found = describe(arguments.recipe, spec, arguments.preset, fields)
    written = _write(found, arguments.out) if arguments.out else []
    if arguments.json:
        print(json.dumps(found.to_json() | ({"written": [str(path) for path in written]} if written else {}), indent=2))
    elif written:
        print("\n".join(str(path) for path in written))
    else:
        print(text(found))


def _shape(arguments: Namespace, header: recipes.Header) -> dict[str, int]:
    """The sizes that were asked for. Where the recipe has a field of that name, the flag is the field's, as in training."""
    asked = {}
    for name, high in HIGH.items():
        value = getattr(arguments, name)
        if value is None:
            continue
        if name in header.fields:
            arguments.rest += [f"--{name}", value]
            continue
        asked[name] = Hyper(name=name, type="int", default=0, doc=name, low=name != "classes", high=high).check(value)
        if asked[name] == 2 and name == "channels":
            raise InputError(f"--channels {value}: images have 1 or 3.")
        if header.modalities in (("points",), ("table",)):
            raise InputError(f"--{name}: recipe {header.name} makes {' and '.join(header.modalities)}; name data with --data.")
        if arguments.data and name != "size":
            raise InputError(f"--{name}: --data says that already; give one of them.")
    return {name: int(value) for name, value in asked.items()}


def _check_out(out: Path | None) -> None:
    if out is not None and out.suffix not in ENDINGS and (out.suffix or out.is_file()):
        raise InputError(f"--out {out}: must end in {' or '.join(ENDINGS)}, or be a folder.")
    if out is not None and out.suffix in ENDINGS and out.is_dir():
        raise InputError(f"--out {out}: is a folder; name a file in it.")


def _spec(data: str | None, asked: dict[str, int], header: recipes.Header) -> DataSpec:
    """The data's shape: of the set that was named, or the one that was asked for."""
    if data:
        from tightrope import data as data_room

        return data_room.load(data, size=asked.get("size")).spec
    if header.modalities == ("points",):
        return DataSpec(modality="points", shape=(2,))
    if header.modalities == ("table",):
        return DataSpec(modality="table", shape=(ROW[-1].stop,), blocks=ROW)
    sizes = SHAPE | asked
    shape = (sizes["channels"], sizes["size"], sizes["size"])
    if "images" not in header.modalities:
        return DataSpec(modality=header.modalities[0], shape=shape, given=shape)
    return DataSpec(modality="images", shape=shape, classes=tuple(f"class {k}" for k in range(sizes["classes"])))


def _write(found: Description, out: Path) -> list[Path]:
    """The picture, the page, or both."""
    from tightrope.core.files import write_text
    from tightrope.report import recipe_page
    from tightrope.report.diagram import svg

    if out.suffix == ".svg":
        out.parent.mkdir(parents=True, exist_ok=True)
        write_text(out, svg(found))
        return [out]
    page = out if out.suffix == ".md" else out / f"{found.name}.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    return recipe_page.write(found, page)


def text(found: Description) -> str:
    """All of it in plain text."""
    from tightrope.report import recipe_tables as tables
    from tightrope.report.sketch import sketch

    lines = [_wrapped(found.name, found.sentence), _wrapped("paper", found.paper), _wrapped("run", found.run)]
    lines += [_wrapped("expect", found.expect), _wrapped("makes", ", ".join(found.modalities) + " by class" * found.conditional)]
    lines += [_wrapped("shown for", tables.shown_for(found)), "", "FIELDS", *tables.aligned(tables.fields(found))]
    presets = {name: ", ".join(f"{k} {tables.word(v)}" for k, v in values.items()) for name, values in found.presets.items()}
    lines += ["", *(_wrapped(f"  preset {name}", values, 22) for name, values in presets.items())]
    for network in found.networks:
        lines += ["", f"{network.player}   {tables.head(network)}"]
        lines += tables.aligned(tables.layers(network), 4) if network.layers else []
    lines += ["", "A ROUND", *(f"\n{sketch(move)}" for move in found.moves)]
    return "\n".join([*lines, "", "COST", *tables.aligned(tables.costs(found.costs)[1:])])


def _wrapped(label: str, words: Any, width: int = 11) -> str:
    return textwrap.fill(str(words), WIDTH, initial_indent=f"{label:<{width}} ", subsequent_indent=" " * (width + 1))
