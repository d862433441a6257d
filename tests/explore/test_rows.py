"""Rows of a table, drawn in any number under conditions: the same for the same seed, and every one as it was asked for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shuffled import Deaf, HardOfHearing, Shuffled, generator_of, table
from tightrope.core.errors import InputError
from tightrope.data import TableDataset
from tightrope.data.tables import uniqueness, wanted
from tightrope.data.tables.columns import Column
from tightrope.data.tables.rules import Unique
from tightrope.explore import rows

Cells = dict[str, list[str]]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> TableDataset:
    return table(tmp_path_factory.mktemp("people"))


def drawn(data: TableDataset, n: int | None = None, kind: type[Shuffled] = Shuffled, **asked: Any) -> Cells:
    return rows.cells(generator_of(data, kind), data.codec, n, **asked)


def test_a_seed_is_the_same_rows_whatever_their_number(people: TableDataset) -> None:
    many = drawn(people, 9000, seed=3)
    assert {name: column[:10] for name, column in many.items()} == drawn(people, 10, seed=3)
    assert drawn(people, 10, seed=4)["age"] != many["age"][:10]
    assert all(len(column) == 9000 for column in many.values()) and list(many) == [c.name for c in people.codec.columns]
    assert many["id"][:2] + many["id"][-1:] == ["C0300", "C0301", "C9299"]  # no two alike over all blocks
    assert len(set(zip(many["age"], many["price"], strict=True))) > 0.9 * len(
        people
    )  # it does not draw one block again and again


@pytest.mark.parametrize("kind", [Shuffled, Deaf, HardOfHearing])
@pytest.mark.parametrize(
    ("where", "column", "fits"),
    [
        ("income=>50K", "income", lambda cell: cell == " >50K"),
        ({"income": ">50k"}, "income", lambda cell: cell == " >50K"),
        ("job=missing", "job", lambda cell: cell == "?"),
        ({"job": None}, "job", lambda cell: cell == "?"),
        ("job!=' cook'", "job", lambda cell: cell != " cook"),
        ("age=39", "age", lambda cell: cell == "39"),
        ({"age": np.int64(39)}, "age", lambda cell: cell == "39"),
        ("age >= 39", "age", lambda cell: int(cell) >= 39),
        ({"age": ">=39"}, "age", lambda cell: int(cell) >= 39),
        (["age>=39", "age<41"], "age", lambda cell: cell in ("39", "40")),
        ("grade>low", "grade", lambda cell: cell in ("medium", "high")),
        ("when<2015-01-01", "when", lambda cell: cell < "2015-01-01"),
        ("when<01.01.2015", "when", lambda cell: cell < "2015-01-01"),
        ("height=missing", "height", lambda cell: cell == ""),
        ("height>1.75", "height", lambda cell: cell and float(cell) > 1.75),
        ("city=Köln, am Rhein", "city", lambda cell: cell == "Köln, am Rhein"),
    ],
)  # fmt: skip
def test_every_row_meets_its_condition(people: TableDataset, kind: type[Shuffled], where: Any, column: str, fits: Any) -> None:
    found = drawn(people, 50, kind, where=where)
    assert len(found[column]) == 50 and all(map(fits, found[column]))
    assert len(set(found["price"])) > 1  # the rest of the row is free


def test_any_number_that_a_column_can_have_can_be_given(people: TableDataset) -> None:
    """Also those that are no row's, and that fp32 does not hold between its quantiles."""
    for price in (90_001, 1_234_567, 7_676_643):
        assert set(drawn(people, 5, where=[f"price={price}", "when=2014-06-01", "job=cook"])["price"]) == {str(price)}
    assert set(drawn(people, 3, where={"when": "2014-06-01", "height": 1.777})["height"]) == {"1.777"}


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"where": "incom=>50K"}, "condition 'incom=>50K': there is no column 'incom'; did you mean 'income'?"),
        ({"where": {"incom": 1}}, "there is no column 'incom'; did you mean 'income'?"),
        ({"where": "job=clark"}, "condition 'job=clark': there is no value 'clark'; did you mean 'clerk'?"),
        ({"where": "job=xyz"}, "there are clerk, cook, ?."),
        ({"where": "income<=50K"}, "'<=50K' is a value of it; write 'income=<=50K'"),
        ({"where": "job<cook"}, "column 'job' (category) has no order; use = or !="),
        ({"where": "age"}, "write COLUMN=VALUE"),
        ({"where": "age=200"}, "goes from 17 to 90; ask within"),
        ({"where": "age=39.4"}, "no such value; the nearest is 39"),
        ({"where": "age=old"}, "'old' is no number"),
        ({"where": "age=missing"}, "no cell of column 'age' is missing"),
        ({"where": "height>missing"}, "'missing' has no place in an order"),
        ({"where": "id=C0003"}, "column 'id' is not learned (identifier)"),
        ({"where": ["age=39", "age=40"]}, "'age=39' and 'age=40': no row can be both"),
        ({"where": ["age=39", "age>50"]}, "'age=39' and 'age>50': no row can be both"),
        ({"balance": "price"}, "the column is no category (integer with many values)"),
        ({"balance": "incom"}, "no column 'incom'; did you mean 'income'?"),
        ({"balance": "income", "where": ["income!=>50K", "income!=<=50K"]}, "leave none of its values"),
        ({"counts": {"income=>50K": 3}}, "n: the counts say how many rows there are"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_said_before_anything_is_drawn(people: TableDataset, asked: Any, says: str) -> None:
    with pytest.raises(InputError) as told:
        rows.draw(generator_of(people), people.codec, 10, **asked)
    assert says in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("n", [None, 0, -3, 2.5, True])
def test_how_many_is_a_whole_number(people: TableDataset, n: Any) -> None:
    with pytest.raises(InputError, match="whole number"):
        rows.draw(generator_of(people), people.codec, n)


def test_too_few_rows_are_never_a_silent_shortfall(people: TableDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wanted, "TRIES", 8192)
    with pytest.raises(
        InputError, match=r"price=1234567 and age>=50: 0 of 20 rows were found in 8,192 .*price=1234567 holds in none"
    ):
        drawn(people, 20, Deaf, where=["price=1234567", "age>=50"])


@pytest.mark.parametrize("kind", [Shuffled, Deaf])
def test_balance_is_exact_and_counts_are_exact(people: TableDataset, kind: type[Shuffled]) -> None:
    assert Counter(drawn(people, 5001, kind, balance="income")["income"]) == {" <=50K": 2501, " >50K": 2500}
    three = drawn(people, 11, kind, balance="city", where="age>=50")
    assert sorted(Counter(three["city"]).values()) == [3, 4, 4] and min(map(int, three["age"])) >= 50
    assert Counter(drawn(people, 7, kind, balance="job")["job"]) == {" clerk": 4, " cook": 3}  # missing is no value
    assert Counter(drawn(people, 9, kind, balance="grade", where="grade!=low")["grade"]) == {"medium": 5, "high": 4}
    some = drawn(people, None, kind, counts={"income=>50K": 30, "income=<=50K": 7}, where=["job=cook"])
    assert Counter(some["income"]) == {" >50K": 30, " <=50K": 7} and set(some["job"]) == {" cook"}


def test_balanced_rows_are_mixed_where_the_recipe_completes(people: TableDataset) -> None:
    first = drawn(people, 4000, balance="income")["income"][:400]
    assert 150 < Counter(first)[" >50K"] < 250


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> TableDataset:
    rules = ("total = net + tax", "20 <= age <= 80", "tax <= net", "unique(price)", "unique(age, when, grade)")
    return table(tmp_path_factory.mktemp("ruled"), *rules)


def violations(found: Cells) -> list[int]:
    net, tax, total, age, price = (np.asarray(found[name], int) for name in ("net", "tax", "total", "age", "price"))
    keys = list(zip(found["age"], found["when"], found["grade"], strict=True))
    wrong = [(total != net + tax).sum(), (age < 20).sum(), (age > 80).sum(), (tax > net).sum()]
    return [*map(int, wrong), len(price) - len(set(price.tolist())), len(keys) - len(set(keys))]


@pytest.mark.parametrize("kind", [Shuffled, Deaf])
@pytest.mark.parametrize("where", [None, "income=>50K", "age>=50", "age=33", ["total=2000", "grade=low"]])
def test_constraints_hold_over_all_rows(ruled: TableDataset, kind: type[Shuffled], where: Any) -> None:
    n = 20_000 if where is None else 500
    if kind is Deaf and not isinstance(where, str | None):
        pytest.skip("too rare among the rows of a generator that cannot be told")
    found = drawn(ruled, n, kind, where=where)
    assert violations(found) == [0] * 6 and len(found["age"]) == n
    asked = {"age=33": ("age", {"33"}), "income=>50K": ("income", {" >50K"})}
    if isinstance(where, str) and where in asked:
        assert set(found[asked[where][0]]) == asked[where][1]
    if isinstance(where, list):
        assert set(found["total"]) == {"2000"} and set(found["grade"]) == {"low"}


def test_fewer_keys_than_rows_is_said_at_once(tmp_path: Path) -> None:
    data = table(tmp_path, "unique(age)")
    assert len(set(drawn(data, 74)["age"])) == 74  # every one there is
    with pytest.raises(InputError, match=r"'unique\(age\)': there are 74 different keys for 75 rows"):
        rows.draw(generator_of(data), data.codec, 75)
    with pytest.raises(InputError, match="1 different keys for 2 rows"):
        rows.draw(generator_of(data), data.codec, 2, where="age=33")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.one_of(st.integers(0, 99), st.none()), min_size=1, max_size=12), min_size=1, max_size=8))
