"""Plays a recipe's rounds on a small batch of noise, as training would, and writes down what happened in each phase."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import torch

from tightrope.core.game import Batch, Knobs, Networks, Phase, Terms, told
from tightrope.core.given import latents
from tightrope.core.spec import DataSpec
from tightrope.describe.arithmetic import Flops, Kept
from tightrope.describe.layers import Passing, shape_of
from tightrope.describe.origins import Borders, Origin, Origins, Use, mark_weights, sources
from tightrope.training.engine import Engine
from tightrope.training.game import Game
from tightrope.training.loop import move
from tightrope.training.meter import Meter

LATE = 100_000_000  # seen samples: where a network that grows has grown
END = 0.99  # progress there


@dataclasses.dataclass(frozen=True)
class Played:
    """One phase as it happened: its terms with what they were computed on (but for `untouched`), the calls, what it cost."""

    terms: dict[str, frozenset[Origin]]
    signals: tuple[str, ...]
    uses: tuple[Use, ...]
    flops: int
    kept: int
    untouched: frozenset[tuple[str, str]] = frozenset()


class Table:
    """A game set up to be watched.

    Attributes:
        passings: the first pass of each player: module's path -> shape and FLOPs a sample.
    """

    def __init__(self, recipe: Any, spec: DataSpec) -> None:
        self.recipe, self.spec = recipe, spec
        self.game = Game(recipe, spec, Engine("cpu"), seed=0)
        self.knobs: Knobs = recipe.schedule(LATE, END)
        self.passings: dict[str, dict[str, Passing]] = {name: {} for name in self.game.nets}
        self._origins, self._flops, self._kept = Origins(), Flops(), Kept()
        self._borders: Borders | None = None

    def watch(self) -> None:
        """From now on modules tell of their passes. (Not before the averages were copied.)"""
        shape = self.spec.shape
        self._borders = Borders(self.game.nets, self._origins, shape, lambda: self._flops.total, self._told)

    def round(self, number: int, size: int) -> dict[int, Played]:
        """Play one round, every phase once; returns what each phase did that is played in it."""
        found: dict[int, Played] = {}
        batch = None
        for index, phase in enumerate(self.recipe.phases()):
            if phase.times(number):
                if phase.fresh or batch is None:
                    batch = self._batch(number, size)
                found[index] = self._play(phase, batch)
        return found

    def sample(self, size: int) -> int:
        """FLOPs of drawing `size` samples."""
        batch = self._batch(0, size)
        labels = told(self.recipe, batch.labels)
        self.game.average.update(0.0, size)
        with torch.no_grad(), Flops() as flops:
            self.recipe.sample(self.game.average.nets, batch.z, labels)
        return flops.total

    def _batch(self, number: int, size: int) -> Batch:
        draw = torch.Generator().manual_seed(number)
        real = torch.randn(size, *self.spec.shape, generator=draw)
        if self.spec.pictures:
            real = real.div_(2).clamp_(-1, 1)
        z, k = latents(self.recipe, self.spec, size, draw), len(self.spec.classes)
        labels = torch.arange(size) % k if k else None
        if self.recipe.COMPLETES:  # a category is known
            first = next(block for block in self.spec.blocks if block.kind == "onehot")
            labels = torch.full_like(real, float("nan"))
            labels[:, first.slice] = torch.eye(first.size)[torch.arange(size) % first.size]
        self._origins.mark(real, frozenset({"real"}))
        self._origins.mark(z, frozenset({"latent"}))
        if labels is not None:
            self._origins.mark(labels, frozenset({"class"}))
        return Batch(real, z, labels, number)

    def _play(self, phase: Phase, batch: Batch) -> Played:
        notes: dict[str, Any] = {}

        def terms(nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
            mark_weights(self._origins, nets)
            with self._origins if self._borders else contextlib.nullcontext():
                found = phase.terms(nets, batch, knobs)
            notes["terms"] = {name: self._origins.of(value) for name, value in found.items()}
            notes["signals"] = tuple(found.signals)
            return found

        if self._borders:
            self._borders.uses = []
        before = self._flops.total
        self._kept.begin(t for net in self.game.nets.values() for t in (*net.parameters(), *net.buffers()))
        with self._flops, self._kept:
            move(self.game, batch, dataclasses.replace(phase, terms=terms), self.knobs, Meter())
        uses, cost = tuple(self._borders.uses) if self._borders else (), self._flops.total - before
        untouched = self._untouched(phase, batch, notes["terms"])
        return Played(notes["terms"], notes["signals"], uses, cost, self._kept.peak, untouched)

    def _untouched(self, phase: Phase, batch: Batch, terms: dict[str, frozenset[Origin]]) -> frozenset[tuple[str, str]]:
        """(term, source) where a term does not change with the source after all: parts of one pass over a joined batch.

        Tried only where several terms seem to depend on real and generated samples both.
        """
        both = [name for name, of in terms.items() if {"real", "fake"} <= sources(of)]
        if len(both) < 2 or not phase.fresh:
            return frozenset()
        other = self._batch(batch.round + 1, len(batch.real))
        batches = [batch, dataclasses.replace(batch, real=other.real), dataclasses.replace(batch, z=other.z)]
        values = []
        for one in batches:
            self.game.engine.seed(0)
            values.append(phase.terms(self.game.nets, dataclasses.replace(one, made={}), self.knobs))
        pairs = [(name, source, values[i][name]) for name in both for i, source in ((1, "real"), (2, "fake"))]
        return frozenset((name, source) for name, source, value in pairs if torch.allclose(value, values[0][name], rtol=1e-6))

    def _told(self, player: str, path: str, out: Any, before: int, samples: int) -> None:
        shape = shape_of(out)
        if shape is not None and path not in self.passings[player]:
            self.passings[player][path] = Passing(shape, (self._flops.total - before) / samples)
