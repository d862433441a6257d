"""Learners as judges: usefulness and the two-sample test. They need scikit-learn."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from tightrope.core.errors import InputError
from tightrope.metrics.tables import learning, scorecard
from tightrope.metrics.tables.columns import Columns, coded
from tightrope.metrics.tables.constraints import Between
from tightrope.metrics.tables.learning import LINEAR, one_hot, ordinal
from tightrope.metrics.tables.scorecard import figures
from tightrope.metrics.tables.two_sample import two_sample_auc
from tightrope.metrics.tables.utility import auc, macro_f1, r2, utility

KINDS = {"x": "number", "y": "number", "c": "category", "target": "category"}


def table(n: int, seed: int) -> Columns:
    """The target is told by x and c; y is 2 x and noise; some are missing."""
    draw = np.random.default_rng(seed)
    x, c = draw.normal(size=n), draw.choice(np.array(["p", "q", None], object), n)
    target = np.where(x + (c == "p") + 0.3 * draw.normal(size=n) > 0.5, "yes", "no").astype(object)
    y = 2 * x + 0.5 * draw.normal(size=n)
    x = np.where(draw.random(n) < 0.05, np.nan, x)
    return Columns({"x": x, "y": y, "c": c, "target": target}, KINDS)


def shuffled(real: Columns) -> Columns:
    draw = np.random.default_rng(0)
    return Columns({name: draw.permutation(column) for name, column in real.values.items()}, real.kinds)


TRAIN, TEST, FRESH = table(500, 1), table(500, 2), table(500, 3)


def test_figures_by_hand() -> None:
    truth = torch.tensor([0.0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0])
    p = torch.tensor([0.1, 0.6, 0.7, 0.8, 0.2, 0.3, 0.1, 0.9, 0.9, 0.9, 0.2]).double()
    answers = torch.stack([1 - p, p], 1)
    assert macro_f1(truth, answers) == pytest.approx((8 / 10 + 10 / 12) / 2)
    assert auc(truth, answers) == pytest.approx(27.5 / 30)
    assert macro_f1(truth, torch.eye(2).double()[truth.long()]) == 1
    assert r2(truth, truth[:, None]) == 1 and r2(truth, truth.mean().expand(11, 1)) == pytest.approx(0, abs=1e-6)


def test_figures_against_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(0)
    truth, p = draw.integers(3, size=200), draw.dirichlet(np.ones(3), 200).round(2)
    p /= p.sum(1, keepdims=True)
    rows = torch.from_numpy(truth).double(), torch.from_numpy(p)
    assert macro_f1(*rows) == pytest.approx(metrics.f1_score(truth, p.argmax(1), average="macro"), abs=1e-12)
    assert auc(*rows) == pytest.approx(metrics.roc_auc_score(truth, p, multi_class="ovr"), abs=1e-12)
    assert r2(rows[0], rows[1][:, :1]) == pytest.approx(metrics.r2_score(truth, p[:, 0]), abs=1e-12)


def test_what_learners_read() -> None:
    train = Columns({"n": np.array([0.0, 2, np.nan]), "c": np.array(["b", "a", "b"])}, {"n": "number", "c": "category"})
    other = Columns({"n": np.array([4.0, np.inf]), "c": np.array(["z", None], object)}, train.kinds)
    a, b = coded(train, other)
    x, categories = ordinal(a, a)
    assert x[:, 1].tolist() == [0, 1, 0] and categories.tolist() == [False, True] and np.isnan(x[2, 0])
    assert np.isnan(ordinal(a, b)[0][:, 1]).all() and np.isnan(ordinal(a, b)[0][1, 0])
    assert one_hot(a, a).tolist() == [[-1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0]]
    assert one_hot(a, b).tolist() == [[3, 0, 0, 0], [0, 1, 0, 0]]


def test_more_categories_than_bins() -> None:
    names = np.array([f"level {i}" for i in range(400)])
    (a,) = coded(Columns({"c": names}, {"c": "category"}))
    assert ordinal(a, a)[0].max() == learning.LEVELS and one_hot(a, a).shape == (400, learning.COLUMNS)


def test_without_scikit_learn_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(InputError, match=r"tightrope\[tables\]"):
        two_sample_auc(TRAIN, FRESH)


def test_fresh_rows_are_as_useful_as_the_real_ones() -> None:
    pytest.importorskip("sklearn")
    for found in utility(TRAIN, FRESH, TEST, "target"):
        assert found.synthetic.low < found.real.value + 0.02 and found.gap.value == pytest.approx(0, abs=0.04)
        assert found.real.value > 0.85 > 0.6 > found.trivial
        assert found.gap.value == pytest.approx(found.real.value - found.synthetic.value, abs=1e-12)


def test_rows_without_trends_are_of_no_use() -> None:
    pytest.importorskip("sklearn")
    f1, area = utility(TRAIN, shuffled(TRAIN), TEST, "target", learners=[LINEAR])
    assert f1.synthetic.high < f1.real.low and area.synthetic.high < area.real.low and f1.gap.low > 0.1
    (line,) = utility(TRAIN, shuffled(TRAIN), TEST, "y", learners=[LINEAR])
    assert (
        line.figure == "R2" and line.real.value > 0.7 > 0.1 > line.synthetic.value and line.trivial == pytest.approx(0, abs=0.05)
    )


def test_a_lost_class_and_targets_that_are_none() -> None:
    pytest.importorskip("sklearn")
    only = FRESH.take(FRESH.values["target"] == "yes")
    f1, area = utility(TRAIN, only, TEST, "target", learners=[LINEAR])
    assert f1.synthetic.value < 0.45 and area.synthetic.value == 0.5
    with pytest.raises(InputError, match="'nothing'"):
        utility(TRAIN, FRESH, TEST, "nothing")
    with pytest.raises(InputError, match="same 'target'"):
        utility(TRAIN, FRESH, TEST.take(TEST.values["target"] == "no"), "target")
    with pytest.raises(InputError, match="no row"):
        utility(TRAIN, Columns(dict(FRESH.values) | {"y": np.full(500, np.nan)}, KINDS), TEST, "y")


def test_a_classifier_tells_what_is_unlike() -> None:
    pytest.importorskip("sklearn")
    assert two_sample_auc(TRAIN, FRESH, folds=2, most=200).value == pytest.approx(0.5, abs=0.09)
    found = two_sample_auc(TRAIN, shuffled(TRAIN), folds=2)
    assert found.low > 0.8 and found.low < found.value < found.high
    assert two_sample_auc(TRAIN, shuffled(TRAIN), learner=LINEAR).value < 0.7  # sums of columns do not see it
    with pytest.raises(InputError, match="5 folds"):
        two_sample_auc(TRAIN, FRESH.take(np.arange(9)))


def test_all_figures_in_one_call() -> None:
    pytest.importorskip("sklearn")
    train, held, fresh = (table.take(np.arange(100)) for table in (TRAIN, TEST, FRESH))
    found = {f.name: f for f in figures(train, held, fresh, target="target", constraints={"y": Between("y", -9, 9)})}
    assert {"shape-and-trend score", "two-sample AUC", "near-copies", "violations[y]", "alpha-precision"} <= set(found)
    assert all(np.isfinite(f.value) and (f.null is None or np.isfinite(f.null)) for f in found.values())
    assert not found["near-copies"].notes


def test_copies_and_what_is_left_out_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorecard.importlib.util, "find_spec", lambda name: None)
    found = figures(TRAIN, TEST, TRAIN, target="target")
    assert "pip install" in found[0].notes[-1] and not any("AUC" in f.name for f in found if "membership" not in f.name)
    by_name = {f.name: f for f in found}
    assert by_name["near-copies"].value == 1 and by_name["near-copies"].notes and by_name["authenticity"].value == 0
