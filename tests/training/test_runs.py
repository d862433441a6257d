"""Whole runs as users start them, in processes of their own: killed, interrupted, doubled, and resumed to the bit."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tightrope.training import checkpoint

SEEN = 400
TOY = ["--preset", "toy", "--judge", "0", "--precision", "fp32", "--threads", "1", "--tick", "40"]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "images.npz"
    np.savez(path, images=np.random.default_rng(0).integers(0, 256, (90, 16, 16, 3), dtype=np.uint8))
    return path


def command(*words: object, processes: int = 1) -> list[str]:
    start = [sys.executable, "-m"]
    if processes > 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        start += ["torch.distributed.run", f"--nproc-per-node={processes}", f"--master-port={port}", "-m"]
    return [*start, *["--"] * (processes > 1), "tightrope", *map(str, words)]  # torchrun would read --run as its own --run-path


def run(*words: object, processes: int = 1, expected: int = 0) -> str:
    done = subprocess.run(command(*words, processes=processes), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == expected, done.stderr
    return done.stderr


def final(folder: Path) -> dict[str, torch.Tensor]:
    tensors, counters, _ = checkpoint.newest(folder / "checkpoints")
    assert counters["seen"] == SEEN
    return tensors


def assert_equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for key in a:
        assert torch.equal(a[key], b[key]), key


def wait_for(condition, seconds: float = 60) -> None:
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, "the run did not get there in time"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def straight(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "straight"
    run("train", "swift", images, "--run", folder, "--seen", SEEN, *TOY)
    return folder


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=["kill-9", "int", "term"])
def test_stopped_and_resumed_equals_straight(number: signal.Signals, images: Path, straight: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ["train", "swift", images, "--run", folder, "--seen", SEEN, *TOY, "--checkpoint-minutes", "0.000001"]
    process = subprocess.Popen(command(*words), stderr=subprocess.PIPE, text=True)
    wait_for(lambda: len(checkpoint.found(folder / "checkpoints")) >= 2)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == (-9 if number == signal.SIGKILL else 130)
    if number == signal.SIGKILL:  # as if it had been killed inside the writing of one
        newest = checkpoint.found(folder / "checkpoints")[-1]
        (newest.parent / "seen-000000099999.safetensors.1.partial").write_bytes(newest.read_bytes()[:5000])
    run("resume", folder)
    assert_equal(final(straight), final(folder))
    events = [json.loads(line)["event"] for line in (folder / "events.jsonl").read_text().splitlines()]
    assert "resume" in events
    assert events[-1] == "report"


def test_the_same_command_again_goes_on_and_another_is_refused(images: Path, straight: Path) -> None:
    before = final(straight)
    run("train", "swift", images, "--run", straight, "--seen", SEEN, *TOY)
    assert_equal(before, final(straight))
    error = run("train", "swift", images, "--run", straight, "--seen", SEEN, *TOY, "--gamma", "2", expected=2)
    assert "another recipe" in error


def test_run_directory_is_complete(straight: Path) -> None:
    for name in ("run.json", "events.jsonl", "reals.png", "generator.safetensors", "report.html"):
        assert (straight / name).stat().st_size > 0, name
    ticks = [json.loads(line) for line in (straight / "events.jsonl").read_text().splitlines()]
    ticks = [event for event in ticks if event["event"] == "tick"]
    assert ticks[-1]["seen"] == SEEN
    assert ticks[-1]["progress"] == 1
    assert len(list((straight / "samples").glob("*.png"))) == len(ticks)


def test_two_processes_resume_exactly_and_equal_one(images: Path, tmp_path: Path) -> None:
    toy = ["r3gan", images, "--seen", 40, "--batch", 4, *TOY[:-1], 8]
    for name, processes in (("one", 1), ("two", 2)):
        run("train", *toy, "--run", tmp_path / name, processes=processes)
    one, two = (checkpoint.newest(tmp_path / name / "checkpoints")[0] for name in ("one", "two"))
    for key in one:
        if key.startswith("net/"):
            assert torch.allclose(one[key], two[key], atol=2e-4), key  # Adam turns a last bit into a share of the rate
    stopped = tmp_path / "stopped"
    words = ["train", *toy, "--run", stopped, "--checkpoint-minutes", "0.000001"]
    process = subprocess.Popen(command(*words, processes=2), stderr=subprocess.DEVNULL, start_new_session=True)
    wait_for(lambda: len(checkpoint.found(stopped / "checkpoints")) >= 2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    run("resume", stopped, processes=2)
    resumed = checkpoint.newest(stopped / "checkpoints")[0]
    assert_equal(two, resumed)


def test_non_finite_numbers_stop_the_run_and_keep_the_last_healthy_checkpoint(images: Path, tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "src" / "tightrope" / "recipes" / "gan.py"
    own = tmp_path / "failing.py"
    spoilt = "Terms(adversarial=ALL[self.objective].d(on_real, on_fake), bad=(on_real.sum() * 0 + 130 - 8 * batch.round).log())"
    own.write_text(source.read_text().replace("Terms(adversarial=ALL[self.objective].d(on_real, on_fake))", spoilt))
    folder = tmp_path / "run"
    words = ["--run", folder, "--seen", SEEN, *TOY, "--checkpoint-minutes", "0.000001", "--guard", "watch"]
    error = run("train", own, images, *words, expected=3)
    assert "phase D, term 'bad' became nan at 136 seen samples" in error
    assert "last healthy checkpoint" in error
    _, counters, _ = checkpoint.newest(folder / "checkpoints")
    assert counters["seen"] <= 136
    run("resume", folder, "--recipe", own, expected=3)


def test_batch_normalisation_in_two_processes_is_refused_with_the_reason(images: Path, tmp_path: Path) -> None:
    error = run("train", "dcgan", images, "--run", tmp_path / "run", "--seen", 8, *TOY, processes=2, expected=1)
    assert "batch normalisation" in error
