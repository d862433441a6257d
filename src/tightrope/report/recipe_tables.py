"""The tables of a recipe's description, as rows of words: the console aligns them, the page makes Markdown of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tightrope.report.described import Costs, Description, Layer, Network

Rows = list[list[str]]


def flops(number: float | None) -> str:
    """3.49e7 -> "34.9 MFLOP"."""
    return "" if number is None else f"{_scaled(number)}FLOP"


def size(number: float) -> str:
    """Bytes: 6.81e7 -> "68.1 MB"."""
    return f"{_scaled(number)}B"


def _scaled(number: float) -> str:
    for unit, letter in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * unit:
            scaled = number / unit
            return f"{scaled:.0f} {letter}" if scaled >= 99.95 else f"{scaled:.3g} {letter}"
    return f"{number:.0f} "


def shown_for(found: Description) -> str:
    """What the figures were taken for."""
    kind = {"points": "points", "table": "rows"}.get(found.modality)
    what = f"{kind} of {found.shape[0]} numbers" if kind else "images of " + "x".join(map(str, found.shape))
    words = [f"{what} in {found.classes} classes" if found.classes else what]
    words += [f"preset {found.preset}"] if found.preset not in (None, "default") else []
    return ", ".join(words + ["with networks that have grown to their full size"] * found.grown)


def allowed(field: Mapping[str, Any]) -> str:
    """A field's bounds or choices."""
    if field["type"] == "bool":
        return "true, false"
    if field["choices"]:
        return ", ".join(field["choices"])
    low, high = ("any" if field[end] is None else f"{field[end]:g}" for end in ("low", "high"))
    return f"{low} to {high}"


def word(value: Any) -> str:
    """A field's value as it is typed."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def fields(found: Description) -> Rows:
    """Flag, default (and the value here where it differs), the paper's, bounds, meaning."""
    rows = [["field", "default", "here", "paper", "allowed", "meaning"]]
    for field in found.fields:
        here = word(field["value"]) if field["value"] != field["default"] else ""
        paper = word(field["paper"]) if field["paper"] is not None else ""
        rows.append([f"--{field['flag']}", word(field["default"]), here, paper, allowed(field), field["doc"]])
    return without_empty(rows)


def without_empty(rows: Rows) -> Rows:
    """Drop columns that say nothing."""
    kept = [c for c in range(len(rows[0])) if any(row[c] for row in rows[1:])]
    return [[row[c] for c in kept] for row in rows]


def head(network: Network) -> str:
    """One line on a player."""
    if not network.parameters:
        return f"{network.kind}: no weights, {network.buffers:,} numbers of state"
    parts = [f"{network.parameters:,} parameters"]
    parts += [f"{flops(network.flops)} a sample"] if network.flops else []
    return "; ".join([", ".join(parts), *([network.rule] if network.rule else [])])


def layers(network: Network) -> Rows:
    """Path, kind, output shape, parameters, FLOPs a sample."""
    return [["layer", "kind", "output", "parameters", "FLOP a sample"], *(_layer(layer) for layer in network.layers)]


def _layer(layer: Layer) -> list[str]:
    shape = "-" if layer.shape is None else "x".join(map(str, layer.shape)) or "1"
    kind = f"{layer.times} x {layer.kind}" if layer.times > 1 else layer.kind
    counted = f"{_scaled(layer.flops).strip()}" if layer.flops else ""
    return [layer.path or "(itself)", kind, shape, f"{layer.parameters:,}" if layer.parameters else "", counted]


def costs(found: Costs) -> Rows:
    """Arithmetic and memory, drawing and training."""
    pieces = [("weights", found.weights), ("their average", found.average), ("gradients", found.gradients),
              ("optimizers", found.states), ("activations", found.activations)]  # fmt: skip
    return [
        ["what", "how much", "of which"],
        ["drawing a sample", flops(found.sample), ""],
        ["training, a real sample seen", flops(found.seen), "every phase and repeat of a round"],
        ["activations, a sample of the batch", size(found.activation), "kept for the backward pass, at the peak of a round"],
        [f"training in fp32, a batch of {found.batch}", size(found.total), ", ".join(f"{name} {size(b)}" for name, b in pieces)],
    ]


def aligned(rows: Rows, indent: int = 2, right: tuple[str, ...] = ("parameters", "FLOP a sample")) -> list[str]:
    """Rows as columns of text, the last one free; names in `right` stand right-aligned."""
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            f"{cell:>{width}}" if name in right else f"{cell:<{width}}"
            for cell, width, name in zip(row, widths, rows[0], strict=True)
        ]
        lines.append((" " * indent + "  ".join(cells)).rstrip())
    return lines


def markdown(
    rows: Rows, right: tuple[str, ...] = ("parameters", "FLOP a sample"), code: tuple[str, ...] = ("field", "layer")
) -> str:
    """Rows as a Markdown table."""
    safe = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    marks = ["---:" if name in right else "---" for name in rows[0]]
    coded = [name in code for name in rows[0]]
    body = [[f"`{cell}`" if c and cell else cell for cell, c in zip(row, coded, strict=True)] for row in safe[1:]]
    return "\n".join("| " + " | ".join(row) + " |" for row in [safe[0], marks, *body])
