"""The run report: complete in one file, safe against hostile text, useful for runs that are damaged or not finished."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tightrope.core.errors import InputError
from tightrope.report import build, curves, pictures, read_events, read_metrics, summary, words
from tightrope.report.records import ticks

HOSTILE = '<script>alert("x")</script>'


def record(**changes: Any) -> dict[str, Any]:
    """A run.json as training writes it."""
    declared = {
        "lr": {"doc": "learning rate", "default": 2e-4, "paper": None, "low": 0, "high": 1, "choices": []},
        "gamma": {"doc": "weight of `r1`", "default": 1.0, "paper": 10.0, "low": 0, "high": None, "choices": []},
    }
    return {
        "tightrope": "0.1.0",
        "command": ["/opt/bin/tightrope", "train", "dcgan", "my data"],
        "created": "2026-01-02T03:04:05+00:00",
        "recipe": {
            "name": "dcgan",
            "title": "DCGAN",
            "paper": "Radford et al. 2015, arXiv:1511.06434",
            "preset": "toy",
            "fields": {"lr": 2e-4, "gamma": 0.5},
            "overrides": {"gamma": 0.5},
            "declared": declared,
        },
        "data": {
            "name": "tiny",
            "source": {"data": "tiny"},
            "fingerprint": "ab12",
            "licence": "CC0",
            "count": 9,
            "spec": {"modality": "images", "shape": [3, 8, 8], "classes": ["a", "b"], "count": 9, "scale": 1.0},
        },
        "budget": {"seen": 400, "minutes": None},
        "seed": 1,
        "precision": "fp32",
        "threads": 1,
        "processes": 1,
        "machine": {"cpu": "a", "cores": 2, "memory_gb": 4.0, "accelerator": None, "system": "Linux"},
        "versions": {"python": "3.12", "torch": "2", "numpy": "2"},
        "parameters": {"G": 10, "D": 12},
        **changes,
    }


def tick(seen: int, **changes: Any) -> dict[str, Any]:
    terms = {"D/adversarial": 1.0 / seen, "G/adversarial": 2.0}
    signals = {"D/real": seen * 0.1, "D/fake": -seen * 0.1}
    known = {"event": "tick", "seen": seen, "seconds": seen / 10, "progress": seen / 400, "left": 5.0, "speed": 10.0}
    return {**known, "terms": terms, "signals": signals, "knobs": {"lr": 1.0}, "memory_mb": 100.0, **changes}


def preview(seen: int) -> dict[str, Any]:
    return {"event": "preview", "seen": seen, "path": f"samples/{seen:09d}.png"}


def write_run(run: Path, events: list[dict[str, Any]], tail: str = "", **changes: Any) -> Path:
    """A run's folder with these events, a picture for every preview, and reals."""
    (run / "samples").mkdir(parents=True)
    (run / "run.json").write_text(json.dumps(record(**changes)))
    (run / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events) + tail)
    Image.new("RGB", (16, 16), "teal").save(run / "reals.png")
    for event in events:
        if event["event"] == "preview" and ".." not in event["path"]:
            Image.new("RGB", (16, 16), (event["seen"] % 255, 0, 0)).save(run / event["path"])
    return run


def start() -> dict[str, Any]:
    return {"event": "start", "seen": 0, "time": "2026-01-02T03:04:05+00:00"}


