"""A recipe within the guardian's reach: the same system, with what remedies need beside it.

Turned by knobs alone; while they are untouched every term, gradient and random number is the recipe's own:

* `support`: R1 and R2 penalties on D (Mescheder et al. 2018, equation 9), whatever the recipe's losses are;
* `safer`: relativistic pairing with R1 and R2 (Huang et al. 2024, arXiv:2501.05441, equation 2) in the losses' place, on the
  recipe's own networks: of the published games the one that fails least (their table 1);
* `noise` (Arjovsky & Bottou 2017) and `augment` (Zhao et al. 2020) for recipes that have none: D sees everything through them.

Axis: N batch.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.augment import augment
from tightrope.core.game import Batch, Knobs, Networks, Phase, Play, Recipe, Terms
from tightrope.core.hyper import fields
from tightrope.core.spec import DataSpec
from tightrope.networks.layers.batch import MinibatchDiscrimination, MinibatchStd
from tightrope.objectives import relativistic
from tightrope.penalties import squared, with_gradient
from tightrope.penalties.gradient import Sloped

MIXING = (nn.modules.batchnorm._BatchNorm, MinibatchDiscrimination, MinibatchStd)
ALWAYS = frozenset({"rates", "beta1", "repeats", "ema", "penalty"})


class Seen(nn.Module):
    """D, seeing everything through noise and augmentation. Its weights are D's own."""

    def __init__(self, critic: nn.Module, noise: float, probability: float) -> None:
        super().__init__()
        self.critic, self.noise, self.probability = critic, noise, probability

    def _shown(self, x: Float[Tensor, "n *x"]) -> Float[Tensor, "n *x"]:
        if self.probability > 0:
            x = augment(x, self.probability)
        return x + self.noise * torch.randn_like(x) if self.noise > 0 else x

    def forward(self, x: Float[Tensor, "n *x"], *labels: Tensor) -> Any:
        return self.critic(self._shown(x), *labels)

    def with_gradient(self, points: Float[Tensor, "n *x"]) -> tuple[Tensor, Tensor] | None:
        """The gradient at what D sees."""
        return self.critic.with_gradient(self._shown(points)) if isinstance(self.critic, Sloped) else None


class Steadied:
    """Wraps a recipe; everything that is not said here is the recipe's.

    Attributes:
        inner: the recipe.
        knobs: names of the `Knobs` that do something here.
    """

    def __init__(self, inner: Recipe, spec: DataSpec) -> None:
        self.inner = inner
        movers = {phase.moves for phase in inner.phases()}
        self.two = {("D",), ("G",)} <= movers and movers == {("D",), ("G",)} and _plain_critic(inner)
        names = {*fields(type(inner))}
        images = spec.modality == "images"
        reach = {"noise", "support", "safer", *(["augment"] if images else [])} if self.two else set()
        self.own_augment = "augment" in names
        self.knobs = ALWAYS | reach | ({"augment"} if self.own_augment and images else set())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def phases(self) -> tuple[Phase, ...]:
        found = self.inner.phases()
        return tuple(dataclasses.replace(p, terms=self._steadied(p)) for p in found) if self.two else found

    def _steadied(self, phase: Phase) -> Play:
        own, safer = phase.terms, self.d_terms if phase.moves == ("D",) else self.g_terms

        def terms(nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
            _hold_statistics(nets, knobs.safer)
            probability = 0.0 if self.own_augment and not knobs.safer else knobs.augment
            if knobs.noise > 0 or probability > 0:
                nets = {**nets, "D": Seen(nets["D"], knobs.noise, probability)}
            if knobs.safer:
                return safer(nets, batch, knobs)
            found = own(nets, batch, knobs)
            if knobs.support > 0 and phase.moves == ("D",) and "samples" in found.signals:
                found |= self._penalties(nets, batch, found.signals["samples"], knobs)[2]
            return found

        return terms

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        """The relativistic game with R1 and R2, D's move."""
        batch.made["fake"] = self.inner.sample(nets, batch.z, batch.labels)
        fake = batch.made["fake"].detach()
        on_real, on_fake, penalties = self._penalties(nets, batch, fake, knobs)
        terms = Terms(adversarial=relativistic.d(on_real, on_fake), **penalties)
        return terms.watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        """The relativistic game, G's move."""
        fake = batch.made["fake"] if "fake" in batch.made else self.inner.sample(nets, batch.z, batch.labels)
        critic = self._critic(nets, batch)
        return Terms(adversarial=relativistic.g(critic(fake), critic(batch.real).detach()))

    def _critic(self, nets: Networks, batch: Batch) -> Any:
        """D as a function of samples alone."""
        if not self.inner.CONDITIONAL:
            return nets["D"]
        return lambda x: nets["D"](x, batch.labels)

    def _penalties(self, nets: Networks, batch: Batch, fake: Tensor, knobs: Knobs) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """D's logits on reals and fakes, and both penalties."""
        critic = self._critic(nets, batch)
        if self.inner.CONDITIONAL or any(isinstance(m, MIXING) for m in nets["D"].modules()):
            (on_real, at_real), (on_fake, at_fake) = with_gradient(critic, batch.real), with_gradient(critic, fake)
        else:  # one pass: D mixes no samples
            logits, slopes = with_gradient(critic, torch.cat([batch.real, fake]))
            (on_real, on_fake), (at_real, at_fake) = logits.chunk(2), slopes.chunk(2)
        half = knobs.support / 2
        return on_real, on_fake, {"steady_r1": half * squared(at_real).mean(), "steady_r2": half * squared(at_fake).mean()}


def _hold_statistics(nets: Networks, held: bool) -> None:
    """Batch normalisation with the statistics it has (which then no longer move) instead of each batch's own."""
    for net in nets.values():
        for module in net.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training == held:
                module.train(not held)


def _plain_critic(recipe: Recipe) -> bool:
    """Whether D gives one logit a sample: a recipe whose D gives more says so with `PLAIN_CRITIC = False`."""
    return bool(getattr(recipe, "PLAIN_CRITIC", True))
