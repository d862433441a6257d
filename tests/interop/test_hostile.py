"""Files that want something done: nothing is, and each is refused with an error that says so, within two seconds and a gigabyte."""

from __future__ import annotations

import builtins
import io
import os
import pickle
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from crafted import Call, persistent_pickle, repacked, saved, write, zip_of_zeros
from hostile import (
    STATE,
    called,
    claimed_storage,
    cycle,
    endless,
    header,
    many_times,
    nested,
    object_scalar,
    objects,
    persistent_id,
    pickled,
    registered,
    repeated_module,
    repeated_pairs,
    repeated_parts,
    repeated_text,
    settings,
    shared,
    strided,
    tied,
    touch,
    with_tensor,
)
from tightrope.core.errors import InputError
from tightrope.interop import containers
from tightrope.interop.reading import child, door
from tightrope.interop.reading.errors import KINDS, DamagedFile, HostileFile, UnknownFile
from tightrope.interop.reading.limits import Budget

SECONDS, BYTES = 2.0, 1e9
Maker = Callable[[str], bytes]


class Attack:
    """A file that would make `canary`, or use up the machine, if it were opened as it wants to be."""

    def __init__(self, make: Maker, error: type[InputError], words: str) -> None:
        self.make, self.error, self.words = make, error, words


