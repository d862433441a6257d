"""Files that would do harm if they were opened as they want to be: pickles that call, tensors and archives that are too large.

Where a `canary` is asked for, what the file wants done is to make a file of that name.
"""

from __future__ import annotations

import copyreg
import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from typing import Any

import numpy as np
import torch

from crafted import Call, name, persistent_pickle, pretending, repacked, saved

WEIGHT = torch.arange(6.0).reshape(2, 3)
STATE = OrderedDict({"main.0.weight": torch.randn(4, 8, 4, 4), "main.1.weight": torch.ones(8)})


def pickled(value: Any, protocol: int = 4) -> bytes:
    return pickle.dumps({"G_ema": value}, protocol)


def called(full: str, *args: Any, protocol: int = 4) -> bytes:
    function = name(full, function=True)
    with pretending(function):
        return pickle.dumps({"G_ema": Call(function, *args)}, protocol)


def touch(canary: str) -> str:
    return f"touch {canary}"


def nested(canary: str) -> bytes:
    """A network whose storage's own pickle calls os.system."""
    blob, inner = saved(torch.FloatStorage(6), legacy=True), pickle.dumps(Call(os.system, touch(canary)), 2)
    at = blob.index(b"\x80\x02", blob.index(b"little_endian"))  # the fourth pickle of a stream: what was saved
    return with_tensor(tensor(blob[:at] + inner + blob[at:], 0, (2, 3), (3, 1)))


def tensor(blob: bytes, offset: int, size: tuple, stride: tuple) -> Call:
    return Call(
        torch._utils._rebuild_tensor_v2, Call(torch.storage._load_from_bytes, blob), offset, size, stride, False, OrderedDict()
    )


def with_tensor(tensor: Any) -> bytes:
    """A module with that for a weight, in R3GAN's container."""
    network = name("training.networks.Generator")
    with pretending(network):
        item = network()
        item.__dict__.update({"_parameters": {"w": tensor}, "_buffers": {}, "_modules": {}})
        return pickle.dumps({"G_ema": item}, 4)


def strided(size: tuple, stride: tuple, offset: int = 0) -> bytes:
    """A tensor that looks at a storage of six numbers in that way."""
    return with_tensor(tensor(saved(torch.FloatStorage(6), legacy=True), offset, size, stride))


def settings(**changed: Any) -> bytes:
    state = {
        "synthesis.b4.const": torch.zeros(8, 4, 4),
        "synthesis.b8.conv1.weight": torch.zeros(8, 8, 3, 3),
        "mapping.fc0.weight": torch.zeros(8, 8),
        "mapping.w_avg": torch.zeros(8),
    }
    given = {"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_resolution": 8, "img_channels": 3}
    return persistent_pickle({"G_ema": (state, given | changed)})


def registered(canary: str) -> bytes:
    copyreg.add_extension(os.system.__module__, "system", 240)
    try:
        return pickle.dumps(Call(os.system, touch(canary)), 2)
    finally:
        copyreg.remove_extension(os.system.__module__, "system", 240)


def persistent_id(canary: str) -> bytes:
    file = io.BytesIO()

    class Pickler(pickle.Pickler):
        def persistent_id(self, item: Any) -> Any:
            return ("storage", touch(canary)) if item is WEIGHT else None

    Pickler(file, 4).dump({"G_ema": WEIGHT})
    return file.getvalue()


def claimed_storage(canary: str) -> bytes:
    """An archive whose pickle says that its storage has 2^40 numbers."""
    data = saved(STATE)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        inside = next(n for n in archive.namelist() if n.endswith("data.pkl"))
        text = archive.read(inside)
    number = b"M" + struct.pack("<H", 512)
    assert number in text
    return repacked(data, {"data.pkl": text.replace(number, b"\x8a\x06" + (1 << 40).to_bytes(6, "little"), 1)})


def tied(levels: int) -> bytes:
    """Modules that each hold the next one ten times: ten to the power of `levels` of them."""
    network = name("training.networks.Generator")
    with pretending(network):
        item: Any = None
        for _ in range(levels):
            above = network()
            above.__dict__.update({"_parameters": {}, "_buffers": {}, "_modules": {str(i): item for i in range(10)}})
            item = above
        return pickle.dumps({"G_ema": item}, 4)


def module(**inside: Any) -> tuple[Any, Any]:
    """(class, object) of a module."""
    network = name("training.networks.Generator")
    item = network()
    item.__dict__.update({"_parameters": {}, "_buffers": {}, "_modules": {}} | inside)
    return network, item


def repeated_module() -> bytes:
    network, item = module(**{f"k{i}": i for i in range(20_000)})
    with pretending(network):
        return pickle.dumps({f"r{i}": item for i in range(90_000)}, 4)


def repeated_parts() -> bytes:
    ones = np.ones(1, np.float32)
    part: dict[str, Any] = {"variables": [(f"v{i}", ones) for i in range(20_000)]}
    network = name("dnnlib.tflib.network.Network")
    with pretending(network):
        inner, outer = network(), network()
        inner.__dict__.update(part)
        outer.__dict__.update({"variables": [], "components": {f"c{i}": inner for i in range(20_000)}})
        return pickle.dumps((outer,) * 3, 4)


def repeated_pairs() -> bytes:
    pairs = b"]\x94(" + b"K\x00N\x86" * 40_000 + b"e"
    return b"\x80\x04ccollections\nOrderedDict\n\x94" + pairs + b"h\x00h\x01\x85R0" * 40_000 + b"."


def repeated_text() -> bytes:
    """One storage under many names, whose pickle begins with megabytes of text that nothing needs."""
    blob = saved(torch.FloatStorage(6), legacy=True)
    at = blob.index(b"\x80\x02", blob.index(b"little_endian"))
    text = b"X" + struct.pack("<I", 4 << 20) + b"a" * (4 << 20) + b"0"
    weight = tensor(blob[: at + 2] + text + blob[at + 2 :], 0, (2,), (1,))
    network, item = module(_parameters={f"main.{i}": weight for i in range(10_000)})
    with pretending(network):
        return pickle.dumps({"G": item}, 4)


def cycle() -> bytes:
    network = name("training.networks.Generator")
    with pretending(network):
        item = network()
        item.__dict__.update({"_parameters": {}, "_buffers": {}, "_modules": {"self": item}})
        return pickle.dumps({"G_ema": item}, 4)


def shared(times: int) -> bytes:
    """One tensor under many names: far more to write than the file has."""
    weight = torch.randn(512, 512)
    return saved({f"main.{i}.weight": weight for i in range(times)} | {"main.0.weight": torch.zeros(4, 8, 4, 4)})


def objects(canary: str) -> bytes:
    return with_tensor(np.array([Call(os.system, touch(canary))], dtype=object))


def object_scalar(canary: str) -> bytes:
    return with_tensor(Call(np._core.multiarray.scalar, np.dtype("O"), Call(os.system, touch(canary))))


def header(text: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text)) + text + body


def endless() -> dict:
    found: dict = {}
    found["again"] = found
    return found


def many_times() -> tuple:
    """Ten to the power of thirty lists, made of thirty."""
    found: Any = 1
    for _ in range(30):
        found = (found,) * 10
    return found
