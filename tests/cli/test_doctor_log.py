"""`tightrope doctor LOG`: what it prints, its JSON, its page, its errors; and what a run's own events say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tightrope
from tightrope.cli.main import main
from tightrope.judging.logged import doctor_log, over_the_run
from tightrope.report.records import read_events


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    fid = 10 + 90 * np.exp(-np.arange(50) / 6) + np.sin(np.arange(50.0)) / 3
    fid[35:] *= 12
    rows = (f"{200 * i},{value:.3f},{1800 * i}" for i, value in enumerate(fid))
    path = tmp_path / "run <1>.csv"
    path.write_text("kimg,fid50k_full,total_sec\n" + "\n".join(rows) + "\n")
    return path


def test_it_says_where_how_sure_and_what_it_cost(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(broken)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.startswith("BROKE It broke at kimg 7,000 (99.9% sure).") and "of all steps (" in printed
    page = Path(f"{broken}.doctor.html").read_text()
    assert "{{" not in page and not re.search(r'(src|href)="(?!data:|#)', page) and "<1>" not in page
    assert all(
        words in page for words in ("run &lt;1&gt;.csv", "<b>broke</b>", 'class="cut"', 'class="best"', 'class="lost"', "Columns")
    )


def test_json_and_python_are_the_same(broken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(broken), "--json", "--out", str(tmp_path / "page.html")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "diverging" and found["broke"]["since"] == 7_000_000 and found["broke"]["sure"] >= 0.99
    assert found["cost"]["seconds_after_break"] == 1800 * 14 and found["best"]["series"] == "metric/fid50k_full"
    assert tightrope.doctor(broken, out=tmp_path / "page.html") == found and (tmp_path / "page.html").is_file()


def test_a_metric_that_held_outvotes_a_loss(tmp_path: Path) -> None:
    rows = [{"step": i, "d_loss": 1.0 if i < 100 else 1e-6, **({"fid": 200 - i / 2} if i % 10 == 0 else {})} for i in range(300)]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    collapsed = next(check for check in doctor_log(path)["checks"] if check["check"] == "collapsing")
    assert collapsed["ok"] and "did not suffer" in collapsed["sentence"]
    path.write_text("".join(json.dumps({k: v for k, v in row.items() if k != "fid"}) + "\n" for row in rows))
    assert doctor_log(path)["verdict"] == "D overpowers"


def test_losses_that_are_well_promise_no_quality(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(1, 0.1, (400, 2))
    path = tmp_path / "log.csv"
    path.write_text("step,d_loss,g_loss\n" + "".join(f"{i},{a},{b}\n" for i, (a, b) in enumerate(noise)))
    found = doctor_log(path)
    assert found["verdict"] == "healthy" and found["broke"] is None and "log a metric too" in found["summary"]


def run_of(folder: Path, end: dict) -> Path:
    score = [min(0.9, i / 20) if i < 40 else 0.05 for i in range(60)]
    ticks = [
        {
            "event": "tick",
            "seen": 1000 * i,
            "seconds": 10.0 * i,
            "terms": {"D/adversarial": 1 + i % 5 / 9},
            "signals": {"samples/score": s},
        }
        for i, s in enumerate(score)
    ]
    (folder / "run.json").write_text("{}")
    (folder / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in [*ticks, {"event": "end", "seen": 59_000, **end}]))
    return folder


def test_a_run_is_judged_by_its_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_of(tmp_path, {"reason": "done"})
    assert main(["doctor", str(run), "--log", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["broke"]["at"] == "seen 40,000" and found["page"] == str(run / "log.html") and (run / "log.html").is_file()
    over = over_the_run(run, read_events(run))
    assert over is not None and over["summary"] == found["summary"]


def test_a_run_that_stopped_at_a_number_that_is_none(tmp_path: Path) -> None:
    run = run_of(
        tmp_path,
        {"reason": "stopped", "message": "phase D, term 'adversarial' became nan at 59,000 seen samples; no checkpoint."},
    )
    assert any(check["check"] == "stopped" and check["name"] == "non-finite" for check in doctor_log(run)["findings"])
    (run / "events.jsonl").write_text("")
    assert over_the_run(run, []) is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.csv"], "no such file"), (["points.csv"], "no loss and no metric"), (["log.csv", "--clock", "tick"], "no column 'tick'"),
        (["log.csv", "--metric", "b"], "which way is better"), (["log.csv", "--d-loss", "b", "--data", "fashion"], "--data"),
        (["log.csv", "--d-loss", "b", "--out", "page.pdf"], "HTML"), (["empty", "--log"], "is no log"),
    ],
)  # fmt: skip
def test_bad_input_is_exit_2_and_one_sentence(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("points.csv").write_text("x,y\n1,2\n3,4\n")
    Path("log.csv").write_text("a,b\n1,2\n3,4\n")
    before = sorted(tmp_path.rglob("*"))
    assert main(["doctor", *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and sorted(tmp_path.rglob("*")) == before


def test_errors_come_without_torch(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n3,4\n")
    code = f"import sys; from tightrope.cli.main import main; main(['doctor', {str(tmp_path / 'a.csv')!r}]); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