def end(seen: int, reason: str = "done", message: str = "") -> dict[str, Any]:
    return {"event": "end", "seen": seen, "seconds": seen / 10, "reason": reason, "message": message}


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A run that was done, with two metrics and class shares."""
    events = [start()] + [e for seen in (100, 200, 300, 400) for e in (tick(seen), preview(seen))] + [end(400)]
    run = write_run(tmp_path / "00001-dcgan-tiny", events)
    protocol = {"features": "tiny-cnn", "generated": 9}
    metrics = [
        {"seen": 200, "name": "frechet[t]", "value": 9.0, "better": "lower", "protocol": protocol},
        {"seen": 400, "name": "frechet[t]", "value": 4.25, "better": "lower", "protocol": protocol},
        {"seen": 400, "name": "class shares[t]", "value": {"a": 0.75, "b": 0.25}, "better": None, "protocol": protocol},
    ]
    (run / "metrics.jsonl").write_text("".join(json.dumps(m) + "\n" for m in metrics))
    return run


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found.group(1))


def test_report_holds_the_whole_run(finished: Path) -> None:
    path = build(finished)
    page = path.read_text(encoding="utf-8")
    assert path == finished / "report.html"
    assert [f["seen"] for f in data_of(page)["frames"]] == [100, 200, 300, 400]
    for text in ("00001-dcgan-tiny", "4.25", "lower is better", "tiny-cnn", "equal shares (50 %)", "75.0", "CC0"):
        assert text in page
    assert "set for this run" in page and "paper differs" in page and "weight of <code>r1</code>" in page
    assert "<em>tightrope</em> <em>train</em>" in page and "/opt/bin" not in page
    assert not list(finished.glob("*.partial"))
    assert "{{" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_what_was_explored_is_shown(finished: Path) -> None:
    assert 'id="steering"' not in build(finished).read_text()
    (finished / "explored" / "deep").mkdir(parents=True)
    Image.new("RGB", (16, 16), "teal").save(finished / "explored" / "deep" / "<b>mix.png")
    (finished / "explored" / "large.gif").write_bytes(bytes(4_000_000))
    page = build(finished).read_text()
    assert 'id="steering"' in page and "deep/&lt;b&gt;mix.png" in page and "<b>mix" not in page
    assert "large.gif (too large" in page and page.count("data:image/gif") == 0


def test_nothing_is_loaded_from_the_network(finished: Path) -> None:
    page = build(finished).read_text(encoding="utf-8")
    addresses = re.findall(r"""(?:src|href|action|data|poster)\s*=\s*["']([^"']*)""", page)
    assert [a for a in addresses if "//" in a] == ["https://arxiv.org/abs/1511.06434"]
    assert "@import" not in page and not re.search(r"url\((?!#)", page)
    assert "default-src 'none'" in page


def test_hostile_text_is_escaped(tmp_path: Path) -> None:
    paper = f'http://a.b/"onload="x {HOSTILE}'
    recipe = record()["recipe"] | {"title": HOSTILE, "paper": paper, "fields": {HOSTILE: HOSTILE}}
    data = record()["data"] | {"name": HOSTILE, "licence": HOSTILE, "fingerprint": "{{js}}\ud800"}
    events = [start(), tick(100, terms={HOSTILE: 1.0}), {"event": HOSTILE, "seen": 100}, end(100, "stopped", HOSTILE)]
    run = write_run(tmp_path / "<script>alert(1)", events, recipe=recipe, data=data, parameters={HOSTILE: 1})
    metric = {"seen": 1, "name": HOSTILE, "value": HOSTILE, "better": HOSTILE, "protocol": {HOSTILE: HOSTILE}}
    shares = {"seen": 1, "name": f"class shares {HOSTILE}", "value": {HOSTILE: 1.0}, "protocol": {}}
    (run / "metrics.jsonl").write_text(json.dumps(metric) + "\n" + json.dumps(shares) + "\n")
    page = build(run).read_text(encoding="utf-8")
    assert "<script>alert" not in page and page.count("<script") == page.count("</script>") == 2
    assert 'onload="x' not in page
    assert page.count("{{js}}") == 1


def test_nan_and_infinity_are_shown(tmp_path: Path) -> None:
    broken = tick(200, terms={"D/adversarial": float("nan"), "G/adversarial": float("inf")}, left=float("nan"))
    run = write_run(tmp_path / "r", [start(), tick(100), broken, tick(300, signals={"D/real": "-inf", "D/fake": None})])
    (run / "metrics.jsonl").write_text('{"seen": 300, "name": "frechet[t]", "value": NaN, "better": "lower"}\n')
    page = build(run).read_text(encoding="utf-8")
    series = data_of(page)["curves"]["series"]
    assert series["D/adversarial"]["y"] == [0.01, "NaN", pytest.approx(1 / 300, rel=1e-4)]
    assert series["G/adversarial"]["y"][1] == "+inf" and series["D/real"]["y"][2] == "-inf"
    assert "not a number" in page


def test_truncated_lines_are_left_out(tmp_path: Path) -> None:
    run = write_run(tmp_path / "r", [start(), tick(100)], tail='{"event":"tick","seen":2')
    assert [e["event"] for e in read_events(run)] == ["start", "tick"]
    with open(run / "events.jsonl", "a") as file:  # a resumed process went on in the same line
        file.write(json.dumps({"event": "resume", "seen": 100}) + "\n" + json.dumps(tick(200)) + "\n")
    assert [e["event"] for e in read_events(run)] == ["start", "tick", "resume", "tick"]
    build(run)


def test_records_after_a_resume_supersede(tmp_path: Path) -> None:
    again = [{"event": "resume", "seen": 200}, tick(300, speed=99.0), preview(300)]
    first = [start()] + [e for seen in (100, 200, 300, 400) for e in (tick(seen), preview(seen))]
    run = write_run(tmp_path / "r", [*first, end(400, "interrupted"), *again])
    events = read_events(run)
    assert [t["seen"] for t in ticks(events)] == [100, 200, 300] and ticks(events)[-1]["speed"] == 99.0
    assert [e["seen"] for e in events if e["event"] == "preview"] == [100, 200, 300]
    facts = summary(run)
    assert (facts["state"], facts["seen"], facts["seconds"]) == ("running", 300, 30.0)
    assert data_of(build(run).read_text())["curves"]["resumes"] == [200]


def test_a_later_tick_replaces_an_earlier_one_at_the_same_place() -> None:
    kept = ticks([tick(100), tick(200), tick(150, speed=7.0), tick(150, speed=8.0)])
    assert [(t["seen"], t["speed"]) for t in kept] == [(100, 10.0), (150, 8.0)]


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], "unfinished"),
        ([start()], "running"),
        ([start(), tick(100)], "running"),
        ([start(), end(0, "stopped", "no")], "stopped"),
    ],
)
def test_runs_that_have_little_to_show(tmp_path: Path, events: list[dict[str, Any]], state: str) -> None:
    run = write_run(tmp_path / "r", events)
    (run / "reals.png").unlink()
    if not events:
        (run / "events.jsonl").unlink()
    page = build(run).read_text(encoding="utf-8")
    assert summary(run)["state"] == state and summary(run)["metric"] is None
    assert "Nothing has been measured yet" in page and "No sample grids yet" in page
    assert "tightrope</em> <em>resume" in page


