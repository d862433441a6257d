"""Tables: read, typed, encoded, and written again as the file writes them."""

from __future__ import annotations

import csv
import gzip
import json
import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import torch

from tightrope.core.errors import InputError
from tightrope.core.spec import DataSpec
from tightrope.data import PointDataset, TableDataset, inspect, load, load_frame, modality_of
from tightrope.data.tables import dataset as building
from tightrope.data.tables import reading
from tightrope.data.tables.coders import Digits
from tightrope.data.tables.columns import Column

SHARED = Path(os.environ.get("TIGHTROPE_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "tables"
N = 400
Cells = dict[str, list[str]]


def rows() -> Cells:
    """A column of every kind."""
    random = np.random.default_rng(0)
    letters = random.choice(list("abcdefgh"), (N, 6))
    return {
        "id": [f"C{k:04d}" for k in range(N)],
        "age": [f" {k}" for k in random.integers(17, 91, N)],
        "paid": ["" if k % 9 == 0 else f"${v:,.2f}" for k, v in enumerate(random.lognormal(7, 1, N))],
        "share": [f"{v:.1f} %" for v in random.uniform(0, 100, N)],
        "height": [f"{v:.3f}".rstrip("0").rstrip(".") for v in random.normal(1.7, 0.1, N)],
        "tiny": [f"{v:.4g}" for v in random.lognormal(-20, 2, N)],
        "grade": random.choice(["low", "medium", "high"], N).tolist(),
        "city": random.choice([" Rome", " Oslo", "?", "Köln, am Rhein"], N, p=[0.6, 0.3, 0.09, 0.01]).tolist(),
        "ok": random.choice(["yes", "no"], N).tolist(),
        "when": [str(np.datetime64("2014-05-02") + int(k)) for k in random.integers(0, 900, N)],
        "at": [f"{d}.{m}.2020 {h:02d}:30" for d, m, h in zip(*random.integers(1, 13, (3, N)), strict=True)],
        "mixed": [str(k) if k % 40 else "unknown to us" for k in random.integers(1000, 9000, N)],
        "empty": [""] * N,
        "same": ["x"] * N,
        "note": [" ".join(map("".join, np.split(part, 6))) + str(k) for k, part in enumerate(letters)],
    }


def write(path: Path, cells: Cells, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(cells)
        writer.writerows(zip(*cells.values(), strict=True))
    return path


def table(path: Path | str) -> TableDataset:
    data = load(path)
    assert isinstance(data, TableDataset)
    return data


def back(data: TableDataset) -> Cells:
    return data.codec.cells(data.batch(torch.arange(len(data))).numpy())


@pytest.fixture
def mine(tmp_path: Path) -> TableDataset:
    return table(write(tmp_path / "mine.csv", rows()))


def test_types_are_found(mine: TableDataset) -> None:
    assert {column.name: column.type for column in mine.codec.columns} == {
        "id": "identifier", "age": "integer", "paid": "money", "share": "number", "height": "number", "tiny": "number",
        "grade": "ordered", "city": "category", "ok": "boolean", "when": "date", "at": "date", "mixed": "integer",
        "empty": "constant", "same": "constant", "note": "text",
    }  # fmt: skip
    assert {reject.path for reject in mine.rejects} == {"id", "empty", "same", "note"}
    assert all(reject.reason for reject in mine.rejects)


def test_encoded_rows_come_back_to_the_letter(mine: TableDataset) -> None:
    cells, expected = back(mine), rows()
    assert list(cells) == [name for name in expected if name != "note"]
    for name in set(cells) - {"id"}:
        assert cells[name] == expected[name], name


def test_identifiers_are_new(mine: TableDataset) -> None:
    made = back(mine)["id"]
    assert made[0] == "C0400" and len(set(made)) == N and not set(made) & set(rows()["id"])


def test_encoded_rows_are_what_the_blocks_say(mine: TableDataset) -> None:
    x = mine.batch(torch.arange(N))
    assert x.dtype == torch.float32 and x.shape == (N, *mine.spec.shape) and x.abs().max() <= 1
    stop = 0
    for block in mine.spec.blocks:
        assert block.start == stop
        stop, part = block.stop, x[:, block.slice]
        if block.kind == "onehot":
            assert set(part.unique().tolist()) <= {0.0, 1.0} and (part.sum(1) == 1).all()
        elif block.gate:
            assert (part[:, 0][x[:, list(block.gate)].sum(1) == 0] == 0).all()
    assert stop == mine.spec.shape[0]
    assert mine.labels(torch.arange(3)) is None and mine.spec.classes == () and not mine.spec.pictures


def test_a_number_is_normal_whatever_it_was(tmp_path: Path) -> None:
    (tmp_path / "mine.table.toml").write_text("modes = 1")
    data = table(write(tmp_path / "mine.csv", rows()))
    block = next(block for block in data.spec.blocks if block.column == "age")
    place = data.batch(torch.arange(N))[:, block.start]
    assert block.kind == "scalar" and place.unique().numel() == N  # ties of a whole number are laid apart
    assert abs(place.mean()) < 0.02
    assert ((place / place.std()).abs() < 1).float().mean() == pytest.approx(0.683, abs=0.03)


def test_missing_cells_are_a_mode(mine: TableDataset) -> None:
    mode, scalar = (block for block in mine.spec.blocks if block.column == "paid")
    assert (mode.role, mode.size, scalar.gate) == ("mode", 2, (mode.start + 1,))
    assert mine.batch(torch.arange(N))[:, mode.start].mean() == pytest.approx(45 / N)


def test_samples_of_any_kind_are_decoded_within_bounds(mine: TableDataset) -> None:
    wild = torch.randn(500, mine.spec.shape[0], generator=torch.Generator().manual_seed(0)) * 3
    cells = mine.modality.cells(wild)
    assert all(17 <= int(cell) <= 90 for cell in cells["age"])
    assert set(cells["city"]) == set(rows()["city"])  # the rare one too
    assert all(cell == "" or cell.startswith("$") for cell in cells["paid"])
    with pytest.raises(InputError, match="not finite"):
        mine.modality.cells(wild * torch.inf)
    with pytest.raises(InputError, match="have the shape"):
        mine.modality.cells(wild[:, 1:])


def test_the_spec_alone_decodes(mine: TableDataset, tmp_path: Path) -> None:
    spec = DataSpec.from_json(json.loads(json.dumps(mine.spec.to_json())))
    assert spec == mine.spec and hash(spec) == hash(mine.spec)
    samples = mine.batch(torch.arange(20))
    (path,) = modality_of(spec).save(samples, [""] * 20, tmp_path)
    with open(path, encoding="utf-8", newline="") as file:
        assert list(csv.reader(file))[1:] == [list(row) for row in zip(*mine.codec.cells(samples.numpy()).values(), strict=True)]


def test_again_from_the_cache_and_anew_when_it_changes(
    mine: TableDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(building, "_typed", None)
        again = load(**mine.source)
        assert again.fingerprint == mine.fingerprint
    assert isinstance(mine.packed, np.memmap)
    write(tmp_path / "mine.csv", {name: cells[:200] for name, cells in rows().items()})
    assert len(load(**mine.source)) == 200


def test_chunks_change_nothing(mine: TableDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CELLS", 500)
    again = load(mine.source["data"], cache=tmp_path / "other")
    assert again.fingerprint == mine.fingerprint


@pytest.mark.parametrize(
    ("name", "delimiter", "encoding"), [("a.csv", ";", "utf-8-sig"), ("b.tsv", "\t", "utf-16"), ("c.csv.gz", "|", "utf-8")]
)
def test_delimiters_encodings_and_gzip(tmp_path: Path, name: str, delimiter: str, encoding: str) -> None:
    data = table(f"table:{write(tmp_path / name, rows(), delimiter, encoding)}")
    assert back(data)["city"] == rows()["city"] and data.codec.delimiter == delimiter


def test_what_is_a_table_and_what_points(tmp_path: Path) -> None:
    numbers = {"x": [f"{k / 7}" for k in range(50)], "y": [str(k) for k in range(50)]}
    path = write(tmp_path / "points.csv", numbers)
    assert isinstance(load(path), PointDataset)
    assert isinstance(load(f"table:{path}"), TableDataset)
    assert isinstance(load(write(tmp_path / "words.csv", numbers | {"z": ["a", "b"] * 25})), TableDataset)
    assert isinstance(load(write(tmp_path / "many.csv", {f"c{k}": numbers["x"] for k in range(17)})), TableDataset)
    (tmp_path / "points.table.json").write_text("{}")
    assert isinstance(load(path), TableDataset)
    with pytest.raises(InputError, match="no size"):
        load(path, size=32)


def test_sqlite(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as base:
        base.execute("create table people (age integer, paid real, name text)")
        base.executemany(
            "insert into people values (?, ?, ?)", [(k % 50, None if k % 5 == 0 else k * 0.25, "ab"[k % 2]) for k in range(100)]
        )
        base.execute("create table other (a, b)")
    data = table(f"{tmp_path / 'x.db'}#people")
    assert [column.type for column in data.codec.columns] == ["integer", "number", "category"]
    assert back(data)["paid"][:3] == ["", "0.25", "0.5"]
    assert len(load(f"table:{tmp_path / 'x.db'}#select age, name from people where age > 5")) == 88
    assert load(**data.source).fingerprint == data.fingerprint
    with pytest.raises(InputError, match="holds 2 tables"):
        load(tmp_path / "x.db")
    with pytest.raises(InputError, match="no table of this name"):
        load(f"{tmp_path / 'x.db'}#persons")


class Frame:
    """What pandas and polars frames have in common."""

    def __init__(self, values: dict[str, list[object]]) -> None:
        self.values, self.columns = values, list(values)

    def __len__(self) -> int:
        return len(self.values[self.columns[0]])

    def __getitem__(self, key: slice | str) -> object:
        if isinstance(key, slice):
            return Frame({name: values[key] for name, values in self.values.items()})
        return type("Series", (), {"to_list": lambda _: self.values[key]})()


def test_frames(tmp_path: Path) -> None:
    frame = Frame({"n": [float("nan") if k % 4 == 0 else k / 8 for k in range(60)], "ok": [k % 3 == 0 for k in range(60)]})
    data = load_frame(frame, schema={"columns": {"n": {"low": -1}}})
    assert [(column.type, column.low) for column in data.codec.columns] == [("number", -1), ("boolean", 0)]
    assert back(data)["n"][:3] == ["", "0.125", "0.25"] and set(back(data)["ok"]) == {"True", "False"}
    assert load(**data.source).fingerprint == data.fingerprint


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_parquet(tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip(library)
    values = {"n": [None if k % 4 == 0 else k for k in range(60)], "word": ["ab"[k % 2] for k in range(60)]}
    if library == "polars":
        monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
        module.DataFrame(values).write_parquet(tmp_path / "x.parquet")
    else:
        import pyarrow.parquet

        pyarrow.parquet.write_table(module.table(values), tmp_path / "x.parquet")
    data = table(tmp_path / "x.parquet")
    assert [column.type for column in data.codec.columns] == ["integer", "category"]
    assert back(data)["n"][:3] == ["", "1", "2"]


def test_thousands_of_categories_cost_little(tmp_path: Path) -> None:
    """20,000 of them are 284 numbers a row, and every one comes back."""
    names = [f"shop-{k}" for k in range(20_000)]
    data = table(write(tmp_path / "shops.csv", {"shop": names * 3, "n": [str(k % 50) for k in range(60_000)]}))
    first, second = (block for block in data.spec.blocks if block.column == "shop")
    assert (first.role, first.size + second.size) == ("digit", 283)
    assert data.packed.nbytes == 60_000 * 4 * len(data.spec.blocks)
    some = torch.arange(0, 60_000, 7)
    assert data.codec.cells(data.batch(some).numpy())["shop"] == [names[k % 20_000] for k in some.tolist()]


@pytest.mark.parametrize("count", [101, 9_999, 10_000, 40_001])
def test_digits_tell_all_categories_apart(count: int) -> None:
    coder = Digits(Column(name="c", type="category", texts=("x",) * count, worth=tuple(map(float, range(count)))))
    levels = np.arange(count)
    packed = coder.pack(levels, levels.astype(float), np.zeros(count)).astype(np.float32)
    assert (packed < coder.sizes).all() and np.array_equal(coder.unpack(packed)[0], levels)


def test_modes_cut_a_number_into_equal_parts(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", rows())
    (tmp_path / "mine.table.toml").write_text("modes = 4")
    data = table(path)
    mode, scalar = (block for block in data.spec.blocks if block.column == "height")
    assert mode.size == 4 and scalar.gate == ()
    assert data.batch(torch.arange(N))[:, mode.slice].mean(0).numpy() == pytest.approx(np.full(4, 0.25), abs=0.03)
    assert back(data)["height"] == rows()["height"]


def test_numbers_that_often_return_are_cut_into_parts(mine: TableDataset, tmp_path: Path) -> None:
    def sizes(data: TableDataset) -> dict[str, list[int]]:
        return {name: [b.size for b in data.spec.blocks if b.column == name] for name in ("age", "height")}

    assert sizes(mine) == {"age": [10, 1], "height": [1]}  # 74 ages of 400 rows; no two heights alike
    few = {name: cells[:180] for name, cells in rows().items()}
    assert sizes(table(write(tmp_path / "few.csv", few))) == {"age": [2, 1], "height": [1]}  # one age is frequent


def test_marginals_are_drawn_and_told(mine: TableDataset) -> None:
    picture = mine.modality.grid(mine.batch(torch.arange(N)))
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
    facts = inspect(mine.source["data"])
    json.dumps(facts)
    by_name = {column["name"]: column for column in facts["table"]["columns"]}
    assert by_name["paid"]["missing"] == pytest.approx(45 / N)
    assert by_name["grade"]["marginal"] == pytest.approx({g: rows()["grade"].count(g) / N for g in ("low", "medium", "high")})
    assert sum(by_name["when"]["marginal"].values()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", ["adult.csv.gz", "german-credit.csv", "king-county-houses.csv.gz"])
def test_published_tables_come_back(name: str) -> None:
    path = SHARED / name
    if not path.is_file():
        pytest.skip("the shared tables are not here (set TIGHTROPE_SHARED)")
    data = table(f"table:{path}")
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        real = dict(zip(*[(lines := list(csv.reader(file)))[0], zip(*lines[1:], strict=True)], strict=True))
    cells = back(data)
    assert set(cells) == set(real)
    for column in cells:
        odd = [(float(a), float(b)) for a, b in zip(cells[column], real[column], strict=True) if a != b]
        assert len(odd) < 10 and all(a == pytest.approx(b, rel=2e-6) for a, b in odd), column  # a price of seven digits in fp32
