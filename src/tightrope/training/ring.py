"""The ring: snapshots of healthy states that a guardian can go back to. In memory, or as files of a run directory."""

from __future__ import annotations

import math
from pathlib import Path

from torch import Tensor

from tightrope.core.files import write_atomically
from tightrope.training import checkpoint
from tightrope.training.game import Game

KEEP = 2  # beside the one of the start, at any moment
PARTS = ("net/", "average/", "optimizer/")


class Ring:
    """Keeps the state at the start and the newest few that were asked for.

    Args:
        folder: where `healthy-SEEN.safetensors` are written, that of the checkpoints; None keeps them in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._held: dict[int, dict[str, Tensor]] = {}

    def keep(self, game: Game) -> None:
        """Take a snapshot of the game as it is."""
        state = {name: value.detach().clone() for name, value in game.tensors().items() if name.startswith(PARTS)}
        if self.folder is None:
            self._held[game.seen] = state
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path(game.seen), lambda partial: checkpoint.write(partial, state, {"seen": game.seen}))
        for old in set(self.kept()) - self._needed():
            self._drop(old)

    def _needed(self) -> set[int]:
        """The start's, the newest few, and those that were so when each checkpoint in the folder was written: a run that goes on
        from there finds what it had."""
        moments = [math.inf, *([] if self.folder is None else checkpoint.moments(self.folder))]
        later = [key for key in self.kept() if key]
        return {0}.union(*([key for key in later if key <= moment][-KEEP:] for moment in moments))

    def kept(self) -> list[int]:
        """`seen` of the snapshots there are."""
        if self.folder is None:
            return sorted(self._held)
        return sorted(int(path.stem.removeprefix("healthy-")) for path in self.folder.glob("healthy-*.safetensors"))

    def take_up(self, game: Game, seen: int) -> None:
        """Bring the game back to a snapshot; its clock goes on."""
        game.rewind(self._held[seen] if self.folder is None else checkpoint.load(self._path(seen))[0])

    def after(self, seen: int) -> None:
        """Forget what is newer than `seen`: a resumed run takes its snapshots anew."""
        for key in self.kept():
            if key > seen:
                self._drop(key)

    def _path(self, seen: int) -> Path:
        assert self.folder is not None
        return self.folder / f"healthy-{seen:012d}.safetensors"

    def _drop(self, seen: int) -> None:
        if self.folder is None:
            del self._held[seen]
        else:
            self._path(seen).unlink(missing_ok=True)
