"""Figures of tables on cases whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tightrope.core.errors import InputError
from tightrope.metrics.tables.columns import Columns, coded, joined
from tightrope.metrics.tables.constraints import Among, Between, Ordered, Sums, Unique, Whole, implied, violations
from tightrope.metrics.tables.overlays import association, bin_edges, clouds, marginals
from tightrope.metrics.tables.pairs import (
    associations,
    contingency_similarity,
    correlation,
    correlation_ratio,
    cramers_v,
    pair_trends,
)
from tightrope.metrics.tables.quality import quality, quality_interval
from tightrope.metrics.tables.rare import rare_survival
from tightrope.metrics.tables.shapes import column_shapes, ks_complement, missing_similarity, tv_complement
from tightrope.report import tables as drawn

KINDS = {"x": "number", "y": "number", "colour": "category", "size": "category"}


def table(n: int, seed: int) -> Columns:
    """x and y correlated at .8, the colour that of x, sizes independent of all; some of y missing."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=n)
    y = 0.8 * x + 0.6 * draw.normal(size=n)
    y[draw.random(n) < 0.1] = np.nan
    colour = np.where(x + 0.3 * draw.normal(size=n) > 0, "red", "blue").astype(object)
    size = draw.choice(np.array(["s", "m", "l"], object), n, p=[0.2, 0.5, 0.3])
    return Columns({"x": x, "y": y, "colour": colour, "size": size}, KINDS)


def shuffled(real: Columns, seed: int = 0) -> Columns:
    """Every column in an order of its own: the same shapes, no trends."""
    draw = np.random.default_rng(seed)
    return Columns({name: draw.permutation(column) for name, column in real.values.items()}, real.kinds)


REAL, FRESH = table(2_000, 1), table(2_000, 2)


