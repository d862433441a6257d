"""Schemas, constraints, and what is refused, in one sentence each."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tightrope.core.errors import InputError
from tightrope.data import TableDataset, load
from tightrope.data.tables.columns import Column
from tightrope.data.tables.constraints import Rule, hold
from tightrope.data.tables.formats import date_of, number_of
from tightrope.data.tables.identifiers import fresh
from tightrope.data.tables.tally import Tally

N = 300


def made(tmp_path: Path, schema: str = "", name: str = "t.csv") -> TableDataset:
    random = np.random.default_rng(1)
    start = random.integers(0, 500, N)
    net, tax = random.integers(100, 10_000, N), random.integers(0, 900, N)
    days = (
        (np.datetime64("2020-01-01") + start).astype(str),
        (np.datetime64("2020-01-01") + start + random.integers(0, 60, N)).astype(str),
    )
    head = "start,end,net,tax,total,age,size,key"
    columns = [
        *days,
        net,
        tax,
        net + tax,
        random.integers(17, 91, N),
        random.choice(["S", "M", "huge"], N),
        random.permutation(N) * 3,
    ]
    lines = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    (tmp_path / name).write_text("\n".join([head, *lines]) + "\n")
    if schema:
        (tmp_path / "t.table.toml").write_text(schema)
    data = load(f"table:{tmp_path / name}")
    assert isinstance(data, TableDataset)
    return data


def noise(data: TableDataset, n: int = 2000) -> dict[str, list[str]]:
    return data.modality.cells(torch.randn(n, data.spec.shape[0], generator=torch.Generator().manual_seed(2)))


def column(name: str, high: float, step: float = 1.0) -> Column:
    return Column(name=name, type="number", texts=("0",), worth=(0.0,), low=0, high=high, step=step)


SCHEMA = """
constraints = ["start <= end", "total = net + tax", "25 <= age < 60", "unique(key)", "2 * tax <= net", "size >= M", "start > 2020-02-01"]
[columns.size]
order = ["S", "M", "huge"]
[columns.key]
type = "integer"
low = 0
high = 100000
"""


def test_constraints_hold_in_every_row(tmp_path: Path) -> None:
    data = made(tmp_path, SCHEMA)
    cells = noise(data)
    start, end = (np.asarray(cells[name], "datetime64[D]") for name in ("start", "end"))
    net, tax, total, age = (np.asarray(cells[name], int) for name in ("net", "tax", "total", "age"))
    assert (start <= end).all() and (start > np.datetime64("2020-02-01")).all()
    assert (total == net + tax).all() and (2 * tax <= net).all()
    assert ((age >= 25) & (age < 60)).all() and "S" not in cells["size"]
    assert len(set(cells["key"])) == len(cells["key"])
    assert data.broken["start <= end"] == 0 < data.broken["25 <= age < 60"]


def test_without_constraints_they_are_broken(tmp_path: Path) -> None:
    """The test above can fail."""
    cells = noise(made(tmp_path))
    assert (np.asarray(cells["start"]) > np.asarray(cells["end"])).any()


def test_mending_leaves_good_rows_alone() -> None:
    columns = [column("a", 100, 0.5), column("b", 100, 0.5)]
    values = np.asarray([[1.0, 2.0], [3.0, 2.0], [np.nan, 1.0], [100.0, 99.5]])
    held, origin = hold(values, [Rule("a < b", columns)], columns)
    assert held[[0, 2]] == pytest.approx(values[[0, 2]], nan_ok=True) and origin.tolist() == [0, 1, 2, 3]
    assert held[1].tolist() == [3.0, 3.5] and held[3].tolist() == [99.5, 100.0]
    assert values[1].tolist() == [3.0, 2.0]


def test_rows_beyond_mending_become_copies() -> None:
    columns = [column("a", 9), column("b", 4)]
    values = np.asarray([[5.0, 4.0], [9.0, 4.0]])
    held, origin = hold(values, [Rule("a = 5", columns), Rule("b <= 4", columns)], columns)
    assert held.tolist() == [[5, 4], [5, 4]] and origin.tolist() == [0, 1]
    with pytest.raises(InputError, match="none can be mended"):
        hold(values, [Rule("a >= 50", columns)], columns)


def test_too_few_keys() -> None:
    columns = [column("a", 9)]
    held, _ = hold(np.zeros((10, 1)), [Rule("unique(a)", columns)], columns)
    assert sorted(held[:, 0]) == list(range(10))
    with pytest.raises(InputError, match="10 different keys for 11 rows"):
        hold(np.zeros((11, 1)), [Rule("unique(a)", columns)], columns)


def test_keys_of_two_columns() -> None:
    columns = [column("a", 99), column("b", 99)]
    values = np.random.default_rng(0).integers(0, 5, (1000, 2)).astype(float)
    held, _ = hold(values, [Rule("unique(a, b)", columns)], columns)
    assert len({tuple(row) for row in held}) == 1000 and held.min() >= 0 and held.max() <= 99


def test_names_with_marks_in_them() -> None:
    columns = [column(name, 9) for name in ("capital-gain", "a <= b", "gain")]
    rule = Rule("capital-gain - 2 * gain <= a <= b + 1", columns)
    assert rule.broken(np.asarray([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0]]), columns).tolist() == [False, True]


def test_the_schema_corrects_types(tmp_path: Path) -> None:
    schema = 'missing = ["17"]\n[columns]\nkey = "category"\ntax = "ignore"\nsize = "text"\n[columns.age]\nlow = 0\nmodes = 3\n'
    data = made(tmp_path, schema)
    types = {column.name: column.type for column in data.codec.columns}
    assert (types["key"], types["tax"], types["size"]) == ("category", "text", "text")
    assert data.codec.column("age")[1].low == 0 and data.codec.column("age")[1].missing == "17"
    assert set(noise(data)) == {"start", "end", "net", "total", "age", "key"}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ('constraints = ["agee <= 3"]', "no column 'agee'; did you mean 'age'"),
        ('constraints = ["age + nothing <= 3"]', "no column 'nothing'"),
        ('constraints = ["unique(kex)"]', "did you mean 'key'"),
        ('constraints = ["size <= 3"]', "has no order"),
        ('constraints = ["age"]', "is not understood"),
        ('constraints = ["3 < age > 2"]', "is not understood"),
        ('constraints = "age < 3"', "list of texts"),
        ("[columns.agee]\nlow = 3", "did you mean 'age'"),
        ('[columns.age]\ntype = "numbre"', "no type is called"),
        ("[columns.age]\nlow = 9\nhigh = 3", "low is above its high"),
        ('[columns.age]\nlow = "x"', "give a number"),
        ('[columns.size]\ntype = "integer"', "cannot be what is said"),
        ('[columns.age]\ntype = "date"', "is no date"),
        ('[columns.age]\ntype = "boolean"', "a boolean has two"),
        ('[columns.size]\norder = ["S", "M"]', "'huge' is not in the order"),
        ('[columns.size]\ntype = "ordered"', "an order is needed"),
        ("modes = 0", "whole number from 1"),
        ("colums = 3", "did you mean 'columns'"),
        ("x = ", "not a schema in TOML"),
        ('encoding = "latin-9000"', "no encoding is called"),
        ('delimiter = ", "', "one character"),
    ],
)
def test_wrong_schemas(tmp_path: Path, schema: str, words: str) -> None:
    with pytest.raises(InputError) as found:
        made(tmp_path, schema)
    assert words in str(found.value) and "\n" not in str(found.value)


def lines(head: str, row: Callable[[int], str], n: int = 60) -> bytes:
    return "\n".join([head, *map(row, range(n))]).encode()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.csv", b"", "the file is empty"),
        ("x.csv", b"a,b\n", "no rows"),
        ("x.csv", b"a,b\n1,x\n", "one row"),
        ("x.csv", lines("a", lambda k: "xy"[k % 2]), "one column"),
        ("x.csv", lines("a,b", lambda k: ",x"), "no column can be learned"),
        ("x.csv", lines(",".join(f"c{k}" for k in range(10_000)), lambda k: ",".join("x" * 10_000), 12), "10,000 columns"),
        ("x.csv", lines("a,b,a", lambda k: "1,x,2"), "stands twice (columns 1 and 3)"),
        ("x.csv", lines("a,,b", lambda k: "1,x,2"), "column 2 has no name"),
        ("x.csv", "a,b\n1,ö\n".encode("latin-1"), "byte 0xf6 is not utf-8"),
        ("x.csv", lines("a,b", lambda k: "1,2,3" if k == 40 else "1,x"), "row 42 has 3 cells where the first has 2"),
        ("x.csv", b"a,b\n1,\0\n", "zero bytes"),
        ("x.csv.gz", gzip.compress(b"a,b\n" + b"1,x\n" * 999, mtime=0)[:30], "not gzip, or cut off"),
        ("x.db", b"nonsense" * 99, "not a database"),
    ],
)  # fmt: skip
def test_bad_files(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as found:
        load(f"table:{tmp_path / name}")
    assert words in str(found.value) and "\n" not in str(found.value) and name in str(found.value)


@pytest.mark.parametrize(
    ("column", "kind", "words"),
    [
        (lambda k: "", "constant", "all cells are missing"),
        (lambda k: "k", "constant", "one value"),
        (lambda k: str(k * 7919 % 1000) if k % 2 else f"w{k}", "text", "mixed: 50% numbers"),
        (lambda k: "many" if k % 20 == 0 else str(k * 7919 % 1000), "integer", "1 other value kept"),
        (lambda k: f"the {k}th of a great many words", "text", "free text"),
        (lambda k: f"U-{k:05d}", "identifier", "every row has its own"),
        (lambda k: f"{k % 7:05d}", "category", ""),
    ],
)  # fmt: skip
def test_odd_columns_are_explained(tmp_path: Path, column: Callable[[int], str], kind: str, words: str) -> None:
    (tmp_path / "x.csv").write_bytes(lines("odd,b", lambda k: f"{column(k)},{'xyz'[k % 3]}"))
    data = load(f"table:{tmp_path / 'x.csv'}")
    assert isinstance(data, TableDataset)
    odd = data.codec.columns[0]
    assert odd.type == kind and words in odd.note


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1.234,50 €", "7,00 €"], [1234.5, 7]), (["$1,234", "$5"], [1234, 5]), (["1 234,5", "3,5"], [1234.5, 3.5]),
        (["12 kg", "3 kg"], [12, 3]), ([" 7", " 8"], [7, 8]), (["-1.50", "2.25"], [-1.5, 2.25]), (["+3e-7", "2e5"], [3e-7, 2e5]),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(cells: list[str], values: list[float]) -> None:
    form = number_of(cells)
    assert form is not None and form.read(cells).tolist() == values
    assert form.read(form.write(form.read(cells))).tolist() == values


@pytest.mark.parametrize("cells", [["007", "123"], ["A11", "A12"], ["12345678901234567890", "1"], ["x", "y"], ["1-2", "3-4"]])
def test_what_is_no_number(cells: list[str]) -> None:
    form = number_of(cells)
    assert form is None or not np.isfinite(form.read(cells)).all()


@pytest.mark.parametrize(
    "cells",
    [["2014-05-02", "1901-12-31"], ["20141013T000000"], ["1/5/2014", "12/31/2014"], ["31.12.2020 07:05"], ["23:59", "00:01"], ["3 Mar 2020"],
     ["2020-01-01 00:00:00.250000"]],
)  # fmt: skip
def test_dates_come_back(cells: list[str]) -> None:
    form = date_of(cells)
    assert form is not None and form.write(form.read(cells)) == cells
    assert date_of(["2014-05-02", "soon"]) is None


def test_new_identifiers() -> None:
    assert (
        fresh("99", 2) == ["100", "101"] and fresh("a-007-z", 2) == ["a-008-z", "a-009-z"] and fresh("abc", 1) == ["new-000001"]
    )
    assert len(set(fresh("123e4567-e89b-42d3-a456-426614174000", 50))) == 50


def test_counting_is_bounded() -> None:
    tally = Tally(most=100)
    for start in range(0, 5000, 500):
        tally.add([str(k) for k in range(start, start + 400)] + ["0"] * 100)
    assert len(tally.counts) <= 100 and tally.rows == 5000
    assert tally.counts["0"] / sum(tally.counts.values()) == pytest.approx(0.2, abs=0.06)
    assert {"0", "4899"} <= set(tally.seen)  # the ends are never forgotten
