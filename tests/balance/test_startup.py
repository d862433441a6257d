"""What is seen to be wrong before the start, and that no recipe's own configuration is."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from torch import nn

from tightrope import recipes
from tightrope.balance.startup import Caution, Start, look, survey
from tightrope.core.errors import InputError
from tightrope.core.rates import normalised, weight_size, with_rate
from tightrope.core.rules import SGD, Adam, ExtraAdam, Lookahead, OptimisticAdam, RMSprop
from tightrope.core.spec import DataSpec

FASHION = DataSpec(modality="images", shape=(1, 32, 32), classes=tuple("abcdefghij"), count=15_500)
EMOJI = DataSpec(modality="images", shape=(3, 64, 64), classes=tuple("abcdefghi"), count=3_819)
POINTS = DataSpec(modality="points", shape=(2,), count=100_000)  # ring8 and grid25 look the same to a recipe
SEEN = {"fashion": 200_000, "emoji": 150_000, "points": 2_000_000}  # about ten minutes of one or two cores
SLOW = ("r3gan", "biggan cifar", "progressive paper", "sngan published", "gan default emoji", "cgan mnist emoji")
TRUE = {("wgan", "published", "emoji")}  # its critic's first turns of 100 moves leave G 24 moves in ten minutes
OF_POINTS = ("points", "pacgan", "unrolled")  # presets made for points, which nobody means for images


def configurations() -> list[tuple[str, str, str]]:
    """(recipe, preset, data) of every configuration of the house on data it is for, without those that are slow to build."""
    found = []
    for header in recipes.catalogue():
        for data in SEEN:
            modality = "points" if data == "points" else "images"
            presets = [name for name in ("default", *header.presets) if modality == "points" or name not in OF_POINTS]
            chosen = [p for p in presets if modality == "images" or p in ("default", "toy", *OF_POINTS)]
            names = [(header.name, preset, data) for preset in chosen if modality in header.modalities]
            found += [one for one in names if not any(" ".join(one).startswith(slow) or header.name == slow for slow in SLOW)]
    return found


def start(
    recipe: str = "gan", spec: DataSpec = FASHION, seen: float = 200_000, preset: str | None = None, **fields: Any
) -> Start:
    small = {"width": 16, "d_width": 16} if recipe == "gan" else {}
    built = recipes.build(recipe, spec, preset, {**small, **fields})
    return survey(built, built.networks(spec), spec, seen)


def names(cautions: tuple[Caution, ...]) -> list[str]:
    return [caution.name for caution in cautions]


@pytest.mark.parametrize("data", list(SEEN))
def test_no_configuration_of_the_house_is_warned_of(data: str) -> None:
    spec = {"fashion": FASHION, "emoji": EMOJI, "points": POINTS}[data]
    told = {}
    tried = 0
    for recipe, preset, where in configurations():
        if where != data:
            continue
        try:
            built = recipes.build(recipe, spec, None if preset == "default" else preset)
            nets = built.networks(spec)
        except InputError:  # a preset for another size
            continue
        tried += 1
        cautions = look(survey(built, nets, spec, SEEN[data]))
        if names(cautions) != ["reach"] * ((recipe, preset, data) in TRUE):
            told[recipe, preset] = [caution.sentence for caution in cautions]
    assert tried > 8
    assert told == {}


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"lr": 0.1}, "jolt"),
        ({"lr": 1e-7}, "reach"),
        ({"d_lr": 0.01}, "rates"),
        ({"beta1": 0.97}, "momentum"),
        ({"z": 1}, "latent"),
        ({"batch": 20_000}, "batch size"),
        ({"d_width": 1, "pieces": 1, "width": 512}, "sizes"),
    ],
)
def test_what_is_wrong_is_told_by_its_flag(wrong: dict[str, Any], name: str) -> None:
    assert names(look(start())) == []
    told = {caution.name: caution for caution in look(start(**wrong))}
    assert name in told
    field = next(iter(wrong))
    if name != "sizes":
        assert f"--{field.replace('_', '-')}" in told[name].sentence
    assert all(isinstance(value, (int, float)) for value in told[name].evidence.values())


def test_batches_of_two_under_batch_normalisation() -> None:
    cautions = look(start("dcgan", preset="toy", batch=2))
    assert names(cautions) == ["batch norm"]
    assert "G and D use batch normalisation" in cautions[0].sentence
    assert names(look(start("swift", preset="toy", batch=2))) == ["batch norm"]  # G's
    assert "batch norm" not in names(look(start("gan", batch=2)))


def test_few_images_seen_often() -> None:
    few = dataclasses.replace(FASHION, count=500)
    assert names(look(start("swift", few, preset="toy", seen=100_000))) == []  # 200 times each
    (told,) = look(start("swift", few, preset="toy"))
    assert told.name == "data"
    assert "--augment 1" in told.sentence
    (told,) = look(start("dcgan", few, preset="toy"))
    assert "swift" in told.sentence
    assert look(start("swift", few, preset="images-few", width=16)) == ()
    assert look(start("swift", few, preset="toy", augment_target=0.6)) == ()
    assert look(start("swift", few, preset="toy", seen=0)) == ()  # where the budget is not known nothing is said of it


def test_turns_that_leave_one_side_waiting() -> None:
    assert names(look(start("wgan_gp", preset="toy", critic_steps=50))) == ["turns"]
    assert "turns" not in names(look(start("wgan", preset="toy")))


def test_a_rule_decides_whether_a_step_has_a_size() -> None:
    rules = [Adam(lr=1), RMSprop(lr=1), OptimisticAdam(lr=1), ExtraAdam(lr=1), Lookahead(inner=Adam(lr=1))]
    plain = [SGD(lr=1), Lookahead(inner=SGD(lr=1))]
    assert all(normalised(rule) for rule in rules)
    assert not any(normalised(rule) for rule in plain)
    assert all(with_rate(rule, 0.5).lr == 0.5 for rule in [*rules, *plain])
    net = nn.Sequential(nn.Linear(8, 8))
    loop = {"nets": {"D": net}, "critics": ("D",), "spec": POINTS, "batch": 8}
    told = [look(Start(rules={"D": rule}, **loop)) for rule in (*rules, *plain)]
    assert [names(cautions) for cautions in told] == [["jolt"]] * len(rules) + [[]] * len(plain)


def test_the_size_of_weights_leaves_out_biases_and_zeros() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.BatchNorm1d(4))
    nn.init.zeros_(net[0].weight)
    nn.init.constant_(net[1].weight, -0.5)
    nn.init.constant_(net[1].bias, 9.0)
    assert weight_size(net) == pytest.approx(0.5)
    assert weight_size(nn.BatchNorm1d(4)) is None


def test_equalised_rates_are_judged_by_what_a_step_is_a_share_of() -> None:
    """Weights start at 1 and are scaled afterwards: a rate of 1e-3 is a thousandth, and ten times that a hundredth."""
    assert names(look(start("progressive", preset="toy"))) == []
    assert names(look(start("progressive", preset="toy", lr=0.2))) == ["jolt", "jolt"]
