"""Files that tests make up: checkpoints in other projects' containers, and such as no project would write."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import types
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


def name(path: str, *, function: bool = False) -> Any:
    """A class or function that pickles as `path`, "module.name"; its module is made up while it lasts (see `pretending`)."""
    module, _, last = path.rpartition(".")
    made: Any = (lambda *args: None) if function else type(last, (), {})
    made.__module__, made.__qualname__, made.__name__ = module, last, last
    return made


@contextmanager
def pretending(*made: Any) -> Iterator[None]:
    """Modules that hold these exist for as long as a file is written."""
    before = dict(sys.modules)
    for item in made:
        parts = item.__module__.split(".")
        for end in range(1, len(parts) + 1):
            sys.modules.setdefault(".".join(parts[:end]), types.ModuleType(".".join(parts[:end])))
        setattr(sys.modules[item.__module__], item.__name__, item)
    try:
        yield
    finally:
        for key in sys.modules.keys() - before.keys():
            del sys.modules[key]


class Call:
    """Pickles as a call of a function with arguments, and states that are put into what it returns."""

    def __init__(self, function: Any, *args: Any, state: Any = None) -> None:
        self.made = (function, args) if state is None else (function, args, state)

    def __reduce__(self) -> Any:
        return self.made


def module_state(state: Mapping[str, Tensor], wrap: Any, **attributes: Any) -> dict[str, Any]:
    """The inside of an nn.Module with these tensors; `wrap` makes its children."""
    own = {key: torch.nn.Parameter(value) for key, value in state.items() if "." not in key}
    below: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        head, dot, rest = key.partition(".")
        if dot:
            below.setdefault(head, {})[rest] = value
    children = {key: wrap(module_state(value, wrap)) for key, value in below.items()}
    return {"training": False, "_parameters": own, "_buffers": {}, "_modules": children, **attributes}


def persistent_pickle(
    nets: Mapping[str, tuple[Mapping[str, Tensor], dict[str, Any]]], source: str = "class Generator: pass\n"
) -> bytes:
    """Networks by name, (tensors, constructor's arguments), in the container of NVIDIA's projects."""
    rebuild = name("torch_utils.persistence._reconstruct_persistent_obj", function=True)

    def wrap(state: dict[str, Any]) -> Call:
        note = {"type": "class", "version": 6, "module_src": source, "class_name": "Generator", "state": state}
        return Call(rebuild, note)

    with pretending(rebuild):
        made = {key: wrap(module_state(state, wrap, _init_args=(), _init_kwargs=kwargs)) for key, (state, kwargs) in nets.items()}
        return pickle.dumps(made, protocol=4)


def tensorflow_pickle(networks: list[dict[str, Any]], kind: str = "dnnlib.tflib.network.Network", protocol: int = 4) -> bytes:
    """A triple of the TensorFlow versions' networks; each is its state."""
    network = name(kind)

    def made(state: dict[str, Any]) -> Any:
        parts = {key: made(part) for key, part in state.get("components", {}).items()}
        item = network()
        item.__dict__.update(
            {"version": 4, "build_module_src": "raise SystemExit", "static_kwargs": {}, **state, "components": parts}
        )
        return item

    with pretending(network):
        return pickle.dumps(tuple(map(made, networks)), protocol=protocol)


def saved(value: Any, *, legacy: bool = False) -> bytes:
    """What torch.save writes."""
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=not legacy)
    return file.getvalue()


def repacked(
    data: bytes, replaced: Mapping[str, bytes] = {}, added: Mapping[str, bytes] = {}, method: int = zipfile.ZIP_STORED
) -> bytes:
    """A torch archive with other entries; names are as within its folder."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", method) as new:
        for entry in old.namelist():
            short = entry.partition("/")[2]
            new.writestr(entry, replaced.get(short, old.read(entry)))
        for entry, content in added.items():
            new.writestr(entry, content)
    return file.getvalue()


def zip_of_zeros(size: int) -> bytes:
    """A torch archive whose one storage unpacks to `size` zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    chunk = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = chunk * (size >> 20) + packer.flush()
    written, directory = b"", b""
    contents = pickle.dumps({}, 2)
    for entry, data, length, method in ((b"a/data.pkl", contents, len(contents), 0), (b"a/data/0", packed, size, 8)):
        fields = struct.pack("<HHHHHIIIHH", 20, 0, method, 0, 0, 0, len(data), length, len(entry), 0)
        directory += b"PK\1\2" + struct.pack("<H", 20) + fields + bytes(10) + struct.pack("<I", len(written)) + entry
        written += b"PK\3\4" + fields + entry + data
    return written + directory + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 2, 2, len(directory), len(written), 0)


def write(folder: Path, data: bytes, called: str = "file.pkl") -> Path:
    """The bytes as a file."""
    path = folder / called
    path.write_bytes(data)
    return path
