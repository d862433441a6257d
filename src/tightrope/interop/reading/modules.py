"""The state dict of a pickled `nn.Module`, from its record: parameters, buffers, then modules, as torch orders them."""

from __future__ import annotations

from tightrope.interop.reading.arrays import Tensor
from tightrope.interop.reading.errors import DamagedFile, HostileFile, UnknownFile, shown
from tightrope.interop.reading.limits import DEPTH, NAME, TENSORS
from tightrope.interop.reading.records import Bag, Made, Value, is_made, kind
from tightrope.interop.reading.torchfile import Tensors

PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
VERSION = 6


def is_module(value: Value) -> bool:
    """Whether a record is a module's; of NVIDIA's persistent ones too."""
    if not isinstance(value, Made):
        return False
    return is_made(value, PERSISTENT) or ("_parameters" in (a := value.attributes()) and "_modules" in a)


def meta(value: Made) -> dict:
    """What NVIDIA's persistence notes of an object: its class, its source text (never run), its state.

    Raises:
        UnknownFile: of a version after 6.
    """
    found = value.args[0] if len(value.args) == 1 else None
    if type(found) is not dict or type(found.get("state")) is not dict or type(found.get("module_src")) is not str:
        raise DamagedFile("a persistent object of it has no state or no source text.")
    version = found.get("version")
    if found.get("type") != "class" or type(version) is not int or version > VERSION:
        raise UnknownFile(f"its objects are of persistence version {shown(version)}; those up to {VERSION} are read.")
    return found


def attributes(value: Value) -> dict[str, Value]:
    """Of a module."""
    if is_made(value, PERSISTENT):
        return meta(value)["state"]
    if not isinstance(value, Made):
        raise DamagedFile(f"a module of it is {shown(kind(value))}.")
    return value.attributes()


class Walk:
    """Goes through one module after another; all together have `TENSORS` parts at most."""

    def __init__(self, tensors: Tensors) -> None:
        self.tensors, self.left = tensors, TENSORS

    def state(self, module: Value) -> dict[str, Tensor]:
        """The state dict of a module.

        Raises:
            HostileFile: modules hold each other, or anything but tensors where parameters should be.
        """
        found: dict[str, Tensor] = {}
        self._add(module, "", found, 0)
        return found

    def _add(self, module: Value, prefix: str, found: dict[str, Tensor], depth: int) -> None:
        held = attributes(module)
        if depth > DEPTH:
            raise HostileFile(f"its modules are nested more than {DEPTH} deep.")
        unsaved = held.get("_non_persistent_buffers_set")
        skipped = {name for name in unsaved if type(name) is str} if type(unsaved) is Bag else set()
        self.left -= len(skipped)
        for name, value in self._parts(held, "_parameters"):
            found[prefix + name] = self.tensors.of(value, prefix + name)
        for name, value in self._parts(held, "_buffers"):
            if name not in skipped:
                found[prefix + name] = self.tensors.of(value, prefix + name)
        for name, value in self._parts(held, "_modules"):
            self._add(value, f"{prefix}{name}.", found, depth + 1)

    def _parts(self, held: dict[str, Value], which: str) -> list[tuple[str, Value]]:
        """(name, value) of a module's parameters, buffers or modules; those that are None stand for nothing."""
        parts = held.get(which)
        if parts is None:
            return []
        if isinstance(parts, Made):
            parts = parts.entries
        if type(parts) is not dict or any(type(name) is not str or len(name) > NAME for name in parts):
            raise HostileFile(f"a module's {which} are {shown(kind(parts))}.")
        self.left -= 1 + len(parts)
        if self.left < 0:
            raise HostileFile(f"its modules have more than {TENSORS:,} parts.")
        return [(name, value) for name, value in parts.items() if value is not None]
