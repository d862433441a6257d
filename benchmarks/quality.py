"""Quality after equal wall time: the default recipe against the plain DCGAN loop, judged by the same network.

    python benchmarks/quality.py --data fashion --minutes 10 --seeds 0 1 2

The two take turns, seed by seed; nothing else may run beside them. Where something does (two threads that share their cores
lose most of their speed), measure both speeds on the quiet machine first and train each on the samples it sees in that time:

    python benchmarks/quality.py --speeds                                    # samples/s of both, interleaved
    python benchmarks/quality.py --minutes 10 --rate plain=304 swift=680     # as many samples as in 10 minutes at that speed
 The peer is judged with batch statistics and with running
ones, and the better number counts. Results are appended to --out as JSON lines, so that a stopped benchmark goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import torch
from plain_dcgan import BATCH, PlainLoop

import tightrope
from tightrope import data as data_room
from tightrope.core.seeds import derive
from tightrope.metrics.judge import evaluate

COUNT = 10_000


def measure(name: str, data: str, size: int | None, minutes: float, seed: int, rate: float | None) -> dict:
    """Train one contender for so many minutes, or for the samples it sees in them at a known rate, and judge it."""
    dataset = data_room.load(data, size=size)
    start = time.perf_counter()
    if name == "plain":
        loop = PlainLoop(dataset.batch(torch.arange(len(dataset))), seed=derive(seed, "plain") % 2**31)
        if rate is None:
            loop.train(minutes * 60)
        else:
            for _ in range(int(minutes * 60 * rate / BATCH)):
                loop.step()
        seconds, seen = time.perf_counter() - start, loop.steps * BATCH
        judged = [evaluate(loop.sampler(training=mode), dataset, count=COUNT, quick=True) for mode in (True, False)]
        records = min(judged, key=lambda found: found[0]["value"])
    else:
        options = tightrope.Options(size=size, runs=Path(tempfile.mkdtemp()), judge=0)
        budget = {"minutes": minutes} if rate is None else {"seen": int(minutes * 60 * rate)}
        run = tightrope.train(name, data, seed=seed, options=options, **budget)
        end = json.loads((run.path / "events.jsonl").read_text().splitlines()[-2])
        seconds, seen = end["seconds"], end["seen"]
        records = tightrope.evaluate(run.path, count=COUNT, quick=True)
    values = {r["name"].split("[")[0]: r["value"] for r in records}
    return {
        "name": name, "data": data, "size": dataset.spec.size, "minutes": minutes, "seed": seed, "rate": rate,
        "seconds": round(seconds, 1), "seen": seen, "load": os.getloadavg()[0], **values,
    }  # fmt: skip


def speeds(data: str, size: int | None, seconds: float = 12, repeats: int = 2) -> None:
    """Samples a second of both in turns; the default with its ticks, previews and checkpoints."""
    dataset = data_room.load(data, size=size)
    loop = PlainLoop(dataset.batch(torch.arange(len(dataset))))
    loop.train(seconds / 4)
    for _ in range(repeats):
        steps, start = loop.steps, time.perf_counter()
        loop.train(seconds)
        plain = (loop.steps - steps) * BATCH / (time.perf_counter() - start)
        options = tightrope.Options(size=size, runs=Path(tempfile.mkdtemp()), judge=0)
        run = tightrope.train("swift", data, minutes=1.5 * seconds / 60, options=options)
        ticks = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
        ticks = [event for event in ticks if event["event"] == "tick"]
        first, last = ticks[len(ticks) // 4], ticks[-1]
        swift = (last["seen"] - first["seen"]) / (last["seconds"] - first["seconds"])
        print(
            f"{data} {dataset.spec.size} px: plain {plain:.0f}/s, swift {swift:.0f}/s, load {os.getloadavg()[0]:.1f}", flush=True
        )


def show(rows: list[dict]) -> None:
    """One line a contender and data set, then the ratio of the medians."""
    for data, size in sorted({(r["data"], r["size"]) for r in rows}):
        medians = {}
        for name in sorted({r["name"] for r in rows}):
            mine = [r for r in rows if (r["name"], r["data"], r["size"]) == (name, data, size)]
            if not mine:
                continue
            values = [r["frechet"] for r in mine]
            medians[name] = statistics.median(values)
            shares = [s for r in mine for s in r.get("class shares", {}).values()]
            span = f"class shares {min(shares):.1%} to {max(shares):.1%}" if shares else ""
            print(
                f"{data} {size} px  {name:<8} {len(mine)} seeds  frechet {medians[name]:.2f} "
                f"({min(values):.2f} to {max(values):.2f})  seen {statistics.median(r['seen'] for r in mine):,.0f}  {span}"
            )
        if "plain" in medians:
            for name, value in medians.items():
                if name != "plain":
                    print(f"{data} {size} px  {name} / plain = {value / medians['plain']:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="fashion")
    parser.add_argument("--size", type=int)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--names", nargs="+", default=["plain", "swift"])
    parser.add_argument("--rate", nargs="*", default=[], metavar="NAME=SAMPLES/S")
    parser.add_argument("--speeds", action="store_true", help="only measure the speeds")
    parser.add_argument("--out", type=Path, default=Path("quality.jsonl"))
    arguments = parser.parse_args()
    if arguments.speeds:
        speeds(arguments.data, arguments.size)
        return
    rates = {name: float(value) for name, _, value in (item.partition("=") for item in arguments.rate)}
    rows = [json.loads(line) for line in arguments.out.read_text().splitlines()] if arguments.out.exists() else []
    size = arguments.size or data_room.load(arguments.data).spec.size
    done = {(r["name"], r["data"], r["size"], r["minutes"], r["seed"]) for r in rows}
    for seed in arguments.seeds:
        for name in arguments.names:
            if (name, arguments.data, size, arguments.minutes, seed) not in done:
                rows.append(measure(name, arguments.data, arguments.size, arguments.minutes, seed, rates.get(name)))
                with open(arguments.out, "a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    show(rows)


if __name__ == "__main__":
    main()
