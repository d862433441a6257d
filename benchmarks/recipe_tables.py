"""What `benchmarks/recipes.py` found, for people: docs/quality.md, a sample grid a recipe, a contact sheet a data set."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

import tightrope
from tightrope import data as data_room
from tightrope.core.data import Dataset

ROWS = 5  # of a sample grid; a column a class
SHEET_COLUMNS, LABEL, GAP = 3, 26, 22  # of a contact sheet; pixels
COLUMNS = {"frechet": "Fréchet distance ↓", "coverage": "coverage ↑", "recall": "recall ↑", "precision": "precision ↑"}
Job = dict[str, Any]


def grid(run: tightrope.Run, path: Path) -> None:
    """The samples of seeds 0, 1, 2 ...; where samples are made by class, a column a class and a row a seed."""
    generator = run.generator()
    columns = max(1, len(generator.spec.classes))
    if generator.recipe.CONDITIONAL:
        z = generator.latents(list(range(ROWS))).repeat_interleave(columns, 0)
        samples = generator.decode(z, torch.arange(columns).repeat(ROWS))
    else:
        samples = generator.sample(ROWS * columns)
    Image.fromarray(data_room.modality_of(generator.spec).grid(samples, columns)).save(path, optimize=True)


def real_grid(dataset: Dataset) -> Image.Image:
    """Real samples in the same layout: a column a class."""
    labels = dataset.labels(torch.arange(len(dataset)))
    assert labels is not None
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(0))
    columns = [order[labels[order] == k][:ROWS] for k in range(len(dataset.spec.classes))]
    index = torch.stack(columns, 1).flatten()
    return Image.fromarray(dataset.modality.grid(dataset.batch(index), len(columns)))


def contact_sheet(cells: list[tuple[str, Image.Image]], path: Path) -> None:
    """All grids under their names, SHEET_COLUMNS side by side."""
    width, height = (max(picture.size[side] for _, picture in cells) for side in (0, 1))
    rows = -(-len(cells) // SHEET_COLUMNS)
    size = (SHEET_COLUMNS * (width + GAP) + GAP, rows * (height + LABEL + GAP) + GAP)
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=17)
    for number, (label, picture) in enumerate(cells):
        row, column = divmod(number, SHEET_COLUMNS)
        left, top = GAP + column * (width + GAP), GAP + row * (height + LABEL + GAP)
        draw.text((left + 2, top), label, fill="#1b1d1f", font=font)
        sheet.paste(picture, (left, top + LABEL))
    sheet.quantize(256).save(path, optimize=True)  # far smaller, and no different to the eye


def span(values: Iterable[float], digits: int) -> str:
    """The mean, and the range in brackets."""
    known = list(values)
    mean = f"{statistics.mean(known):,.{digits}f}"
    return mean if len(known) == 1 else f"{mean} ({min(known):,.{digits}f} to {max(known):,.{digits}f})"


def table(rows: list[Job], linked: set[str]) -> list[str]:
    """One line a recipe, the nearest to the real data first; what could not be judged last, with the reason."""
    runs = [row for row in rows if row["kind"] == "run" and "failed" not in row]
    names = {row["recipe"] for row in runs}
    ranked = sorted(names, key=lambda name: statistics.mean(row["frechet"] for row in runs if row["recipe"] == name))
    lines = ["| recipe | " + " | ".join(COLUMNS.values()) + " | seeds | images seen | CPU s |", "|---" * (len(COLUMNS) + 4) + "|"]
    if runs:
        real = [f"{runs[0][f'{name} of real']:.2f}" if runs[0].get(f"{name} of real") is not None else "" for name in COLUMNS]
        lines.append("| *real images instead* | " + " | ".join(real) + " | | | |")
    for name in ranked:
        mine = [row for row in runs if row["recipe"] == name]
        figures = [span((row[metric] for row in mine), 2) for metric in COLUMNS]
        clocks = [row["seconds"] for row in mine if row["seconds"] is not None]
        shown = f"[{name}](recipes/{name}.md)" if name in linked else f"`{name}`"
        seconds = f"{statistics.mean(clocks):.0f}" if clocks else ""
        lines.append(f"| {shown} | " + " | ".join(figures) + f" | {len(mine)} | {mine[0]['seen']:,} | {seconds} |")
    for row in rows:
        if "failed" in row:
            seed = f", seed {row['seed']}" if "seed" in row else ""
            lines.append(f"| `{row['recipe']}`{seed} | no result: {row['failed']} " + "| " * (len(COLUMNS) + 2) + "|")
    return lines


def write(rows: list[Job], arguments: argparse.Namespace, fields: dict[str, Any], count: int, size: int) -> None:
    """docs/quality.md and its pictures."""
    docs, pictures = arguments.docs, arguments.docs / "pictures"
    (pictures / "recipes").mkdir(parents=True, exist_ok=True)
    fields = {name: changed for name, changed in fields.items() if name in arguments.recipes}
    linked = {path.stem for path in (docs / "recipes").glob("*.md")}
    seeds, jobs = len({row["seed"] for row in rows if "seed" in row}), arguments.jobs
    budget = f"{arguments.cpu_seconds:g}"
    given = " ".join(map(str, arguments.seeds))
    changed = "".join(f", `{name}` with " + ", ".join(f"`--{k} {v}`" for k, v in f.items()) for name, f in fields.items())
    text = [
        "# Quality of every image recipe after the same time",
        "",
        f"Each recipe is trained for {budget} seconds of one CPU thread's own time, {jobs} at once on {jobs} cores, with up "
        f"to {seeds} seed{'s' * (seeds != 1)}, at {size} px, and judged by {count:,} samples of its averaged "
        "generator. Values are means over the seeds, with the range. What real images in the place of generated ones score is "
        "the first line.",
        "",
        "A budget this short favours light networks: the table says what a recipe does in that time, not what its paper's budget "
        f"would make of it. Recipes run with their defaults{changed}.",
        "",
        "```",
        f"python benchmarks/recipes.py --cpu-seconds {budget} --seeds {given} --jobs {jobs}",
        "```",
    ]
    for name in arguments.data:
        mine = [row for row in rows if row["data"] == name]
        done = [row for row in mine if row["kind"] == "run" and "failed" not in row]
        if not mine:
            continue
        judged = f", judged by `{done[0]['extractor']}`" if done else ""
        text += ["", f"## {name}{judged}", "", *table(mine, linked)]
        if done:
            draw(name, done, arguments, size)
            text += ["", f"![Samples of every recipe on {name}](pictures/quality-{name}.png)"]
    (docs / "quality.md").write_text("\n".join(text) + "\n", encoding="utf-8")
    print(f"wrote {docs / 'quality.md'}")


def draw(data: str, done: list[Job], arguments: argparse.Namespace, size: int) -> None:
    """The contact sheet of a data set, and a copy of each recipe's grid for its page."""
    first = min(row["seed"] for row in done)
    shown = sorted((row for row in done if row["seed"] == first), key=lambda row: row["frechet"])
    cells = [("real images", real_grid(data_room.load(data, size=size)))]
    for row in shown:
        folder = arguments.out / f"{row['recipe']}-{data}-{arguments.cpu_seconds:g}s-{first}"
        picture = Image.open(folder / "grid.png").convert("RGB")
        cells.append((f"{row['recipe']}   {row['frechet']:.2f}", picture))
        kept = picture.convert("L") if not np.ptp(np.asarray(picture), axis=2).any() else picture
        kept.save(arguments.docs / "pictures" / "recipes" / f"{row['recipe']}-{data}.png", optimize=True)
    contact_sheet(cells, arguments.docs / "pictures" / f"quality-{data}.png")
