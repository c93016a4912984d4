"""What is in a folder: the table, what its folders say, and what else lies there."""

from pathlib import Path

import pytest

from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.readers.tables.table_files import TableFiles, table_files


def folder(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a,b\n1,2\n")
    return root


def names(found: TableFiles, root: Path) -> list[str]:
    return [file.uri.removeprefix(f"{root}/") for file in found.files]


def test_what_spark_and_notebooks_leave_is_skipped_at_every_depth(tmp_path: Path) -> None:
    folder(
        tmp_path,
        "a.csv",
        "_spark_metadata/0",
        "_temporary/0/b.csv",
        "2020/.crc/c.csv",
        ".ipynb_checkpoints/a-checkpoint.csv",
        "2020/01/d.csv",
        "2020/_SUCCESS",
        "f.csv",
    )
    found = table_files(str(tmp_path))
    assert (found.format, names(found, tmp_path), found.others) == ("csv", ["2020/01/d.csv", "a.csv", "f.csv"], [])


def test_other_files_are_told(tmp_path: Path) -> None:
    folder(tmp_path, "rows.csv", "README.md", "data_description.txt", "MD5SUMS", "rows.csv.md5")
    found = table_files(str(tmp_path))
    assert names(found, tmp_path) == ["rows.csv"]
    assert sorted(found.others) == ["MD5SUMS", "README.md", "data_description.txt", "rows.csv.md5"]


def test_files_without_a_telling_name_are_a_table_where_nothing_else_is(tmp_path: Path) -> None:
    folder(tmp_path, "part-00000", "rows.data", "README")
    found = table_files(str(tmp_path))
    assert (found.format, names(found, tmp_path)) == ("csv", ["part-00000", "rows.data"])
    (tmp_path / "more").mkdir()
    folder(tmp_path, "more/rows.parquet")
    assert names(table_files(str(tmp_path)), tmp_path) == ["more/rows.parquet"]


def test_two_tables_in_one_folder_are_refused_or_one_is_said(tmp_path: Path) -> None:
    folder(tmp_path, "a.csv", "b.json")
    with pytest.raises(BadInputError, match=r"several formats \(csv: 'a.csv'; json: 'b.json'\). Give --input-format"):
        table_files(str(tmp_path))
    assert names(table_files(str(tmp_path), "json"), tmp_path) == ["b.json"]


def test_no_table(tmp_path: Path) -> None:
    folder(tmp_path, "a.xlsx")
    with pytest.raises(BadInputError, match=r"no table that is known by its name: 'a.xlsx'.*--input-format"):
        table_files(str(tmp_path))
    with pytest.raises(BadInputError, match="the path does not exist"):
        table_files(str(tmp_path / "absent"))


def test_folders_that_say_something(tmp_path: Path) -> None:
    folder(tmp_path, "zip=01001/at=10%3A30/a.csv", "zip=__HIVE_DEFAULT_PARTITION__/at=1+1/b.csv")
    found = table_files(str(tmp_path))
    assert [dict(file.values) for file in found.files] == [{"zip": "01001", "at": "10:30"}, {"zip": None, "at": "1+1"}]
    assert found.value_names == ("zip", "at")
    folder(tmp_path, "c.csv")
    with pytest.raises(BadInputError, match=r"have different names \(none: 'c.csv'; at and zip: "):
        table_files(str(tmp_path))


def test_a_file_that_is_named_is_taken_whatever_its_name(tmp_path: Path) -> None:
    folder(tmp_path, "_x[1]{a}*?.csv")
    found = table_files(str(tmp_path / "_x[1]{a}*?.csv"))
    assert [file.uri for file in found.files] == [str(tmp_path / "_x[1]{a}*?.csv")]
    assert found.files[0].compression == ""
