"""Which class each stored sample was made for: from labels in its file, folders a class, or the names `tightrope sample` gives.

Axes: n samples.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from tightrope.core.labels import slugs

SAMPLE = re.compile(r"\d+-(.+)")  # a file of `tightrope sample`: the seed and the class
SHOWN = 3  # classes that a note names


def classes_asked(
    samples: Any, chosen: Int64[Tensor, " n"], names: Sequence[str], classes: tuple[str, ...]
) -> tuple[Int64[Tensor, " n"] | None, list[str]]:
    """The class of the data that each chosen sample was made for, or None; and what has to be said of that.

    Args:
        samples: a Dataset.
        names: of the samples' files, where they have any.
        classes: of the real data.
    """
    if not classes:
        return None, []
    given = samples.labels(chosen) if samples.spec.classes else None
    if given is not None:
        return _by_label(given, samples.spec.classes, classes)
    known = {slug: k for k, slug in enumerate(slugs(classes))}
    parts = [SAMPLE.fullmatch(Path(names[i]).stem) for i in chosen.tolist()] if names else []
    found = [known.get(part[1], -1) if part else -1 for part in parts]
    return (torch.tensor(found), []) if found and min(found) >= 0 else (None, [])


def _by_label(given: Int64[Tensor, " n"], theirs: tuple[str, ...], classes: tuple[str, ...]) -> tuple[Tensor | None, list[str]]:
    """Labels with their own names as classes of the data: by name, by its form in file names, or by number."""
    known = {slug: k for k, slug in enumerate(slugs(classes))} | {name.casefold(): k for k, name in enumerate(classes)}
    place = [known.get(name.casefold(), -1) for name in theirs]
    if max(place) < 0 and all(name.isdecimal() and int(name) < len(classes) for name in theirs):
        place = [int(name) for name in theirs]
    strange = [name for name, k in zip(theirs, place, strict=True) if k < 0]
    if strange:
        shown = ", ".join(strange[:SHOWN]) + (", ..." if len(strange) > SHOWN else "")
        return None, [f"the samples' classes are not those of the data ({shown}): nothing is said class by class."]
    return torch.tensor(place)[given], []
