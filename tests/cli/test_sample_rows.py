"""`tightrope sample` of a table: one file of any number of rows, whole or not there, and one sentence where it cannot be."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import levels
import shuffled
from tightrope.cli.main import main
from tightrope.core.spec import DataSpec
from tightrope.data.tables import wanted
from tightrope.data.tables.writing import lines
from tightrope.training.artifact import write_generator


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    return shuffled.write(folder / "g.safetensors", shuffled.table(folder))


def sample(file: Path, *words: str, out: Path) -> int:
    return main(["sample", str(file), "--recipe", shuffled.__file__, "--out", str(out), *words])


def read(path: Path) -> list[dict[str, str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def test_one_file_of_as_many_rows_as_are_asked_for(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sample(file, "-n", "5000", "--where", "income=>50K", "--where", "age>=50", out=tmp_path / "rows.csv") == 0
    found = read(tmp_path / "rows.csv")
    assert len(found) == 5000 and list(found[0])[:3] == ["job", "income", "id"]
    assert {row["income"] for row in found} == {" >50K"} and min(int(row["age"]) for row in found) >= 50
    assert {row["city"] for row in found} == {"Rome", "Köln, am Rhein", 'Os"lo'}
    said = capsys.readouterr().out
    assert said.startswith(f"5,000 rows in {tmp_path / 'rows.csv'} (") and "one in" in said


def test_gzipped_the_same_rows_are_the_same_bytes(file: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert sample(file, "-n", "40", "--seed", "7", out=tmp_path / f"{name}.csv.gz") == 0
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
    assert sample(file, "-n", "40", "--seed", "7", out=tmp_path / "a.csv") == 0
    assert read(tmp_path / "a.csv.gz") == read(tmp_path / "a.csv")
    assert sample(file, "-n", "40", "--seed", "7", out=tmp_path / "a.tsv") == 0
    assert (tmp_path / "a.tsv").read_text().startswith("job\tincome")


def test_parquet_has_types(file: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert sample(file, "-n", "9000", out=tmp_path / "rows.parquet") == 0
    found = parquet.read_table(tmp_path / "rows.parquet")
    types = {name: str(found.schema.field(name).type) for name in ("job", "age", "height", "when", "id")}
    assert types == {"job": "string", "age": "int64", "height": "double", "when": "timestamp[us]", "id": "string"}
    assert found.num_rows == 9000 and found["height"].null_count > 0 and found["job"].null_count > 0
    assert sample(file, "-n", "9000", out=tmp_path / "rows.csv") == 0
    texts = read(tmp_path / "rows.csv")
    assert [row["age"] for row in texts] == [str(v) for v in found["age"].to_pylist()]
    assert [row["when"] for row in texts] == [f"{v:%Y-%m-%d}" for v in found["when"].to_pylist()]


def test_a_folder_gets_rows_and_their_marginals(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = ["--count", "income=>50K:30", "--count", "income=<=50K:12"]
    assert sample(file, *counts, "--grid", "--json", out=tmp_path / "made") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["rows"] == 42 and record["file"] == str(tmp_path / "made" / "rows.csv")
    incomes = [row["income"] for row in read(tmp_path / "made" / "rows.csv")]
    assert incomes.count(" >50K") == 30 and incomes.count(" <=50K") == 12
    assert Path(record["grid"]).read_bytes().startswith(b"\x89PNG")
    assert sample(file, "--seeds", "0-5", "--grid", out=tmp_path / "seeds") == 0  # by seeds, as of everything else
    assert len(read(tmp_path / "seeds" / "rows.csv")) == 6 and (tmp_path / "seeds" / "grid.png").is_file()


def test_without_a_number_there_are_as_many_rows_as_the_data_has(file: Path, tmp_path: Path) -> None:
    assert sample(file, "--balance", "grade", out=tmp_path / "rows.csv") == 0
    grades = [row["grade"] for row in read(tmp_path / "rows.csv")]
    assert {name: grades.count(name) for name in ("low", "medium", "high")} == dict.fromkeys(("low", "medium", "high"), 100)


@pytest.mark.parametrize(
    ("words", "name", "says"),
    [
        (["-n", "5", "--where", "incom=>50K"], "r.csv", "there is no column 'incom'; did you mean 'income'?"),
        (["-n", "5", "--where", "job=cock"], "r.csv", "there is no value 'cock'; did you mean 'cook'?"),
        (["-n", "0"], "r.csv", "give a whole number"),
        (["-n", "5", "--count", "job=cook:3"], "r.csv", "the counts say how many rows there are"),
        (["--count", "job=cook"], "r.csv", "write a condition and its number of rows"),
        (["-n", "5", "--seeds", "0-3"], "r.csv", "--seeds: is of samples one by one"),
        (["-n", "5", "--gif"], "r.csv", "--gif: is of samples one by one"),
        (["-n", "5"], "r.xlsx", "rows are written as .csv, .csv.gz or .parquet"),
        (["-n", "5"], "taken", "taken: is a file"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], name: str, says: str
) -> None:
    (tmp_path / "taken").write_text("")
    assert sample(file, *words, out=tmp_path / name) == 2
    told = capsys.readouterr().err
    assert says in told and told.count("\n") == 1
    assert not (tmp_path / "r.csv").exists()


def test_nothing_is_written_where_rows_cannot_be_found(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wanted, "TRIES", 8192)
    (tmp_path / "rows.csv").write_text("old")
    rare = [
        "--where",
        "price>7600000",
        "--where",
        "age<30",
        "--where",
        "height>1.8",
        "--where",
        "grade!=low",
        "--where",
        "net<1000",
    ]
    assert sample(file, "-n", "100", *rare, out=tmp_path / "rows.csv") == 2
    assert (tmp_path / "rows.csv").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_pictures_have_no_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = DataSpec(modality="images", shape=(1, 8, 8), classes=levels.NAMES, shares=(0.25,) * 4, count=400)
    facts = {"recipe": levels.__file__, "fields": "{}", "spec": json.dumps(spec.to_json()), "seen": "8"}
    write_generator(tmp_path / "g.safetensors", {"G": levels.Levels().networks(spec)["G"]}, facts)
    words = [
        "sample",
        str(tmp_path / "g.safetensors"),
        "--recipe",
        levels.__file__,
        "-n",
        "5",
        "--out",
        str(tmp_path / "rows.csv"),
    ]
    assert main(words) == 2
    assert "makes images and no rows" in capsys.readouterr().err


TEXTS = st.text(st.sampled_from(["a", "é", ",", ";", '"', "\n", "\r", " ", "\t"]), max_size=4)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 3).flatmap(lambda k: st.lists(st.lists(TEXTS, min_size=k, max_size=k), min_size=1, max_size=6)),
    st.sampled_from(",;\t"),
)
def test_lines_are_those_of_the_csv_module(rows: list[list[str]], mark: str) -> None:
    """And read as what was written, also where the module forgets to quote a carriage return."""
    found = lines(list(zip(*rows, strict=True)), mark)
    assert list(csv.reader(io.StringIO(found, newline=""), delimiter=mark)) == rows
    file = io.StringIO()
    csv.writer(file, delimiter=mark, lineterminator="\n").writerows(rows)
    assert found == file.getvalue() or "\r" in found


def test_whole_numbers_are_written_as_any_other() -> None:
    from tightrope.data.tables.formats import Number

    values = np.asarray([-0.0, 1.0, -17.0, 9007199254740991.0])
    for around in ({}, {"before": " ", "after": " %"}):
        quick, slow = Number(**around), Number(**around, decimals=1)
        assert quick.write(values) == slow.write(values)
