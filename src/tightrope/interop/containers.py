"""Opening a checkpoint of another project: a process without torch reads it (`reading`), this one takes over what it found.

What comes back is safetensors and JSON. The process has limits on memory and time, and may open, start and run nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy
from safetensors.torch import load_file

from tightrope.core.errors import InputError
from tightrope.core.files import require_space
from tightrope.interop.found import Found, Opened
from tightrope.interop.reading import door
from tightrope.interop.reading.errors import KINDS, DamagedFile, HostileFile, UnknownFile

__all__ = ["DamagedFile", "HostileFile", "UnknownFile", "ask", "open"]

Progress = Callable[[float], None]
HERE = Path(__file__).parent
PLACES = (str(HERE.parents[1]), str(Path(numpy.__file__).parents[1]))  # where tightrope and numpy are
BOOT = """
import sys, types
out, here, *places = sys.argv[1:]
sys.path += places
import tightrope
room = types.ModuleType("tightrope.interop")  # without its __init__, which imports torch
room.__path__ = [here]
sys.modules["tightrope.interop"] = room
from tightrope.interop.reading import child
child.main(out)
"""
KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP")  # of the environment
SLACK = 10.0  # seconds beyond what a process may compute, for a busy machine
LINE = 64 << 20  # characters of one message
NCNN = b"7767517"  # how the text of an ncnn network begins


def open(path: Path, progress: Progress | None = None) -> Opened:
    """Everything in a checkpoint that is a network of a known kind.

    Args:
        progress: is called with the share that is done, from 0 to 1.

    Raises:
        InputError: no such file; `HostileFile`, `DamagedFile` or `UnknownFile` where it is there and cannot be read.
    """
    if not path.is_file():
        what = "is a folder; name the file itself" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {what}.")
    with tempfile.TemporaryDirectory(prefix="tightrope-", ignore_cleanup_errors=True) as folder:
        whole = _whole(path, Path(folder))
        require_space(Path(folder), whole.stat().st_size, f"reading {path.name}")
        weights = Path(folder) / "weights.safetensors"
        answer = ask(whole, weights, progress)
        if "report" not in answer:
            raise KINDS[answer["error"]](f"{path}: {answer['message']}{_advice(answer['error'])}")
        if answer["note"]:
            warnings.warn(f"{path.name} was read with fewer limits than elsewhere: {answer['note']}.", stacklevel=2)
        report = answer["report"]
        state = load_file(weights)
        nets = {
            net["name"]: Found(net["system"], {key: state[f"{i}/{key}"] for key in net["keys"]}, net["hints"])
            for i, net in enumerate(report["nets"])
        }
    return Opened(report["container"], nets, report["licence"], report["sha256"])


def _whole(path: Path, folder: Path) -> Path:
    """The file; of an ncnn network both in one, the layers (.param) and then the numbers that lie beside them (.bin)."""
    with path.open("rb") as layers:
        if layers.read(len(NCNN)) != NCNN:
            return path
        numbers = path.with_suffix(".bin")
        if not numbers.is_file() or numbers == path:
            raise InputError(f"{numbers}: no such file; an ncnn network is two files of one name, .param and .bin.")
        require_space(folder, path.stat().st_size + numbers.stat().st_size, f"reading {path.name}")
        layers.seek(0)
        whole = folder / "network.ncnn"
        with whole.open("wb") as both, numbers.open("rb") as rest:
            shutil.copyfileobj(layers, both)
            shutil.copyfileobj(rest, both)
    return whole


def _advice(kind: str) -> str:
    if kind == "HostileFile":
        return " Nothing in it was run; do not open it with other programs, and get it from a place you trust."
    return " Get it again from where it came from." if kind == "DamagedFile" else ""


def ask(path: Path, weights: Path, progress: Progress | None = None) -> dict[str, Any]:
    """What the reading process answers: "report", or "error" and "message"; with them "peak_bytes", "seconds" and "note".

    Args:
        weights: where it writes the tensors.
    """
    size = path.stat().st_size
    command = [sys.executable, "-I", "-S", "-c", BOOT, str(weights), str(HERE), *PLACES]
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {"OPENBLAS_NUM_THREADS": "1"}
    with path.open("rb") as file, subprocess.Popen(
        command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:  # fmt: skip
        late = threading.Timer(door.seconds(size) + SLACK + size / 10e6, process.kill)
        late.daemon = True
        late.start()
        try:
            assert process.stdout is not None
            answer = _listen(process.stdout, progress)
        finally:
            late.cancel()
            process.kill()
    if answer is None:
        return {"error": "HostileFile", "message": "reading it takes more time or memory than any checkpoint's."}
    return answer


def _listen(messages: BinaryIO | Any, progress: Progress | None) -> dict[str, Any] | None:
    """The last message; None where the process ended without one."""
    while line := messages.readline(LINE):
        try:
            message = json.loads(line)
        except ValueError:  # cut off: it was stopped in the middle of it
            return None
        if "progress" not in message:
            return message
        if progress:
            done, of = message["progress"]
            progress(done / max(of, 1))
    return None
