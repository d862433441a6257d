"""The process that reads a file: the file on its standard input, weights out to an open file, messages to its standard output.

Messages are lines of JSON: {"progress": [done, all]}, and last {"report": ...} or {"error": ..., "message": ...}.
"""

from __future__ import annotations

import gc
import hashlib
import json
import mmap
import os
import re
import sys
import time
from typing import Any, BinaryIO

from tightrope.core.errors import InputError
from tightrope.interop.reading import door, legacy_tf, ncnn, ncnn_known, nvidia, plain_files, safefile
from tightrope.interop.reading.errors import DamagedFile, UnknownFile, shown
from tightrope.interop.reading.limits import FILE, Budget
from tightrope.interop.reading.networks import Contents, Net, check
from tightrope.interop.reading.opcodes import load
from tightrope.interop.reading.records import Made, kind
from tightrope.interop.reading.settings import Plain
from tightrope.interop.reading.torchfile import LEGACY, Tensors, archive, stream

CHUNK = 16 << 20
OURS = "tightrope-network-1"


def main(out: str) -> None:
    """Read standard input, write what is in it to `out`."""
    gc.disable()  # little is thrown away, and a file with a million lists would keep it busy
    size, peak = os.fstat(0).st_size, door.gauge()
    note = door.limit(min(size, FILE))
    try:
        if not 0 < size <= FILE:
            raise DamagedFile("it is empty." if not size else f"it has {size:,} bytes; the most that is read is {FILE:,}.")
        weights = open(out, "wb")  # noqa: SIM115 - views of the file are alive to the end; nothing is closed before it
        data = memoryview(mmap.mmap(0, size, access=mmap.ACCESS_READ))
        door.shut()
        answer: dict[str, Any] = {"report": _read(data, weights)}
        weights.flush()
    except InputError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    except MemoryError:
        answer = {"error": "HostileFile", "message": "reading it takes more memory than is allowed."}
    except Exception as error:  # whatever a file sets off in here is its fault, and the user should hear of it in a sentence
        answer = {"error": "DamagedFile", "message": f"it cannot be made out ({type(error).__name__}: {shown(error)})."}
    _say(answer | {"note": note, "peak_bytes": peak(), "seconds": time.process_time()})
    os._exit(0)


def _read(data: memoryview, weights: BinaryIO) -> dict[str, Any]:
    budget = Budget.of(len(data))
    contents = recognise(data, budget)
    for net in contents.nets:
        check(net)
    named = [(f"{i}/{name}", tensor) for i, net in enumerate(contents.nets) for name, tensor in net.state.items()]
    digest = hashlib.sha256()
    for begin in range(0, len(data), CHUNK):
        digest.update(data[begin : begin + CHUNK])
        _say({"progress": [min(begin + CHUNK, len(data)), 2 * len(data)]})
    safefile.write(weights, named, budget, lambda done, of: _say({"progress": [of + done, 2 * of]}))
    return {
        "container": contents.container,
        "licence": contents.licence,
        "sha256": digest.hexdigest(),
        "nets": [
            {"name": name, "system": net.system, "hints": net.hints, "keys": list(net.state)}
            for name, net in zip(_names(contents.nets), contents.nets, strict=True)
        ],
    }


def _names(nets: list[Net]) -> list[str]:
    """The networks' names, fit for file names and no two the same."""
    names: list[str] = []
    for net in nets:
        plain = re.sub(r"[^A-Za-z0-9_-]", "_", net.name)[:40] or "net"
        names.append(plain if plain not in names else f"{plain}-{len(names)}")
    return names


def recognise(data: memoryview, budget: Budget) -> Contents:
    """What a file holds, whatever its name.

    Raises:
        InputError: of one of the three kinds in `errors`.
    """
    if bytes(data[:2]) == b"PK":
        root, storages = archive(data, budget)
        return plain_files.read(root, Tensors(budget, storages), "PyTorch archive")
    if data[: len(LEGACY)] == LEGACY:
        root, storages = stream(data, budget)
        return plain_files.read(root, Tensors(budget, storages), "PyTorch file of the format before 1.6")
    if safefile.is_safetensors(data):
        return _safetensors(data, budget)
    if ncnn.MAGIC.match(data):
        return ncnn_known.contents(data, budget)
    if data[: len(ncnn.WEIGHTS)] == ncnn.WEIGHTS:
        raise UnknownFile("these are the numbers of an ncnn network; name the .param that lies beside it, which says its layers.")
    if data[0] != 0x80 and bytes(data[:1]) not in (b"(", b"c", b"]", b"}", b")", b"i", b"I", b"N", b"S", b"V", b"."):
        raise UnknownFile(f"it is no checkpoint: it begins with {bytes(data[:8])!r}.")
    try:
        return _pickle(data, budget)
    except DamagedFile as error:
        if data[0] == 0x80:
            raise
        raise UnknownFile(f"it is no checkpoint, or a damaged one of the oldest kind ({error})") from None


def _pickle(data: memoryview, budget: Budget) -> Contents:
    root, _ = load(data, budget)
    tensors = Tensors(budget)
    if legacy_tf.is_triple(root):
        return legacy_tf.read(root, tensors)
    found = nvidia.read(root, tensors) if nvidia.is_pickled_modules(root) else None
    if found is None and type(root) not in (dict, Made):
        raise UnknownFile(f"it is a pickle of {shown(kind(root))}, which holds no network.")
    return found or plain_files.read(root, tensors, "pickle")


def _safetensors(data: memoryview, budget: Budget) -> Contents:
    state, said = safefile.read(data)
    if said.get("format") != OURS:
        return plain_files.from_state(plain_files.stripped(state), "safetensors")
    try:
        hints = Plain().dictionary(json.loads(said.get("hints", "{}")))
    except (ValueError, RecursionError):
        raise DamagedFile("its header says no settings.") from None
    net = Net(said.get("name", "net"), shown(said.get("system", "")), state, hints)
    licence = shown(said["licence"], 400) if "licence" in said else None
    return Contents("network imported by Tightrope", licence, [net])


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
