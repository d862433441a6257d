"""The window's newer figures: samples off the data, modes without samples, and sets that shrink."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tightrope.core.spec import DataSpec
from tightrope.metrics.extractor import Extractor, Reading
from tightrope.metrics.online import LENGTH, Window
from toys import ToyDataset

CENTRES = torch.tensor([[x, y] for x in (-4.0, 0.0, 4.0) for y in (-4.0, 0.0, 4.0)])
FLAT = Extractor(id="flat", dimensions=2, input_rule="numbers", read=lambda x: Reading(torch.from_numpy(x).float()))


def clusters(n: int, seed: int, modes: int = 9, sd: float = 0.3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return CENTRES[torch.arange(n) % modes] + sd * torch.randn(n, 2, generator=generator)


def data(samples: Tensor) -> ToyDataset:
    made = ToyDataset((2,), count=len(samples))
    made.samples = samples
    made.spec = DataSpec(modality="points", shape=(2,), classes=("a", "b"), count=len(samples))
    return made


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, float]]:
    window = Window(FLAT, data(clusters(2_000, 0)))
    one = torch.zeros(512, 2) + 1e-3 * torch.randn(512, 2, generator=torch.Generator().manual_seed(3))
    sets = {
        "real": clusters(512, 1), "collapsed": one, "dropped": clusters(512, 1, modes=5), "far": clusters(512, 1) + 2.0,
        "shrunk": clusters(512, 1, sd=0.15), "half far": torch.cat([clusters(256, 1), clusters(256, 2) + 2.0]),
    }  # fmt: skip
    found = {}
    for name, samples in sets.items():
        window.forget()
        found[name] = window.look(samples.numpy())
    return found


def test_real_samples_stand_at_the_nulls(figures: dict[str, dict[str, float]]) -> None:
    real = figures["real"]
    assert real["faithful"] == pytest.approx(0.99, abs=0.02)
    assert real["reach"] == pytest.approx(1, abs=0.03)
    assert real["spread"] == pytest.approx(1, abs=0.03)


def test_a_collapsed_set_reaches_nothing_though_it_is_faithful(figures: dict[str, dict[str, float]]) -> None:
    found = figures["collapsed"]
    assert found["spread"] < 0.01 and found["reach"] < 0.15 and found["faithful"] == 1


def test_dropped_modes_are_missing_in_reach_by_their_share(figures: dict[str, dict[str, float]]) -> None:
    assert figures["dropped"]["reach"] == pytest.approx(5 / 9, abs=0.05)
    assert figures["dropped"]["faithful"] == pytest.approx(0.99, abs=0.02)


def test_samples_between_the_modes_are_not_faithful(figures: dict[str, dict[str, float]]) -> None:
    assert figures["far"]["faithful"] < 0.01 and figures["far"]["spread"] == pytest.approx(1, abs=0.03)
    assert figures["half far"]["faithful"] == pytest.approx(0.5, abs=0.03)


def test_modes_that_shrink_are_still_reached(figures: dict[str, dict[str, float]]) -> None:
    assert figures["shrunk"]["reach"] > figures["shrunk"]["coverage"] + 0.15
    assert figures["shrunk"]["reach"] > 0.8


@pytest.mark.parametrize("count", [100, 150])
def test_few_real_samples_have_the_same_nulls(count: int) -> None:
    found = [Window(FLAT, data(clusters(count, seed))).look(clusters(512, 9 + seed).numpy()) for seed in range(4)]
    assert np.mean([figures["reach"] for figures in found]) == pytest.approx(1, abs=0.05)
    assert max(figures["reach"] for figures in found) < 1.1


def test_a_window_that_forgets_is_a_new_one() -> None:
    real = data(clusters(500, 0))
    window, fresh = Window(FLAT, real), Window(FLAT, real)
    window.look(torch.zeros(LENGTH, 2).numpy())
    window.forget()
    assert window.fake.shape == (0, 2)
    some = clusters(256, 1).numpy()
    assert window.look(some) == fresh.look(some)


def test_the_window_rolls() -> None:
    window = Window(FLAT, data(clusters(500, 0)))
    for seed in range(3):
        window.look(clusters(300, seed).numpy())
    assert len(window.fake) == LENGTH
    assert torch.equal(window.fake[-300:], clusters(300, 2))
