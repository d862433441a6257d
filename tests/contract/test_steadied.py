"""What the guardian's knobs promise on every recipe: nothing while they are untouched, and what they say when they are turned."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tightrope import recipes
from tightrope.bench import games
from tightrope.core.game import Knobs, Networks, Phase
from tightrope.steadied import Steadied
from tightrope.training.engine import Engine
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.loop import move
from tightrope.training.meter import Meter
from toys import SHAPES, ToyDataset

Case = tuple[str, Any, ToyDataset]
Moves = dict[str, list[Tensor]]  # phase's name -> its terms, then the gradients of its movers
TURNED: dict[str, dict[str, Any]] = {
    "support": {"support": 3.0},
    "safer": {"safer": True, "support": 3.0},
    "noise": {"noise": 0.5},
    "augment": {"augment": 1.0},
}
PLAYED = {"safer": True, "support": 1.0}


def game_of(case: Case, precision: str = "fp32") -> tuple[Game, Feed]:
    _, recipe, dataset = case
    engine = Engine("cpu", precision)
    return Game(Steadied(recipe, dataset.spec), dataset.spec, engine, 0), Feed(recipe, dataset, engine, 0)


def base(recipe: Any, **turned: Any) -> Knobs:
    return dataclasses.replace(recipe.schedule(1000, 0.5), **turned)


def moves(recipe: Any, game: Game, feed: Feed, knobs: Knobs) -> Moves:
    """Every phase's terms and gradients on copies of the game's networks, the same random numbers each time."""
    nets, found, batch = copy.deepcopy(game.nets), {}, None
    torch.manual_seed(0)
    for draw, phase in enumerate(recipe.phases()):
        batch = feed.draw(draw, 0) if phase.fresh or batch is None else batch
        for player, net in nets.items():
            net.requires_grad_(player in phase.moves + phase.keeps)
        terms = phase.terms(nets, batch, knobs)
        movers = [p for player in phase.moves for p in nets[player].parameters()]
        gradients = torch.autograd.grad(terms.total, movers, retain_graph=True, allow_unused=True, materialize_grads=True)
        found[phase.name] = [*(term.detach() for term in terms.values()), *gradients]
    buffers = [buffer for net in nets.values() for buffer in net.buffers()]
    return {**found, "what is left": [torch.get_rng_state(), *buffers]}


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def check_untouched(case: Case) -> None:
    game, feed = game_of(case)
    knobs = base(case[1])
    bare, wrapped = moves(case[1], game, feed, knobs), moves(game.recipe, game, feed, knobs)
    assert bare.keys() == wrapped.keys()
    for phase in bare:
        assert same(bare[phase], wrapped[phase]), phase


def check_turned(case: Case) -> None:
    game, feed = game_of(case)
    before = moves(game.recipe, game, feed, base(case[1]))
    learns = [phase.name for phase in game.recipe.phases() if phase.clock and phase.moves == ("D",)]
    for knob in game.recipe.knobs & TURNED.keys():
        after = moves(game.recipe, game, feed, base(case[1], **TURNED[knob]))
        assert all(torch.isfinite(value).all() for values in after.values() for value in values), knob
        assert learns and not any(same(before[phase], after[phase]) for phase in learns), f"{knob} does nothing"


def check_safer_moves(case: Case, precision: str = "fp32") -> None:
    """Every phase moves its movers alone, also when it is played again; weights are left alone after the move."""
    game, feed = game_of(case, precision)
    constrained: list[Networks] = []
    batch = None
    for draw, phase in enumerate(game.recipe.phases()):
        phase = dataclasses.replace(phase, constrain=constrained.append)
        batch = feed.draw(draw, 0) if phase.fresh or batch is None else batch
        for _ in range(2):
            before = {name: copy.deepcopy(list(net.parameters())) for name, net in game.nets.items()}
            move(game, batch, phase, base(case[1], lr=1.0, augment=0.5, noise=0.1, **PLAYED), Meter())
            for name, net in game.nets.items():
                changed = not same(before[name], list(net.parameters()))
                assert changed == (name in phase.moves), f"phase {phase.name}: player {name}"
    assert not constrained
    assert all(torch.isfinite(p).all() for net in game.nets.values() for p in net.parameters())


def check_statistics(case: Case) -> None:
    game, feed = game_of(case)
    norms = [m for net in game.nets.values() for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]

    def play(**turned: Any) -> tuple[list[Tensor], set[bool]]:
        batch = None
        for draw, phase in enumerate(game.recipe.phases()):
            batch = feed.draw(draw, 0) if phase.fresh or batch is None else batch
            move(game, batch, phase, base(case[1], **turned), Meter())
        return [m.running_mean.clone() for m in norms if m.running_mean is not None], {m.training for m in norms}

    begun, _ = play(noise=0.1)
    held, modes = play(noise=0.1, **PLAYED)
    again, left = play()
    assert not norms or (same(begun, held) and modes == {False})
    assert not norms or (not any(torch.equal(a, b) for a, b in zip(held, again, strict=True)) and left == {True})
    assert all(module.training for net in game.nets.values() for module in net.modules())


def check_logits(case: Case) -> None:
    game, feed = game_of(case)
    batch = feed.draw(0, 0)
    labels = batch.labels if game.recipe.CONDITIONAL else None
    with torch.no_grad():
        on_real = game.recipe.logits(game.nets, batch.real, labels)
        on_fake = game.recipe.logits(game.nets, game.recipe.sample(game.nets, batch.z, labels), labels)
    for logits in (on_real, on_fake):
        assert logits.shape == (len(batch.real),), "D gives no single logit a sample: define `critic`, or PLAIN_CRITIC = False"


def test_untouched_knobs_leave_every_bit(case: Case) -> None:
    check_untouched(case)


def test_every_knob_that_is_named_does_something(case: Case) -> None:
    check_turned(case)


def test_every_named_knob_of_the_optimizers_does_something(case: Case) -> None:
    phase = next(phase for phase in case[1].phases() if phase.clock)  # D's, or that of all critics
    results, player = {}, phase.moves[0]
    for name, turned in {"": {}, "rates": {"rates": {player: 0.25}}, "beta1": {"beta1": 0.97}}.items():
        game, feed = game_of(case)
        phase = next(phase for phase in game.recipe.phases() if phase.clock)
        for draw in range(2):
            move(game, feed.draw(draw, 0), phase, base(case[1], lr=1.0, **turned), Meter())
        results[name] = [p.detach().clone() for p in game.nets[player].parameters()]
    for name in ("rates", "beta1"):
        assert same(results[""], results[name]) == (name not in game.recipe.knobs), name


def two(case: Case) -> None:
    if not Steadied(case[1], case[2].spec).two:
        pytest.skip("no plain game of two")


def test_in_the_safer_game_each_phase_changes_its_movers_and_nobody_else(case: Case) -> None:
    two(case)
    check_safer_moves(case)


def test_the_safer_game_in_bf16(case: Case) -> None:
    two(case)
    if case[2].modality.exact:
        pytest.skip("points are never made in bf16")
    check_safer_moves(case, "bf16")


def test_the_safer_game_holds_batch_statistics_and_lets_them_go(case: Case) -> None:
    two(case)
    check_statistics(case)


def test_logits_are_one_a_sample(case: Case) -> None:
    two(case)
    check_logits(case)


PLAIN = {"cgan", "dcgan", "dragan", "gan", "improved_gan", "lsgan", "projection", "sagan", "biggan", "r3gan", "sngan", "swift"}
PLAIN |= {"ctgan", "stylegan2", "stylegan3", "tabular", "wgan", "wgan_gp"}


def test_which_recipes_are_games_of_two() -> None:
    found = set()
    for name in recipes.names():
        kinds = recipes.header(name).modalities
        kind = "images" if "images" in kinds else kinds[0]
        made = recipes.find(name)(**recipes.header(name).resolve("toy", {}))
        steadied = Steadied(made, ToyDataset(SHAPES[kind], modality=kind).spec)
        remedies = {"safer", "support", "noise"} | ({"augment"} if kind == "images" else set())
        assert remedies <= steadied.knobs or not steadied.two
        assert not remedies & steadied.knobs or steadied.two
        found |= {name} if steadied.two else set()
    assert found == PLAIN


GAMES: list[tuple[str, str, dict[str, Any]]] = [
    ("stormy", "points", {"game": "wgan", "critic_steps": 2, "d_norm": "batch", "g_norm": True}),
    ("stormy", "points", {"game": "wgan-gp", "d_norm": "spectral"}),
    ("stormy", "images", {"game": "dragan", "g_norm": True, "d_norm": "batch"}),
    ("pacdcgan", "images", {}),
]
CHECKS: list[Callable[[Case], None]] = [check_untouched, check_turned, check_safer_moves, check_statistics, check_logits]


@pytest.mark.parametrize(("name", "kind", "fields"), GAMES, ids=["wgan", "wgan-gp", "dragan", "packs"])
def test_the_games_of_benchmarks_keep_these_promises(name: str, kind: str, fields: dict[str, Any]) -> None:
    path = str(Path(games.__file__).parent / f"{name}.py")
    made = recipes.find(path)(**recipes.header(path).resolve("toy", fields))
    for check in CHECKS:
        check((name, made, ToyDataset(SHAPES[kind])))


def test_a_penalty_of_its_own_phase_is_not_given_another_one() -> None:
    """Support is laid on where D learns from reals, once a round; a phase without samples of its own is supported all the same."""
    inner = recipes.find("lsgan")(width=4, z=4, batch=4)

    class Lazy(type(inner)):  # type: ignore[misc]
        def phases(self) -> tuple[Phase, ...]:
            d, g = super().phases()
            return dataclasses.replace(d, terms=self.silent), Phase("D_reg", ("D",), d.terms, every=4), g

        def silent(self, *given: Any) -> Any:
            terms = self.d_terms(*given)
            del terms.signals["samples"]
            return terms

    data = ToyDataset((2,))
    steadied = Steadied(Lazy(width=4, z=4, batch=4), data.spec)
    engine = Engine("cpu")
    game, feed = Game(steadied, data.spec, engine, 0), Feed(inner, data, engine, 0)
    d, regular, _ = steadied.phases()
    batch = feed.draw(0, 0)
    assert {"steady_r1", "steady_r2"} <= d.terms(game.nets, batch, Knobs(support=1.0)).keys()
    assert not {"steady_r1", "steady_r2"} & regular.terms(game.nets, batch, Knobs(support=1.0)).keys()


def test_it_can_be_copied() -> None:
    data = ToyDataset((2,))
    steadied = Steadied(recipes.find("lsgan")(width=4, z=4, batch=4), data.spec)
    assert copy.deepcopy(steadied).knobs == steadied.knobs


def test_packs_are_penalised_as_one_point_of_what_d_sees() -> None:
    """The squared slope of a linear D over packs of two is that of its weights."""
    data = ToyDataset((2,))
    inner = recipes.find("gan")(**recipes.header("gan").resolve("toy", {"pack": 2}))
    steadied = Steadied(inner, data.spec)
    weight = torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]]).flatten()

    class Linear(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1) @ weight

    real, fake = torch.randn(2, 8, 2)
    batch: Any = type("Batch", (), {"real": real, "labels": None})
    terms = steadied._penalties({"D": Linear()}, batch, fake, Knobs(support=2.0))[2]
    assert terms["steady_r1"].item() == pytest.approx(30.0)
    assert terms["steady_r2"].item() == pytest.approx(30.0)
