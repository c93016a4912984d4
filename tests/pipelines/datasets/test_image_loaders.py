"""The readers of images on a handful of files each: official formats, splits, keys, labels, and what is damaged."""

import gzip
import io
import json
import struct
import tarfile
import threading
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image
from pyspark.sql import DataFrame, SparkSession

from emberline.features.columns import Image as ImageColumn
from emberline.features.columns import sized
from emberline.features.errors import BadInputError
from emberline.features.validation.images import SIZE
from emberline.features.validation.rows import check_rows
from emberline.pipelines.datasets.digits import digits, mnist
from emberline.pipelines.datasets.images import cifar10, shapes, shapes_segmentation
from emberline.pipelines.datasets.readers.idx import read_idx, write_idx
from emberline.pipelines.datasets.readers.image_archive import ImageArchive, read_archive
from emberline.pipelines.datasets.readers.image_folder import ImageFolder
from emberline.pipelines.datasets.readers.image_table import ImageTable
from emberline.pipelines.datasets.readers.mask_folder import MaskFolder
from emberline.pipelines.datasets.splits import is_held_out

CLASSES = ("cat", "dog")


def photograph(form: str = "JPEG", colour: tuple[int, int, int] = (200, 30, 90), **options: Any) -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(sink, form, **options)
    return sink.getvalue()


def checked(rows: DataFrame, dataset: Any, shape: tuple[int, int, int]) -> dict[str, Any]:
    """Rows by key, as the ETL would stage them."""
    schema = sized([ImageColumn("image", *shape)], dataset.schema)
    found = check_rows(rows, schema, labelled=True).collect()
    assert len({row[schema.key] for row in found}) == len(found)
    return {row[schema.key]: row for row in found}


def write_mnist(folder: Path, names: tuple[str, ...], rows: int = 10) -> np.ndarray:
    images = np.random.default_rng(1).integers(0, 256, (rows, 28, 28), dtype=np.uint8)
    for name in names:
        write_idx(str(folder / f"{name}-images-idx3-ubyte.gz"), images)
        write_idx(str(folder / f"{name}-labels-idx1-ubyte.gz"), (np.arange(rows) % 10).astype(np.uint8))
    return images


def test_mnist(spark: SparkSession, tmp_path: Path) -> None:
    images = write_mnist(tmp_path, ("train", "t10k"))
    for split, name in (("train", "train"), ("eval", "t10k")):
        found = checked(mnist.DATASET.read(spark, str(tmp_path), split), mnist.DATASET, (28, 28, 1))
        assert {key: (bytes(row["image"]), row["digit"], row["reason"]) for key, row in found.items()} == {
            f"{name}-{index:05d}": (image.tobytes(), float(index), None) for index, image in enumerate(images)
        }
    assert mnist.DATASET.read(spark, str(tmp_path)).count() == 20


def test_of_the_mnist_test_files_alone_every_fifth_digit_is_held_out(spark: SparkSession, tmp_path: Path) -> None:
    write_mnist(tmp_path, ("t10k",))
    for split, expected in (("train", {0, 1, 2, 3, 5, 6, 7, 8}), ("eval", {4, 9})):
        rows = mnist.DATASET.read(spark, str(tmp_path), split).collect()
        assert {int(row["row"][-5:]) for row in rows} == expected
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    assert [row["digit"] for row in mnist.DATASET.read(spark, str(tmp_path)).collect()] == [None] * 10
    with pytest.raises(BadInputError, match="without t10k-labels"):
        mnist.DATASET.read(spark, str(tmp_path), "train")


def test_digits_that_a_broken_mnist_file_promises_are_rejected(spark: SparkSession, tmp_path: Path) -> None:
    write_mnist(tmp_path, ("t10k",))
    file = tmp_path / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[: -28 * 28 * 2])
    found = checked(mnist.DATASET.read(spark, str(tmp_path)), mnist.DATASET, (28, 28, 1))
    reasons = [found[f"t10k-{index:05d}"]["reason"] for index in range(10)]
    assert reasons[:7] == [None] * 7
    assert set(reasons[8:]) == {f"the file ends after {reasons.count(None)} of its digits"}


def test_idx_is_read_as_the_format_says(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"\0\0\x08\x02" + struct.pack(">II", 2, 3) + bytes(range(6)))
    values, promised = read_idx(str(tmp_path / "plain"))
    assert (values.tolist(), promised) == ([[0, 1, 2], [3, 4, 5]], 2)
    for content in (b"", b"\0\0\x0d\x01\0\0\0\0", gzip.compress(b"no")):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(BadInputError, match="no IDX file"):
            read_idx(str(tmp_path / "bad"))


