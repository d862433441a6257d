"""What a recipe is, found out by playing it: networks layer by layer, what each phase does, what it costs.

    from tightrope.describe import describe
    found = describe("dcgan", spec)          # a `report.described.Description`

Nothing is declared for this: third parties' recipes are described as the package's own.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from tightrope import recipes
from tightrope.core.hyper import values
from tightrope.core.rules import Lookahead, Rule
from tightrope.core.spec import DataSpec
from tightrope.describe.layers import kind, layers_of, numbers
from tightrope.describe.moves import Round, every_move
from tightrope.describe.rounds import Table
from tightrope.networks.layers.convolution import plain
from tightrope.report.described import Costs, Description, Move, Network

__all__ = ["describe"]

SMALL, LARGE = 4, 8  # batches on which costs are measured: a straight line through both gives those of any batch
HEAVY, FEW = 2e9, 2  # FLOPs of a sample from which one batch of so many has to do
FP32 = 4  # bytes


def describe(name: str, spec: DataSpec, preset: str | None = None, fields: Mapping[str, Any] | None = None) -> Description:
    """Build a recipe for data of this shape, play a few rounds on noise, and say what happened.

    Args:
        name: a name of `recipes.names()`, or the path of a recipe's file (which is imported).
        preset, fields: as for training.

    Raises:
        InputError: the recipe does not make such data, or a field is wrong.
    """
    header, built = recipes.header(name), recipes.build(name, spec, preset, fields)
    with plain():
        table = Table(built, spec)
        heavy = table.sample(1) > HEAVY
        table.watch()
        moves = every_move(table, lambda number: _round(table, number, heavy=heavy))
        drawing = table.sample(LARGE) - table.sample(LARGE - 1)  # now that a network that grows has grown
    now = values(built)
    fields_now = [dataclasses.asdict(field) | {"flag": field.flag, "value": now[n]} for n, field in header.fields.items()]
    return Description(
        name=header.name, sentence=header.sentence, paper=header.paper, run=header.run, expect=header.expect,
        modalities=header.modalities, conditional=built.CONDITIONAL, modality=spec.modality, shape=spec.shape,
        classes=len(spec.classes), grown=table.knobs.stage > 0, preset=preset or header.suited(spec),
        fields=tuple(fields_now), presets=header.presets, networks=_networks(table), moves=moves,
        costs=_costs(table, moves, drawing),
    )  # fmt: skip


def _round(table: Table, number: int, *, heavy: bool) -> Round:
    if heavy:
        small = table.round(number, FEW)
        return Round(small, small, FEW, FEW)
    few, many = (math.lcm(size, getattr(table.recipe, "pack", 1)) for size in (SMALL, LARGE))  # whole packs
    return Round(table.round(number, few), table.round(number, many), few, many)


def _networks(table: Table) -> tuple[Network, ...]:
    rules, found = table.recipe.optimizers(), []
    for player, net in table.game.nets.items():
        passings = table.passings[player]
        parameters, buffers = numbers(net)
        found.append(Network(
            player=player, kind=kind(net), parameters=parameters, buffers=buffers,
            flops=passings[""].flops if "" in passings else None,
            rule=_rule(rules[player]) if player in rules else "", layers=layers_of(net, passings) if parameters else (),
        ))  # fmt: skip
    return tuple(found)


def _rule(rule: Rule) -> str:
    """An optimizer with its constants, "Adam, rate 0.0002, beta1 0.5, beta2 0.999"."""
    if isinstance(rule, Lookahead):
        return f"Lookahead every {rule.every} steps over {_rule(rule.inner)}"
    words = {"lr": "rate"}
    constants = [f"{words.get(k, k)} {v:g}" for k, v in dataclasses.asdict(rule).items() if k != "eps"]
    return ", ".join([type(rule).__name__, *constants])


def _costs(table: Table, moves: tuple[Move, ...], drawing: float) -> Costs:
    """Of one sample, and of a training with the recipe's batch."""
    game, batch = table.game, table.recipe.batch
    sizes = {player: numbers(net) for player, net in game.nets.items()}
    movers = {player for move in moves for player in move.moves}
    seen = sum(move.mean for move in moves if move.clock) * batch
    states = sum(value.numel() for optimizer in game.optimizers.values() for value in optimizer.state().values())
    return Costs(
        sample=drawing,
        seen=sum(move.mean * move.flops for move in moves) / seen,
        batch=batch,
        weights=FP32 * sum(sum(size) for size in sizes.values()),
        average=FP32 * sum(sum(sizes[player]) for player in table.recipe.AVERAGED),
        gradients=FP32 * sum(sizes[player][0] for player in movers),
        states=FP32 * states,
        activation=max(move.kept for move in moves) / batch,
        activations=max(move.kept for move in moves),
    )
