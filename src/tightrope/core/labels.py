"""Classes for samples to be made. Axis: N batch, K classes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from tightrope.core.errors import InputError
from tightrope.core.spec import DataSpec

WIDEST = 16  # classes that stand side by side in a picture
SHOWN = 20  # classes that an error lists
LONGEST = 40  # letters of a class in a file's name
WORD = re.compile(r"\w+")


def weights(labels: Tensor, classes: int) -> Float[Tensor, "n k"]:
    """Labels as shares of classes: whole numbers (N,) become one-hot rows, shares (N, K) stay, so that classes can be mixed."""
    return labels if labels.is_floating_point() else F.one_hot(labels, classes).float()


def draw(spec: DataSpec, n: int, generator: torch.Generator) -> Int64[Tensor, " n"]:
    """n classes drawn in the proportions of the data (equal ones where these are not known)."""
    shares = torch.tensor(spec.shares or [1.0] * len(spec.classes))
    return torch.multinomial(shares, n, replacement=True, generator=generator)


def side_by_side(spec: DataSpec, count: int) -> tuple[int, int]:
    """(rows, columns) of a sheet of about `count` samples with a class a column; the first WIDEST classes of more."""
    columns = min(len(spec.classes), WIDEST)
    return max(1, count // columns), columns


def named(words: Sequence[str | int], spec: DataSpec) -> list[int]:
    """Classes by what people call them: a name in any case, the beginning of one or of a word in it, or a number.

    Raises:
        InputError: no class is called so, or several begin so.
    """
    return [_one(str(word).strip(), spec.classes) for word in words]


def _one(word: str, classes: Sequence[str]) -> int:
    folded, known = word.casefold(), [name.casefold() for name in classes]
    if folded in known:
        return known.index(folded)
    if folded.isdecimal() and int(folded) < len(classes):
        return int(folded)
    starts = [k for k, name in enumerate(known) if folded and name.startswith(folded)]
    inner = [k for k, name in enumerate(known) if folded and any(part.startswith(folded) for part in WORD.findall(name))]
    found = starts or inner
    if len(found) == 1:
        return found[0]
    listed = ", ".join(classes[:SHOWN]) + (f" and {len(classes) - SHOWN} more" if len(classes) > SHOWN else "")
    if found:
        meant = ", ".join(classes[k] for k in found[:SHOWN])
        raise InputError(f"class {word!r} may be {meant}: write more of the name, or a number from 0 to {len(classes) - 1}.")
    near = difflib.get_close_matches(folded, known, 1, cutoff=0.5)
    hint = f": did you mean {classes[known.index(near[0])]!r}? There are" if near else "; there are"
    raise InputError(f"class {word!r} is not known{hint} {listed} (or numbers from 0 to {len(classes) - 1}).")


def mixtures(stops: Sequence[int], steps: int, classes: int) -> Float[Tensor, "s k"]:
    """`steps` rows of shares on straight lines from the first class over the others to the last, both ends included."""
    ends = F.one_hot(torch.tensor(stops), classes).float()
    place = torch.linspace(0, len(stops) - 1, steps)
    before = place.floor().long().clamp(max=len(stops) - 2)
    share = (place - before)[:, None]
    return (1 - share) * ends[before] + share * ends[before + 1]


def slugs(classes: Sequence[str]) -> list[str]:
    """The classes' names as parts of file names, all different: lower case, a dash for anything but letters and digits."""
    found: list[str] = []
    for k, name in enumerate(classes):
        slug = "-".join(WORD.findall(name.lower().replace("_", " ")))[:LONGEST] or str(k)
        found.append(slug if slug not in found else f"{slug}-{k}")
    return found
