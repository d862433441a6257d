"""Broken inputs: single files become rejects with a reason, whole sources an InputError of one sentence."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pictures import picture
from PIL import Image

from tightrope.core.errors import InputError
from tightrope.data import load


def png_bytes(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises more pixels than anyone has memory for."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


GOOD = png_bytes(picture(0, 64, 64))
REJECTS: dict[str, tuple[str, bytes, str]] = {
    "text": ("note.png", b"this is not an image", "not an image"),
    "empty": ("zero.jpg", b"", "empty"),
    "cut off": ("cut.png", GOOD[: len(GOOD) // 2], "cannot be decoded"),
    "head only": ("head.png", GOOD[:20], "cannot be decoded"),
    "damaged inside": ("bits.png", GOOD[:60] + bytes(200) + GOOD[260:], "cannot be decoded"),
    "one pixel": ("dot.png", png_bytes(picture(0, 1, 1)), "1x1 pixels"),
    "seven pixels": ("small.png", png_bytes(picture(0, 400, 7)), "400x7 pixels"),
    "bomb": ("bomb.png", bomb(60_000, 60_000), "decompression bomb"),
    "small bomb": ("big.png", bomb(10_000, 9_000), "decompression bomb"),
    "postscript": ("run.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n", "not an image"),
    "other kind": ("photo.heic", b"x" * 100, ".heic"),
    "table": ("labels.csv", b"a,b\n", ".csv"),
    "cut jpeg": ("half.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(40), ""),
    "cut gif": ("half.gif", b"GIF89a\x40\x00\x40\x00\x80\x00\x00", ""),
    "cut webp": ("half.webp", b"RIFF\x24\x00\x00\x00WEBPVP8L\x10\x00\x00\x00", ""),
    "cut bmp": ("half.bmp", b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 64, 64, 1, 24, 0) + bytes(30), ""),
    "cut tiff": ("half.tif", b"II*\x00\x08\x00\x00\x00\xff\xff", ""),
    "newline in its name": ("two\nlines.png", b"no", "not an image"),
}


@pytest.mark.parametrize("kind", REJECTS)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_a_bad_file_is_named_and_skipped(folder: Path, kind: str, packed: bool) -> None:
    name, content, reason = REJECTS[kind]
    (folder / name).write_bytes(content)
    source = as_zip(folder) if packed else folder
    data = load(source)
    assert len(data) == 3
    assert len(data.rejects) == 1
    assert data.rejects[0].path == name.replace("\n", "\\n")
    assert reason in data.rejects[0].reason
    assert "\n" not in data.rejects[0].reason
    assert "object at" not in data.rejects[0].reason  # no addresses: the same text each time
    assert load(source).rejects == data.rejects


def as_zip(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return path


def test_hidden_files_are_no_rejects(folder: Path) -> None:
    for name in (".DS_Store", ".hidden.png", "Thumbs.db", "__MACOSX/x.png", ".git/y.png", "README.md", "LICENSE"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    assert load(folder).rejects == []


def test_links(folder: Path) -> None:
    (folder / "sub").mkdir()
    picture(5).save(folder / "sub" / "5.png")
    (folder / "loop").symlink_to(folder)
    (folder / "double").symlink_to(folder / "sub")
    (folder / "itself.png").symlink_to(folder / "itself.png")
    (folder / "gone.png").symlink_to(folder / "nothing.png")
    (folder / "good.png").symlink_to(folder / "0.png")
    data = load(folder)
    assert len(data) == 5
    assert [reject.path for reject in data.rejects] == ["double", "gone.png", "itself.png", "loop"]


def test_a_pipe_does_not_hang(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    assert [reject.reason for reject in load(folder).rejects] == ["not a regular file"]


def test_an_unreadable_file_and_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "closed").mkdir()
    picture(7).save(folder / "closed" / "7.png")
    picture(8).save(folder / "8.png")
    scandir, opening = os.scandir, open

    def refuse(real: Callable, word: str) -> Callable:
        def call(path: object, *rest: object, **named: object) -> object:
            if str(path).endswith(word):
                raise PermissionError(13, "Permission denied", str(path))
            return real(path, *rest, **named)

        return call

    monkeypatch.setattr(os, "scandir", refuse(scandir, "closed"))
    monkeypatch.setattr("builtins.open", refuse(opening, "8.png"))
    data = load(folder)
    assert [(reject.path, "Permission denied" in reject.reason) for reject in data.rejects] == [("8.png", True), ("closed", True)]
    monkeypatch.setattr(os, "scandir", refuse(scandir, "pictures"))
    assert_one_line(folder, "Permission denied")


def test_zip_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tightrope.data.sources.LARGEST_ENTRY", 1 << 20)
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(3):
            archive.writestr(f"{i}.png", png_bytes(picture(i)))
        archive.writestr("../../outside.png", png_bytes(picture(4)))
        archive.writestr("/absolute.png", png_bytes(picture(5)))
        archive.writestr("secret.png", png_bytes(picture(6)))
        with archive.open("huge.bmp", "w") as large:
            large.write(bytes(2 << 20))
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # claim encryption for one entry
        at = content.find(b"secret.png")
        while content.rfind(signature, 0, at) < 0 or content.rfind(signature, 0, at) < at - 60:
            at = content.find(b"secret.png", at + 1)
        content[content.rfind(signature, 0, at) + flags] |= 1
    path.write_bytes(content)
    data = load(path)
    assert [reject.path for reject in data.rejects] == ["huge.bmp", "secret.png"]
    assert "at most 1 MB" in data.rejects[0].reason
    assert "encrypted" in data.rejects[1].reason
    assert len(data) == 5
    assert not (tmp_path.parent / "outside.png").exists()


def test_a_zip_entry_with_flipped_bits(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(3):
            archive.writestr(f"{i}.png", png_bytes(picture(i)))
    content = bytearray(path.read_bytes())
    content[content.find(b"1.png") + 60] ^= 0xFF
    path.write_bytes(content)
    data = load(path)
    assert len(data) == 2
    assert data.rejects[0].path == "1.png"


def assert_one_line(source: str | Path, *words: str, **options: object) -> None:
    with pytest.raises(InputError) as caught:
        load(source, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    assert str(source) in message or str(source).encode("unicode_escape").decode() in message
    for word in words:
        assert word in message, message


def save(name: str, **arrays: np.ndarray) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        if name.endswith(".npy"):
            np.save(path, arrays["x"], allow_pickle=True)
        else:
            np.savez(path, **arrays)
        return path

    return write


def raw(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def idx(*lengths: int, magic: bytes = b"\x00\x00\x08\x03", missing: int = 0) -> bytes:
    return magic + b"".join(n.to_bytes(4, "big") for n in lengths) + bytes(max(0, int(np.prod(lengths)) - missing))


def labelled_idx(folder: Path) -> Path:
    (folder / "train-labels-idx1-ubyte").write_bytes(b"\x00\x00\x08\x01\x00\x00\x00\x02\x00\x01")
    return raw("train-images-idx3-ubyte", idx(3, 8, 8))(folder)


def wrong_labels_idx(folder: Path) -> Path:
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(3, 8, 8))
    return raw("train-images-idx3-ubyte", idx(3, 8, 8))(folder)


def directory(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def all_bad(folder: Path) -> Path:
    place = directory(folder)
    for i in range(3):
        (place / f"{i}.png").write_bytes(b"no")
    return place


def only_tables(folder: Path) -> Path:
    place = directory(folder)
    (place / "a.csv").write_bytes(b"1,2")
    return place


def one_good(folder: Path) -> Path:
    place = directory(folder)
    picture(0).save(place / "0.png")
    (place / "1.png").write_bytes(b"no")
    return place


def empty_zip(folder: Path) -> Path:
    zipfile.ZipFile(folder / "x.zip", "w").close()
    return folder / "x.zip"


IMAGES = np.zeros((4, 8, 8), np.uint8)
BAD = np.zeros((4, 8, 8), np.float32)
BAD[1, 2, 3] = np.nan
CUT = b"\x93NUMPY\x01\x00\x46\x00{'descr': '|u1', 'fortran_order': False, 'shape': (9, 99, 99)} "
SOURCES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "empty folder": (directory, "no images"),
    "all rejected": (all_bad, "no usable image (3 rejected; the first is 0.png: not an image"),
    "no image among files": (only_tables, "1 rejected"),
    "one usable": (one_good, "only one usable image"),
    "unknown kind": (raw("x.docx", b"x"), ".docx"),
    "no extension": (raw("thing", b"x"), "without an extension"),
    "one image": (raw("x.png", GOOD), "the folder it is in"),
    "bad zip": (raw("x.zip", b"PK\x03\x04 nothing"), "not a zip"),
    "empty zip": (empty_zip, "no images"),
    "pickled npz": (save("x.npz", images=np.array([{}], dtype=object)), "pickle"),
    "pickled npy": (save("x.npy", x=np.array([{}], dtype=object)), "pickle"),
    "a pickle named npy": (raw("x.npy", b"\x80\x04N."), "pickle"),
    "damaged npy": (raw("x.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr'"), "damaged"),
    "cut npy": (raw("x.npy", CUT), "damaged"),
    "damaged npz": (raw("x.npz", b"PK nothing"), "damaged"),
    "empty npz file": (raw("x.npz", b""), "damaged"),
    "npz without images": (save("x.npz", weights=IMAGES, bias=IMAGES), "weights, bias"),
    "shape": (save("x.npy", x=np.zeros((4, 8, 8, 5), np.uint8)), "(4, 8, 8, 5)"),
    "a number": (save("x.npy", x=np.zeros((), np.uint8)), "shape ()"),
    "too small": (save("x.npy", x=np.zeros((4, 7, 9), np.uint8)), "9x7"),
    "integers": (save("x.npy", x=IMAGES.astype(np.int64)), "int64"),
    "text": (save("x.npy", x=np.array([["a", "b"]] * 3)), "points are <U1"),
    "not finite": (save("x.npy", x=BAD), "not finite"),
    "range": (save("x.npy", x=np.full((4, 8, 8), 255.0)), "scale them to"),
    "labels of another length": (save("x.npz", images=IMAGES, labels=np.zeros(3, np.int64)), "4 images and 3 labels"),
    "labels of another shape": (save("x.npz", images=IMAGES, labels=np.zeros((4, 2), np.int64)), "(4, 2)"),
    "labels of another type": (save("x.npz", images=IMAGES, labels=np.zeros(4)), "float64"),
    "no images": (save("x.npy", x=np.zeros((0, 8, 8), np.uint8)), "0 images"),
    "wide points": (save("x.npy", x=np.zeros((9, 17))), "1 to 16"),
    "equal points": (save("x.npy", x=np.ones((9, 2))), "same"),
    "one point": (save("x.npy", x=np.ones((1, 2))), "1 points"),
    "points with NaN": (save("x.npy", x=np.full((9, 2), np.nan)), "9 rows"),
    "idx magic": (raw("a-idx3-ubyte", idx(2, 8, 8, magic=b"\x00\x00\x0d\x03")), "00000d03"),
    "idx cut": (raw("a-idx3-ubyte", idx(2, 8, 8, missing=1)), "1 bytes are missing"),
    "idx that lies": (raw("a-idx3-ubyte", b"\x00\x00\x08\x03" + b"\x7f" * 12), "damaged"),
    "idx that promises": (raw("a-idx3-ubyte", b"\x00\x00\x08\x03" + bytes([127, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28])), "missing"),
    "idx empty": (raw("a-idx3-ubyte", b""), "missing"),
    "idx bad gzip": (raw("a-idx3-ubyte.gz", gzip.compress(idx(2, 8, 8))[:-9]), "damaged"),
    "idx labels": (labelled_idx, "3 images and 2 labels"),
    "csv of words": (raw("x.csv", b"x,y\n1,2\na,b\n"), "not a table"),
    "csv ragged": (raw("x.csv", b"1,2\n3\n4,5\n"), "not a table"),
    "csv empty": (raw("x.csv", b""), "no rows"),
    "csv binary": (raw("x.csv", bytes(range(128, 256))), "not a table"),
    "csv with a header alone": (raw("x.csv", b"x,y\n"), "no rows"),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_a_bad_source_is_one_sentence(tmp_path: Path, kind: str) -> None:
    make, words = SOURCES[kind]
    assert_one_line(make(tmp_path), words)


def test_bad_idx_labels_name_the_label_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train-labels-idx1-ubyte: not an IDX file of labels"):
        load(wrong_labels_idx(tmp_path))


@pytest.mark.parametrize("name", ["/no/such/place", "fashon", "no\0name", "x" * 5000, "two\nlines"])
def test_no_such_path(name: str) -> None:
    with pytest.raises(InputError) as caught:
        load(name)
    assert "\n" not in str(caught.value)


def test_a_near_name_is_offered() -> None:
    with pytest.raises(InputError, match="did you mean 'fashion'"):
        load("fashon")
    with pytest.raises(InputError, match="Embedded are fashion, emoji, emoji-pairs, ring8, grid25"):
        load("")


@pytest.mark.parametrize("size", [7, 1025, 0, -1, 32.0, True, "32"])
def test_sizes(folder: Path, size: object) -> None:
    with pytest.raises(InputError, match="from 8 to 1024"):
        load(folder, size=size)


def test_points_have_no_size() -> None:
    with pytest.raises(InputError, match="points have no size"):
        load("ring8", size=32)


def test_a_full_disk_is_said_before_work_begins(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 1000})())
    with pytest.raises(InputError, match="the pixel cache needs"):
        load(folder)
    assert not list(cache.rglob("*.npy"))


def test_a_cache_that_cannot_be_made(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="TIGHTROPE_CACHE"):
        load(folder, cache=tmp_path / "file")


def test_random_damage_never_escapes(tmp_path: Path) -> None:
    """Whatever byte is hit, the outcome is a data set or one sentence."""
    random = np.random.default_rng(0)
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(3):
            archive.writestr(f"{i}.png", GOOD)
    packed = io.BytesIO()
    np.savez_compressed(packed, images=IMAGES, labels=np.arange(4))
    plain = io.BytesIO()
    np.save(plain, BAD * 0 + 1)
    sound = {"a.zip": zipped, "a.npz": packed, "a.npy": plain, "a-idx3-ubyte": io.BytesIO(idx(3, 8, 8))}
    for turn in range(200):
        name = list(sound)[turn % len(sound)]
        content = bytearray(sound[name].getvalue())
        for at in random.integers(0, len(content), 3):
            content[at if turn % 3 else at % 100] = random.integers(256)
        (tmp_path / name).write_bytes(content)
        message = ""
        try:
            load(tmp_path / name)
        except InputError as error:
            message = str(error)
        assert "\n" not in message


def test_sheets_that_sample_writes_beside_samples_are_no_samples(folder: Path) -> None:
    for name in ("grid.png", "interpolation.gif", "mix.png"):
        picture(0).save(folder / name)
    data = load(folder)
    assert len(data) == 3
    assert [reject.path for reject in data.rejects] == ["grid.png", "interpolation.gif", "mix.png"]
