"""The game: what a recipe says and the loop plays. Axis: N batch, Z latent, K classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from tightrope.core.rules import Adam, Rule
from tightrope.core.spec import DataSpec

if TYPE_CHECKING:
    from tightrope.core.data import Dataset

__all__ = ["Adam", "Batch", "Knobs", "Networks", "Phase", "Play", "Recipe", "Rule", "Terms", "alternating", "told"]

Networks = Mapping[str, nn.Module]  # player's name -> its network


@dataclasses.dataclass(frozen=True)
class Batch:
    """What one move of a phase is given.

    Attributes:
        real: fresh real samples, (N, *shape).
        z: fresh latents, (N, Z). Where samples are made of pictures, those: (N, *given), each its sample's where data is paired.
        labels: classes of `real`, (N,), or None. Where samples are completed, what is known of them beforehand: (N, *shape),
            NaN where nothing is.
        round: number of rounds played before this one (for what happens every k-th round).
        made: what a phase leaves for a later one on the same batch, by name (G's samples with their graph).
    """

    real: Tensor
    z: Tensor
    labels: Tensor | None
    round: int
    made: dict[str, Tensor] = dataclasses.field(default_factory=dict)

    @property
    def given(self) -> Tensor:
        """The pictures to be translated, (N, *given): the latents of a game that translates."""
        return self.z


def told(recipe: Recipe, labels: Tensor | None) -> Tensor | None:
    """Labels as the recipe's `sample` takes them: None for one that makes samples without."""
    return labels if recipe.CONDITIONAL or recipe.COMPLETES else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Knobs:
    """Numbers that may change in mid-run. A recipe's `schedule` sets them; the guardian may turn them.

    Attributes:
        lr: factor of every player's learning rate.
        beta2: Adam's second decay rate where it is scheduled; None keeps the optimizer's own.
        penalty: factor of every gradient penalty.
        augment: probability of augmentation, 0 to 1.
        noise: standard deviation of the noise added to what D sees, in units of the data's range [-1, 1].
        stage: how far a network that grows has grown: 2.25 is a quarter of the way from its third resolution to its fourth.
        ema: half-life of the weight average, in seen samples; 0 copies the weights.
        rates: factors of single players' learning rates, beside `lr`.
        beta1: Adam's first decay rate where it is turned; None keeps the optimizer's own.
        repeats: how often phases are played a round, by name, where that is turned.
        support: weight of the R1 and R2 penalties that steady a game from outside (gamma); 0 is none.
        safer: the relativistic game takes the place of the recipe's own losses.
    """

    lr: float = 1.0
    beta2: float | None = None
    penalty: float = 1.0
    augment: float = 0.0
    noise: float = 0.0
    stage: float = 0.0
    ema: float = 0.0
    rates: Mapping[str, float] = dataclasses.field(default_factory=dict)
    beta1: float | None = None
    repeats: Mapping[str, int] = dataclasses.field(default_factory=dict)
    support: float = 0.0
    safer: bool = False


class Terms(dict[str, Tensor]):
    """The named scalars of one loss; their sum is minimised and their names are the curves.

    Terms(adversarial=..., r1=...).watch(real=logits, fake=logits)
    """

    def __init__(self, **terms: Tensor) -> None:
        super().__init__(terms)
        self.signals: dict[str, Tensor] = {}

    def watch(self, **signals: Tensor) -> Terms:
        """Hand out detached tensors to be watched; returns self."""
        self.signals.update({name: value.detach() for name, value in signals.items()})
        return self

    @property
    def total(self) -> Tensor:
        """The scalar that is minimised."""
        return torch.stack([term.float() for term in self.values()]).sum()


Play = Callable[[Networks, Batch, Knobs], Terms]


@dataclasses.dataclass(frozen=True)
class Phase:
    """One player's move.

    Attributes:
        name: prefix of the curves ("D", "G").
        moves: players whose networks learn in this phase; all others are frozen.
        terms: (networks, batch, knobs) -> Terms.
        repeat: how often it is played a round (n_critic), each on a fresh batch; a number, or a function of the round.
        every: played in every `every`-th round only.
        fresh: draws a batch of its own; False plays on the batch of the phase before it.
        keeps: players that do not move but whose graph a later phase on this batch will use.
        clock: its real samples advance `seen`; True for the phases in which D learns from real data.
        constrain: called with the networks after the move, without gradients: brings weights back to where the paper wants
            them (clipping).
    """

    name: str
    moves: tuple[str, ...]
    terms: Play
    repeat: int | Callable[[int], int] = 1
    every: int = 1
    fresh: bool = True
    keeps: tuple[str, ...] = ()
    clock: bool = False
    constrain: Callable[[Networks], None] | None = None

    def times(self, round: int, turned: int | None = None) -> int:
        """How often it is played in this round; `turned` is a knob's word on it, for the rounds in which it is played."""
        if round % self.every:
            return 0
        if turned:
            return turned
        return self.repeat(round) if callable(self.repeat) else self.repeat


def alternating(
    d_terms: Play, g_terms: Play, repeat: int | Callable[[int], int] = 1, *, shared: bool = True, **extras: Any
) -> tuple[Phase, ...]:
    """The usual round: D plays `repeat` times, then G once.

    Args:
        shared: G plays on the batch of D's last move, and may use the samples that it left in `batch.made` with their graph.
            False: on a batch of its own; D's moves then compute no graph of G.
        extras: of D's phase (`constrain=...`).
    """
    keeps = ("G",) if shared else ()
    return Phase("D", ("D",), d_terms, repeat, keeps=keeps, clock=True, **extras), Phase("G", ("G",), g_terms, fresh=not shared)


class Recipe(Protocol):
    """One published GAN system; see `tightrope.recipes` for how one is written, `core.defaults` for what may be left out.

    Class attributes:
        MODALITIES: kinds of data it makes.
        CONDITIONAL: True where samples are made for a class, so that the data must have classes.
        AVERAGED: players whose weight average is kept and used for samples.
        BUFFERS: what the average does with buffers (batch statistics): "average", "copy" (the live ones) or "leave".
        COMPLETES: True where samples can be made around what is known of them: labels are then (N, *shape), NaN where
            nothing is known, and None where nothing is of any.
        PLAIN_CRITIC: D tells real from fake by one logit a sample (or a pack of them) and does nothing else, so that a guardian
            may put another game of G and D in this one's place; see `critic`. False where D names classes or copies images, and
            where G's samples in the game are not those of `sample`.
        PRESETS: name -> fields; "toy" is tiny and quick. One named after a modality ("points"), a modality and size
            ("images-64") or a modality with fewer than 10,000 samples ("images-few") is chosen for such data by itself.
    """

    MODALITIES: ClassVar[tuple[str, ...]]
    CONDITIONAL: ClassVar[bool]
    AVERAGED: ClassVar[tuple[str, ...]]
    BUFFERS: ClassVar[str]
    COMPLETES: ClassVar[bool]
    PLAIN_CRITIC: ClassVar[bool]
    PRESETS: ClassVar[dict[str, dict[str, Any]]]

    @property
    def batch(self) -> int:
        """Samples of a batch, over all processes."""
        ...

    def networks(self, spec: DataSpec) -> dict[str, nn.Module]:
        """Build every player, initialised from torch's global generator."""
        ...

    def optimizers(self) -> dict[str, Rule]:
        """One optimizer's constants a player."""
        ...

    def phases(self) -> tuple[Phase, ...]:
        """The moves of a round, in order."""
        ...

    def schedule(self, seen: int, progress: float) -> Knobs:
        """The knobs at `seen` samples, `progress` (0 to 1) of the way through the run."""
        ...

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw n latents, (N, Z), from a CPU generator. Not asked where pictures are given: see `core.given`."""
        ...

    def drawn(self, dataset: Dataset, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Which samples a batch is made of, (N,), and their labels: those at `index`, that came up, or others in their place."""
        ...

    def views(self, real: Tensor, given: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What is learned from a batch of pictures and those given: cropped, flipped, alike where they are pairs."""
        ...

    def critic(self, nets: Networks, labels: Tensor | None) -> Callable[[Tensor], Tensor]:
        """D as a function of samples of these classes alone: logits, one a sample or pack of them."""
        ...

    def sample(self, nets: Networks, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Samples for latents, in the networks' range. `labels`: classes (N,), or shares of classes (N, K) for mixtures."""
        ...
