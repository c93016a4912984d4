"""How CSV files are written, told from their first bytes: every dialect that people have, or a refusal that helps."""

import pytest

from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.readers.tables.csv_dialect import Dialect, sniff
from emberline.pipelines.datasets.readers.tables.table_format import TableFormat


def look(data: bytes, expected: tuple[str, ...] = (), **options: str) -> Dialect:
    return sniff(data, True, TableFormat("csv", options).csv, expected, "'rows.csv'")


@pytest.mark.parametrize("sep", [",", ";", "\t", "|"])
def test_separators_are_recognised(sep: str) -> None:
    lines = ["id", "town", "sold"], ["1", '"Ulm, Bonn; Kiel|\tRiga"', "yes"], ["2", "Bonn", "no"]
    found = look("\n".join(sep.join(line) for line in lines).encode())
    assert (found.sep, found.names, found.header) == (sep, ("id", "town", "sold"), True)


def test_decimal_commas_are_recognised_where_a_column_has_nothing_else() -> None:
    assert look(b"id;x\n1;0,5\n2;7\n3;-1,25\n").decimal == ","
    assert look(b"id;x\n1;0,5 kg\n2;7\n").decimal == "."
    assert look(b"id,x\n1,0.5\n").decimal == "."


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("\ufeffid,town\n1,Köln\n".encode(), "utf-8"),
        ("id,town\n1,Köln\n".encode("utf-16"), "utf-16-le"),
        ("id,town\n1,Köln\n".encode("utf-16-be"), "utf-16-be"),
    ],
)
def test_encodings_with_evidence_are_recognised(data: bytes, encoding: str) -> None:
    found = look(data)
    assert (found.encoding, found.names) == (encoding, ("id", "town"))


def test_other_encodings_are_refused_with_the_line_or_said() -> None:
    data = "id,town\n1,Ulm\n2,Köln\n".encode("latin-1")
    with pytest.raises(BadInputError, match=r"is not utf-8: line 3 holds the byte 0xf6.*'2,Köln'.*encoding="):
        look(data)
    assert look(data, encoding="latin-1").encoding == "iso8859-1"
    with pytest.raises(BadInputError, match=r"is no text: a zero byte in line 2"):
        look(b"id,x\n1,\0\n" + b"2,3\n" * 20)


def test_comments_before_and_within() -> None:
    found = look(b'# made on Monday, by me\n# "x\nid,x\n1,2\n# half\n3,4\n')
    assert (found.names, found.comment, found.sure_comments) == (("id", "x"), "#", False)
    assert look(b"#id,x\n1,2\n").names == ("id", "x")
    assert look(b"id,colour\n1,#ff0000\n#2,#00ff00\n").comment == ""
    assert look(b";x\nid,x\n1,2\n", comment=";").names == ("id", "x")


def test_a_header_is_told_from_a_row() -> None:
    iris = b"5.1,3.5,setosa\n4.9,3.0,virginica\n"
    assert look(iris, ("species",)).names == ("column_1", "column_2", "column_3")
    assert look(iris, names="a,b,species").names == ("a", "b", "species")
    assert look(b"country,2019,2020\nA,1,2\n", ("country",)).names == ("country", "2019", "2020")
    assert look(b"a,b\nc,d\n", header="no").names == ("column_1", "column_2")
    with pytest.raises(BadInputError, match="has 3 fields in a record, and --option names gives 2"):
        look(iris, names="a,b")


def test_names_are_told_apart_as_pandas_does() -> None:
    assert look(b" a ,a,,b c\n1,2,3,4\n").names == ("a", "a.1", "Unnamed: 2", "b c")


def test_headers_of_other_widths() -> None:
    assert look(b"a;b;c\n1;2;3;\n4;5;6;\n").names == ("a", "b", "c", "")
    assert look(b'"a","b"\n"1",2,3\n"2",4,5\n').names == ("Unnamed: 0", "a", "b")
    with pytest.raises(BadInputError, match=r"begins with a line of 1 fields, and the lines after it have 3.*skip=N"):
        look(b"Report of 2020\n\nid,x,y\n1,2,3\n4,5,6\n")
    report = look(b"Report of 2020\n\nid,x,y\n1,2,3\n4,5,6\n", skip="2")
    assert (report.names, report.start) == (("id", "x", "y"), len(b"Report of 2020\n\nid,x,y\n"))


def test_records_behind_the_header_that_are_no_rows() -> None:
    found = look(b"a,b\nreal,kind\n1,2\n", skip_rows="1")
    assert found.start == len(b"a,b\nreal,kind\n")


def test_one_column_may_hold_commas() -> None:
    assert look(b"text\nhello, you\nwho, are, you\nx\n").names == ("text",)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seperator": ";"}, "Known: comment, decimal"),
        ({"sep": ";;"}, "a single ASCII character"),
        ({"header": "maybe"}, "yes or no"),
        ({"encoding": "utf-9"}, "unknown encoding"),
        ({"skip": "-1"}, "a number of lines"),
        ({"decimal": ";"}, r"\. or ,"),
        ({"names": "a,a"}, "different names"),
    ],
)
def test_options_that_do_not_exist(options: dict[str, str], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        TableFormat("csv", options)
    with pytest.raises(BadInputError, match="Unknown format 'exel'"):
        TableFormat("exel")
    with pytest.raises(BadInputError, match="takes no options"):
        TableFormat("orc", {"sep": ";"})


def test_lines_of_kinds_and_roles_are_no_rows() -> None:
    """The two lines that Orange writes below a header."""
    data = b"age,pain,sick\ncontinuous,typical\\ ang other,discrete\n,,class\n63.0,other,0\n67.0,other,1\n"
    found = look(data)
    assert found.names == ("age", "pain", "sick")
    assert data[found.start :] == b"63.0,other,0\n67.0,other,1\n"
    assert "the two lines after its header say kinds and roles of columns, and are no rows" in found.evidence
    assert look(data, skip_rows="0").start == data.index(b"continuous")


@pytest.mark.parametrize(
    "below",
    [
        b"continuous,discrete\n,second\n",
        b"continuous,discrete\n,\n",
        b"some,words\n,class\n",
        b"continuous,discrete\ncontinuous,class\n",
        b"continuous,discrete\n",
    ],
)
def test_words_that_only_look_like_kinds_are_rows(below: bytes) -> None:
    assert look(b"kind,role\n" + below).start == len(b"kind,role\n")