ATTACKS: dict[str, Attack] = {
    "os.system": Attack(lambda c: pickled(Call(os.system, touch(c))), HostileFile, "posix.system"),
    "builtins.eval": Attack(lambda c: pickled(Call(builtins.eval, f"open({c!r}, 'w')")), HostileFile, "builtins.eval"),
    "builtins.exec": Attack(lambda c: pickled(Call(builtins.exec, f"open({c!r}, 'w')"), 2), HostileFile, "builtin"),
    "subprocess.Popen": Attack(lambda c: pickled(Call(subprocess.Popen, ["touch", c])), HostileFile, "subprocess.Popen"),
    "a call of getattr": Attack(lambda c: pickled(Call(getattr, Call(__import__, "os"), "system")), HostileFile, "builtins.getattr"),
    "a call of what a call returned": Attack(lambda c: b"\x80\x04cdnnlib\nEasyDict\n)\x81(X\x01\x00\x00\x00ctR.", HostileFile, "calls an object"),
    "a call of an unknown function": Attack(lambda c: called("training.networks.build", touch(c)), HostileFile, "training.networks.build"),
    "a call within torch": Attack(lambda c: pickled(Call(torch.load, c)), HostileFile, "torch"),
    "a text pickle": Attack(lambda c: f"cos\nsystem\n(S'{touch(c)}'\ntR.".encode(), HostileFile, "os.system"),
    "a text pickle's instance": Attack(lambda c: f"(S'{touch(c)}'\nios\nsystem\n.".encode(), HostileFile, "os.system"),
    "an object of a function": Attack(lambda c: f"(cos\nsystem\nS'{touch(c)}'\no.".encode(), HostileFile, "os.system"),
    "a storage that is a pickle": Attack(nested, HostileFile, "posix.system"),
    "an archive's pickle": Attack(lambda c: repacked(saved(STATE), {"data.pkl": pickle.dumps(Call(os.system, touch(c)), 2)}), HostileFile, "posix.system"),
    "state that replaces methods": Attack(lambda c: b"\x80\x04cdnnlib\nEasyDict\n)\x81}X\x0c\x00\x00\x00__setstate__X\x01\x00\x00\x00gsb.", HostileFile, "how an object"),
    "slots that replace the class": Attack(lambda c: b"\x80\x04cdnnlib\nEasyDict\n)\x81N}X\x09\x00\x00\x00__class__X\x01\x00\x00\x00gs\x86b.", HostileFile, "how an object"),
    "state for a class": Attack(lambda c: b"\x80\x04cdnnlib\nEasyDict\n}X\x01\x00\x00\x00fX\x01\x00\x00\x00gsb.", HostileFile, "the inside of the name dnnlib.EasyDict"),
    "items of a tuple": Attack(lambda c: b"\x80\x04)X\x01\x00\x00\x00fX\x01\x00\x00\x00gs.", HostileFile, "sets an item of a tuple"),
    "extension codes": Attack(registered, HostileFile, "extension codes"),
    "persistent ids": Attack(persistent_id, HostileFile, "outside the file"),
    "an array of objects": Attack(objects, HostileFile, "posix.system"),
    "an array of objects, nothing called": Attack(lambda c: with_tensor(np.array([None, 1], dtype=object)), HostileFile, "Python objects"),
    "a scalar of objects": Attack(object_scalar, HostileFile, "posix.system"),
    "a scalar of objects, nothing called": Attack(lambda c: with_tensor(Call(np._core.multiarray.scalar, np.dtype("O"), b"12345678")), HostileFile, "Python objects"),
    "strides beyond the storage": Attack(lambda c: strided((2, 2), (1 << 40, 1)), HostileFile, "larger than its storage"),
    "a tensor of stride nothing": Attack(lambda c: strided((10**6, 10**6), (0, 0)), HostileFile, "larger than its storage"),
    "a tensor behind its storage": Attack(lambda c: strided((2,), (1,), 1 << 60), HostileFile, "larger than its storage"),
    "a shape of lists without end": Attack(lambda c: strided(many_times(), (1,)), HostileFile, "a tensor's shape is a tuple"),
    "negative strides": Attack(lambda c: strided((2,), (-1,), 1), DamagedFile, "stride"),
    "a storage larger than the file": Attack(claimed_storage, DamagedFile, "4,398,046,511,104 bytes"),
    "one tensor many times": Attack(lambda c: shared(400), HostileFile, "repeat the same bytes"),
    "a text of 2^62 bytes": Attack(lambda c: b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"x.", DamagedFile, "claims"),
    "an integer of 2^31 bytes": Attack(lambda c: b"\x80\x04\x8b" + struct.pack("<i", 2**31 - 1) + b"x.", HostileFile, "an integer"),
    "an integer of many digits": Attack(lambda c: b"\x80\x02I" + b"9" * 3_000_000 + b"\n.", DamagedFile, "line"),
    "deep lists": Attack(lambda c: b"\x80\x04" + b"]" * 140_000 + b"a" * 139_999 + b".", UnknownFile, "a list"),
    "instructions without end": Attack(lambda c: b"\x80\x04" + b"N0" * 5_000_000 + b".", HostileFile, "more steps"),
    "deep tuples as keys": Attack(lambda c: b"\x80\x04})" + b"\x85" * 200_000 + b"Ns.", HostileFile, "as a key"),
    "modules within each other": Attack(lambda c: tied(9), HostileFile, "parts"),
    "one large module under many names": Attack(lambda c: repeated_module(), HostileFile, "more steps"),
    "one network's variables many times": Attack(lambda c: repeated_parts(), HostileFile, "more steps"),
    "the same long list of pairs": Attack(lambda c: repeated_pairs(), HostileFile, "more steps"),
    "a long text in each tensor": Attack(lambda c: repeated_text(), HostileFile, "more steps"),
    "a module within itself": Attack(lambda c: cycle(), HostileFile, "deep"),
    "a cut-off pickle": Attack(lambda c: settings()[:-200], DamagedFile, "cut off|claims"),
    "a cut-off archive": Attack(lambda c: saved(STATE)[:-100], DamagedFile, "cut off"),
    "an empty file": Attack(lambda c: b"", DamagedFile, "empty"),
    "no checkpoint": Attack(lambda c: b"#!/bin/sh\ntouch " + c.encode(), UnknownFile, "no checkpoint"),
    "a gigabyte of packed zeros": Attack(lambda c: zip_of_zeros(1 << 30), HostileFile, "compressed"),
    "entries outside of the archive": Attack(lambda c: repacked(saved(STATE), added={f"archive/../../../{c}": b"x"}), HostileFile, "outside"),
    "an entry at the root": Attack(lambda c: repacked(saved(STATE), added={c: b"x"}), HostileFile, "outside"),
    "a setting that is infinite": Attack(lambda c: settings(z_dim=float("inf")), DamagedFile, "z_dim is inf"),
    "a setting that is no number": Attack(lambda c: settings(z_dim=float("nan")), DamagedFile, "z_dim is nan"),
    "an absurd resolution": Attack(lambda c: settings(img_resolution=1 << 30), HostileFile, "img_resolution"),
    "a resolution without tensors": Attack(lambda c: settings(img_resolution=4096), HostileFile, "img_resolution is 4096"),
    "absurd channels": Attack(lambda c: settings(synthesis_kwargs={"channel_max": 1 << 16, "channel_base": 1 << 20}), HostileFile, "channels"),
    "settings without end": Attack(lambda c: settings(mapping_kwargs=endless()), HostileFile, "settings"),
    "a header of nothing but brackets": Attack(lambda c: header(b"{" + b'"a":[' * 200_000), DamagedFile, "no JSON"),
    "a header beyond the file": Attack(lambda c: header(b'{"w":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4]}}', b"1234"), HostileFile, "larger"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_refused(attack: Attack, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = write(tmp_path, attack.make(str(canary)))
    answer = containers.ask(path, tmp_path / "weights")
    assert not canary.exists()
    assert KINDS[answer["error"]] is attack.error, answer
    assert re.search(attack.words, answer["message"]), answer
    assert answer["seconds"] < SECONDS and answer["peak_bytes"] < BYTES, answer


def test_the_canary_would_sing(tmp_path: Path) -> None:
    """Opened the usual way the same files do what they want: that nothing happened above means something."""
    canary = tmp_path / "canary"
    with pytest.raises((AttributeError, TypeError, KeyError, AssertionError)):
        assert not pickle.loads(ATTACKS["os.system"].make(str(canary)))["G_ema"] and not canary.exists()
    assert canary.exists()


def test_open_raises_the_error_with_the_file_and_what_to_do(tmp_path: Path) -> None:
    path = write(tmp_path, ATTACKS["os.system"].make(str(tmp_path / "canary")))
    with pytest.raises(HostileFile, match=r"file\.pkl: it asks for posix\.system.*Nothing in it was run"):
        containers.open(path)


def test_source_text_is_kept_as_text(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    state = {"synthesis.b4.const": torch.ones(8, 4, 4), "mapping.fc0.weight": torch.ones(8, 8)}
    data = persistent_pickle({"G_ema": (state, {"z_dim": 8})}, source=f"open({str(canary)!r}, 'w').close()\n")
    opened = containers.open(write(tmp_path, data))
    assert not canary.exists() and "was not run" in opened.container
    assert torch.equal(opened.nets["G_ema"].state["synthesis.b4.const"], state["synthesis.b4.const"])


def test_names_from_a_file_are_fit_for_file_names(tmp_path: Path) -> None:
    opened = containers.open(write(tmp_path, saved({"../../up": dict(STATE), "a b": dict(STATE)})))
    assert list(opened.nets) == ["______up", "a_b"]


def test_a_process_that_ends_without_a_word_is_an_error() -> None:
    assert containers._listen(io.BytesIO(b'{"progress": [1, 2]}\n'), None) is None
    assert containers._listen(io.BytesIO(b'{"report": '), None) is None


def test_behind_the_door_nothing_opens() -> None:
    """In a process of its own: the door cannot be opened again."""
    code = "import sys, os; from tightrope.interop.reading import door; door.shut()\ntry: os.system('true')\nexcept Exception as e: print(type(e).__name__)"
    source = str(Path(door.__file__).parents[3])
    boot = "import sys, types; sys.path.insert(0, sys.argv[1]); m = types.ModuleType('tightrope.interop'); import tightrope; m.__path__ = [sys.argv[2]]; sys.modules['tightrope.interop'] = m\n"
    run = subprocess.run(
        [sys.executable, "-c", boot + code, source, str(containers.HERE)], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "HostileFile"


def test_damage_anywhere_is_an_input_error() -> None:
    """Every byte of a file turned over, one at a time: read, or refused with a sentence, and nothing else."""
    data = settings()
    whole = 0
    for at in range(0, len(data), max(1, len(data) // 400)):
        broken = bytearray(data)
        broken[at] ^= 0xFF
        try:
            child.recognise(memoryview(bytes(broken)), Budget.of(len(data)))
            whole += 1
        except InputError:
            pass
    assert whole < 400
