"""A recipe within the guardian's reach: the same system, with what remedies need beside it.

Turned by knobs alone; while they are untouched every term, gradient and random number is the recipe's own:

* `support`: R1 and R2 penalties on D (Mescheder et al. 2018, equation 9), whatever the recipe's losses are;
* `safer`: relativistic pairing with R1 and R2 (Huang et al. 2024, arXiv:2501.05441, equation 2) in the losses' place, on the
  recipe's own networks: of the published games the one that fails least (their table 1);
* `noise` (Arjovsky & Bottou 2017) and `augment` (Zhao et al. 2020) for recipes that have none: D sees everything through them.

They act where the game is one of two, G against a D that gives logits and nothing else (`Recipe.PLAIN_CRITIC`).
Axis: N batch, M samples of a pack (1 without packing).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tightrope.augment import augment
from tightrope.core.game import Batch, Knobs, Networks, Phase, Play, Recipe, Terms, told
from tightrope.core.hyper import fields
from tightrope.core.spec import DataSpec
from tightrope.networks.layers.batch import MinibatchDiscrimination, MinibatchStd
from tightrope.objectives import relativistic
from tightrope.penalties import squared, with_gradient

MIXING = (nn.modules.batchnorm._BatchNorm, MinibatchDiscrimination, MinibatchStd)
ALWAYS = frozenset({"rates", "repeats", "ema"})  # the loop's own


class Seen(nn.Module):
    """D, seeing everything through noise and augmentation. Its weights are D's own."""

    def __init__(self, critic: nn.Module, noise: float, probability: float) -> None:
        super().__init__()
        self.critic, self.noise, self.probability = critic, noise, probability

    def _shown(self, x: Float[Tensor, "n *x"]) -> Float[Tensor, "n *x"]:
        if self.probability > 0:
            x = augment(x, self.probability)
        return x + self.noise * torch.randn_like(x) if self.noise > 0 else x

    def forward(self, x: Float[Tensor, "n *x"], *labels: Tensor, **options: Any) -> Any:
        return self.critic(self._shown(x), *labels, **options)

    def with_gradient(self, points: Float[Tensor, "n *x"]) -> tuple[Tensor, Tensor]:
        """The gradient at what D sees."""
        return with_gradient(self.critic, self._shown(points))


class Steadied:
    """Wraps a recipe; everything that is not said here is the recipe's.

    Attributes:
        inner: the recipe.
        two: the game is one of two, so that all of this can act.
        knobs: names of the `Knobs` that do something here. (A recipe's own `penalty`, where it has one, is not among them.)
    """

    MODALITIES: ClassVar[tuple[str, ...]]  # these too are the recipe's
    CONDITIONAL: ClassVar[bool]
    AVERAGED: ClassVar[tuple[str, ...]]
    BUFFERS: ClassVar[str]
    COMPLETES: ClassVar[bool]
    PLAIN_CRITIC: ClassVar[bool]
    PRESETS: ClassVar[dict[str, dict[str, Any]]]

    def __init__(self, inner: Recipe, spec: DataSpec) -> None:
        self.inner = inner
        self.modality, self.images = spec.modality, spec.modality == "images"
        movers = {phase.moves for phase in inner.phases()}
        self.two = movers == {("D",), ("G",)} and inner.PLAIN_CRITIC
        self.own_augment = "augment" in fields(type(inner))
        steered = getattr(inner, "augment_target", 0) > 0  # its probability is nobody else's
        found = {"noise", "support", "safer"} if self.two else set()
        if self.images and not steered and (self.two or self.own_augment):
            found.add("augment")
        if any(hasattr(getattr(rule, "inner", rule), "beta1") for rule in inner.optimizers().values()):
            found.add("beta1")
        self.knobs = ALWAYS | found

    def __getattr__(self, name: str) -> Any:
        if name == "inner" or name.startswith("__"):  # a copy in the making
            raise AttributeError(name)
        return getattr(self.inner, name)

    def phases(self) -> tuple[Phase, ...]:
        found = self.inner.phases()
        return tuple(dataclasses.replace(p, terms=self._steadied(p)) for p in found) if self.two else found

    def _steadied(self, phase: Phase) -> Play:
        own, safer = phase.terms, self.d_terms if phase.moves == ("D",) else self.g_terms
        supported = phase.moves == ("D",) and phase.clock  # where D learns from reals; a lazy penalty's phase is not

        def terms(nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
            _hold_statistics(nets, knobs.safer)
            probability = knobs.augment if self.images and (knobs.safer or not self.own_augment) else 0.0
            if knobs.noise > 0 or probability > 0:
                nets = {**nets, "D": Seen(nets["D"], knobs.noise, probability)}
            if knobs.safer:
                return safer(nets, batch, knobs)
            found = own(nets, batch, knobs)
            if knobs.support > 0 and supported:
                fake = found.signals["samples"] if "samples" in found.signals else self._made(nets, batch).detach()
                found |= self._penalties(nets, batch, fake, knobs)[2]
            return found

        return terms

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        """The relativistic game with R1 and R2, D's move."""
        batch.made["fake"] = self._made(nets, batch)
        fake = batch.made["fake"].detach()
        on_real, on_fake, penalties = self._penalties(nets, batch, fake, knobs)
        terms = Terms(adversarial=relativistic.d(on_real, on_fake), **penalties)
        return terms.watch(real=on_real, fake=on_fake, samples=fake)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        """The relativistic game, G's move."""
        fake = batch.made.pop("fake", None)  # its graph serves one move
        if fake is None or not fake.requires_grad:  # D's phase kept no graph of G
            fake = self._made(nets, batch)
        critic = self.inner.critic(nets, batch.labels)
        return Terms(adversarial=relativistic.g(critic(fake), critic(batch.real).detach()))

    def logits(self, nets: Networks, x: Float[Tensor, "n *x"], labels: Tensor | None) -> Float[Tensor, " n"]:
        """D's answer to samples, where `two` holds; those of a pack share theirs."""
        found = self.inner.critic(nets, labels)(x)
        return found.repeat_interleave(len(x) // len(found))

    def _made(self, nets: Networks, batch: Batch) -> Float[Tensor, "n *x"]:
        return self.inner.sample(nets, batch.z, told(self.inner, batch.labels))

    def _penalties(self, nets: Networks, batch: Batch, fake: Tensor, knobs: Knobs) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """D's logits on reals and fakes, and both penalties."""
        critic: Callable[[Tensor], Tensor] = self.inner.critic(nets, batch.labels)
        if self.inner.CONDITIONAL or self.inner.COMPLETES or any(isinstance(m, MIXING) for m in nets["D"].modules()):
            (on_real, at_real), (on_fake, at_fake) = with_gradient(critic, batch.real), with_gradient(critic, fake)
        else:  # one pass: D mixes no samples
            logits, slopes = with_gradient(critic, torch.cat([batch.real, fake]))
            (on_real, on_fake), (at_real, at_fake) = logits.chunk(2), slopes.chunk(2)
        weight = knobs.support / 2 / len(on_real)  # a mean over logits: a pack is one point of D's input
        return on_real, on_fake, {f"steady_{r}": weight * squared(at).sum() for r, at in (("r1", at_real), ("r2", at_fake))}


def _hold_statistics(nets: Networks, held: bool) -> None:
    """Batch normalisation with the statistics it has (which then no longer move) instead of each batch's own."""
    for net in nets.values():
        for module in net.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training == held:
                module.train(not held)
