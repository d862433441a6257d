"""Generators of a few pictures: one learns what the pictures have in common, and goes on to each class from there.

With 20 pictures of a class a generator of that class alone, and class-conditional ones of all classes (`cgan`, `projection`),
gave pictures that helped a classifier less, after a minute. Few pictures are shown augmented, as `swift` does by itself:
DiffAugment (Zhao et al. 2020), and ADA (Karras et al. 2020) where a run goes on from another.

Axes: n pictures, C channel, H W pixels, K classes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

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

FIRST = 0.5  # of the time: what is common
MOST = 0.5  # share of a class from which on what is common is that class, and its generator is done
Teller = Callable[[str], None]


class Makers:
    """A generator for each class, and what was found of its pictures. See `train`."""

    def __init__(self, generators: list[Generator], pictures: Pictures) -> None:
        self.generators, self.pictures = generators, pictures

    def draw(self, label: int, count: int, seed: int = 0) -> Float[Tensor, "n C H W"]:
        """Pictures of a class, as files hold them: of a seed the same ones, whatever else is drawn."""
        seeds = [derive(seed, "made", label, i) for i in range(count)]
        made = self.generators[label].sample(seeds=seeds).clamp_(-1, 1)
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

    Half of it goes to what is common: the class that has most of the pictures, or all classes. The others begin with its
    weights and share the rest of the time.
    """
    common = _common(pictures)
    others = [k for k in range(len(pictures.classes)) if k != common]
    with tempfile.TemporaryDirectory(prefix="tightrope-augment-") as folder:
        place = Path(folder)
        several = pictures if common is None else pictures.of(common)
        start = _run(place, "common", several, FIRST * minutes, seed, None, listeners)
        first = tightrope.load(start)
        made = dict.fromkeys(range(len(pictures.classes)), first)
        for k in others:
            share = (1 - FIRST) * minutes / len(others)
            made[k] = tightrope.load(_run(place, f"class-{k}", pictures.of(k), share, seed, start, listeners))
    return Makers([made[k] for k in range(len(pictures.classes))], pictures)


def _common(pictures: Pictures) -> int | None:
    """The class that has most of the pictures, if there is one."""
    largest = max(range(len(pictures.classes)), key=pictures.counts.__getitem__)
    return largest if pictures.counts[largest] > MOST * len(pictures) else None


def _run(
    place: Path, name: str, pictures: Pictures, minutes: float, seed: int, start: Path | None, listeners: tuple[Listener, ...]
) -> Path:
    """Train on pictures without their classes."""
    options = Options(judge=0, watch=False, care=False, guard="off", precision="fp32", start=start, listeners=listeners)
    data = pictures.plain(place / f"{name}.npz")
    return tightrope.train("swift", data, run=place / name, minutes=minutes, seed=seed, options=options).path
