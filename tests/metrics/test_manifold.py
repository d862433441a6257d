"""Precision, recall, density and coverage against closed forms and against the numbers of their peers."""

from __future__ import annotations

import pytest
import torch

from tightrope.core.errors import InputError
from tightrope.metrics.manifold import coverage_null, covered, density_coverage, precision_recall, realistic
from toys import numbers

REAL, FAKE = numbers(400, 6, 1), numbers(300, 6, 2) * 0.8 + 0.15


@pytest.mark.parametrize(("k", "precision", "recall"), [(3, 0.99, 0.7025), (5, 1.0, 0.8025)])
def test_equal_to_torch_fidelity_0_4_0(k: int, precision: float, recall: float) -> None:
    assert precision_recall(REAL, FAKE, k) == pytest.approx((precision, recall), abs=1e-12)


@pytest.mark.parametrize(("k", "density", "coverage"), [(3, 1.2833333333333332, 0.7975), (5, 1.294, 0.935)])
def test_equal_to_prdc_0_2(k: int, density: float, coverage: float) -> None:
    assert density_coverage(REAL, FAKE, k) == pytest.approx((density, coverage), abs=1e-12)


def test_points_on_a_line() -> None:
    real, fake = torch.tensor([[0.0], [1.0], [2.0], [10.0]]), torch.tensor([[1.0], [3.0], [18.0], [50.0]])
    # Balls with k = 1: radii 1, 1, 1, 8. 3 is at distance 1 of 2 (on the ball) and 7 of 10; 18 at 8 of 10 (on the ball).
    assert realistic(real, fake, 1).tolist() == [True, True, True, False]
    # Balls of the fakes have the radii 2, 2, 15, 32.
    assert precision_recall(real, fake, 1) == (0.75, 1.0)
    # Without their surfaces the balls hold 1 once (its own centre; 0 and 2 are at 1) and 3 once (10 is at 7).
    assert density_coverage(real, fake, 1) == (0.5, 0.5)
    assert covered(real, fake, 1).tolist() == [False, True, False, True]


def test_copies_lie_on_the_surface() -> None:
    assert precision_recall(REAL, REAL) == (1.0, 1.0)
    # A ball holds its centre and the k - 1 before the one on its surface.
    assert density_coverage(REAL, REAL, 5) == pytest.approx((1.0, 1.0))


def test_collapse_keeps_precision_and_loses_recall_and_coverage() -> None:
    one = REAL[:1].expand(200, -1)
    assert precision_recall(REAL, one).precision == 1 and precision_recall(REAL, one).recall <= 1 / 400
    assert density_coverage(REAL, one).coverage < 0.05
    assert precision_recall(REAL, REAL + 9) == (0.0, 0.0) == density_coverage(REAL, REAL + 9)


def test_half_of_the_space() -> None:
    half = FAKE[FAKE[:, 0] < 0.5]
    reached = realistic(half, REAL, 3), covered(REAL, half, 5)
    for outcome in reached:
        assert outcome[REAL[:, 0] > 0.7].double().mean() < 0.1 < outcome[REAL[:, 0] < 0.5].double().mean()


@pytest.mark.parametrize(("n", "m", "k"), [(200, 200, 5), (300, 100, 5), (100, 300, 1)])
def test_null_of_coverage(n: int, m: int, k: int) -> None:
    draw = torch.Generator().manual_seed(0)
    trials = [density_coverage(torch.randn(n, 8, generator=draw), torch.randn(m, 8, generator=draw), k) for _ in range(40)]
    found = torch.tensor([trial.coverage for trial in trials])
    assert coverage_null(n, m, k) == pytest.approx(found.mean().item(), abs=4 * found.std().item() / 40**0.5)


def test_null_by_hand() -> None:
    assert coverage_null(2, 1, 1) == pytest.approx(1 / 2)
    assert coverage_null(10_000, 10_000, 5) == pytest.approx(1 - 2**-5, abs=1e-4)


@pytest.mark.parametrize("function", [precision_recall, density_coverage, realistic, covered])
def test_bad_input(function: object) -> None:
    assert callable(function)
    for real, fake, k, sentence in (
        (REAL[:3], FAKE, 3, "more than k"),
        (REAL, FAKE, 0, "at least 1"),
        (REAL[:0], FAKE, 3, "shape"),
        (REAL, FAKE[:0], 3, "shape"),
        (REAL, FAKE[:, :5], 3, "one extractor"),
        (REAL, FAKE * torch.inf, 3, "NaN or an infinity"),
    ):
        with pytest.raises(InputError, match=sentence):
            function(real, fake, k)
    with pytest.raises(InputError, match="coverage_null"):
        coverage_null(5, 10, 5)
