"""What `torch.save` writes: an archive with a pickle and its storages, or (before 1.6, and within pickles) one stream of both."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Mapping

import numpy as np

from tightrope.interop.reading import arrays
from tightrope.interop.reading.archive import entries
from tightrope.interop.reading.arrays import FORMS, Tensor
from tightrope.interop.reading.errors import DamagedFile, HostileFile, UnknownFile, shown
from tightrope.interop.reading.limits import Budget, within
from tightrope.interop.reading.opcodes import load
from tightrope.interop.reading.records import Made, Name, Pointer, Value, is_made, kind, whole

MAGIC = 0x1950A86A20F9469CFC6C
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # a stream's first bytes: its magic number, pickled
PROTOCOL = 1001
STORAGES = {
    "Float": "F32", "Double": "F64", "Half": "F16", "BFloat16": "BF16", "Bool": "BOOL",
    "Long": "I64", "Int": "I32", "Short": "I16", "Char": "I8", "Byte": "U8",
}  # fmt: skip
BLOB = "torch.storage._load_from_bytes"
WRAPPED = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
REBUILT = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2")


@dataclasses.dataclass(frozen=True)
class Storage:
    """A run of numbers: safetensors' name of their type, and their bytes."""

    form: str
    data: memoryview


class Tensors:
    """Makes tensors of records.

    Args:
        storages: by their keys, of the file around the pickle.
    """

    def __init__(self, budget: Budget, storages: Mapping[str, memoryview] | None = None) -> None:
        self.budget, self.storages = budget, storages or {}

    def is_tensor(self, value: Value) -> bool:
        """Whether a record describes one; whether it does so well, `of` finds out."""
        known = is_made(value, *WRAPPED, *REBUILT, "torch._tensor._rebuild_from_type_v2")
        return known or (isinstance(value, Made) and str(value.of).endswith(("multiarray._reconstruct", "numeric._frombuffer")))

    def of(self, value: Value, what: str = "a tensor") -> Tensor:
        """The tensor that a record describes.

        Raises:
            HostileFile: it describes none, or one that is larger than its storage.
        """
        self.budget.run(8)
        for _ in range(4):  # a parameter of a subclass of a tensor
            if is_made(value, *WRAPPED) and value.args:
                value = value.args[0]
            elif is_made(value, "torch._tensor._rebuild_from_type_v2") and len(value.args) > 2:
                function, _, args = value.args[:3]
                value = Made(function, args) if isinstance(function, Name) and type(args) is tuple else None
        if is_made(value, *REBUILT) and len(value.args) >= 4:
            storage = self._storage(value.args[0])
            return arrays.view(storage.form, storage.data, *value.args[1:4])
        found = arrays.of_numpy(value) if isinstance(value, Made) else None
        if found is None:
            raise HostileFile(f"{shown(what)} is {shown(kind(value))}, where weights should be.")
        return found

    def _storage(self, value: Value) -> Storage:
        if is_made(value, BLOB) and len(value.args) == 1:
            blob = value.args[0]
            if type(blob) not in (bytes, memoryview):
                raise HostileFile(f"a tensor's bytes are {kind(blob)}.")
            root, storages = stream(memoryview(blob), self.budget)
            return claimed(root, storages)
        return claimed(value, self.storages)


def claimed(value: Value, storages: Mapping[str, memoryview]) -> Storage:
    """The storage that a persistent id points to: ("storage", type, key, device, elements, ...)."""
    if not isinstance(value, Pointer):
        raise HostileFile(f"a tensor's storage is {shown(kind(value))}.")
    form, key, count = _parts(value)
    if key not in storages:
        raise DamagedFile(f"it has no storage {shown(key)}, which a tensor needs.")
    size = count * np.dtype(FORMS[form]).itemsize
    within(size, len(storages[key]), f"storage {shown(key)}")
    return Storage(form, storages[key][:size])


def _parts(pointer: Pointer) -> tuple[str, str, int]:
    """(safetensors' name of the type, key, elements) of a persistent id."""
    parts = pointer.parts
    if len(parts) < 5 or parts[0] != "storage" or not isinstance(parts[1], Name) or type(parts[2]) is not str:
        raise HostileFile("it points to objects that are no storages of tensors.")
    if len(parts) > 5 and parts[5] is not None:
        raise UnknownFile("a storage of it is a part of another, as torch wrote them before 0.4; that is not read.")
    short = parts[1].name.removesuffix("Storage")
    if short not in STORAGES or parts[1].module not in ("torch", "torch.cuda"):
        raise UnknownFile(f"it holds numbers of the type {shown(parts[1])}, which is not read.")
    return STORAGES[short], parts[2], whole(parts[4], "a storage's size")


def archive(data: memoryview, budget: Budget) -> tuple[Value, dict[str, memoryview]]:
    """(value, storages) of a torch archive."""
    files = entries(data)
    pickles = [name for name in files if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise UnknownFile("it is an archive, and none that torch.save writes.")
    folder = pickles[0].removesuffix("data.pkl")
    if f"{folder}byteorder" in files and bytes(files[f"{folder}byteorder"]).strip() != b"little":
        raise UnknownFile("its numbers have the byte order of another kind of machine; that is not read.")
    value, _ = load(files[pickles[0]], budget, [])
    data_folder = f"{folder}data/"
    return value, {name.removeprefix(data_folder): at for name, at in files.items() if name.startswith(data_folder)}


def stream(data: memoryview, budget: Budget) -> tuple[Value, dict[str, memoryview]]:
    """(value, storages) of a legacy stream: magic number, protocol, machine, value, keys, then every storage's size and bytes."""
    at, head = 0, []
    pointers: list[Pointer] = []
    for _ in range(5):
        value, taken = load(data[at:], budget, pointers)
        head.append(value)
        at += taken
    magic, protocol, machine, root, keys = head
    if magic != MAGIC or protocol != PROTOCOL or type(machine) is not dict or type(keys) is not list:
        raise DamagedFile("a stream of torch's does not begin as one.")
    if machine.get("little_endian") is not True:
        raise UnknownFile("its numbers have the byte order of another kind of machine; that is not read.")
    widths = {key: np.dtype(FORMS[form]).itemsize for form, key, _ in map(_parts, pointers)}
    storages: dict[str, memoryview] = {}
    for key in keys:
        if type(key) is not str or key not in widths:
            raise DamagedFile("a stream of torch's lists a storage that nothing needs.")
        within(8, len(data) - at, "a storage")
        (count,) = struct.unpack("<q", data[at : at + 8])
        size = count * widths[key]
        within(size, len(data) - at - 8, f"storage {shown(key)}")
        storages[key] = data[at + 8 : at + 8 + size]
        at += 8 + size
    return root, storages
