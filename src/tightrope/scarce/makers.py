"""Generators of few pictures: one learns the class that has most of them, and goes on to each rare class from there.

With 20 X-rays of a rare class beside 3,494 others and a minute, that helped a classifier more than a generator of the rare class
alone and than class-conditional ones (`cgan`, `projection`). Without such a class, `cgan` on all of them: ten classes of 20
pictures leave a generator of each too little time. Few pictures are shown augmented, as `swift` does by itself: DiffAugment
(Zhao et al. 2020), and ADA (Karras et al. 2020) where a run goes on from another.

Axes: n pictures, C channel, H W pixels, K classes.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

import tightrope
from tightrope.core.seeds import derive
from tightrope.explore.generator import Generator
from tightrope.options import Options
from tightrope.scarce.copies import Audit, audit
from tightrope.scarce.pictures import Pictures
from tightrope.training.events import Listener

FIRST = 0.5  # of the time, for the class that has most of the pictures
MOST = 0.5  # of the pictures


class Maker(Protocol):
    """Makes pictures of one class."""

    def sample(self, *, seeds: list[int]) -> Float[Tensor, "n C H W"]: ...


@dataclasses.dataclass(frozen=True)
class OfClass:
    """A generator, and the class to ask it for where it makes several."""

    generator: Generator
    label: int | None = None

    def sample(self, *, seeds: list[int]) -> Float[Tensor, "n C H W"]:
        return self.generator.sample(seeds=seeds, labels=self.label)


class Makers:
    """What makes pictures of each class, and the real ones that it has learned from. See `train`."""

    def __init__(self, makers: Sequence[Maker], pictures: Pictures) -> None:
        self.makers, self.pictures = makers, pictures

    def draw(self, label: int, count: int, seed: int = 0) -> Float[Tensor, "n C H W"]:
        """Pictures of a class, as files hold them: of a seed the same ones, whatever else is drawn."""
        seeds = [derive(seed, "made", label, i) for i in range(count)]
        made = self.makers[label].sample(seeds=seeds).clamp_(-1, 1)
        return ((made + 1) * 127.5).round_() / 127.5 - 1

    def audited(self, label: int, count: int, seed: int = 0) -> tuple[Float[Tensor, "n C H W"], Audit]:
        """Pictures of a class without those that are copies, and what was found among all that were drawn."""
        made = self.draw(label, count, seed)
        found = audit(self.pictures.of(label).images, made)
        return made[~found.copied], found

    def fill(self, count: int, seed: int = 0) -> tuple[Pictures | None, list[Audit]]:
        """`count` pictures of every class, without copies and without classes that fail the audit. None where none are left."""
        images, labels, audits = [], [], []
        for label in range(len(self.pictures.classes)):
            made, found = self.audited(label, count, seed)
            audits.append(found)
            if not found.fails:
                images.append(made)
                labels.append(torch.full((len(made),), label))
        return (Pictures(torch.cat(images), torch.cat(labels), self.pictures.classes) if images else None), audits


def train(pictures: Pictures, minutes: float, seed: int, listeners: tuple[Listener, ...] = ()) -> Makers:
    """Generators of every class in `minutes` of time together.

    Where one class has most of the pictures, half of the time goes to it; the others begin with its weights and share the rest.
    Elsewhere one generator learns all classes by their names.
    """
    common, classes = _common(pictures), range(len(pictures.classes))
    others = [k for k in classes if k != common]
    with tempfile.TemporaryDirectory(prefix="tightrope-augment-") as folder:
        run = Runs(Path(folder), seed, listeners)
        if common is None:
            by_class = tightrope.load(run.train("cgan", pictures, minutes))
            return Makers([OfClass(by_class, k) for k in classes], pictures)
        start = run.train("swift", pictures.of(common), FIRST * minutes)
        share = (1 - FIRST) * minutes / len(others)
        made = {k: tightrope.load(run.train("swift", pictures.of(k), share, start)) for k in others}
        made[common] = tightrope.load(start)
    return Makers([OfClass(made[k]) for k in classes], pictures)


def _common(pictures: Pictures) -> int | None:
    """The class that has most of the pictures, if there is one."""
    largest = max(range(len(pictures.classes)), key=pictures.counts.__getitem__)
    return largest if pictures.counts[largest] > MOST * len(pictures) else None


@dataclasses.dataclass(frozen=True)
class Runs:
    """Where runs are kept for a moment, and how they are done."""

    place: Path
    seed: int
    listeners: tuple[Listener, ...] = ()

    def train(self, recipe: str, pictures: Pictures, minutes: float, start: Path | None = None) -> Path:
        """A run's directory; `swift` is not told the classes."""
        name = f"{len(list(self.place.glob('*.npz')))}"
        data = (pictures.plain if recipe == "swift" else pictures.save)(self.place / f"{name}.npz")
        options = Options(judge=0, watch=False, care=False, guard="off", precision="fp32", start=start, listeners=self.listeners)
        return tightrope.train(recipe, data, run=self.place / name, minutes=minutes, seed=self.seed, options=options).path