# ---------------------------------------------------------------- tables
@pytest.mark.parametrize(
    ("values", "kinds", "says"),
    [
        ({}, {}, "at least one"),
        ({"a": np.zeros(2)}, {"b": "number"}, "same columns"),
        ({"a": np.zeros(2), "b": np.zeros(3)}, {"a": "number", "b": "number"}, "one length"),
        ({"a": np.zeros(0)}, {"a": "number"}, "at least 1"),
        ({"a": np.zeros(2)}, {"a": "date"}, "kind 'date'"),
        ({"a": np.array(["1", "2"])}, {"a": "number"}, "is none"),
    ],
)
def test_what_is_no_table_is_refused(values: dict, kinds: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Columns(values, kinds)


def test_codes_are_shared_and_the_missing_one_is_zero() -> None:
    one = Columns({"c": np.array(["b", None, "a", float("nan")], object)}, {"c": "category"})
    two = Columns({"c": np.array(["c", "a"])}, {"c": "category"})
    a, b = coded(one, two)
    assert a.codes["c"].tolist() == [1, 0, 2, 0] and b.codes["c"].tolist() == [3, 2]
    assert a.levels["c"] == ["(missing)", "b", "a", "c"]
    assert coded(a, b) == [a, b]
    assert joined([a.take(np.array([0])), b]).codes["c"].tolist() == [1, 3, 2]
    with pytest.raises(InputError, match="coded apart"):
        coded(a, coded(two)[0])
    with pytest.raises(InputError, match="column c"):
        coded(one, Columns({"c": np.zeros(2)}, {"c": "number"}))


# ---------------------------------------------------------------- shapes and trends
def test_shapes_of_small_columns() -> None:
    assert ks_complement(np.array([1.0, 2, 3, np.nan]), np.array([2.0, 3, 4])) == pytest.approx(2 / 3)
    assert ks_complement(np.array([0.0]), np.array([1.0])) == 0
    assert math.isnan(ks_complement(np.array([np.nan]), np.array([1.0])))
    assert tv_complement(np.array([1, 1, 2, 0]), np.array([1, 2, 2, 3])) == pytest.approx(1 - (5 / 12 + 1 / 6 + 1 / 4) / 2)
    assert math.isnan(tv_complement(np.array([0]), np.array([1])))


def test_ks_against_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    draw = np.random.default_rng(0)
    a, b = draw.normal(size=300).round(1), draw.normal(0.3, 1.2, size=170).round(1)
    assert ks_complement(a, b) == pytest.approx(1 - stats.ks_2samp(a, b).statistic, abs=1e-12)


def test_a_table_is_like_itself_and_fresh_rows_nearly_so() -> None:
    assert quality(REAL, REAL) == pytest.approx((1, 1, 1), abs=1e-12)
    assert min(quality(REAL, FRESH, shared=True)) > 0.96
    assert set(missing_similarity(REAL, FRESH)) == {"y"} and missing_similarity(REAL, FRESH)["y"] > 0.97


def test_shuffled_columns_keep_shapes_and_lose_trends() -> None:
    other = shuffled(REAL)
    found = quality(REAL, other)
    assert found.shapes == pytest.approx(1, abs=1e-12)
    trends = pair_trends(REAL, other)
    assert trends["x", "y"].score == pytest.approx(1 - trends["x", "y"].real / 2, abs=0.05)
    assert trends["x", "colour"].score < 0.8 < 0.9 < trends["y", "size"].score
    assert quality(REAL, other, shared=True).trends < quality(REAL, FRESH, shared=True).trends - 0.1


def test_a_lost_mode_moves_shapes() -> None:
    less = REAL.take(REAL.values["size"] != "l")
    assert column_shapes(REAL, less)["size"] == pytest.approx(1 - (REAL.values["size"] == "l").mean(), abs=1e-12)


def test_edges_of_its_own_cost_a_fresh_table_dearly() -> None:
    assert pair_trends(REAL, FRESH)["x", "colour"].score < 0.9 < 0.96 < pair_trends(REAL, FRESH, shared=True)["x", "colour"].score


def test_a_stretched_number_is_seen_by_shared_edges_alone() -> None:
    wide = Columns(dict(REAL.values) | {"x": 3 * np.asarray(REAL.values["x"])}, KINDS)
    assert pair_trends(REAL, wide)["x", "colour"].score == pytest.approx(1, abs=1e-9)
    assert pair_trends(REAL, wide, shared=True)["x", "colour"].score < 0.8


def test_contingency_by_hand_and_where_cells_are_too_many() -> None:
    a, b = (np.array([1, 1, 2]), np.array([1, 2, 2])), (np.array([1, 2, 2]), np.array([1, 2, 2]))
    assert contingency_similarity(a, b).score == pytest.approx(2 / 3)
    far = tuple(tuple(column * 10_000 for column in side) for side in (a, b))
    assert contingency_similarity(*far).score == pytest.approx(2 / 3)


def test_correlations_by_numpy() -> None:
    x, y = (np.asarray(REAL.values[name]) for name in "xy")
    there = ~np.isnan(y)
    assert correlation(x, y) == pytest.approx(np.corrcoef(x[there], y[there])[0, 1], abs=1e-12)
    assert correlation(1e200 * x, y) == pytest.approx(correlation(x, y), abs=1e-9)
    assert math.isnan(correlation(np.ones(5), np.arange(5.0)))


def test_associations() -> None:
    found = associations(REAL)
    assert found == pytest.approx(found.T, nan_ok=True)
    assert found[0, 1] == pytest.approx(0.8, abs=0.03) and found[0, 2] > 0.7 and abs(found[0, 3]) < 0.07 and found[2, 3] < 0.07
    codes = np.arange(300) % 3
    assert cramers_v(codes, codes) == pytest.approx(1) and math.isnan(cramers_v(codes, np.ones(300, int)))
    assert correlation_ratio(codes.astype(float), codes) == pytest.approx(1)
    assert math.isnan(correlation_ratio(np.ones(300), codes))


def test_cramer_against_scipy() -> None:
    contingency = pytest.importorskip("scipy.stats").contingency
    x, y = coded(REAL)[0].codes["colour"], np.digitize(np.asarray(REAL.values["x"]), [-1, 0, 1])
    counts = np.array([[((x == i) & (y == j)).sum() for j in range(4)] for i in (1, 2)])
    assert cramers_v(x, y) == pytest.approx(contingency.association(counts, method="cramer"), abs=2e-3)


def test_the_interval_holds_the_score_of_fresh_rows() -> None:
    found = quality_interval(REAL, FRESH)
    assert found.value == pytest.approx(quality(REAL, FRESH).overall, abs=1e-12)
    assert found.low < found.value < found.high <= 1 and found.high - found.low < 0.15
    with pytest.raises(InputError, match="10 parts"):
        quality_interval(REAL.take(np.arange(5)), FRESH)


def test_one_column_has_no_trends() -> None:
    one = Columns({"x": REAL.values["x"]}, {"x": "number"})
    found = quality(one, one)
    assert found.overall == found.shapes == 1 and math.isnan(found.trends)


# ---------------------------------------------------------------- rare categories, constraints
def test_rare_categories_that_are_lost_are_named() -> None:
    names = np.array(["a"] * 960 + ["b"] * 10 + ["c"] * 8 + ["d"] * 2 + ["e"] * 20, object)
    real = Columns({"c": names}, {"c": "category"})
    fake = Columns({"c": np.array(["a"] * 985 + ["b"] * 5 + ["new"] * 10, object)}, {"c": "category"})
    found = rare_survival(real, fake)
    assert found.survived == 0.5 and found.expected == pytest.approx(1, abs=1e-3)
    assert found.lost == (("c", "c", 8, pytest.approx(8)),)
    assert found.mass == pytest.approx(5 / 18) and found.invented == pytest.approx(0.01)
    assert rare_survival(real, real).survived == 1
    assert math.isnan(rare_survival(REAL, FRESH).survived)


def test_violations_are_counted() -> None:
    rows = Columns(
        {
            "a": np.array([1.0, 2, 3, np.nan]),
            "b": np.array([2.0, 2, 1, 0]),
            "sum": np.array([3.0, 4, 5, 7]),
            "c": np.array(["x", "y", "x", None], object),
        },
        {"a": "number", "b": "number", "sum": "number", "c": "category"},
    )
    found = violations(
        rows,
        {
            "range": Between("a", high=2),
            "order": Ordered("a", "b"),
            "strict": Ordered("a", "b", strict=True),
            "sum": Sums("sum", ("a", "b")),
            "key": Unique(("c",)),
            "known": Among("c", frozenset({"x"})),
            "whole": Whole("b"),
        },
    )
    assert {name: v.rows for name, v in found.items()} == {
        "range": (2,), "order": (2,), "strict": (1, 2), "sum": (2,), "key": (2,), "known": (1,), "whole": ()
    }  # fmt: skip
    assert found["strict"].broken == 2 and found["whole"].share.value == 0 < found["whole"].share.high
    with pytest.raises(InputError, match="'nothing'"):
        violations(rows, {"x": Between("nothing")})
    with pytest.raises(InputError, match="'nothing'"):
        violations(rows, {"x": Unique(("nothing",))})


def test_what_real_rows_keep_they_keep() -> None:
    money = Columns({"m": np.array([1.25, 3.5, 2.0]), "c": np.array(["x", "y", "x"])}, {"m": "number", "c": "category"})
    rules = implied(money)
    assert set(rules) == {"1.25 <= m <= 3.5", "m has 2 decimals", "c is a known category"}
    assert not any(v.broken for v in violations(money, rules).values())
    worse = Columns({"m": np.array([1.255, 4.0]), "c": np.array(["z", "y"])}, money.kinds)
    assert [v.rows for v in violations(worse, rules).values()] == [(1,), (0,), (0,)]


# ---------------------------------------------------------------- what is drawn
def test_marginals_are_shares() -> None:
    found = marginals(REAL, FRESH)
    for column in found:
        gap = column["missing"]
        assert sum(column["real"]) == pytest.approx(1 - (gap[0] if column["kind"] == "category" else 0))
        assert len(column["real"]) == len(column["fake"]) == len(column.get("levels") or column["edges"][1:])
    assert found[3]["levels"] == ["m", "l", "s"]


def test_bins_of_whole_numbers_and_of_long_tails() -> None:
    assert bin_edges(np.array([1.0, 2, 4])).tolist() == [0.5, 1.5, 2.5, 3.5, 4.5]
    tail = np.concatenate([np.random.default_rng(0).random(1_000), [1e6]])
    assert bin_edges(tail)[-1] < 1.01
    assert len(bin_edges(np.full(3, 7.5))) == 2


def test_many_categories_end_in_others() -> None:
    names = np.array([f"level {i}" for i in range(30) for _ in range(31 - i)], object)
    some = Columns({"c": names}, {"c": "category"})
    (found,) = marginals(some, some)
    assert found["levels"][0] == "level 0" and found["levels"][-1] == "20 others" and sum(found["fake"]) == pytest.approx(1)


def test_pieces_of_a_page_escape_names_and_stand_constant_columns() -> None:
    name = "<script>"
    odd = Columns(
        {name: np.array([1.0, 2, 3, np.nan]), "flat": np.ones(4), "c": np.array(["<b>", None, "x", "x"], object)},
        {name: "number", "flat": "number", "c": "category"},
    )
    page = drawn.marginals(marginals(odd, odd)) + drawn.associations(association(odd, odd)) + drawn.clouds(clouds(odd, odd))
    page += drawn.clouds(clouds(REAL, FRESH))
    page += drawn.figures([{"name": name, "value": 0.5, "better": "lower", "null": 0.4, "protocol": {}, "notes": ["<b>"]}])
    assert name not in page and "<b>" not in page.replace("<b title", "").replace("&lt;b&gt;", "") and "&lt;script&gt;" in page
    assert "nan" not in page.lower() and page.count("<svg") == page.count("</svg>") > 6
    assert drawn.marginals([]) == drawn.associations({}) == drawn.clouds([]) == drawn.figures([]) == ""


def test_the_least_alike_column_comes_first() -> None:
    moved = Columns(dict(REAL.values) | {"size": np.full(2_000, "s")}, KINDS)
    page = drawn.marginals(marginals(REAL, moved))
    assert page.index(">size<") < page.index(">x<") and 'class="bad"' in page
