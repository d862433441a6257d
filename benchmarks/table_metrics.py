"""Our figures of tables beside those of sdmetrics, on the same tables in the same run: largest difference, bar, seconds.

    python -m venv VENV && VENV/bin/pip install tightrope[tables] pandas tqdm && VENV/bin/pip install --no-deps sdmetrics
    VENV/bin/python benchmarks/table_metrics.py ../shared/data/tables

sdmetrics (MIT) imports copulas (BUSL) and plotly at its head, for figures that are not asked for here: where they are missing a
stand-in takes their place. Adult and King County are cut into training and held-out rows; the "generated" table is held-out rows
some columns of which were shuffled, stretched or blurred. The last table is the null: what held-out rows themselves score.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import importlib
import importlib.metadata
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch

from tightrope.metrics.tables.columns import Columns, coded
from tightrope.metrics.tables.mixed import nearest_rows
from tightrope.metrics.tables.pairs import pair_trends
from tightrope.metrics.tables.quality import quality
from tightrope.metrics.tables.shapes import column_shapes, missing_similarity

FILES = {"adult": "adult.csv.gz", "king county": "king-county-houses.csv.gz"}
ROWS = 8_000  # of each table
CLOSEST = 1_000  # rows of each table whose distances sdmetrics is asked for: it merges all pairs
BAR = 1e-9


def read(path: Path) -> Columns:
    """A CSV whose columns are numbers where all values are; "?" is missing; identifiers and dates left out."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        head, *rows = [[v.strip() for v in row] for row in csv.reader(file) if row]
    values: dict[str, np.ndarray] = {}
    kinds: dict[str, str] = {}
    for name, column in zip(head, zip(*rows, strict=True), strict=True):
        if name in ("id", "date"):
            continue
        try:
            values[name], kinds[name] = np.array([float(v) for v in column]), "number"
        except ValueError:
            values[name], kinds[name] = np.array([None if v == "?" else v for v in column], object), "category"
    for name in ("waterfront", "view", "condition", "grade", "zipcode"):
        if name in values:
            values[name], kinds[name] = np.array([f"{v:g}" for v in values[name]], object), "category"
    return Columns(values, kinds)


def spoilt(table: Columns, draw: np.random.Generator) -> Columns:
    """Every third column shuffled, every third number stretched or blurred, gaps in one."""
    values = {name: np.asarray(column).copy() for name, column in table.values.items()}
    for i, (name, kind) in enumerate(table.kinds.items()):
        if i % 3 == 0:
            values[name] = draw.permutation(values[name])
        elif kind == "number" and i % 3 == 1:
            values[name] = 1.3 * values[name] + values[name].std() * draw.normal(size=len(table))
        elif kind == "number":
            values[name][draw.random(len(table)) < 0.07] = np.nan
    return Columns(values, table.kinds)


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    return call(), time.process_time() - start


def stand_ins() -> None:
    for head, parts in {
        "copulas": ("", ".univariate", ".univariate.base", ".multivariate"),
        "plotly": ("", ".express", ".graph_objects", ".subplots", ".io"),
    }.items():
        if importlib.util.find_spec(head) is None:
            for part in parts:
                sys.modules[head + part] = MagicMock()


def compare(name: str, ours: dict[Any, float], theirs: dict[Any, float], seconds: tuple[float, float]) -> bool:
    """Print a line; whether every value agrees, and the same ones are undefined."""
    gaps = [abs(ours[key] - theirs[key]) for key in ours if not np.isnan(ours[key]) and not np.isnan(theirs[key])]
    alike = all(np.isnan(ours[key]) == np.isnan(theirs[key]) for key in ours)
    fine = alike and max(gaps) < BAR
    said = f"{len(gaps):4} values, at most {max(gaps):.1e} apart, ours {seconds[0]:6.2f} s, sdmetrics {seconds[1]:6.2f} s"
    print(f"{name:38}{said}  {'ok' if fine else 'NO'}")
    return fine


def agreement(name: str, real: Columns, fake: Columns) -> bool:
    """Ours and theirs for one pair of tables."""
    import pandas as pd

    properties = importlib.import_module("sdmetrics.reports.single_table._properties")
    distance = importlib.import_module("sdmetrics.single_table.privacy.dcr_utils")
    metadata = {
        "columns": {column: {"sdtype": "numerical" if kind == "number" else "categorical"} for column, kind in real.kinds.items()}
    }
    a, b = (pd.DataFrame(dict(table.values)) for table in (real, fake))
    fine = True

    ours, mine = timed(lambda: column_shapes(real, fake))
    shapes = properties.ColumnShapes()
    score, their = timed(lambda: shapes.get_score(a, b, metadata))
    theirs = dict(zip(shapes.details["Column"], shapes.details["Score"], strict=True))
    fine &= compare(f"{name}: column shapes", ours, theirs, (mine, their))

    pairs, mine = timed(lambda: pair_trends(real, fake))
    trends = properties.ColumnPairTrends()
    trends.num_rows_subsample = None
    score_pairs, their = timed(lambda: trends.get_score(a, b, metadata))
    of = trends.details
    theirs = {key: value for *key, value in zip(of["Column 1"], of["Column 2"], of["Score"], strict=True) for key in [tuple(key)]}
    fine &= compare(f"{name}: pair trends", {key: pair.score for key, pair in pairs.items()}, theirs, (mine, their))
    overall, mine = timed(lambda: quality(real, fake).overall)
    fine &= compare(f"{name}: overall score", {"": overall}, {"": (score + score_pairs) / 2}, (mine, their))

    single = importlib.import_module("sdmetrics.single_column")
    gaps, mine = timed(lambda: missing_similarity(real, fake))
    theirs, their = timed(lambda: {column: single.MissingValueSimilarity.compute(a[column], b[column]) for column in gaps})
    fine &= compare(f"{name}: missing values", gaps, theirs, (mine, their))

    few = np.arange(CLOSEST)
    one, two = coded(real.take(few), fake.take(few))
    near, mine = timed(lambda: nearest_rows(one, two, one).distance[:, 0])
    theirs, their = timed(lambda: distance.calculate_dcr(b[:CLOSEST], a[:CLOSEST], metadata).to_numpy())
    return fine & compare(f"{name}: distance to the closest", dict(enumerate(near)), dict(enumerate(theirs)), (mine, their))


def main() -> int:
    parser = argparse.ArgumentParser(description="Figures of tables beside sdmetrics'.")
    parser.add_argument("folder", type=Path, help="with adult.csv.gz and king-county-houses.csv.gz")
    folder = parser.parse_args().folder
    torch.set_num_threads(1)
    peer = importlib.util.find_spec("sdmetrics") is not None
    print(f"sdmetrics {importlib.metadata.version('sdmetrics')}" if peer else "sdmetrics: not here; the nulls alone")
    if peer:
        stand_ins()
    fine, nulls = True, []
    for name, file in FILES.items():
        table, draw = read(folder / file), np.random.default_rng(0)
        order = draw.permutation(len(table))
        train, held = table.take(order[:ROWS]), table.take(order[ROWS : 2 * ROWS])
        if peer:
            fine &= agreement(name, train, spoilt(held, draw))
        nulls.append((name, quality(train, held), quality(train, held, shared=True)))
    print("\nheld-out rows in the place of generated ones: shapes, trends with edges of their own, trends with edges shared")
    for name, own, shared in nulls:
        print(f"{name:32} {own.shapes:.4f}  {own.trends:.4f}  {shared.trends:.4f}")
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main())
