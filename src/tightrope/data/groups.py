"""Which samples training never sees: one in twenty, drawn by a hash of the name, whole groups together.

The group of a sample is the beginning of its file's name: of what was cut out of a photograph, the photograph (up to `#`); else
up to the first `-` (`1f44b-1f3fd.png` and `1f44b.png` are one drawing in two tones), where that leaves at least twenty groups.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

from tightrope.data.catalog import IMAGE_SUFFIXES

SHARE = 1 / 20
MANY_GROUPS = 20  # fewer beginnings than that tell nothing apart: IMG-0001, IMG-0002
FEW_GROUPS = 4  # from here on one group is held out, however the hash falls
CUT = "#"  # between a photograph's name and the place of a square in it


def stem(name: str) -> str:
    """A file's name without its ending."""
    start, ending = posixpath.splitext(name)
    return start if ending.lower() in IMAGE_SUFFIXES else name


def groups(names: Sequence[str]) -> list[str]:
    """The group of each name."""
    roots = [stem(name).partition(CUT)[0] for name in names]
    bases = [_base(root) for root in roots]
    return bases if len(set(bases)) >= MANY_GROUPS else roots


def _base(root: str) -> str:
    folder, slash, last = root.rpartition("/")
    return folder + slash + (last.partition("-")[0] or last)


def held_groups(names: Sequence[str]) -> set[str]:
    """The groups that are held out: those whose hash is small; none where there are too few to spare one."""
    places = {group: hashlib.sha256(group.encode()).digest()[:8] for group in set(groups(names))}
    if len(places) < FEW_GROUPS:
        return set()
    found = {group for group, place in places.items() if int.from_bytes(place, "big") < SHARE * 2**64}
    return found if 0 < len(found) < len(places) else {min(places, key=places.__getitem__)}


def held_out(names: Sequence[str]) -> Bool[Tensor, " n"]:
    """True where training never looks."""
    held = held_groups(names)
    return torch.tensor([group in held for group in groups(names)], dtype=torch.bool)