def test_cifar10(spark: SparkSession, tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    records = [
        bytes([kind]) + image.transpose(2, 0, 1).tobytes() for kind, image in zip((9, 0, 77), images, strict=True)
    ]
    (tmp_path / "data_batch_1.bin").write_bytes(b"".join(records[:2]))
    (tmp_path / "data_batch_2.bin").write_bytes(records[0][:100])
    (tmp_path / "test_batch.bin").write_bytes(records[2])
    train = checked(cifar10.DATASET.read(spark, str(tmp_path), "train"), cifar10.DATASET, (32, 32, 3))
    assert {key: row["kind"] for key, row in train.items() if not row["reason"]} == {
        "data_batch_1-00000": 9.0,
        "data_batch_1-00001": 0.0,
    }
    assert bytes(train["data_batch_1-00001"]["image"]) == images[1].tobytes()
    assert train["data_batch_2-00000"]["reason"] == "the record has 100 bytes, expected 3,073"
    held_out = checked(cifar10.DATASET.read(spark, str(tmp_path), "eval"), cifar10.DATASET, (32, 32, 3))
    assert held_out["test_batch-00000"]["reason"].startswith("kind: '77' is not one of")


def test_digits_are_those_of_scikit_learn(spark: SparkSession) -> None:
    import sklearn.datasets

    table = sklearn.datasets.load_digits()
    file = str(Path(sklearn.datasets.__file__).parent / "data" / "digits.csv.gz")
    found: dict[str, Any] = {}
    for split, rows in (("train", 1438), ("eval", 359)):
        part = checked(digits.DATASET.read(spark, file, split), digits.DATASET, (8, 8, 1))
        assert len(part) == rows
        found |= part
    for index, (image, digit) in enumerate(zip(table.images, table.target, strict=True)):
        row = found[f"digits-{index:04d}"]
        assert (row["digit"], row["reason"]) == (float(digit), None)
        np.testing.assert_array_equal(np.round(np.frombuffer(row["image"], np.uint8) / 255 * 16), image.ravel())


def test_lines_of_digits_that_are_wrong_are_rejected(spark: SparkSession, tmp_path: Path) -> None:
    lines = [",".join(["1"] * 65), ",".join(["1"] * 60), ",".join(["17", *["1"] * 64]), ",".join(["x", *["1"] * 64])]
    (tmp_path / "optdigits.tes").write_text("\n".join(lines) + "\n")
    reasons = [row["_fault"] for row in digits.DATASET.read(spark, str(tmp_path)).collect()]
    assert reasons == [
        None,
        "expected 65 comma-separated numbers, got 60",
        "expected numbers from 0 to 16",
        "expected numbers from 0 to 16",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("dataset", "rows"), [(mnist, (4000, 1000)), (cifar10, (4000, 1000)), (digits, (3000, 1000))])
def test_stand_ins_have_the_official_format_and_a_known_best_score(
    spark: SparkSession, tmp_path: Path, dataset: Any, rows: tuple[int, int]
) -> None:
    best = dataset.DATASET.generate(str(tmp_path), seed=3)
    assert dataset.DATASET.synthetic(str(tmp_path)) == best
    assert 0.96 < best.best["accuracy"] < 0.995
    found = [dataset.DATASET.read(spark, str(tmp_path), split) for split in ("train", "eval")]
    assert tuple(split.count() for split in found) == rows
    assert all(split.where("_fault is not null").count() == 0 for split in found)


FILES = {
    "cat/a.jpg": photograph(),
    "cat/b c.PNG": photograph("PNG"),
    "dog/c.webp": photograph("WEBP", lossless=True),
    "dog/text.png": b"not an image at all",
    "dog/nothing.jpg": b"",
    "dog/short.jpg": photograph(quality=100)[:-100],
    "bird/d.jpg": photograph(),
    "dog/readme.txt": b"no row of the data",
}
FAULTS = {
    "dog/text.png": "image: is not an image that can be read: it is no JPEG, PNG, GIF, BMP or WebP file",
    "dog/nothing.jpg": "image: is not an image that can be read: it is empty",
    "dog/short.jpg": "image: is not an image that can be read: it is damaged: ",
    "bird/d.jpg": "label: 'bird' is not one of 'cat', 'dog'",
}


def write_folder(folder: Path) -> None:
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def test_a_folder_of_images(spark: SparkSession, tmp_path: Path) -> None:
    dataset = ImageFolder("pets", CLASSES)
    write_folder(tmp_path)
    found = checked(dataset.read(spark, f"file://{tmp_path}"), dataset, (12, 12, 3))
    good = {key: row for key, row in found.items() if row["reason"] is None}
    assert {key: row["label"] for key, row in good.items()} == {"cat/a.jpg": 0, "cat/b c.PNG": 0, "dog/c.webp": 1}
    assert {tuple(row[SIZE.format("image")]) for row in good.values()} == {(30, 40)}
    np.testing.assert_array_equal(
        np.frombuffer(good["cat/b c.PNG"]["image"], np.uint8).reshape(12, 12, 3)[5, 5], [200, 30, 90]
    )
    bad = {key: row for key, row in found.items() if row["reason"]}
    assert bad.keys() == FAULTS.keys()
    for key, said in FAULTS.items():
        assert bad[key]["reason"].startswith(said)
        assert bad[key]["_raw"].endswith(key)
    for split in ("train", "eval"):
        keys = {row["path"] for row in dataset.read(spark, str(tmp_path), split).select("path").collect()}
        assert keys == {key for key in found if is_held_out(key) == (split == "eval")}
    with pytest.raises(BadInputError, match="does not exist"):
        dataset.read(spark, str(tmp_path / "elsewhere"))
    with pytest.raises(BadInputError, match="no synthetic stand-in"):
        dataset.generate(str(tmp_path), seed=1)


def test_a_folder_that_is_divided(spark: SparkSession, tmp_path: Path) -> None:
    dataset = ImageFolder("pets", CLASSES)
    for name in ("train/cat/1.png", "train/dog/2.png", "val/cat/3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(photograph("PNG"))
    for split, expected in (("train", {"train/cat/1.png": 0, "train/dog/2.png": 1}), ("eval", {"val/cat/3.png": 0})):
        found = checked(dataset.read(spark, str(tmp_path), split), dataset, (8, 8, 3))
        assert {key: row["label"] for key, row in found.items()} == expected


def write_archive(path: Path, members: dict[str, bytes], mode: str = "w") -> None:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def test_archives(spark: SparkSession, tmp_path: Path) -> None:
    dataset = ImageArchive("pets", CLASSES)
    members = {
        "a/0001.jpg": photograph(), "a/0001.cls": b"cat\n",
        "a/0002.json": json.dumps({"label": "dog"}).encode(), "a/0002.png": photograph("PNG"),
        "a/0003.cls": b"dog",
        "a/0004.jpg": b"damaged", "a/0004.cls": b"dog",
        "a/0005.jpg": photograph(), "a/0005.json": b"{",
        "a/0006.jpg": photograph(),
    }  # fmt: skip
    write_archive(tmp_path / "train-0.tar.gz", members, "w:gz")
    write_archive(tmp_path / "train-1.tar", {"b.jpg": photograph(), "b.cls": b"dog", "c.jpg": photograph(quality=100)})
    write_archive(tmp_path / "val-0.tar", {"d.jpg": photograph(), "d.cls": b"cat"})
    whole = (tmp_path / "train-1.tar").read_bytes()
    (tmp_path / "train-1.tar").write_bytes(whole[: whole.index(b"c.jpg") + 900])
    train = checked(dataset.read(spark, str(tmp_path), "train"), dataset, (8, 8, 3))
    assert {key: row["label"] for key, row in train.items() if not row["reason"]} == {
        "train-0.tar.gz/a/0001": 0.0,
        "train-0.tar.gz/a/0002": 1.0,
        "train-1.tar/b": 1.0,
    }
    reasons = {key: row["reason"] for key, row in train.items() if row["reason"]}
    assert reasons == {
        "train-0.tar.gz/a/0003": "no image among the members: 'cls'",
        "train-0.tar.gz/a/0004": FAULTS["dog/text.png"],
        "train-0.tar.gz/a/0005": "the member with the label cannot be read",
        "train-0.tar.gz/a/0006": "label: no value, and one is required",
        "train-1.tar/c…": "the archive breaks off: 'ReadError'",
    }
    assert dataset.read(spark, str(tmp_path), "eval").first()["path"] == "val-0.tar/d"
    # One archive alone is divided by its keys.
    split = [row["path"] for row in dataset.read(spark, str(tmp_path / "train-0.tar.gz"), "train").collect()]
    assert all(path.startswith("train-0.tar.gz") for path in split)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_header_of_an_archive_takes_no_more_than_a_name(kind: bytes, tmp_path: Path) -> None:
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = kind, 512 << 20
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(entry.tobuf()) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(512))
    (tmp_path / "bomb.tar.gz").write_bytes(packed + packer.flush())
    tracemalloc.start()
    try:
        (row,) = read_archive(str(tmp_path / "bomb.tar.gz"), None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert row.fault == "the archive breaks off: 'ReadError'"
    assert peak < 64 << 20


def test_an_archives_first_bytes_may_end_anywhere(tmp_path: Path) -> None:
    write_archive(tmp_path / "x.tar.gz", {"a.jpg": photograph()}, "w:gz")
    whole = bytearray((tmp_path / "x.tar.gz").read_bytes())
    whole[3] |= 4  # says that more of the header follows
    for length in range(1, 40):
        (tmp_path / "x.tar.gz").write_bytes(whole[:length])
        (row,) = read_archive(str(tmp_path / "x.tar.gz"), None)
        assert (row.fault or "").startswith("the archive breaks off")


MEMBERS = {
    "a/1.jpg": b"x" * 600,
    "a/1.cls": b"cat",
    f"{'b' * 90}/{'n' * 80}ä.json": b'{"cls": "dog"}',
    "c.png": b"y",
}
PLAIN = [("w", form) for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)]
FORMS = [*PLAIN, *((f"w:{codec}", tarfile.GNU_FORMAT) for codec in ("gz", "bz2", "xz"))]


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """An archive with some bytes changed, cut out or doubled, mostly in the headers of its members."""
    data = bytearray(content)
    for _ in range(random.integers(1, 5)):
        place = 512 * int(random.integers(0, len(data) // 512 + 1)) + int(random.choice([*range(160), 345, 500]))
        place %= len(data)
        match random.integers(0, 4):
            case 0:
                data[place] = int(random.choice([0, 32, 48, 55, 120, 128, 255, random.integers(0, 256)]))
            case 1:
                data[place : place + 12] = random.bytes(12)
            case 2:
                del data[place : place + int(random.choice([1, 8, 512]))]
            case 3:
                data[place:place] = data[place : place + int(random.choice([1, 8, 512]))]
        data = data or bytearray(1)
    if random.integers(0, 2):  # or the checksum would refuse nearly all of them
        for start in range(0, len(data) - 511, 512):
            if data[start + 257 : start + 262] == b"ustar":
                total = sum(data[start : start + 148]) + sum(data[start + 156 : start + 512]) + 8 * 32
                data[start + 148 : start + 156] = b"%06o\0 " % total
    return bytes(data)


@pytest.mark.parametrize(
    "rounds", [400, pytest.param(1_000_000, marks=[pytest.mark.slow, pytest.mark.timeout(6 * 3600)])]
)
def test_mutated_archives_are_read_or_break_off(rounds: int, tmp_path: Path) -> None:
    """The seed of each round is its number, so that a round that failed is repeated alone."""
    seeds = []
    for form, mode in FORMS:
        sink = io.BytesIO()
        with tarfile.open(fileobj=sink, mode=form, format=mode) as archive:
            for name, content in MEMBERS.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        seeds.append(sink.getvalue()[:8192])
    file = tmp_path / "mutated.tar"
    for number in range(rounds):
        content = mutated(seeds[number % len(seeds)], np.random.default_rng(number))
        file.write_bytes(content)
        try:
            for row in read_archive(str(file), None):
                row.key.encode()
                assert row.image is not None or row.fault
        except Exception as error:
            raise AssertionError(f"round {number}") from error


class _Server(BaseHTTPRequestHandler):
    """Good images, missing ones, and an address that works at the third attempt."""

    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        self.asked[self.path] += 1
        status = 404 if "missing" in self.path else 503 if "busy" in self.path and self.asked[self.path] < 3 else 200
        body = photograph() if status == 200 else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    http = HTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


def test_a_table_of_addresses(spark: SparkSession, tmp_path: Path, server: str) -> None:
    dataset = ImageTable("pets", CLASSES)
    write_folder(tmp_path)
    rows = {
        f"{server}/good.jpg": ("cat", None),
        f"{server}/busy.jpg": ("dog", None),
        f"{server}/missing.jpg": ("dog", "cannot be fetched: the server answered 404"),
        "http://127.0.0.1:9/nobody.jpg": ("dog", "cannot be fetched: 'MaxRetryError: "),
        "cat/a.jpg": ("cat", None),
        str(tmp_path / "dog" / "c.webp"): ("dog", None),
        "dog/nowhere.jpg": ("dog", "cannot be fetched: "),
        "dog/text.png": ("dog", FAULTS["dog/text.png"]),
    }
    (tmp_path / "table").mkdir()
    lines = ["image,label", *(f"{address},{label}" for address, (label, _) in rows.items())]
    (tmp_path / "pets.csv").write_text("\n".join(lines) + "\n")
    found = checked(dataset.read(spark, str(tmp_path / "pets.csv")), dataset, (8, 8, 3))
    assert found.keys() == rows.keys()
    for address, (label, fault) in rows.items():
        if fault is None:
            assert (found[address]["reason"], found[address]["label"]) == (None, float(CLASSES.index(label)))
        else:
            assert found[address]["reason"].startswith(fault), found[address]["reason"]
    (tmp_path / "other.csv").write_text("picture,label\nx,cat\n")
    with pytest.raises(BadInputError, match="no column 'image'"):
        dataset.read(spark, str(tmp_path / "other.csv"))


def test_a_table_of_bytes(spark: SparkSession, tmp_path: Path) -> None:
    dataset = ImageTable("pets", CLASSES)
    rows = [(photograph(), "cat", "train"), (photograph("PNG"), "dog", "eval"), (b"nothing", "dog", "train")]
    spark.createDataFrame(rows, "image binary, label string, split string").write.parquet(f"{tmp_path}/pets")
    found = checked(dataset.read(spark, f"{tmp_path}/pets", "train"), dataset, (8, 8, 3))
    assert sorted((row["label"], row["reason"]) for row in found.values() if not row["reason"]) == [(0.0, None)]
    assert [row["reason"] for row in found.values() if row["reason"]] == [FAULTS["dog/text.png"]]
    assert dataset.read(spark, f"{tmp_path}/pets", "eval").count() == 1


@pytest.mark.slow
def test_made_up_shapes_are_a_folder_with_a_known_best_score(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapes, "FILES", {"train": 20, "eval": 10})
    best = shapes.DATASET.generate(str(tmp_path), seed=1)
    assert shapes.DATASET.synthetic(str(tmp_path)) == best
    found = checked(shapes.DATASET.read(spark, str(tmp_path), "eval"), shapes.DATASET, (32, 32, 3))
    assert len(found) == 10
    assert {row["reason"] for row in found.values()} == {None}


def test_a_folder_of_images_and_masks(spark: SparkSession, tmp_path: Path) -> None:
    masks = MaskFolder("tumours")
    for split, names in (("train", ("a", "b.c")), ("test", ("a",))):
        for name in names:
            (tmp_path / split / "images" / "deep").mkdir(parents=True, exist_ok=True)
            (tmp_path / split / "masks" / "deep").mkdir(parents=True, exist_ok=True)
            (tmp_path / split / "images" / "deep" / f"{name}.jpg").write_bytes(photograph())
            (tmp_path / split / "masks" / "deep" / f"{name}.png").write_bytes(photograph("PNG", (len(name),) * 3))
    (tmp_path / "train" / "images" / "alone.jpg").write_bytes(photograph())
    found = masks.read(spark, str(tmp_path), "train").collect()
    assert {row["path"]: row["marked"] for row in found} == {
        "train/images/deep/a.jpg": "1",
        "train/images/deep/b.c.jpg": "1",
        "train/images/alone.jpg": None,
    }
    for row in found:
        if row["marked"]:
            name = row["path"].removeprefix("train/images/").removesuffix(".jpg")
            assert bytes(row["mask"]) == (tmp_path / "train" / "masks" / f"{name}.png").read_bytes()
    assert [row["path"] for row in masks.read(spark, str(tmp_path), "eval").collect()] == ["test/images/deep/a.jpg"]
    assert masks.read(spark, str(tmp_path)).count() == 4
    columns = (ImageColumn("image", 30, 40), ImageColumn("mask", 30, 40, 1))
    rows = check_rows(masks.read(spark, str(tmp_path), "train"), sized(columns, masks.schema), labelled=True).collect()
    assert sorted(row["reason"] or "" for row in rows) == ["", "", "marked: no value, and one is required"]
    with pytest.raises(BadInputError, match=r"masks/0001\.png"):
        masks.read(spark, str(tmp_path / "nowhere"))


def test_made_up_masks_are_where_the_shapes_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes_segmentation, "FILES", {"train": 2, "eval": 1})
    shapes_segmentation.DATASET.generate(str(tmp_path), seed=1)
    for file in sorted(tmp_path.glob("*/images/*.png")):
        with Image.open(file) as picture, Image.open(str(file).replace("images", "masks")) as mask:
            inside, bright = np.asarray(mask) > 0, np.asarray(picture).astype(float).mean(axis=-1)
        assert 0.05 < inside.mean() < 0.7
        assert bright[inside].mean() > bright[~inside].mean() + 30
    assert len(list(tmp_path.glob("*/images/*.png"))) == 3
