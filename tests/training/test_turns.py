"""Turns over a schedule, and that the loop obeys the knobs they turn."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from tightrope.core.game import Adam, Batch, Knobs, Networks, Phase, Terms, alternating
from tightrope.core.rules import RMSprop
from tightrope.core.turns import FADE, WARM, Turns
from tightrope.recipes.gan import GAN
from tightrope.steadied import Steadied
from tightrope.training.budget import Budget
from tightrope.training.engine import Engine
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.loop import play
from tightrope.training.meter import Meter
from tightrope.training.optimizers import Optimizer
from toys import ToyDataset

DATA = ToyDataset((2,))
SMALL: dict[str, Any] = {"width": 8, "d_width": 8, "batch": 4, "z": 2, "pieces": 1}


def test_neutral_turns_are_no_turns() -> None:
    knobs = Knobs(lr=0.5, ema=7.0, rates={"D": 2.0})
    for turns in (Turns(), Turns(since=0.4, from_seen=1000)):
        assert turns.neutral
        assert turns.over(knobs, 500, 0.5) is knobs
    assert not Turns(rates={"D": 0.5}).neutral


def test_turns_are_laid_over_what_the_schedule_says() -> None:
    turns = Turns(rates={"D": 0.5}, beta1=0.0, augment=0.2, noise=0.1, repeats={"D": 1}, since=0.5, from_seen=500)
    found = turns.over(Knobs(lr=0.5, rates={"G": 2.0, "D": 4.0}, penalty=2.0, augment=0.3, beta2=0.9), 750, 0.75)
    assert found == Knobs(
        lr=0.5, rates={"G": 2.0, "D": 0.5}, penalty=2.0, augment=0.3, noise=0.05, beta1=0.0, beta2=0.9, repeats={"D": 1}
    )
    assert turns.over(Knobs(noise=0.2), 1000, 1.0).noise == 0.2


def test_the_safer_game_warms_up_and_cools_at_rates_of_its_own() -> None:
    turns = Turns(safer=True, support=2.0, since=0.5, from_seen=500)
    found = [turns.over(Knobs(lr=0.1), round(1000 * p), p) for p in (0.5, 0.505, 0.5 + WARM / 2, 0.75, 1.0)]
    assert [k.safer for k in found] == [True] * 5
    rates = [k.lr for k in found]
    assert rates[0] == 0 and rates[1] == pytest.approx(0.5, abs=0.01) and rates[2] == pytest.approx(1, abs=0.01)
    assert rates[3] == pytest.approx(0.5) and rates[4] == pytest.approx(0)
    assert found[0].support == 2 and found[4].support == pytest.approx(2 * FADE)


def test_the_average_is_never_longer_than_a_tenth_of_what_was_seen_since() -> None:
    turns = Turns(ema=0.05, since=0.5, from_seen=5_000)
    lengths = [turns.over(Knobs(ema=3.0), seen, seen / 10_000).ema for seen in (5_000, 6_000, 9_000, 10_000)]
    assert lengths == pytest.approx([3.0, 100.0, 400.0, 500.0])
    assert turns.over(Knobs(ema=900.0), 10_000, 1.0).ema == 900.0
    assert Turns(ema=0.05).over(Knobs(), 0, 0.0).ema == 0


def test_turns_are_plain_data() -> None:
    for turns in (Turns(), Turns(rates={"D": 0.5}, safer=True, beta2=0.99, repeats={"D": 1}, since=0.25, from_seen=12)):
        assert Turns.from_json(json.loads(json.dumps(turns.to_json()))) == turns
    assert Turns().to_json() == {}
    assert Turns(noise=0.1).to_json() == {"noise": 0.1}


@pytest.mark.parametrize("progress", [0.0, 0.3, 0.5])
def test_a_clock_that_was_laid_anew_may_stand_before_the_change(progress: float) -> None:
    """A budget in minutes can take progress back a little."""
    turns = Turns(noise=0.1, support=1.0, safer=True, since=0.5, from_seen=500)
    found = turns.over(Knobs(), 400, progress)
    assert found.noise <= 0.1 and found.support <= 1.0 and 0 <= found.lr <= 1 and found.ema >= 0


class Counted(GAN):  # type: ignore[misc]
    """Notes the phases as they are played, and on how many different batches."""

    noted: ClassVar[list[str]] = []
    batches: ClassVar[list[int]] = []
    every: ClassVar[int] = 1

    def phases(self) -> tuple[Phase, ...]:
        d, g = alternating(self.d_terms, self.g_terms)
        return d, dataclasses.replace(g, every=self.every)

    def d_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        self.noted.append("D")
        self.batches.append(id(batch.real))
        return super().d_terms(nets, batch, knobs)

    def g_terms(self, nets: Networks, batch: Batch, knobs: Knobs) -> Terms:
        self.noted.append("G")
        self.batches.append(id(batch.real))
        return super().g_terms(nets, batch, knobs)


def noted(turns: Turns, every: int = 1) -> str:
    recipe: Any = type("Named", (Counted,), {"noted": [], "batches": [], "every": every})(**SMALL)
    game, feed = built(recipe)
    game.turns = turns
    play(game, feed, Budget(seen=8 * max(1, turns.repeats.get("D", 1))), Meter(), lambda knobs: None)
    return "".join(recipe.noted)


def built(recipe: Any) -> tuple[Game, Feed]:
    engine = Engine("cpu")
    return Game(recipe, DATA.spec, engine, 0), Feed(recipe, DATA, engine, 0)


def test_repeats_take_effect_in_the_loop() -> None:
    assert noted(Turns()) == "DGDG"
    assert noted(Turns(repeats={"D": 3})) == "DDDGDDDG"
    assert noted(Turns(repeats={"G": 2})) == "DGGDGG"  # the second on a batch of its own: the graph of the first is used up


def test_a_phase_of_every_other_round_stays_one() -> None:
    assert noted(Turns(), every=2) == "DGD"
    assert noted(Turns(repeats={"G": 2}), every=2) == "DGGD"


def change(turns: Turns, player: str) -> Tensor:
    """By how much a player's weights move in three rounds."""
    recipe = GAN(**SMALL)
    game, feed = built(Steadied(recipe, DATA.spec))
    before = torch.nn.utils.parameters_to_vector(game.nets[player].parameters()).detach().clone()
    game.turns = turns
    play(game, feed, Budget(seen=3 * recipe.batch), Meter(), lambda knobs: None)
    return torch.nn.utils.parameters_to_vector(game.nets[player].parameters()).detach() - before


