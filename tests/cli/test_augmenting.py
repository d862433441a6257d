"""`tightrope augment`: what is asked wrongly is one sentence and exit code 2, before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tightrope.cli.main import main
from tightrope.scarce import learners, rows


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "patients.csv"
    lines = [f"{30 + i % 40},{'red' if i % 3 else 'blue'},{'yes' if i % 4 == 0 else 'no'},same" for i in range(60)]
    path.write_text("\n".join(["age,colour,ill,constant", *lines]) + "\n")
    return path


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "--target COLUMN"),
        (["--target", "il"], "did you mean 'ill'?"),
        (["--target", "constant"], "the same value"),
        (["--target", "ill", "--seeds", "0"], "--seeds 0"),
        (["--target", "ill", "--minutes", "-1"], "--minutes -1"),
        (["--target", "ill", "--anyway"], "--out DIR"),
    ],
)
def test_wrong_input(table: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["augment", str(table), *words]) == 2
    error = capsys.readouterr().err.strip()
    assert says in error and "\n" not in error


def test_five_rows_and_no_table(tmp_path: Path, table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = tmp_path / "short.csv"
    short.write_text("\n".join(table.read_text().splitlines()[:6]) + "\n")
    assert main(["augment", str(short), "--target", "ill"]) == 2 and "5 rows" in capsys.readouterr().err
    assert main(["augment", str(tmp_path / "nowhere.csv"), "--target", "ill"]) == 2
    assert main(["augment", str(table), "--target", "ill", "--out", str(table)]) == 2


def test_json_and_text_say_the_recommendation(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_made(rows_: rows.Rows, wanted: object, seed: int) -> rows.Cells:
        return {}

    monkeypatch.setattr(learners, "TREES", 8)
    monkeypatch.setattr(rows, "gan", lambda minutes=None: none_made)
    out = tmp_path / "out"
    assert main(["augment", str(table), "--target", "ill", "--seeds", "2", "--out", str(out), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["recommended"] is False and record["written"] is None and (out / "report.html").exists()
    assert main(["augment", str(table), "--target", "ill", "--seeds", "2", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert record["recommendation"] in said and said.count("Do not use") == 1 and str(out / "outcome.json") in said
