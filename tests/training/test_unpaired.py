"""CycleGAN, CUT and style as games: what is in a checkpoint, whom losses reach, which weights the papers' presets have."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tightrope import recipes
from tightrope.core.errors import InputError
from tightrope.core.game import Knobs
from tightrope.core.spec import DataSpec
from tightrope.core.translation import Translating
from tightrope.describe import describe
from tightrope.training.engine import Engine
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.loop import move
from tightrope.training.meter import Meter
from toys import SHAPES, ToyDataset

RECIPES = ("cyclegan", "cut", "style")


def game_of(name: str, **fields: Any) -> tuple[Game, Feed]:
    recipe = recipes.find(name)(**recipes.header(name).resolve("toy", fields))
    dataset, engine = ToyDataset(SHAPES["unpaired"], modality="unpaired"), Engine("cpu")
    return Game(recipe, dataset.spec, engine, 0), Feed(recipe, dataset, engine, 0)


def one_round(game: Game, feed: Feed) -> None:
    batch = feed.draw(game.draws, game.round)
    for phase in game.recipe.phases():
        move(game, batch, phase, Knobs(), Meter())
    game.draws, game.round = game.draws + 1, game.round + 1


def test_the_pools_of_earlier_fakes_are_in_checkpoints() -> None:
    game, feed = game_of("cyclegan")
    one_round(game, feed)
    saved = {key: value.clone() for key, value in game.tensors().items()}
    assert saved["net/pool_B/count"] == 2
    assert saved["net/pool_B/kept"][:2].abs().sum() > 0
    assert not saved["net/pool_B/kept"][2:].any()
    other, _ = game_of("cyclegan")
    other.restore(saved, game.counters())
    assert torch.equal(other.nets["pool_B"].kept, game.nets["pool_B"].kept)
    assert torch.equal(other.nets["pool_A"].kept, game.nets["pool_A"].kept)


def test_critics_are_shown_what_the_translators_have_just_made() -> None:
    game, feed = game_of("cyclegan", pool=0)
    batch = feed.draw(0, 0)
    generators, critics = game.recipe.phases()
    assert (generators.moves, critics.moves) == (("G", "F"), ("D_A", "D_B"))
    with torch.no_grad():
        expected = game.nets["G"](batch.given)
    move(game, batch, generators, Knobs(), Meter())
    assert torch.allclose(batch.made["B"], expected, atol=1e-6)  # of before the move
    assert not batch.made["B"].requires_grad


def test_the_losses_of_a_cycle_are_those_of_the_paper() -> None:
    game, feed = game_of("cyclegan", cycle=3.0, identity=0.5)
    batch, nets = feed.draw(0, 0), game.nets
    terms = game.recipe.g_terms(nets, batch, Knobs())
    a, b = batch.given, batch.real
    g, f = nets["G"], nets["F"]
    cycle = (f(g(a)) - a).abs().mean() + (g(f(b)) - b).abs().mean()
    identity = (g(b) - b).abs().mean() + (f(a) - a).abs().mean()
    assert terms["cycle"].item() == pytest.approx(3 * cycle.item(), rel=1e-4)
    assert terms["identity"].item() == pytest.approx(1.5 * identity.item(), rel=1e-4)
    assert terms["adversarial_B"].item() == pytest.approx((nets["D_B"](g(a)) - 1).square().mean().item(), rel=1e-4)


def test_both_ways_are_there_to_be_used() -> None:
    game, _ = game_of("cyclegan")
    assert isinstance(game.recipe, Translating)
    ways = game.recipe.translators(game.average.nets)
    assert list(ways) == ["A-to-B", "B-to-A"]
    assert ways["A-to-B"].net is game.average.nets["G"]
    assert ways["B-to-A"].net is game.average.nets["F"]
    assert all(way.whole and way.reach and not way.net.training for way in ways.values())


def test_contrast_asks_for_pieces_in_their_place_whatever_the_mirror() -> None:
    """A G that changes nothing pays least where it is compared with the picture as it is, mirrored batch or not."""
    for seed in range(4):  # both sides of the coin
        game, feed = game_of("cut", identity=0.0, mirror=True)
        batch, nets = feed.draw(0, 0), game.nets
        torch.manual_seed(seed)
        game.recipe.translated(nets, batch)
        flipped = bool(batch.made["mirrored"])
        kept, turned = batch.given, batch.given.flip(3)
        torch.manual_seed(9)
        right = game.recipe.contrasted(nets, batch, turned if flipped else kept)[0]
        torch.manual_seed(9)
        wrong = game.recipe.contrasted(nets, batch, kept if flipped else turned)[0]
        assert right < wrong


def test_the_presets_are_the_papers() -> None:
    paper = recipes.header("cyclegan").resolve("paper", {})
    assert (paper["width"], paper["blocks"], paper["batch"], paper["generator"]) == (64, 9, 1, "resnet")
    fast = recipes.find("cut")(**recipes.header("cut").resolve("fast", {}))
    assert (fast.contrast, fast.identity, fast.mirror) == (10.0, 0.0, True)
    cut = recipes.find("cut")(**recipes.header("cut").resolve("paper", {}))
    assert cut.layers == (0, 4, 7, 10, 14)


@pytest.mark.parametrize("name", RECIPES)
def test_pictures_of_another_size_than_the_targets_are_refused(name: str) -> None:
    recipe = recipes.find(name)(**recipes.header(name).resolve("toy", {}))
    with pytest.raises(InputError, match=name):
        recipe.networks(DataSpec(modality="unpaired", shape=(3, 16, 16), given=(3, 8, 8)))


def test_style_keeps_lights_whatever_palette_they_are_in() -> None:
    recipe = recipes.find("style")()
    x = (
        (torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1)
        .repeat_interleave(8, 2)
        .repeat_interleave(8, 3)
    )
    assert torch.allclose(recipe.lights(x), recipe.lights(x * 0.5 + 0.2), atol=0.05)
    assert (recipe.lights(x) - recipe.lights(-x)).abs().mean() > 0.5


def test_a_cycle_is_drawn_in_the_order_in_which_it_runs() -> None:
    """G is given what F made of G's, and F what G made of F's: two calls each, none before what it is given."""
    found = describe("cyclegan", DataSpec(modality="unpaired", shape=(3, 16, 16), given=(3, 16, 16)), "toy")
    calls = found.moves[0].calls
    assert sorted(call.player for call in calls) == ["D_A", "D_B", "F", "F", "G", "G"]
    for place, call in enumerate(calls):
        assert all(given < place for given in call.inputs if isinstance(given, int))
