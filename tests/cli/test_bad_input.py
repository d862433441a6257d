"""Every wrong command line and every broken source: exit code 2, one sentence, nothing left behind."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tightrope.cli.main import main


def picture(path: Path, size: int = 16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size, size, 3), 99, np.uint8)).save(path)


def png_header(width: int, height: int) -> bytes:
    """The first bytes of a PNG that claims a size and holds nothing."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    import zlib

    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


SOURCES: dict[str, Callable[[Path], object]] = {
    "missing": lambda p: None,
    "empty-folder": lambda p: p.mkdir(),
    "text-only": lambda p: (p.mkdir(), (p / "a.png").write_text("this is text")),
    "one-pixel": lambda p: [picture(p / f"{i}.png", 1) for i in range(3)],
    "truncated": lambda p: (picture(p / "a.png"), (p / "a.png").write_bytes((p / "a.png").read_bytes()[:40])),
    "bomb": lambda p: (p.mkdir(), (p / "a.png").write_bytes(png_header(60_000, 60_000))),
    "one-image": lambda p: picture(p / "a.png"),
    "zero-bytes": lambda p: (p.mkdir(), (p / "a.jpg").write_bytes(b"")),
    "not-a.zip": lambda p: p.write_bytes(b"PK nothing"),
    "empty.zip": lambda p: zipfile.ZipFile(p, "w").close(),
    "pickled.npy": lambda p: np.save(p, np.array([{}, {}], dtype=object), allow_pickle=True),
    "wrong-shape.npy": lambda p: np.save(p, np.zeros((3, 4, 5, 6, 7), np.uint8)),
    "nan.npy": lambda p: np.save(p, np.full((9, 2), np.nan, np.float32)),
    "flat.npz": lambda p: np.savez(p, images=np.zeros(7, np.uint8)),
    "labels.npz": lambda p: np.savez(p, images=np.zeros((9, 16, 16), np.uint8), labels=np.zeros(3, np.int64)),
    "cut.npz": lambda p: (np.savez(p, images=np.zeros((9, 16, 16), np.uint8)), p.write_bytes(p.read_bytes()[:99])),
    "train-images-idx3-ubyte": lambda p: p.write_bytes(struct.pack(">IIII", 2051, 50, 28, 28) + b"short"),
    "bad-idx3-ubyte": lambda p: p.write_bytes(b"\x01\x02\x03\x04" * 9),
    "words.csv": lambda p: p.write_text("x,y\none,two\nthree,four\n"),
    "file.docx": lambda p: p.write_bytes(b"\x00" * 99),
}

COMMANDS = [
    ["trian"],
    ["train", "swfit", "fashion"],
    ["train", "swift", "fashoin"],
    ["train", "swift", "fashion", "extra"],
    ["train", "swift", "fashion", "--gama", "1"],
    ["train", "swift", "fashion", "--gamma"],
    ["train", "swift", "fashion", "--gamma", "lots"],
    ["train", "swift", "fashion", "--gamma", "-1"],
    ["train", "swift", "fashion", "--batch", "2.5"],
    ["train", "swift", "fashion", "--r2", "perhaps"],
    ["train", "swift", "fashion", "--objective", "hinge-ish"],
    ["train", "swift", "fashion", "--preset", "huge"],
    ["train", "swift", "fashion", "--seen", "many"],
    ["train", "swift", "fashion", "--seen", "0"],
    ["train", "swift", "fashion", "--minutes", "-3"],
    ["train", "swift", "fashion", "--seen", "10", "--minutes", "3"],
    ["train", "swift", "fashion", "--device", "abacus"],
    ["train", "swift", "fashion", "--precision", "fp16"],
    ["train", "swift", "fashion", "--threads", "0"],
    ["train", "swift", "fashion", "--judge", "3"],
    ["train", "swift", "fashion", "--size", "3"],
    ["train", "swift", "fashion", "--size", "48"],
    ["train", "dcgan", "ring8"],
    ["train", "no_such_file.py", "fashion"],
    ["resume", "nowhere"],
    ["resume"],
    ["sample", "nowhere", "--out", "o"],
    ["sample", "nowhere"],
    ["sample", "nowhere", "--out", "o", "--seeds", "9-3"],
    ["sample", "nowhere", "--out", "o", "--seeds", "a"],
    ["report", "nowhere"],
    ["evaluate", "nowhere", "--count", "5"],
    ["evaluate", "nowhere"],
    ["show", "swfit"],
    ["data", "fashoin"],
    ["data", "fashion", "--colour"],
]


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must fail; returns its sentence."""
    assert main(words) == 2
    printed = capsys.readouterr()
    lines = printed.err.strip().splitlines()
    assert len(lines) == 1, printed.err
    assert lines[0].startswith("tightrope: ")
    assert len(lines[0]) < 400
    assert "Traceback" not in printed.err
    return lines[0]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_wrong_commands(words: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    refused(words, capsys)
    assert not (tmp_path / "runs").exists() or not any((tmp_path / "runs").iterdir())


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("verb", ["data", "train"])
def test_broken_sources(name: str, verb: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source = tmp_path / name
    SOURCES[name](source)
    words = ["data", str(source)] if verb == "data" else ["train", "swift", str(source), "--seen", "8", "--preset", "toy"]
    assert name in refused(words, capsys)
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture(tmp_path / "closed" / "a.png")
    (tmp_path / "closed").chmod(0)
    assert "closed" in refused(["data", str(tmp_path / "closed")], capsys)


def test_the_sentence_comes_as_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resume", "nowhere", "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["exit_code"] == 2
    assert "nowhere" in answer["error"]


def test_mistyped_words_are_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert "'train'" in refused(["trian"], capsys)
    assert "'swift'" in refused(["train", "swfit"], capsys)
    assert "--gamma" in refused(["train", "swift", "fashion", "--gama", "1"], capsys)


def test_places_that_cannot_be_made(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    words = ["train", "gan", "ring8", "--preset", "toy", "--seen", "8", "--judge", "0"]
    assert "file" in refused([*words, "--runs", "file"], capsys)
    assert "file" in refused([*words, "--run", "file/run"], capsys)


def test_a_file_that_is_no_checkpoint_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "g.safetensors").write_bytes(b"\x80\x04\x95 a pickle, say")
    assert "g.safetensors" in refused(["sample", "g.safetensors", "--out", "o"], capsys)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{ not json")
    assert "run.json" in refused(["resume", "run"], capsys)
