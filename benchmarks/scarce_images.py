"""Few pictures of a class: does a GAN help a classifier beyond class weights and classic augmentation?

OMP_NUM_THREADS=1 python benchmarks/scarce_images.py ../shared/data --seeds 10

Chest X-rays (medical/pneumonia-28.npz of MedMNIST: 3,494 of pneumonia) with 20, 50, 100 and all 388 normal ones, and
Fashion-MNIST (fashion-mnist/) with 20 a class, each on its own test set. A seed chooses which pictures are kept; all ways of a
seed see the same ones, train the same network by the same number of updates, and are compared in pairs: differences to class
weights with classic augmentation, with the interval of their mean over resampled seeds. The share of a batch that is
generated is fixed (--share), never chosen by the test set. Every finished seed is a line of results.jsonl; the same command
goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tightrope import data
from tightrope.core.seeds import generator
from tightrope.metrics.intervals import bootstrap
from tightrope.scarce.images import BASELINE, WAYS, trial
from tightrope.scarce.pictures import Pictures, pictures

CELLS = {"pneumonia-20": 20, "pneumonia-50": 50, "pneumonia-100": 100, "pneumonia-388": 388, "fashion-20": 20}
NORMAL = 0  # the label of the X-rays that are few


def loaded(place: Path, name: str) -> tuple[Pictures, Pictures]:
    """Training and test pictures of a cell's data, whole."""
    if name.startswith("fashion"):
        folder = place / "fashion-mnist"
        return tuple(pictures(data.load(folder / f"{part}-images-idx3-ubyte.gz")) for part in ("train", "t10k"))  # type: ignore[return-value]
    arrays = np.load(place / "medical/pneumonia-28.npz")
    return tuple(padded(arrays[f"{part}_images"], arrays[f"{part}_labels"]) for part in ("train", "test"))  # type: ignore[return-value]


def padded(pixels: np.ndarray, labels: np.ndarray) -> Pictures:
    """28 px on black, at 32."""
    images = torch.from_numpy(np.pad(pixels, ((0, 0), (2, 2), (2, 2)))).float()[:, None] / 127.5 - 1
    return Pictures(images, torch.from_numpy(labels.astype("int64").ravel()), ("normal", "pneumonia"))


def few(whole: Pictures, cell: str, seed: int) -> Pictures:
    """The pictures that a seed keeps."""
    dice, kept = generator(seed, "few", cell), []
    for k in range(len(whole.classes)):
        index = (whole.labels == k).nonzero().flatten()
        limit = CELLS[cell] if cell.startswith("fashion") or k == NORMAL else len(index)
        kept.append(index[torch.randperm(len(index), generator=dice)[:limit]])
    return whole.at(torch.cat(kept))


def one(cell: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Every way of a cell, of one seed."""
    began = time.process_time()
    whole, test = loaded(arguments.data, cell)
    found = trial(few(whole, cell, seed), test, arguments.minutes, seed, arguments.share)
    return {
        "cell": cell, "seed": seed, "minutes": arguments.minutes, "share": arguments.share, "scores": found.scores,
        "copies": sum(int(a.copied.sum()) for a in found.audits), "refused": sum(a.fails for a in found.audits),
        "authentic": [round(a.authentic, 3) for a in found.audits], "null": [round(a.authentic_null, 3) for a in found.audits],
        "cpu_s": round(time.process_time() - began),
    }  # fmt: skip


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a cell and way: the mean, and the paired difference to the baseline."""
    found = []
    for cell in dict.fromkeys(row["cell"] for row in rows):
        of_cell = [row["scores"] for row in rows if row["cell"] == cell]
        for way in (way.name for way in WAYS):
            values, gaps = [s[way] for s in of_cell], [s[way] - s[BASELINE] for s in of_cell]
            interval = bootstrap(lambda x: x.mean().item(), torch.tensor(gaps, dtype=torch.float64))
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            found.append({
                "cell": cell, "way": way, "seeds": len(values), "balanced_accuracy": statistics.fmean(values), "sd": spread,
                "gain": interval.value, "low": interval.low, "high": interval.high,
            })  # fmt: skip
    return found


def show(rows: list[dict[str, Any]]) -> None:
    print(f"{'cell':<15}{'way':<26}{'seeds':>5}{'balanced accuracy':>20}   gain over {BASELINE}, 95 % interval")
    for row in summary(rows):
        gain = "" if row["way"] == BASELINE else f"{row['gain']:+.1%} [{row['low']:+.1%}, {row['high']:+.1%}]"
        print(f"{row['cell']:<15}{row['way']:<26}{row['seeds']:>5}{row['balanced_accuracy']:>12.1%} sd {row['sd']:.1%}   {gain}")
    for cell in dict.fromkeys(row["cell"] for row in rows):
        of_cell = [row for row in rows if row["cell"] == cell]
        copies, refused = (sum(row[key] for row in of_cell) for key in ("copies", "refused"))
        cost = statistics.fmean(row["cpu_s"] for row in of_cell)
        print(f"{cell}: {copies} copies dropped, {refused} classes refused by the audit; {cost:.0f} s of CPU a seed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder that holds medical/ and fashion-mnist/")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=list(CELLS))
    parser.add_argument("--minutes", type=float, default=1.0, help="of the GAN, each seed")
    parser.add_argument("--share", type=float, default=0.5, help="of a class's places in a batch, for generated pictures")
    parser.add_argument("--out", type=Path, default=Path("results/scarce_images"))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    log = arguments.out / "results.jsonl"
    known = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    same = {"minutes": arguments.minutes, "share": arguments.share}
    rows = [r for r in known if r.items() >= same.items() and r["cell"] in arguments.cells and r["seed"] < arguments.seeds]
    for seed in range(arguments.seeds):
        for cell in arguments.cells:
            if not any(r["cell"] == cell and r["seed"] == seed for r in rows):
                rows.append(one(cell, seed, arguments))
                with log.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    rows.sort(key=lambda row: (arguments.cells.index(row["cell"]), row["seed"]))
    if arguments.json:
        print(json.dumps({"rows": rows, "summary": summary(rows)}, indent=2))
    else:
        show(rows)


if __name__ == "__main__":
    main()
