"""The report's section on a table, from what an evaluation leaves in the run's folder."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from tightrope.metrics.tables import overlays
from tightrope.metrics.tables.columns import Columns, coded
from tightrope.report import tabled

KINDS = {"size": "number", "weight": "number", "kind": "category"}


class Titles(HTMLParser):
    """The sub-headings of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.heads: list[str] = []
        self.text, self.tag = "", ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tag = tag

    def handle_data(self, data: str) -> None:
        self.text += data
        self.heads += [data] if self.tag == "h3" and data.strip() else []


def table(rows: int, kinds: list[str]) -> Columns:
    place = np.arange(rows, dtype=float)
    return Columns({"size": place, "weight": np.sin(place), "kind": np.asarray(kinds, object)}, KINDS)


def run(folder: Path, rows: dict[str, list[str]]) -> Path:
    real, fake = coded(table(2000, ["common"] * 1999 + ["<rare>"]), table(2000, ["common"] * 2000))
    views: dict[str, Any] = {"marginals": overlays.marginals(real, fake), "association": overlays.association(real, fake)}
    (folder / "judged").mkdir()
    text = json.dumps({**views, "clouds": overlays.clouds(real, fake), "rows": rows})
    (folder / "judged" / "table.json").write_text(text)
    return folder


def test_columns_pairs_and_rows_are_shown_and_cells_cannot_be_markup(tmp_path: Path) -> None:
    page = tabled.section(run(tmp_path, {"kind": ["<b>common</b>"], "size": ["7"]}), [])
    found = Titles(page)
    assert {"Columns", "Pairs of columns", "Pairs of numbers", "Generated rows"} <= set(found.heads)
    assert "<b>common" not in page
    assert "<b>common</b>" in found.text
    assert "<rare>" not in page


def test_a_share_below_a_thousandth_is_no_tag_and_a_lost_category_stands_out(tmp_path: Path) -> None:
    page = tabled.section(run(tmp_path, {}), [])
    assert "&lt;0.1" in page
    assert "<0.1" not in page
    assert page.count('class="tick bad"') == 1


def test_without_a_judged_table_there_is_no_section(tmp_path: Path) -> None:
    assert tabled.section(tmp_path, []) == ""
    (tmp_path / "judged").mkdir()
    (tmp_path / "judged" / "table.json").write_text("{broken")
    assert tabled.section(tmp_path, []) == ""
