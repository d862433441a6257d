"""A process that is killed in the middle of a folder: what is there is whole, and the same command makes exactly the rest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tightrope import translate
from tightrope.cli.main import main

PICTURES = 200
COMMAND = "import sys, torch; torch.set_num_threads(1); from tightrope.cli.main import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder of tiny pictures in folders."""
    rng = np.random.default_rng(0)
    for k in range(PICTURES):
        place = tmp_path / "many" / f"{k % 3}" / f"{k:04d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (6, 7, 3), dtype=np.uint8)).save(place)
    return tmp_path / "many"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_killed_process_is_gone_on_with_exactly(
    many: Path, tmp_path: Path, network_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    place, words = (
        tmp_path / "out",
        ["translate", str(network_file("srvgg")), str(many), "--out", str(tmp_path / "out"), "--json"],
    )
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        until = time.monotonic() + 120
        while len(list(place.rglob("*.png"))) < 40 and time.monotonic() < until and process.poll() is None:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
    there = {path: path.stat().st_mtime_ns for path in place.rglob("*.png")}
    assert process.returncode == -signal.SIGKILL and 40 <= len(there) < PICTURES
    for path in there:  # whole, all of them
        with Image.open(path) as image:
            image.load()
    (place / "0" / "0000.png.77.partial").write_bytes(b"half of a picture")  # as a kill in the middle of one leaves it
    assert main(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["kept"] == len(there) and len(said["written"]) == PICTURES - len(there)
    assert all(path.stat().st_mtime_ns == moment for path, moment in there.items())
    assert not list(place.rglob("*.partial"))
    network = translate.opened(network_file("srvgg"))
    for path in many.rglob("*.png"):
        with Image.open(path) as given, Image.open(place / path.relative_to(many)) as made:
            assert np.array_equal(np.asarray(made), translate.array(network, np.asarray(given)))
