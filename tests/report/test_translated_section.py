"""The section "Translation": figures, cases, and what a damaged or hostile run may hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

from tightrope.report.translated import section

HOSTILE = '<script>alert("x")</script>'


def figure(name: str, value: float, better: str, **more: Any) -> dict[str, Any]:
    protocol = {"scored on": "held out of tiny, 9 pictures"}
    return {"seen": 400, "name": name, "value": value, "better": better, "protocol": protocol, **more}


METRICS = [
    figure("frechet[t]", 2.0, "lower", trivial={"value": 4.0}),
    figure("L1", 0.05, "lower", interval=[0.04, 0.06], trivial={"value": 0.2, "beaten": 0.75}),
    figure("PSNR", 21.5, "higher", trivial={"value": 23.0, "beaten": 0.25}, notes=["a note"]),
    figure("cycle error[A-to-B, B-to-A]", 0.1, "lower"),
]


def judged(run: Path, **changes: Any) -> Path:
    """A run with two cases of 8 px."""
    (run / "judged").mkdir(parents=True)
    Image.new("RGB", (24, 8), "teal").save(run / "judged" / "best-1.png")
    Image.new("RGB", (24, 8), "red").save(run / "secret.png")
    case = {"rank": "best", "picture": "best-1.png", "name": "a.png", "figures": {"L1": 0.01}, "trivial": {"L1": 0.3}}
    record = {"of": "held out of tiny", "pictures": 9, "ranked by": "L1", "columns": ["given", "made", "wanted"], "cases": [case]}
    (run / "judged" / "cases.json").write_text(json.dumps(record | changes))
    return run


def test_figures_stand_beside_those_of_the_pictures_given(tmp_path: Path) -> None:
    page = section(judged(tmp_path), METRICS)
    assert "held out of tiny, 9 pictures" in page and "a note" in page
    assert page.index("L1") < page.index("frechet[t]") < page.index("cycle error")
    assert 'gained good">−75' in page and 'gained bad">−1.50 dB' in page and "75\u202f%" in page
    older = [figure("L1", 0.5, "lower") | {"seen": 100}, *METRICS]
    assert section(tmp_path, older) == page


def test_cases_are_shown_in_parts(tmp_path: Path) -> None:
    page = section(judged(tmp_path), [])
    assert page.count("data:image/") == 3 and 'width="8" height="8"' in page
    assert "<h3>Best</h3>" in page and "<b>L1 0.01</b>" in page and "given 0.3" in page and "a.png" in page


def test_pictures_whose_end_nobody_knows_are_shown_without_rank(tmp_path: Path) -> None:
    case = {"rank": "some", "picture": "best-1.png", "name": "", "figures": {}, "trivial": {}}
    page = section(judged(tmp_path, **{"ranked by": None, "columns": ["given", "made", "x"], "cases": [case]}), [])
    assert "evenly chosen" in page and "Some of them" in page


def test_nothing_is_shown_of_other_runs_and_damaged_records(tmp_path: Path) -> None:
    plain = [{"seen": 1, "name": "frechet[t]", "value": 1.0, "better": "lower", "protocol": {}}]
    assert section(tmp_path, plain) == ""
    run = judged(tmp_path)
    for text in ("", "[]", '{"cases": 3}', '{"cases": [1, {"picture": null}], "columns": ["a"]}', '{"columns": []}'):
        (run / "judged" / "cases.json").write_text(text)
        assert section(run, []) == ""


def test_what_a_run_says_is_text_and_its_pictures_are_its_own(tmp_path: Path) -> None:
    case = {"rank": HOSTILE, "picture": "best-1.png", "name": HOSTILE, "figures": {HOSTILE: 1.0}, "trivial": {}}
    page = section(judged(tmp_path, of=HOSTILE, cases=[case], **{"ranked by": HOSTILE}), [figure(HOSTILE, 1.0, "lower")])
    assert "<script" not in page and "&lt;script&gt;" in page
    (tmp_path / "judged" / "cases.json").write_text(
        json.dumps({"columns": ["a", "b", "c"], "cases": [{"rank": "best", "picture": "../secret.png"}]})
    )
    assert section(tmp_path, []) == ""
