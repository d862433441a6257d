"""Colours by an affine map, there and back: the smallest system that translates.

Paper:  none
Run:    tightrope train tests/judging/tinted.py pairs:GIVEN,TARGET
Expect: not reproduced here
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import nn

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms
from tightrope.core.hyper import hyper, recipe
from tightrope.core.spec import DataSpec
from tightrope.core.translation import Translator


@recipe
class Tinted:
    """G makes the target of what is given, F the other way round; L1 for pairs, a cycle for all."""

    MODALITIES: ClassVar[tuple[str, ...]] = ("pairs", "unpaired")
    AVERAGED: ClassVar[tuple[str, ...]] = ("G", "F")
    PLAIN_CRITIC: ClassVar[bool] = False
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"toy": {}}
    lr: float = hyper(0.05, "learning rate", low=0.0, high=1.0)
    batch: int = hyper(16, "pictures of a batch", low=1, high=64)

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        scale = spec.size // spec.given[-1]
        there = nn.Sequential(nn.Conv2d(spec.given[0], spec.channels, 1), nn.Upsample(scale_factor=scale))
        back = nn.Sequential(nn.Conv2d(spec.channels, spec.given[0], 1), nn.AvgPool2d(scale))
        return {"G": there, "F": back}

    def optimizers(self) -> dict[str, Adam]:
        return {player: Adam(lr=self.lr) for player in ("G", "F")}

    def phases(self) -> tuple[Phase, ...]:
        return (Phase("G", ("G", "F"), self.g_terms, clock=True),)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        made = nets["G"](batch.given)
        back = nets["F"](made)
        terms = Terms(l1=(made - batch.real).abs().mean(), cycle=(back - batch.given).abs().mean())
        return terms.watch(samples=made)

    def translators(self, nets: Mapping[str, nn.Module]) -> dict[str, Translator]:
        return {"A-to-B": Translator(net=nets["G"], name="tinted"), "B-to-A": Translator(net=nets["F"], name="tinted")}