def test_a_silent_run_is_unfinished(tmp_path: Path) -> None:
    import os

    run = write_run(tmp_path / "r", [start(), tick(100)])
    os.utime(run / "events.jsonl", (0, 0))
    assert summary(run)["state"] == "unfinished" and summary(run)["left"] is None


def test_a_bare_run_json_is_enough(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    assert "unknown recipe" in build(tmp_path).read_text()


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such run folder"):
        build(tmp_path / "missing")
    with pytest.raises(InputError, match="not a run"):
        summary(tmp_path)
    for text in ("{", "[]"):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(InputError, match=r"run\.json"):
            build(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_damaged_and_foreign_pictures_are_left_out_and_told(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "secret.png")
    foreign = {"event": "preview", "seen": 300, "path": "../secret.png"}
    events = [start(), tick(100), preview(100), preview(200), foreign]
    run = write_run(tmp_path / "r", events)
    (run / "samples" / "000000200.png").write_bytes(b"\x89PNG half")
    page = build(run).read_text(encoding="utf-8")
    assert [f["seen"] for f in data_of(page)["frames"]] == [100]
    assert "1 of 2 previews are missing or damaged" in page and "outside the run" in page


def test_many_previews_are_chosen_evenly() -> None:
    chosen = pictures.even(list(range(0, 1000, 10)), 40)
    assert len(chosen) == len(set(chosen)) == 40 and chosen[0] == 0 and chosen[-1] == 990
    assert pictures.even([1, 2], 40) == [1, 2]


def test_real_and_fake_share_a_chart_and_constants_are_told(finished: Path) -> None:
    found = data_of(build(finished).read_text())["curves"]
    charts = {group["title"]: group["charts"] for group in found["groups"]}
    assert charts["Player D"][0] == ["D/real", "D/fake"] and ["D/adversarial"] in charts["Player D"]
    assert found["constants"] == {"G/adversarial": 2.0, "knob/lr": 1.0, "speed": 10.0, "memory_mb": 100.0}
    assert found["series"]["metric/frechet[t]"] == {"x": [200, 400], "y": [9.0, 4.25]}


def test_thinning_keeps_ends_extremes_and_broken_values() -> None:
    values: list[float | None] = [float(i % 7) for i in range(10_000)]
    values[1234], values[5678], values[4321] = 99.0, float("nan"), None
    kept = curves.thin({"a": values}, len(values), limit=100)
    assert {0, 9999, 1234, 5678} <= set(kept) and len(kept) < 110


def test_summary(finished: Path) -> None:
    facts = summary(finished)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["metric"] == {"name": "frechet[t]", "value": 4.25, "better": "lower", "seen": 400}
    assert (facts["state"], facts["seen"], facts["seconds"], facts["speed"]) == ("done", 400, 40.0, 10.0)
    assert facts["parameters"] == 22 and len(read_metrics(finished)) == 3


def test_words() -> None:
    assert [words.short(n) for n in (0, 7.5, 1806, 25_600, 999_950, 1_536_000)] == [
        "0", "7.5", "1,806", "25.6\u202fk", "1\u202fM", "1.54\u202fM",
    ]  # fmt: skip
    assert [words.duration(s) for s in (0.5, 50.2, 205, 4523, 200_000)] == [
        "0.5\u202fs", "50\u202fs", "3.4\u202fmin", "1\u202fh 15\u202fmin", "2\u202fd 7\u202fh",
    ]  # fmt: skip
    assert words.linked("see https://a.org/x.") == 'see <a href="https://a.org/x" rel="noopener noreferrer">https://a.org/x</a>.'
