"""A recipe's page in Markdown, with its diagram beside it. `tightrope show RECIPE --out PAGE.md` writes one."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tightrope.core.files import write_text
from tightrope.report import recipe_tables as tables
from tightrope.report.described import Description
from tightrope.report.diagram import svg
from tightrope.report.words import ARXIV

SETS = ("fashion", "emoji")  # whose samples a page shows, where there is a picture of them


def write(found: Description, path: Path, pictures: Path | None = None) -> list[Path]:
    """Write the page and its diagram; returns both.

    Args:
        pictures: where the diagram goes and sample grids NAME-fashion.png are looked for; default: ../pictures/FOLDER as seen
            from the page, where that exists (FOLDER: the page's own), else beside the page.
    """
    usual = path.parent.parent / "pictures" / path.parent.name
    folder = pictures or (usual if usual.is_dir() else path.parent)
    drawing = folder / f"{path.stem}.svg"
    write_text(drawing, svg(found))
    write_text(path, page(found, path, drawing))
    return [path, drawing]


def page(found: Description, path: Path, drawing: Path) -> str:
    """The Markdown."""
    home = path.parent
    index = "[All recipes](../recipes.md)\n\n" if (home.parent / "recipes.md").is_file() else ""
    parts = [
        f"{index}# {found.name}\n\n{found.sentence}",
        f"**Paper:** {_linked(found.paper)}\n\n```\n{found.run}\n```\n\n**Expect:** {found.expect}",
        f"## A round\n\n![{_spoken(found)}]({_from(home, drawing)})",
        _samples(found, home, drawing.parent),
        f"## Fields\n\nEach is a flag of `tightrope train {found.name}`.\n\n{tables.markdown(tables.fields(found))}"
        + _presets(found),
        f"## Networks\n\nFor {tables.shown_for(found)}. FLOPs are 2 a multiply-add, of convolutions and matrix products.",
        *(_network(found, index) for index in range(len(found.networks))),
        f"## Cost\n\n{tables.markdown(tables.costs(found.costs))}",
        f"*Written by `tightrope show {found.name} --out {path.name}`, which plays a round of the recipe on noise and watches.*",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _from(home: Path, file: Path) -> str:
    return Path(os.path.relpath(file, home)).as_posix()


def _linked(paper: str) -> str:
    """arXiv numbers become links."""
    return ARXIV.sub(lambda m: f"[{m.group(0)}](https://arxiv.org/abs/{m.group(1)})", re.sub(r"([*_`\[])", r"\\\1", paper))


def _spoken(found: Description) -> str:
    """The diagram in words."""
    moves = []
    for move in found.moves:
        terms = ", ".join(f"{term.name} (on {' and '.join(term.inputs)})" for term in move.terms)
        moves.append(f"phase {move.name}: {' and '.join(move.moves)} moves to minimise {terms}")
    return f"A round of {found.name}. " + "; ".join(moves).replace("[", "").replace("]", "")


def _samples(found: Description, home: Path, pictures: Path) -> str:
    """Sample grids of the quality benchmark, where they were made."""
    grids = [(name, pictures / f"{found.name}-{name}.png") for name in SETS]
    shown = [f"![Samples of {found.name} on {name}]({_from(home, file)})" for name, file in grids if file.is_file()]
    if not shown:
        return ""
    table = home.parent / "quality.md"
    more = f" Its figures beside those of the others: [quality]({_from(home, table)})." if table.is_file() else ""
    return f"## Samples\n\nAfter the quality benchmark's short budget of CPU time, seed 0, not selected.{more}\n\n" + "\n\n".join(
        shown
    )


def _presets(found: Description) -> str:
    """The presets and what they set; the one for tests is left out."""
    shown = {name: values for name, values in found.presets.items() if name != "toy"}
    if not shown:
        return ""
    lines = [f"- `{name}`: " + ", ".join(f"{k} {tables.word(v)}" for k, v in values.items()) for name, values in shown.items()]
    return "\n\nPresets (`--preset`; one that is named after the data is chosen by itself):\n" + "\n".join(lines)


def _network(found: Description, index: int) -> str:
    network = found.networks[index]
    rows = f"\n\n{tables.markdown(tables.layers(network))}" if network.layers else ""
    return f"### {network.player}\n\n{tables.head(network)}{rows}"
