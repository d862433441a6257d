"""Copies of rows must be seen where they are, and nowhere else."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tightrope.core.errors import InputError
from tightrope.metrics.tables import mixed
from tightrope.metrics.tables.columns import Coded, Columns, coded, joined
from tightrope.metrics.tables.fidelity import embedded, fidelity
from tightrope.metrics.tables.mixed import nearest_rows
from tightrope.metrics.tables.privacy import (
    Distances,
    authentic_rows,
    by_chance,
    closest,
    distances,
    membership,
    near_copies,
    split,
)

KINDS = {"a": "number", "b": "number", "gap": "number", "few": "category", "many": "category"}


def table(n: int, seed: int) -> Columns:
    draw = np.random.default_rng(seed)
    gap = draw.normal(size=n)
    gap[draw.random(n) < 0.2] = np.nan
    few = draw.choice(np.array(["x", "y", None], object), n)
    many = np.array([f"level {i}" for i in draw.integers(90, size=n)], object)
    return Columns({"a": draw.random(n), "b": draw.normal(size=n), "gap": gap, "few": few, "many": many}, KINDS)


TRAIN, HELD, FRESH = coded(table(600, 1), table(600, 2), table(600, 3))


def copied(share: float) -> Coded:
    """Fresh rows, of which the first are training rows with a little noise in one number."""
    n = round(share * len(FRESH))
    first = TRAIN.take(np.arange(n))
    noisy = {name: column + (1e-4 if name == "b" else 0) for name, column in first.numbers.items()}
    return joined([Coded(noisy, first.codes, first.levels, first.names, n), FRESH.take(np.arange(n, len(FRESH)))])


def gower(a: Coded, b: Coded) -> np.ndarray:
    """The distance of all pairs, written out."""
    total = np.zeros((len(a), len(b)))
    for name in TRAIN.numbers:
        x, y = a.numbers[name][:, None], b.numbers[name][None]
        gap = np.minimum(np.abs(x - y) / (np.nanmax(TRAIN.numbers[name]) - np.nanmin(TRAIN.numbers[name])), 1)
        total += np.where(np.isnan(x) & np.isnan(y), 0, np.where(np.isnan(x) | np.isnan(y), 1, gap))
    for name in TRAIN.codes:
        total += a.codes[name][:, None] != b.codes[name][None]
    return total / len(TRAIN.names)


def test_the_distance_by_hand() -> None:
    kinds = {"n": "number", "c": "category"}
    train = Columns({"n": np.array([0.0, 10]), "c": np.array(["x", "y"])}, kinds)
    asked = Columns({"n": np.array([2.0, 100, np.nan, 10]), "c": np.array(["x", "y", "x", "z"])}, kinds)
    a, b = coded(train, asked)
    assert nearest_rows(a, b, a).distance[:, 0] == pytest.approx([0.1, 0.5, 0.5, 0.5])


@pytest.mark.parametrize("block", [(512, 4_096), (7, 11)])
def test_neighbours_by_all_pairs(block: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed, "BLOCK", block)
    asked = FRESH.take(np.arange(40))
    every = gower(asked, TRAIN)
    found = nearest_rows(TRAIN, asked, TRAIN, 3)
    assert found.distance == pytest.approx(np.sort(every, 1)[:, :3], abs=1e-12)
    assert np.take_along_axis(every, found.index, 1) == pytest.approx(found.distance, abs=1e-12)
    own = gower(asked, asked)
    np.fill_diagonal(own, np.inf)
    assert nearest_rows(TRAIN, asked, asked, apart=True).distance[:, 0] == pytest.approx(own.min(1), abs=1e-12)


def test_equal_rows_are_at_exactly_nothing_and_constants_are_no_trouble() -> None:
    assert (nearest_rows(TRAIN, TRAIN, TRAIN).distance == 0).all()
    flat, other = coded(
        Columns({"n": np.full(3, 5.0)}, {"n": "number"}), Columns({"n": np.array([5.0, 6, np.nan])}, {"n": "number"})
    )
    assert nearest_rows(flat, other, flat).distance[:, 0].tolist() == [0, 1, 1]
    with pytest.raises(InputError, match="k is 4"):
        nearest_rows(flat, flat, flat, 4)


def test_fresh_rows_are_honest() -> None:
    near = near_copies(TRAIN, HELD, FRESH)
    assert not near.caught and near.share.value < 0.03 and near.null.value == pytest.approx(0.01, abs=0.005)
    found = closest(TRAIN, HELD, FRESH)
    assert found.ratio == pytest.approx(1, abs=0.1) and found.null.low < found.median.value < found.null.high + 0.02
    assert authentic_rows(TRAIN, FRESH).mean() == pytest.approx(authentic_rows(TRAIN, HELD).mean(), abs=0.1)
    assert membership(TRAIN, HELD, FRESH) == pytest.approx((0.5, 0.01), abs=0.04)


def test_five_percent_of_copies_are_caught() -> None:
    fake = copied(0.05)
    near = near_copies(TRAIN, HELD, fake)
    assert near.caught and near.rows[:30].all() and near.rows[30:].sum() < 15
    assert near.share.low > near.null.value and near.equal == 0 < near.limit
    exact = near_copies(TRAIN, HELD, joined([TRAIN.take(np.arange(30)), FRESH.take(np.arange(570))]))
    assert exact.caught and exact.equal == pytest.approx(0.05) and exact.null_equal == 0


def test_chance_by_counting_all_orders() -> None:
    for near, m, r, h in ((2, 3, 1, 4), (1, 4, 2, 3), (3, 3, 3, 3), (0, 3, 2, 3)):
        orders = list(itertools.combinations(range(m + h), h))  # places of the others
        hits = sum(order[r - 1] - (r - 1) >= near for order in orders)  # generated rows before the r-th of them
        assert by_chance(near, m, r, h) == pytest.approx(hits / len(orders))


def test_no_false_alarm_among_rows_with_many_ties() -> None:
    draw = np.random.default_rng(0)
    for ties in (1, 3, 50):
        trials = [Distances(draw.integers(ties, size=200) / 50, draw.integers(ties, size=200) / 50) for _ in range(200)]
        assert sum(near_copies(TRAIN, HELD, FRESH, found=found).caught for found in trials) <= 2


def test_copies_are_seen_by_all() -> None:
    figures = []
    for share in (0, 0.1, 0.5, 1):
        fake, attack = copied(share), membership(TRAIN, HELD, copied(share))
        found = distances(TRAIN, HELD, fake)
        median = closest(TRAIN, HELD, fake, found=found).median.value
        figures.append((authentic_rows(TRAIN, fake).mean(), median, -attack.auc, -attack.tpr, near_copies(TRAIN, HELD, fake).p))
    for values in zip(*figures, strict=True):
        assert sorted(values, reverse=True) == list(values) and values[0] > values[-1]
    assert figures[-1][0] == 0 and figures[-1][3] == -1


def test_fidelity_at_its_null_and_away_from_it() -> None:
    null = fidelity(TRAIN, HELD)
    assert (
        null.precision > 0.9
        and null.recall == pytest.approx(0.55, abs=0.06)
        and null.recall_curve[-1] == pytest.approx(0.5, abs=0.05)
    )
    outer = Columns({"x": 4 * np.random.default_rng(0).normal(size=500)}, {"x": "number"})
    real = Columns({"x": np.random.default_rng(1).normal(size=500)}, {"x": "number"})
    inner = Columns({"x": 0.1 * np.random.default_rng(2).normal(size=500)}, {"x": "number"})
    fresh = Columns({"x": np.random.default_rng(3).normal(size=500)}, {"x": "number"})
    usual = fidelity(real, fresh)
    assert fidelity(real, outer).precision < 0.7 < 0.9 < usual.precision
    assert fidelity(real, inner).recall < 0.2 < 0.4 < usual.recall


def test_recall_by_the_papers_formula() -> None:
    a, b = TRAIN.take(np.arange(80)), FRESH.take(np.arange(80))
    x, y = embedded(a, a).numpy(), embedded(a, b).numpy()
    own, cross = (np.linalg.norm(x[:, None] - z[None], axis=2) for z in (x, y))
    reach, around = np.sort(own, 1)[:, 5], np.linalg.norm(y - y.mean(0), axis=1)
    found = fidelity(a, b, k=5).recall_curve
    for beta in (0.2, 0.6, 1.0):
        nearest = cross[:, around <= np.quantile(around, beta) + 1e-9].min(1)
        assert found[round(50 * beta)] == pytest.approx((nearest <= reach + 1e-9).mean(), abs=1e-12)


def test_thousands_of_categories_are_embedded_in_few_features() -> None:
    names = np.array(["common"] * 5 + [f"level {i}" for i in range(2_000)], object)
    (a,) = coded(Columns({"c": names}, {"c": "category"}))
    found = embedded(a, a)
    assert found.shape == (2_005, 256) and (found[0] - found[9]).norm() == pytest.approx(1) and found[-1].equal(found[-2])


def test_a_table_is_split_without_rest() -> None:
    a, b = split(table(101, 0), 0.3)
    assert (len(a), len(b)) == (30, 71)
    with pytest.raises(InputError, match="empty"):
        split(table(1, 0))
