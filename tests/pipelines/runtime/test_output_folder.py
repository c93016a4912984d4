"""Outputs never eat inputs, replace only their own kind, and staging of the dead is swept."""

import json
import os
from pathlib import Path

import pytest

from emberline.features.errors import BadInputError
from emberline.pipelines.runtime.claim import OutputBusyError, claim
from emberline.pipelines.runtime.output_folder import EXPORT, REPORT, new_folder, require_apart, staging_folder


def report(folder: Path, text: str = "old") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps({"accepted": True, "rows_read": 1, "text": text}))


def publish(output: Path, *, overwrite: bool = True, **reads: str | None) -> None:
    with new_folder(str(output), REPORT, overwrite=overwrite, reads=reads) as made:
        report(Path(made.staging), "new")
        made.publish()


@pytest.mark.parametrize(
    ("output", "how"),
    [("data", "holds"), ("data/raw", "is the same as"), ("data/raw/out", "lies in"), ("link", "holds")],
)
def test_an_output_that_is_or_holds_or_lies_in_an_input(tmp_path: Path, output: str, how: str) -> None:
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "raw" / "rows.csv").write_text("1\n")
    (tmp_path / "link").symlink_to("data")
    report(tmp_path / "data")
    with pytest.raises(BadInputError, match=rf"{how} --input .*, which is read"):
        publish(tmp_path / output, **{"--input": f"file://{tmp_path}/data/raw"})
    assert (tmp_path / "data" / "raw" / "rows.csv").read_text() == "1\n"


def test_the_predecessor_may_be_the_output_and_nothing_around_it(tmp_path: Path) -> None:
    require_apart(str(tmp_path / "v1"), {"--previous": str(tmp_path / "v1")}, allow_same=True)
    with pytest.raises(BadInputError, match="holds"):
        require_apart(str(tmp_path), {"--previous": str(tmp_path / "v1")}, allow_same=True)
    require_apart(str(tmp_path), {"--model": "models:/m@champion", "--dataset": None})


def test_only_the_same_kind_is_replaced(tmp_path: Path) -> None:
    report(tmp_path / "mine")
    publish(tmp_path / "mine")
    assert json.loads((tmp_path / "mine" / "report.json").read_text())["text"] == "new"
    (tmp_path / "diary.txt").write_text("dear diary")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "report.json").write_text("[]")
    for name, reason in (("diary.txt", "is a file"), ("foreign", "is no report of validate")):
        with pytest.raises(BadInputError, match=reason):
            publish(tmp_path / name)
    with (
        pytest.raises(BadInputError, match="is no folder of an exported model"),
        new_folder(str(tmp_path / "mine"), EXPORT, overwrite=True, reads={}),
    ):
        pass
    with pytest.raises(BadInputError, match="already exists"):
        publish(tmp_path / "mine", overwrite=False)
    with pytest.raises(BadInputError, match=r"cannot be written: (Not a directory|File exists)"):
        publish(tmp_path / "diary.txt" / "below")
    assert (tmp_path / "diary.txt").read_text() == "dear diary"
    (tmp_path / "empty").mkdir()
    publish(tmp_path / "empty")
    assert sorted(os.listdir(tmp_path)) == ["diary.txt", "empty", "foreign", "mine"]


def test_what_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    with new_folder(str(tmp_path / "out"), REPORT, overwrite=False, reads={}) as made:
        report(Path(made.staging), "mine")
        report(tmp_path / "out", "somebody's, by an older version without claims")
        with pytest.raises(BadInputError, match="already exists"):
            made.publish()
    assert "somebody's" in (tmp_path / "out" / "report.json").read_text()
    assert os.listdir(tmp_path) == ["out"]


def test_two_at_once(tmp_path: Path) -> None:
    with new_folder(str(tmp_path / "out"), REPORT, overwrite=True, reads={}) as made:
        report(Path(made.staging), "first")
        with pytest.raises(OutputBusyError, match="Another process writes"):
            publish(tmp_path / "out")
        made.publish()
    assert "first" in (tmp_path / "out" / "report.json").read_text()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_nothing_stays_whatever_ends_it(error: type[BaseException], tmp_path: Path) -> None:
    def fail() -> None:
        with new_folder(str(tmp_path / "out"), REPORT, overwrite=True, reads={}) as made:
            report(Path(made.staging))
            raise error

    with pytest.raises(error):
        fail()
    assert os.listdir(tmp_path) == []


def test_staging_of_the_dead_is_swept_and_that_of_the_living_is_not(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    (tmp_path / ".out.staging-dead0000.claim").write_text('{"holder": "somebody"}')  # unlocked: its owner has died
    names = ("dead0000", "nobodys0", "old00000", "alive000")
    for name in names:
        report(tmp_path / f"out.staging-{name}")
    for path in (tmp_path / "out.staging-old00000" / "report.json", tmp_path / "out.staging-old00000"):
        os.utime(path, (1_000_000, 1_000_000))
    with claim(f"{out}.staging-alive000", contested=False), staging_folder(out) as mine:
        left = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")} - {Path(mine).name}
    assert left == {"out.staging-nobodys0", "out.staging-alive000"}


def test_raw_rows_are_their_owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def modes(mode: str | None) -> list[int]:
        if mode:
            monkeypatch.setenv("EMBERLINE_RAW_MODE", mode)
        with new_folder(str(tmp_path / "out"), REPORT, overwrite=True, reads={}) as made:
            staging = Path(made.staging)
            assert staging.stat().st_mode & 0o777 == int(mode or "700", 8)
            (staging / "rejected").mkdir()
            (staging / "rejected" / "part-0.parquet").write_text("as it came")
            (staging / "examples.parquet").write_text("as it came")
            report(staging)
            made.publish()
        paths = ("", "rejected", "rejected/part-0.parquet", "examples.parquet", "report.json")
        return [(tmp_path / "out" / path).stat().st_mode & 0o777 for path in paths]

    before = os.umask(0o022)
    try:
        assert modes(None) == [0o755, 0o700, 0o600, 0o600, 0o644]
        assert modes("750") == [0o755, 0o750, 0o640, 0o640, 0o644]
        with pytest.raises(BadInputError, match="is no mode of folders"):
            modes("rwx")
    finally:
        os.umask(before)
