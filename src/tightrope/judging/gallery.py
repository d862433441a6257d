"""The cases of a translation run that people should see: its best, median and worst pictures, in the run's folder `judged`.

    judged/cases.json      what ranks them, what they are of, and each with its figures
    judged/best-1.png      the picture given, the one made and the one wanted, side by side

Where nobody knows the pictures wanted there is no best: some are shown, evenly.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from tightrope.core.files import write_atomically, write_json

FOLDER, RECORD = "judged", "cases.json"
EACH = 3  # cases of a rank
SOME = 6  # where there are no ranks
RANKS = ("best", "median", "worst")
Figures = Mapping[str, Float[Tensor, " n"]]


class Shown(Protocol):
    """Pictures as files hold them, uint8 (n, H, W, C)."""

    @property
    def trivial(self) -> UInt8[np.ndarray, "n H W C"]: ...
    @property
    def made(self) -> UInt8[np.ndarray, "n H W C"]: ...
    @property
    def wanted(self) -> UInt8[np.ndarray, "n H W C"] | None: ...
    @property
    def names(self) -> list[str]: ...


def save(run: Path, pictures: Shown, figures: Figures, trivial: Figures, name: str) -> None:
    """Write the cases in place of those of an earlier evaluation.

    Args:
        figures, trivial: of what was made and what was given, a number a picture; the first ranks them.
        name: of what is scored.
    """
    folder, key = run / FOLDER, next(iter(figures), None)
    folder.mkdir(exist_ok=True)
    (folder / RECORD).unlink(missing_ok=True)  # a record never names pictures of another evaluation
    for old in folder.glob("*-*.png"):
        old.unlink()
    columns = ["given", "made"] + (["wanted"] if pictures.wanted is not None else [])
    cases = []
    for rank, number, i in chosen(None if key is None else figures[key], len(pictures.made)):
        file = f"{rank}-{number}.png"
        strip = side_by_side([x[i] for x in (pictures.trivial, pictures.made, pictures.wanted) if x is not None])
        write_atomically(folder / file, lambda partial, strip=strip: Image.fromarray(strip).save(partial, "PNG"))  # type: ignore[misc]
        cases.append({
            "rank": rank, "picture": file, "index": i, "name": pictures.names[i],
            "figures": {known: values[i].item() for known, values in figures.items()},
            "trivial": {known: values[i].item() for known, values in trivial.items()},
        })  # fmt: skip
    told = {"of": name, "pictures": len(pictures.made), "ranked by": key, "columns": columns, "cases": cases}
    write_json(folder / RECORD, told)


def chosen(values: Float[Tensor, " n"] | None, n: int) -> list[tuple[str, int, int]]:
    """(rank, number within it, index), no picture twice; `values`: lower is better."""
    if values is None:
        return [
            ("some", k, i)
            for k, i in enumerate(dict.fromkeys(np.linspace(0, n - 1, min(SOME, n)).round().astype(int).tolist()), 1)
        ]
    order = torch.argsort(values, stable=True).tolist()
    each = max(1, min(EACH, n // len(RANKS)))
    middle = (n - each) // 2
    places = {"best": order[:each], "median": order[middle : middle + each], "worst": order[::-1][:each]}
    if n < len(RANKS):
        places = {"best": order[:1], "worst": order[1:]}
    return [(rank, k, i) for rank, found in places.items() for k, i in enumerate(found, 1)]


def side_by_side(parts: list[UInt8[np.ndarray, "H W C"]]) -> UInt8[np.ndarray, "H w 3"]:
    """Pictures in a row, in colour, with nothing between them."""
    return np.concatenate([np.broadcast_to(part, (*part.shape[:2], 3)) for part in parts], 1)
