"""What every recipe promises. Third parties run it on theirs: pytest tests/contract --recipe my_gan.py"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from splitting import why_not
from tightrope import recipes
from tightrope.core import processes
from tightrope.core.errors import InputError
from tightrope.core.game import Batch, Knobs, Phase
from tightrope.core.given import latents
from tightrope.core.hyper import fields, values
from tightrope.explore.generator import Generator, read
from tightrope.training.artifact import write_generator
from tightrope.training.budget import Budget
from tightrope.training.engine import Engine
from tightrope.training.feed import Feed
from tightrope.training.game import Game
from tightrope.training.loop import move, play
from tightrope.training.meter import Meter
from toys import SHAPES, ToyDataset

Case = tuple[str, Any, ToyDataset]


def game_of(case: Case, seed: int = 0) -> tuple[Game, Feed]:
    _, recipe, dataset = case
    engine = Engine("cpu")
    return Game(recipe, dataset.spec, engine, seed), Feed(recipe, dataset, engine, seed)


def rounds(game: Game, feed: Feed, count: int, total: int = 6) -> None:
    """Play until `count` rounds are over, on the schedule of a run of `total` rounds."""
    clocks = [phase for phase in game.recipe.phases() if phase.clock]
    shown = [sum(phase.times(round) for phase in clocks) * game.recipe.batch for round in range(total)]

    class Until(Budget):
        def done(self, seen: int) -> bool:
            return seen >= sum(shown[:count])

    play(game, feed, Until(seen=sum(shown)), Meter(), lambda knobs: None)


def asked(game: Game, n: int) -> Tensor | None:
    """Classes to ask for, where samples are made by class."""
    return torch.arange(n) % len(game.spec.classes) if game.recipe.CONDITIONAL else None


def weights(nets: dict[str, nn.Module]) -> dict[str, Tensor]:
    return {f"{p}/{k}": v.clone() for p, net in nets.items() for k, v in net.state_dict().items()}


def test_header_says_what_it_is_and_cites_its_source(case: Case) -> None:
    header = recipes.header(case[0])
    assert header.sentence.endswith(".")
    assert header.paper, "the file's docstring needs a paragraph that begins with 'Paper:'"
    text = header.path.read_text()
    assert re.search(r"^Run: ", text, re.M), "the docstring names one command that runs it"
    assert re.search(r"^Expect: ", text, re.M), "the docstring says what it should reach, or that it is not reproduced here"
    assert len(text.splitlines()) <= 150


def test_fields_read_from_the_source_are_those_of_the_class(case: Case) -> None:
    assert recipes.header(case[0]).fields == fields(type(case[1]))
    for field in fields(type(case[1])).values():
        assert field.doc
        assert field.type in ("int", "float", "str", "bool")
        assert field.choices or field.type == "bool" or (field.low is not None and field.high is not None)


def test_fields_round_trip_and_presets_are_valid(case: Case) -> None:
    name, recipe, _ = case
    assert type(recipe)(**values(recipe)) == recipe
    for preset in recipes.header(name).presets:
        recipes.find(name)(**recipes.header(name).resolve(preset, {}))
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.batch = 3
    with pytest.raises(InputError):
        type(recipe)(batch=-1)


def test_samples_have_the_shape_and_range_of_the_data(case: Case) -> None:
    game, _ = game_of(case)
    z = latents(game.recipe, game.spec, 5, torch.Generator().manual_seed(0))
    with torch.no_grad():
        samples = game.recipe.sample(game.average.nets, z, asked(game, 5))
    assert samples.shape == (5, *game.spec.shape)
    assert samples.dtype == torch.float32
    assert torch.isfinite(samples).all()


def test_each_phase_changes_its_movers_and_nobody_else(case: Case) -> None:
    game, feed = game_of(case)
    for phase in game.recipe.phases():
        before = {name: copy.deepcopy(list(net.parameters())) for name, net in game.nets.items()}
        move(game, feed.draw(0, 0), phase, Knobs(), Meter())
        for name, net in game.nets.items():
            changed = any(not torch.equal(a, b) for a, b in zip(before[name], net.parameters(), strict=True))
            assert changed == (name in phase.moves), f"phase {phase.name}: player {name}"


def test_terms_are_finite_scalars_and_signals_are_detached(case: Case) -> None:
    game, feed = game_of(case)
    for phase in game.recipe.phases():
        game.only(phase.moves + phase.keeps)
        terms = phase.terms(game.nets, feed.draw(0, 0), Knobs())
        assert terms
        assert all(term.dim() == 0 and torch.isfinite(term) for term in terms.values())
        assert all(not signal.requires_grad for signal in terms.signals.values())


def test_some_phase_moves_the_clock(case: Case) -> None:
    assert any(phase.clock for phase in case[1].phases())


def test_schedule_is_defined_from_start_to_end(case: Case) -> None:
    for progress in (0.0, 0.5, 1.0):
        knobs = case[1].schedule(int(1000 * progress), progress)
        assert knobs.lr >= 0
        assert knobs.ema >= 0


def test_same_seed_same_bits_other_seed_others(case: Case) -> None:
    results = []
    for seed in (0, 0, 1):
        game, feed = game_of(case, seed)
        rounds(game, feed, 2)
        results.append(weights(game.nets))
    assert all(torch.equal(results[0][k], results[1][k]) for k in results[0])
    assert any(not torch.equal(results[0][k], results[2][k]) for k in results[0])


def test_stop_and_resume_equals_straight(case: Case) -> None:
    straight, feed = game_of(case)
    rounds(straight, feed, 6)
    first, feed = game_of(case)
    rounds(first, feed, 3)
    tensors, counters = {k: v.clone() for k, v in first.tensors().items()}, first.counters()
    torch.manual_seed(999)  # whatever happened in between
    second, feed = game_of(case, 0)
    second.restore(tensors, counters)
    rounds(second, feed, 6)
    for key, value in straight.tensors().items():
        assert torch.equal(value, second.tensors()[key]), key


def test_save_load_same_sample(case: Case, tmp_path: Path) -> None:
    game, feed = game_of(case)
    rounds(game, feed, 2)
    path = tmp_path / "generator.safetensors"
    write_generator(path, game.average.nets, {"recipe": case[0]})
    header, tensors = read(path)
    loaded = Generator(game.recipe, game.spec, tensors, header)
    z = latents(game.recipe, game.spec, 2, torch.Generator().manual_seed(0)) if game.spec.given else loaded.latents([3, 5])
    with torch.no_grad():
        expected = game.recipe.sample(game.average.nets, z, asked(game, 2))
    assert torch.equal(loaded.decode(z, asked(game, 2)), expected)


def test_samples_of_a_batch_do_not_depend_on_each_other_when_sampling(case: Case) -> None:
    game, _ = game_of(case)
    z, labels = latents(game.recipe, game.spec, 4, torch.Generator().manual_seed(0)), asked(game, 4)
    parts = [slice(i, i + 1) for i in range(4)]
    with torch.no_grad():
        together = game.recipe.sample(game.average.nets, z, labels)
        each = [game.recipe.sample(game.average.nets, z[i], None if labels is None else labels[i]) for i in parts]
        alone = torch.cat(each)
    assert torch.allclose(together, alone, atol=1e-5)


def test_gradients_of_two_halves_average_to_the_whole(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """What two processes compute, in one: exact for every recipe whose players do not mix samples."""
    game, feed = game_of(case)
    whole = feed.draw(0, 0)
    if reason := why_not(game, whole):
        pytest.skip(reason)
    alone = Alone()
    monkeypatch.setattr(processes, "dist", alone)
    for net in game.nets.values():
        net.double()

    def gradients(phase: Phase, part: slice) -> list[Tensor]:
        game.only(phase.moves)
        nets = copy.deepcopy(game.nets)  # what a player remembers is that of before
        movers = [p for player in phase.moves for p in nets[player].parameters()]
        labels = None if whole.labels is None else whole.labels[part]
        terms = phase.terms(nets, Batch(whole.real[part].double(), whole.z[part].double(), labels, 0), Knobs())
        return list(torch.autograd.grad(terms.total, movers, allow_unused=True, materialize_grads=True))

    half = len(whole.real) // 2
    for phase in game.recipe.phases():
        parts = [gradients(phase, part) for part in (slice(0, half), slice(half, 2 * half), slice(0, 2 * half))]
        if alone.asked:
            pytest.skip("the processes agree on a mean: tests/training plays that with two of them")
        for first, second, both in zip(*parts, strict=True):
            assert torch.allclose((first + second) / 2, both, atol=1e-6)


class Alone:
    """In place of torch.distributed: one process, and a note of whether it looked for others."""

    asked = False

    def is_available(self) -> bool:
        self.asked = True
        return False


def test_bf16_and_channels_last(case: Case) -> None:
    _, recipe, dataset = case
    if dataset.modality.exact:
        pytest.skip("points are never made in bf16")
    engine = Engine("cpu", "bf16")
    game, feed = Game(recipe, dataset.spec, engine, 0), Feed(recipe, dataset, engine, 0)
    rounds(game, feed, 1)
    z = engine.bring(latents(recipe, dataset.spec, 2, torch.Generator().manual_seed(0)))
    with torch.no_grad(), engine.autocast():
        samples = recipe.sample(game.average.nets, z, asked(game, 2))
    assert samples.dtype == torch.float32
    assert torch.isfinite(samples).all()
    assert all(torch.isfinite(value).all() for value in weights(game.nets).values())


def test_every_player_with_an_optimizer_moves_and_nobody_moves_without(case: Case) -> None:
    game, _ = game_of(case)
    movers = {player for phase in game.recipe.phases() for player in phase.moves}
    assert movers == set(game.recipe.optimizers())
    assert all(any(True for _ in game.nets[player].parameters()) for player in movers)


def test_presets_build(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every preset's networks, for the data that its name says, without memory for their weights."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())  # knows no device without memory
    name, _, dataset = case
    spec = dataset.spec
    for preset in recipes.header(name).presets:
        modality, _, size = preset.partition("-")
        if modality in SHAPES and modality != spec.modality:
            continue
        made = recipes.find(name)(**recipes.header(name).resolve(preset, {}))
        side = int(size) if size.isdigit() else 256 if spec.given else 32
        fits = (
            spec
            if spec.modality in ("points", "table")
            else dataclasses.replace(spec, shape=(3, side, side), given=(3, side, side) if spec.given else ())
        )
        with torch.device("meta"):
            assert made.networks(fits)


def test_samples_follow_their_class_and_mixtures_of_classes_are_understood(case: Case) -> None:
    game, feed = game_of(case)
    if not game.recipe.CONDITIONAL:
        pytest.skip("makes samples without classes")
    rounds(game, feed, 2)
    z = latents(game.recipe, game.spec, 1, torch.Generator().manual_seed(0)).repeat(4, 1)
    with torch.no_grad():
        first, other = (game.recipe.sample(game.average.nets, z, torch.full((4,), k)) for k in (0, 1))
        shares = torch.eye(len(game.spec.classes))[[0, 0, 1, 1]]
        mixed = game.recipe.sample(game.average.nets, z, shares)
    assert not torch.equal(first, other)
    assert first.shape == (4, *game.spec.shape)
    assert torch.allclose(mixed[0], first[0], atol=1e-6)
    assert torch.allclose(mixed[3], other[3], atol=1e-6)


def test_the_class_is_part_of_the_game(case: Case) -> None:
    """Other labels for the same samples: another loss, in at least one phase of D's and one of the others."""
    game, feed = game_of(case)
    if not game.recipe.CONDITIONAL:
        pytest.skip("makes samples without classes")
    batch, felt = feed.draw(0, 0), set()
    assert batch.labels is not None
    for phase in game.recipe.phases():
        totals = []
        for labels in (batch.labels, 1 - batch.labels):
            torch.manual_seed(0)
            terms = phase.terms(copy.deepcopy(game.nets), dataclasses.replace(batch, labels=labels, made={}), Knobs())
            totals.append(terms.total.item())
        if totals[0] != totals[1]:
            felt.add(phase.clock)
    assert felt == {phase.clock for phase in game.recipe.phases()}


def test_data_without_classes_is_refused_where_they_are_needed(case: Case) -> None:
    _, recipe, dataset = case
    if recipe.CONDITIONAL:
        with pytest.raises(InputError, match="classes"):
            recipe.networks(dataclasses.replace(dataset.spec, classes=()))
