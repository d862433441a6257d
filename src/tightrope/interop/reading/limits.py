"""How much a file may ask for. Published networks stay below a tenth of every figure."""

from __future__ import annotations

import dataclasses

from tightrope.interop.reading.errors import DamagedFile, HostileFile

FILE = 8 << 30  # bytes of a whole file
INSTRUCTIONS = 300_000  # of all pickles in a file, and what else takes time; StyleGAN3's G, D and G_ema take 40,000
DIGITS = 64  # bytes of one integer, characters of one number
LINE = 1 << 22  # bytes of one line of a text pickle
DEPTH = 48  # of modules within modules, of values within values
TENSORS = 100_000
PARAMETERS = 2_000_000_000
AXES = 8
NAME = 512  # characters of a tensor's name
ENTRIES = 100_000  # files in an archive
NETWORKS = 64
TEXT = 12  # of a text's characters, 2 to the power of this count as one instruction
VALUES = 20_000  # plain values among a network's settings
MEMORY = 768 << 20  # bytes of address space, beside two of the file
SETTINGS = {  # the largest value of a constructor's argument whose product makes a network large
    "img_resolution": 8192,
    "img_channels": 1024,
    "z_dim": 65536,
    "w_dim": 65536,
    "c_dim": 1_000_000,
    "channel_base": 1 << 22,
    "channel_max": 1 << 16,
    "num_layers": 1000,
    "depth": 16,
    "latent_size": 65536,
    "num_channels": 1024,
}


@dataclasses.dataclass
class Budget:
    """What a file has left to spend, over all its parts.

    Attributes:
        written: bytes of tensors that may still be written.
    """

    written: int
    instructions: int = INSTRUCTIONS
    tensors: int = TENSORS
    parameters: int = PARAMETERS

    @classmethod
    def of(cls, size: int) -> Budget:
        """For a file of `size` bytes. Its tensors may be written twice, for those that several networks share."""
        return cls(written=2 * size + (1 << 20), instructions=INSTRUCTIONS + (size >> 11))

    def spend(self, elements: int, size: int) -> None:
        """One tensor of so many elements and bytes is about to be written."""
        self.tensors -= 1
        self.parameters -= elements
        self.written -= size
        if self.tensors < 0:
            raise HostileFile(f"it holds more than {TENSORS:,} tensors.")
        if self.parameters < 0:
            raise HostileFile(f"its networks have more than {PARAMETERS:,} parameters.")
        if self.written < 0:
            raise HostileFile("its tensors would be larger than the file itself: they repeat the same bytes.")

    def run(self, instructions: int) -> None:
        """So many instructions of a pickle were read, or as much was done."""
        self.instructions -= instructions
        if self.instructions < 0:
            raise HostileFile("reading it takes more steps than any checkpoint of its size.")


def within(part: int, whole: int, what: str) -> None:
    """A claimed size must fit into what is there."""
    if not 0 <= part <= whole:
        raise DamagedFile(f"{what} claims {part:,} bytes where {max(whole, 0):,} are left.")
