"""A recipe as plain facts: what `tightrope.describe` finds out and the diagram, the page and the console show."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer:
    """One row of a network's table.

    Attributes:
        path: of the layer in its network; "stages.0.{0,1}" where equal neighbours are folded.
        kind: what it is, in words.
        times: how many equal neighbours the row stands for.
        shape: of its output without the batch; None where a forward pass does not call it as a layer.
        parameters, flops: of all of them together, the latter a sample (None where none was counted for it).
    """

    path: str
    kind: str
    times: int
    shape: tuple[int, ...] | None
    parameters: int
    flops: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network:
    """One player. `flops`: of a forward pass of one sample, None where the player is state without a pass of its own."""

    player: str
    kind: str
    parameters: int
    buffers: int
    flops: float | None
    rule: str
    layers: tuple[Layer, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Call:
    """One player's part in a phase.

    Attributes:
        role: "learns", "frozen" or "passes" (frozen, but gradients pass through it).
        inputs: where its inputs come from: sources ("real", "latent", "class"), or other calls' outputs by their index.
        output: "fake" where it makes samples from latents, else "".
        kept: its graph is kept for a later phase.
        since: the phase that ran it, where that is an earlier one.
    """

    player: str
    role: str
    inputs: tuple[str | int, ...]
    output: str
    kept: bool
    since: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Term:
    """What is minimised: its name, what it is computed on, the calls it comes from, and in every how many rounds."""

    name: str
    inputs: tuple[str, ...]
    calls: tuple[int, ...]
    every: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Move:
    """One phase of a round.

    Attributes:
        repeat: how often it is played in a usual round; `most`: in any of the first thousand; `mean` over them.
        flops, kept: of one move: arithmetic, and bytes kept for backward passes at its peak.
    """

    name: str
    moves: tuple[str, ...]
    repeat: int
    most: int
    mean: float
    every: int
    fresh: bool
    clock: bool
    constrained: bool
    calls: tuple[Call, ...]
    terms: tuple[Term, ...]
    signals: tuple[str, ...]
    flops: float
    kept: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Costs:
    """Arithmetic (2 a multiply-add, of convolutions and matrix products) and fp32 memory in bytes.

    Attributes:
        sample: FLOPs of drawing one sample.
        seen: FLOPs of training, every phase included, a real sample seen.
        weights, average, gradients, states: bytes of parameters and buffers, of the weight average, of the gradients and
            of the optimizers' states.
        activation: bytes kept for backward passes a sample of the batch; `activations`: of the recipe's batch.
    """

    sample: float
    seen: float
    batch: int
    weights: int
    average: int
    gradients: int
    states: int
    activation: float
    activations: float

    @property
    def total(self) -> float:
        """Bytes of a training."""
        return self.weights + self.average + self.gradients + self.states + self.activations


@dataclasses.dataclass(frozen=True, kw_only=True)
class Description:
    """Everything.

    Attributes:
        shape, classes: of the data it is described for.
        grown: its networks grow, and are described at their full size.
        preset: the one that was asked for or suits the data; None for the defaults.
        fields: the recipe's declarations (`core.hyper.Hyper`), each with its `flag` and its `value` here.
    """

    name: str
    sentence: str
    paper: str
    run: str
    expect: str
    modalities: tuple[str, ...]
    conditional: bool
    modality: str
    shape: tuple[int, ...]
    classes: int
    grown: bool
    preset: str | None
    fields: tuple[Mapping[str, Any], ...]
    presets: Mapping[str, Mapping[str, Any]]
    networks: tuple[Network, ...]
    moves: tuple[Move, ...]
    costs: Costs

    def to_json(self) -> dict[str, Any]:
        record = dataclasses.asdict(self)
        record["fields"] = {field["name"]: field for field in record["fields"]}
        record["costs"]["total"] = self.costs.total
        return record
