"""The runner: results that survive, budgets, failures, the catalogue without torch, the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tightrope import bench
from tightrope.bench import runner, store
from tightrope.bench.protocol import Ask, Case, Result, Table, of, spread
from tightrope.cli.main import main
from tightrope.core.errors import InputError

FAKE = str(Path(__file__).parent / "fake.py")


def play(out: Path, *methods: str, **given) -> runner.Outcome:
    said: list[str] = []
    return runner.run(FAKE, Ask(methods=methods, seeds=2), out, jobs=2, tell=said.append, **given)


def result(seed: int, value: float) -> Result:
    return Result(case=Case(benchmark="b", method="m", seed=seed), figures={"v": value}, cpu_seconds=1.0, versions={})


def test_results_are_kept_and_not_made_twice(tmp_path):
    first = play(tmp_path, "good")
    assert [r.figures["value"] for r in sorted(first.results, key=lambda r: r.case.seed)] == [0.5, 1.5]
    assert first.results[0].figures["bad"] is None, "JSON has no NaN"
    assert not first.left and not first.failures
    before = (tmp_path / "results.jsonl").read_text()
    assert play(tmp_path, "good").results and (tmp_path / "results.jsonl").read_text() == before
    assert "| good | 1.0 ± 0.5 |" in (tmp_path / "table.md").read_text()
    kept = sorted(path.name for path in (tmp_path / "cases").rglob("*.txt"))
    assert kept == ["kept.txt", "kept.txt"]


def test_failures_are_told_and_tried_again(tmp_path):
    outcome = play(tmp_path, "wrong", "broken", "good")
    assert len(outcome.results) == 2 and len(outcome.left) == 4
    assert any("the data is not there" in text for text in outcome.failures)
    assert any("ZeroDivisionError" in text for text in outcome.failures)


def test_a_budget_stops_what_runs(tmp_path):
    outcome = play(tmp_path, "slow", minutes=0.01)
    assert len(outcome.left) == 2 and not outcome.results and not outcome.failures


def test_a_torn_line_costs_one_case_and_no_other(tmp_path):
    store.append(tmp_path, result(0, 1.0))
    with open(tmp_path / "results.jsonl", "a") as file:
        file.write('{"benchmark": "b", "meth')
    store.append(tmp_path, result(1, float("inf")))
    assert [(r.case.seed, r.figures["v"]) for r in store.read(tmp_path)] == [(0, 1.0), (1, None)]


def test_the_last_result_of_a_case_counts(tmp_path):
    store.append(tmp_path, result(0, 1.0))
    store.append(tmp_path, result(0, 2.0))
    assert [r.figures["v"] for r in store.read(tmp_path)] == [2.0]


def test_the_list_needs_no_torch():
    code = (
        "import sys, tightrope.cli.main as m; m.main(['bench']); m.main(['bench', '--json']); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in bench.names():
        assert name in done.stdout


@pytest.mark.parametrize("name", bench.names())
def test_every_benchmark_says_what_it_is(name):
    head = bench.header(name)
    assert head.sentence.endswith(".") and head.paper and head.time and head.methods and head.seeds >= 1
    assert "TIME" not in head.time, "state the time"
    module = bench.find(name)
    ask = Ask(methods=tuple(head.methods), seeds=2, data=Path("mnist") if head.needs_data else None)
    cases = module.cases(ask)
    assert len({case.key for case in cases}) == len(cases) > 0
    for case in cases:
        json.dumps(case.settings)
    assert {case.method for case in cases} <= set(head.methods)


def test_bad_commands_are_one_sentence(capsys, tmp_path):
    for words in (
        ["ring9"], ["ring8", "--methods", "relativstic"], ["ring8", "--seeds", "0"], ["ring8", "--scale", "-1"],
        ["stacked_mnist"], ["ring8", "--evaluate", "x"], [str(tmp_path / "no.py")], ["ring8", "--out", __file__],
    ):  # fmt: skip
        assert main(["bench", *words]) == 2, words
        message = capsys.readouterr().err
        assert message.startswith("tightrope: ") and message.count("\n") == 1, message


def test_the_command_line_runs_and_answers_in_json(capsys, tmp_path):
    words = ["bench", FAKE, "--methods", "good", "--seeds", "1", "--jobs", "1", "--out", str(tmp_path / "out"), "--json"]
    assert main(words) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["done"] == 1 and record["left"] == 0 and record["tables"][0]["rows"] == [["good", "0.5"]]
    assert main(["bench", FAKE, "--methods", "broken", "--seeds", "1", "--jobs", "1", "--out", str(tmp_path / "out")]) == 2


def test_tables_and_spread():
    assert spread([]) == "–" and spread([2.0]) == "2.0" and spread([1.0, 3.0]) == "2.0 ± 1.0"
    table = Table(title="T", head=("a", "bb"), rows=[("1", "2")], notes=("n",))
    assert table.markdown() == "### T\n\n| a | bb |\n| --- | --- |\n| 1 | 2 |\n\nn\n"
    assert table.text().splitlines()[2] == "a  bb"
    assert of([result(0, 1.0), result(1, 3.0)], "v", method="m") == [1.0, 3.0]


def test_a_file_without_methods_is_no_benchmark(tmp_path):
    (tmp_path / "empty.py").write_text('"""Nothing."""\n')
    with pytest.raises(InputError, match="METHODS"):
        bench.header(str(tmp_path / "empty.py"))
