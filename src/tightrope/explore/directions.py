"""Directions of a space: what they are, how far a step goes, and the file that keeps them.

    found = sefa(space, count=8)
    directions.save(Path("sefa.safetensors"), found, space)
    images = space.decode(found[0].move(space, space.draw([0, 1]), 2.5))

A strength is counted in standard deviations of the drawn places' projection onto the direction, in every space: 3 is far out.
Axes: N places, P parts, D width of a part.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.files import write_atomically
from tightrope.explore.latent_file import fingerprint
from tightrope.explore.spaces import Places, Space

FORMAT = "tightrope-directions-1"
DRAWN = 2_000  # places whose projections make the unit
WORD = re.compile(r"(?P<file>.+?)(#(?P<which>[^#:]+))?(:(?P<strength>[-+]?(\d+\.?\d*|\.\d+)))?", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Direction:
    """One way to move places.

    Attributes:
        name: what people call it.
        vector: of length 1, the same for every part.
        unit: length of strength 1.
        layers: those that are moved; None for all.
        facts: how it was found, and how well it does.
    """

    name: str
    vector: Float[Tensor, " d"]
    unit: float
    layers: tuple[int, ...] | None = None
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def move(self, space: Space, places: Places, strength: float | Float[Tensor, " n"]) -> Places:
        """Places moved by `strength`, or each by its own."""
        by = torch.as_tensor(strength, dtype=torch.float32).reshape(-1, 1, 1) * self.unit
        return places.moved(by * self.vector * space.mask(self.layers))

    def __neg__(self) -> Direction:
        return dataclasses.replace(self, vector=-self.vector)


def along(
    space: Space, vector: Float[Tensor, " d"], name: str, drawn: Places, layers: Sequence[int] | None = None, **facts: Any
) -> Direction:
    """A direction with its unit measured on drawn places."""
    unit_vector = vector / vector.norm()
    spread = (flat(drawn) @ unit_vector).std().item()
    return Direction(name, unit_vector, spread, None if layers is None else tuple(layers), facts)


def flat(places: Places) -> Float[Tensor, "n d"]:
    """What directions are found among: a latent, or the mean of a place's styles (drawn ones are all the same)."""
    return places.at.mean(1)


def random(space: Space, seed: int, drawn: Places, layers: Sequence[int] | None = None) -> Direction:
    """A direction of no meaning, to compare with: uniform on the sphere in units of the drawn places' spread."""
    noise = torch.randn(len(drawn), generator=torch.Generator().manual_seed(seed))
    vector = (flat(drawn) - flat(drawn).mean(0)).T @ noise  # of the covariance of the places, as a drawn difference is
    return along(space, vector, f"random {seed}", drawn, layers, method="random")


def orthogonalised(vector: Float[Tensor, " d"], against: Sequence[Direction]) -> Float[Tensor, " d"]:
    """The part of a vector that moves along none of the others (conditional manipulation, Shen et al. 2020, section 3.2).

    Raises:
        InputError: nothing is left, because it lies among them.
    """
    if not against:
        return vector
    basis = torch.linalg.qr(torch.stack([other.vector for other in against], 1)).Q
    left = vector - basis @ (basis.T @ vector)
    if left.norm() < 1e-3 * vector.norm():
        raise InputError(
            f"the direction lies among those it should leave alone ({', '.join(d.name for d in against)}); drop one."
        )
    return left


def save(path: str | Path, found: Sequence[Direction], space: Space) -> None:
    """Write directions as safetensors, with names, layers and facts as JSON in the header."""
    records = [{"name": d.name, "unit": d.unit, "layers": d.layers, "facts": dict(d.facts)} for d in found]
    header = {"format": FORMAT, "space": space.name, "directions": json.dumps(records), "generator": fingerprint(space.generator)}
    vectors = torch.stack([d.vector for d in found]).float().contiguous()
    write_atomically(Path(path), lambda partial: save_file({"vectors": vectors}, partial, header))


class Named(NamedTuple):
    """What "FILE", "FILE#WHICH", "FILE:2.5" or "FILE#WHICH:2.5" says."""

    file: Path
    which: str | None
    strength: float | None


def named(word: str) -> Named:
    """Read how a direction is written on the command line. WHICH is a name, or a number from 0."""
    parts = WORD.fullmatch(word)
    if parts is None:
        raise InputError(
            f"{word!r}: write a file of directions, like found.safetensors, found.safetensors#0 or found.safetensors#0:2.5."
        )
    return Named(Path(parts["file"]), parts["which"], None if parts["strength"] is None else float(parts["strength"]))


def space_of(path: str | Path) -> str:
    """The space that a file's directions belong to."""
    return _read(path)[0]["space"]


def foreign(path: str | Path, space: Space) -> bool:
    """Whether a file's directions were found with other weights than these."""
    return _read(path)[0].get("generator") != fingerprint(space.generator)


def load(path: str | Path, space: Space) -> list[Direction]:
    """Read a file of `save`.

    Raises:
        InputError: no such file, another kind of file, or directions of another space or width.
    """
    header, vectors, records = _read(path)
    if header["space"] != space.name or vectors.shape[1] != space.width:
        theirs, ours = f"{header['space']} of width {vectors.shape[1]}", f"{space.name} of width {space.width}"
        raise InputError(f"{path}: holds directions of space {theirs} and this is {ours}; choose the space, or find them anew.")
    return [
        Direction(r["name"], vector, r["unit"], None if r["layers"] is None else tuple(r["layers"]), r["facts"])
        for r, vector in zip(records, vectors, strict=True)
    ]


def _read(path: str | Path) -> tuple[dict[str, str], Float[Tensor, "k d"], list[dict[str, Any]]]:
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; `tightrope explore RUN directions --out DIR` writes files of directions.")
    try:
        with safe_open(path, framework="pt") as file:
            header, vectors = file.metadata() or {}, file.get_tensor("vectors")
        records = json.loads(header["directions"]) if header["format"] == FORMAT else None
    except (SafetensorError, OSError, KeyError, ValueError):
        records = None
    if records is None or vectors.ndim != 2 or len(records) != len(vectors):
        raise InputError(f"{path}: is not a file of directions; `tightrope explore RUN directions --out DIR` writes them.")
    return header, vectors, records


def moves(words: Sequence[str], space: Space) -> list[tuple[Direction, float]]:
    """Directions with their strengths, each written as "FILE:2.5" or "FILE#WHICH:2.5"."""
    found = []
    for word in words:
        file, which, strength = named(word)
        if strength is None:
            raise InputError(f"--move {word!r}: has no strength; write one behind it, like {word}:2.5.")
        found.append((pick(file, which, space), strength))
    return found


def pick(path: str | Path, which: str | None, space: Space) -> Direction:
    """One direction of a file, by its name or number; the only one where there is one."""
    there = load(path, space)
    names = [d.name for d in there]
    if which is None and len(there) == 1:
        return there[0]
    if which in names:
        return there[names.index(which)]
    if which is not None and which.isdecimal() and int(which) < len(there):
        return there[int(which)]
    what = "holds several directions" if which is None else f"holds no direction {which!r}"
    raise InputError(f"{path}: {what}; add #NAME or #NUMBER of one: {', '.join(f'{i} {n}' for i, n in enumerate(names))}.")


def moved(space: Space, places: Places, steps: Sequence[tuple[Direction, float]]) -> Places:
    """Places after one move after the other."""
    for direction, strength in steps:
        places = direction.move(space, places, strength)
    return places