def test_a_rate_of_one_player_is_that_of_this_player_alone() -> None:
    assert not change(Turns(rates={"D": 0.0, "G": 1.0}), "D").any()
    assert change(Turns(rates={"D": 0.0}), "G").any()
    ratio = change(Turns(rates={"D": 2.0}), "D").norm() / change(Turns(), "D").norm()
    assert ratio.item() == pytest.approx(2, abs=0.2)


def test_decay_rates_are_the_knobs_where_these_are_turned() -> None:
    net = torch.nn.Linear(2, 1)
    optimizer = Optimizer(net, Adam(lr=0.1, beta1=0.5, beta2=0.9))
    net(torch.ones(1, 2)).sum().backward()
    for knobs, betas in ((Knobs(beta1=0.0), (0.0, 0.9)), (Knobs(beta2=0.99), (0.5, 0.99)), (Knobs(), (0.5, 0.9))):
        optimizer.step(knobs, "D")
        assert optimizer.inner.param_groups[0]["betas"] == betas
    plain = Optimizer(net, RMSprop(lr=0.1))
    plain.step(Knobs(beta1=0.0, rates={"D": 0.5}), "D")
    assert plain.inner.param_groups[0]["lr"] == 0.05


def test_a_guarded_run_resumes_to_the_bit_in_the_safer_game() -> None:
    def played(game: Game, feed: Feed, rounds: int) -> Game:
        class Until(Budget):
            def done(self, seen: int) -> bool:
                return seen >= 4 * rounds

        play(game, feed, Until(seen=24), Meter(), lambda knobs: None)
        return game

    recipe = Steadied(GAN(**SMALL, norm=True), DATA.spec)
    turns = Turns(safer=True, support=1.0, ema=0.5, noise=0.1, rates={"D": 0.5}, since=0.25, from_seen=4)
    straight, feed = built(recipe)
    played(straight, feed, 1)
    straight.turns = turns
    played(straight, feed, 3)
    tensors, counters = {k: v.clone() for k, v in straight.tensors().items()}, json.loads(json.dumps(straight.counters()))
    played(straight, feed, 6)
    torch.manual_seed(9)
    again, feed = built(recipe)
    again.restore(tensors, counters)
    assert again.turns == turns
    played(again, feed, 6)
    for name, value in straight.tensors().items():
        assert torch.equal(value, again.tensors()[name]), name
