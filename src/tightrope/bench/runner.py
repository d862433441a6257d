"""Runs a benchmark's cases in processes of one thread each, within a budget, and writes what comes out.

The same command goes on where an earlier one stopped: cases that stand in results.jsonl are not run again, and a training
that was interrupted goes on from its checkpoint.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

from tightrope import bench
from tightrope.bench import store
from tightrope.bench.protocol import Ask, Case, Figures, Result, Table
from tightrope.core.errors import Interrupted, TightropeError
from tightrope.core.files import write_atomically, write_text

PATIENCE = 60.0  # seconds a training gets to save its state when the budget is spent
Tell = Callable[[str], None]


class Outcome(NamedTuple):
    """What a call of `run` leaves: `failures` are sentences about cases that could not be run."""

    results: list[Result]
    tables: list[Table]
    left: list[Case]
    failures: list[str]


def run(name: str, ask: Ask, out: Path, *, jobs: int, minutes: float | None = None, tell: Tell = print) -> Outcome:
    """Run a benchmark (a name, or the path of a file) and write `out`/results.jsonl, table.md and picture.png.

    Args:
        jobs: processes at once.
        minutes: of wall time; None runs until all is done.
        tell: is told one sentence a finished case.
    """
    module = bench.find(name)
    wanted = module.cases(ask)
    known = {result.case.key for result in store.read(out)}
    todo = [case for case in wanted if case.key not in known]
    failures: list[str] = []
    if todo:
        tell(f"{len(wanted)} cases, {len(wanted) - len(todo)} of them known; results in {out}")
        failures = _play(name, todo, out, jobs, minutes, tell)
    keys = {case.key for case in wanted}
    every = store.read(out)
    done = {result.case.key for result in every}
    tables = write(name, every, out) if every else []
    results = [result for result in every if result.case.key in keys]
    return Outcome(results, tables, [case for case in wanted if case.key not in done], failures)


def write(name: str, results: list[Result], out: Path) -> list[Table]:
    """table.md and, where the benchmark draws one, picture.png."""
    module = bench.find(name)
    tables: list[Table] = module.tables(results)
    write_text(out / "table.md", "\n".join(table.markdown() for table in tables))
    if hasattr(module, "picture"):
        pixels = module.picture(results, out)
        if pixels is not None:
            from PIL import Image

            write_atomically(out / "picture.png", lambda path: Image.fromarray(pixels).save(path, format="PNG"))
    return tables


def _play(name: str, todo: list[Case], out: Path, jobs: int, minutes: float | None, tell: Tell) -> list[str]:
    """Play the cases; returns a sentence for each that failed."""
    started, failures, done = time.monotonic(), [], 0
    deadline = None if minutes is None else started + 60 * minutes
    # one thread each, unless a benchmark says that a single training should have the cores
    threads = max(1, (os.cpu_count() or 1) // jobs) if hasattr(bench.find(name), "JOBS") else 1
    with _workers(name, out, min(jobs, len(todo)), threads) as (inbox, outbox, workers):
        for case in todo:
            inbox.put(case)
        for _ in workers:
            inbox.put(None)
        while done < len(todo) and any(worker.is_alive() for worker in workers):
            if deadline is not None and time.monotonic() > deadline:
                _drain(inbox)
                _stop(workers)
                break
            with contextlib.suppress(queue.Empty):
                case, figures, seconds, error = outbox.get(timeout=0.2)
                done += 1
                if error:
                    failures.append(f"{case.label}: {error}")
                    tell(f"{case.label}: {error}")
                    continue
                store.append(out, Result(case=case, figures=figures, cpu_seconds=round(seconds, 2), versions=_versions()))
                left = (time.monotonic() - started) / done * (len(todo) - done)
                tell(f"{done}/{len(todo)} {case.label}: {_said(figures)}; {seconds:.0f} CPU s; {_time(left)} left")
        with contextlib.suppress(queue.Empty):  # what was finished while we stopped
            while True:
                case, figures, seconds, error = outbox.get(timeout=0.2)
                if not error:
                    store.append(out, Result(case=case, figures=figures, cpu_seconds=round(seconds, 2), versions=_versions()))
    return failures


@contextlib.contextmanager
def _workers(name: str, out: Path, count: int, threads: int) -> Iterator[tuple[Any, Any, list[BaseProcess]]]:
    """Processes that take cases from a queue and put (case, figures, CPU seconds, error) on another."""
    context = multiprocessing.get_context("spawn")
    inbox, outbox = context.Queue(), context.Queue()
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read when torch is first imported, in the workers
    try:
        workers: list[BaseProcess] = [context.Process(target=_work, args=(name, str(out), inbox, outbox)) for _ in range(count)]
        for worker in workers:
            worker.start()
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
    try:
        yield inbox, outbox, workers
    finally:
        _drain(inbox)
        _stop(workers)


def _work(name: str, out: str, inbox: Any, outbox: Any) -> None:
    """In a worker: play cases until there are none."""
    os.setpgid(0, 0)  # Ctrl-C reaches the parent alone, which asks for the state to be saved
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    while (case := inbox.get()) is not None:
        started = time.process_time()
        folder = folder_of(case, Path(out))
        folder.mkdir(parents=True, exist_ok=True)
        figures: Figures = {}
        error = ""
        try:
            module = bench.find(name)
            figures = module.run(case, folder)
            _sweep(folder, getattr(module, "KEEP", ()))
        except (Interrupted, KeyboardInterrupt):
            return  # the state is saved; the same command goes on from it
        except TightropeError as wrong:
            error = str(wrong)
        except Exception as wrong:
            error = f"{type(wrong).__name__}: {wrong}"
        outbox.put((case, figures, time.process_time() - started, error))


def _leave_with(parent: int) -> None:
    """Ask this process to save and leave when the one that started it is gone."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os.kill(os.getpid(), signal.SIGTERM)


def folder_of(case: Case, out: Path) -> Path:
    """A folder for what a case writes while it runs."""
    plain = "".join(c if c.isalnum() else "-" for c in case.label)
    return out / "cases" / f"{plain}-{sha256(case.key.encode()).hexdigest()[:8]}"


def _sweep(folder: Path, keep: tuple[str, ...]) -> None:
    """Remove what a finished case wrote, but for files of these names."""
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            with contextlib.suppress(OSError):  # holds something that is kept
                path.rmdir()
        elif path.name not in keep:
            path.unlink()


def _drain(inbox: Any) -> None:
    with contextlib.suppress(queue.Empty):
        while True:
            inbox.get(timeout=0.05)


def _stop(workers: list[BaseProcess]) -> None:
    """SIGTERM: a training saves its state and leaves."""
    for worker in workers:
        if worker.is_alive():
            worker.terminate()
    until = time.monotonic() + PATIENCE
    for worker in workers:
        worker.join(max(0.1, until - time.monotonic()))
        if worker.is_alive():
            worker.kill()


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    from tightrope import __version__

    return {"tightrope": __version__, "torch": version("torch"), "numpy": version("numpy")}


def _said(figures: Figures) -> str:
    numbers = {name: value for name, value in figures.items() if not isinstance(value, (list, dict, str))}
    return ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in numbers.items())


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
