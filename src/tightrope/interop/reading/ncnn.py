"""ncnn's networks: a text `.param` that says which layers there are, and a `.bin` with their numbers. Both in one piece, in that order.

    7767517                                                          magic number
    999 1782                                                         layers, blobs
    Convolution  Conv_1  1 1  703  705  0=32 1=3 4=1 6=18432 9=2     kind, name, counts, blobs in, blobs out, settings

Numbers of a convolution begin with a flag: 0 for fp32, 0x01306B47 for fp16, padded to 4 bytes; biases and slopes are fp32 without one.

Layers are made one expression: equal expressions are one number (`Graph`), so that a network is known by building what it should
be and comparing two numbers. What is read are the published Real-ESRGAN networks: RRDBNet that enlarges 4 times, and SRVGG.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Hashable

from tightrope.interop.reading import arrays
from tightrope.interop.reading.arrays import Tensor
from tightrope.interop.reading.errors import DamagedFile, HostileFile, UnknownFile, shown
from tightrope.interop.reading.limits import NAME, Budget, within
from tightrope.interop.reading.networks import Contents, Net

MAGIC = b"7767517\n"
WEIGHTS = b"Gk0\x01"  # how a .bin of half precision begins
HALF = 0x01306B47
LAYERS = 20_000
BLOBS = 64  # of one layer
LEAKY = ("leaky", 0.2)
RDB, CONVS, ENDS = 3, 5, 6  # dense blocks of an RRDB, their convolutions, convolutions around the trunk
NOT_READ = "it is an ncnn network of another kind than the published Real-ESRGAN ones, which alone are read"


@dataclasses.dataclass(frozen=True)
class Layer:
    """One line."""

    kind: str
    inputs: list[str]
    outputs: list[str]
    settings: dict[int, str]

    def number(self, key: int, default: int) -> int:
        """A whole setting."""
        return int(_number(self.settings.get(key, str(default)), whole=True))

    def real(self, key: int, default: float) -> float:
        """A setting."""
        return _number(self.settings.get(key, str(default)))

    def list_of(self, key: int) -> list[float]:
        """A list, which is written under -23300 - key with its length first."""
        count, *values = self.settings.get(-23300 - key, "0").split(",")
        if _number(count, whole=True) != len(values):
            raise DamagedFile(f"a list of {shown(count)} numbers has {len(values)}.")
        return [round(_number(value), 6) for value in values]

    def only(self, **known: object) -> None:
        """Refuse settings that are not known here: they would change what the layer does."""
        del known

    def plain(self, free: set[int], fixed: dict[int, int]) -> None:
        """Settings beside the `free` ones must have the values that are read.

        Raises:
            UnknownFile: one has not.
        """
        for key in self.settings:
            if key not in free and (key not in fixed or self.number(key, 0) != fixed[key]):
                raise UnknownFile(f"{NOT_READ} (a {shown(self.kind)} with {key}={shown(self.settings[key])}).")