def test_keys_stay_apart_block_by_block(blocks: list[list[int | None]]) -> None:
    column = Column(name="k", type="integer", low=0.0, high=99.0, step=1.0, texts=("0", "?"), worth=(0.0, np.nan), missing="?")
    for columns, key in (([column], (0,)), ([column, column], (0, 1))):
        keys = uniqueness.keys_of(Unique(text="", columns=key), columns, 96)
        assert keys is not None
        taken: list[tuple[float, ...]] = []
        for block in blocks:
            values = np.asarray([[np.nan if v is None else v] * len(columns) for v in block], np.float64)
            before = values.copy()
            keys.spread(values)
            fine = ~keys.repeated(values)
            assert fine.all() and np.array_equal(np.isnan(values), np.isnan(before))
            keys.add(values)
            taken += [tuple(row) for row in values if not np.isnan(row).any()]
        assert len(set(taken)) == len(taken) and all(0 <= v <= 99 for row in taken for v in row)


def test_a_block_is_smaller_where_rows_are_wide() -> None:
    assert [rows.block_of(width) for width in (2, 133, 300, 5000, 20_000)] == [4096, 4096, 2048, 128, 64]


def test_numbers_that_are_not_finite_are_refused(people: TableDataset) -> None:
    broken = generator_of(people)
    next(broken.nets["G"].buffers())[:, 0] = torch.nan
    with pytest.raises(InputError, match="not finite"):
        drawn(people, 3, kind=Shuffled) and rows.cells(broken, people.codec, 3)
