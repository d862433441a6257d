"""Going back: snapshots, and averages, optimizers and counters that take up a saved state to the bit."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from rounds import CLOCK, IMAGES, SMALL, built, differing, rounds, state
from tightrope.core.game import Adam
from tightrope.core.rules import ExtraAdam, Lookahead
from tightrope.core.turns import Turns
from tightrope.recipes.gan import GAN
from tightrope.recipes.swift import Swift
from tightrope.steadied import Steadied
from tightrope.training import checkpoint
from tightrope.training.average import Average
from tightrope.training.ring import Ring


@pytest.mark.parametrize("in_files", [False, True])
def test_the_ring_keeps_the_start_and_the_newest_two(tmp_path: Path, in_files: bool) -> None:
    game, feed = built()
    ring = Ring(tmp_path / "ring" if in_files else None)
    assert ring.kept() == []
    ring.keep(game)
    for _ in range(4):
        rounds(game, feed, 1)
        ring.keep(game)
    assert ring.kept() == [0, 12, 16]
    ring.after(12)
    assert ring.kept() == [0, 12]
    rounds(game, feed, 1)
    ring.keep(game)
    assert ring.kept() == [0, 12, 20]
    assert not list(tmp_path.rglob("*.partial"))


def test_a_run_that_goes_on_from_any_checkpoint_finds_the_snapshots_of_then(tmp_path: Path) -> None:
    game, feed = built()
    ring, then = Ring(tmp_path), {}
    ring.keep(game)
    for number in range(1, 8):
        rounds(game, feed, 1)
        ring.keep(game)
        if number in (3, 5):
            checkpoint.save(tmp_path, game.tensors(), game.counters())
            then[game.seen] = [0, game.seen - 4, game.seen]
    assert ring.kept() == [0, 8, 12, 16, 20, 24, 28]
    for seen in (20, 12):
        ring.after(seen)
        assert ring.kept()[-2:] == then[seen][-2:]
    for old in checkpoint.found(tmp_path):
        old.unlink()
    rounds(game, feed, 1)
    ring.keep(game)
    assert ring.kept() == [0, 12, 32]


@pytest.mark.parametrize("in_files", [False, True])
def test_a_snapshot_is_taken_up_exactly_and_the_clock_goes_on(tmp_path: Path, in_files: bool) -> None:
    game, feed = built()
    ring = Ring(tmp_path if in_files else None)
    rounds(game, feed, 2)
    ring.keep(game)
    then = state(game)
    rounds(game, feed, 3)
    game.turns = Turns(rates={"D": 0.5})
    now = state(game)
    assert len(differing(then, now)) > 20
    for _ in range(2):  # a snapshot serves more than once
        ring.take_up(game, 8)
        assert differing(then, state(game)) == CLOCK
        assert game.seen == game.round * 4 == game.draws * 4
        assert game.turns == Turns(rates={"D": 0.5})
        rounds(game, feed, 1)
    assert game.seen == 28


def test_the_state_at_the_start_has_no_moments() -> None:
    game, feed = built()
    ring = Ring()
    ring.keep(game)
    then = state(game)
    rounds(game, feed, 2)
    ring.take_up(game, 0)
    assert differing(then, state(game)) == CLOCK
    assert all(not optimizer.state() for optimizer in game.optimizers.values())


@pytest.mark.parametrize("rule", [ExtraAdam(lr=0.01), Lookahead(inner=Adam(lr=0.01), every=3)])
def test_going_back_restores_every_rule_in_the_midst_of_its_steps(rule: Any) -> None:
    class Ruled(GAN):  # type: ignore[misc]
        def optimizers(self) -> dict[str, Any]:
            return {"G": rule, "D": rule}

    game, feed = built(Ruled(**SMALL))
    rounds(game, feed, 2)
    ring, then = Ring(), state(game)
    ring.keep(game)
    rounds(game, feed, 3)
    ring.take_up(game, 8)
    assert differing(then, state(game)) == CLOCK


@pytest.mark.parametrize("half_lives", [(0.0, 0.0, 10.0), (0.0, 10.0, 0.0), (10.0, 0.0, 10.0), (10.0, 10.0, 10.0)])
def test_the_average_goes_on_to_the_bit_whatever_the_half_life_was_and_becomes(half_lives: tuple[float, ...]) -> None:
    first, second, third = half_lives
    straight, feed = built()
    rounds(straight, feed, 1, first)
    rounds(straight, feed, 1, second)
    tensors, counters = state(straight), straight.counters()
    rounds(straight, feed, 2, third)
    again, feed = built()
    again.restore(tensors, counters)
    rounds(again, feed, 2, third)
    assert differing(state(straight), state(again)) == []


def test_an_average_that_happens_to_equal_the_weights_does_not_copy_them_from_then_on() -> None:
    """As after rounds at a rate of 0, where a warm-up begins."""
    live = nn.Linear(2, 1)
    straight = Average({"G": live}, ("G",))
    straight.update(10.0, 4)
    saved, copies = copy.deepcopy(straight.nets["G"].state_dict()), straight.copies
    again = Average({"G": live}, ("G",))
    again.nets["G"].load_state_dict(saved)
    again.restored(copies)
    with torch.no_grad():
        live.weight.add_(1)
    for average in (straight, again):
        average.update(10.0, 4)
    assert torch.equal(straight.nets["G"].weight, again.nets["G"].weight)  # type: ignore[arg-type]


def test_a_state_from_before_averages_said_whether_they_copy_is_understood() -> None:
    straight, feed = built()
    rounds(straight, feed, 2, 0.0)
    tensors, counters = state(straight), straight.counters()
    del tensors["average/copies"]
    rounds(straight, feed, 1, 10.0)
    again, feed = built()
    again.restore(tensors, counters)
    rounds(again, feed, 1, 10.0)
    assert differing(state(straight), state(again)) == []


def test_neutral_turns_are_not_written() -> None:
    game, _ = built()
    assert "turns" not in game.counters()
    game.turns = Turns(noise=0.1)
    assert game.counters()["turns"] == {"noise": 0.1}


def test_a_player_without_parameters_goes_back_too() -> None:
    recipe = Steadied(Swift(width=16, z=4, batch=4, augment_target=0.1, augment_images=100.0), IMAGES.spec)
    game, feed = built(recipe, IMAGES)
    ring: Ring = Ring()
    rounds(game, feed, 1)
    ring.keep(game)
    then = state(game)
    rounds(game, feed, 4)
    assert any(name.startswith("net/steering/") for name in differing(then, state(game)))
    ring.take_up(game, 4)
    assert differing(then, state(game)) == CLOCK
