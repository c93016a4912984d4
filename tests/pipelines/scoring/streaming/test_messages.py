"""Messages: what is read together is what Python's own JSON reads one by one, and what is wrong is said."""

import base64
import hashlib
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberline.features.schema import Field
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.scoring.streaming.messages import MESSAGE, ORIGIN, MessageReader

FIELDS = (
    Field("age", "integer"),
    Field("town", "string"),
    Field("amount", "float"),
    Field("tags", "string", many=True),
    Field("pixels", "float", shape=(2,)),
)
READER = MessageReader(FIELDS, "row", ("day",))
GOOD = {"row": "a", "age": 1, "town": "Ulm", "amount": 1.5, "tags": ["x"], "pixels": [1.0, 2.0], "day": "mon", "b": {}}


def batch(messages: list[bytes | None]) -> pa.RecordBatch:
    places = [pa.array(["t"] * len(messages)), pa.array([0] * len(messages)), pa.array(range(len(messages)))]
    columns = [pa.array(messages, pa.binary()), *places, pa.nulls(len(messages), pa.string())]
    return pa.RecordBatch.from_arrays(columns, names=[MESSAGE, *ORIGIN, "row"])


def read(messages: list[bytes | None]) -> tuple[list[dict[str, Any]], list[bool]]:
    rows, understood = READER.typed(batch(messages))
    assert rows.num_rows == len(messages)
    assert rows.column(ORIGIN[2]).to_pylist() == list(range(len(messages)))
    return rows.to_pylist(), understood.tolist()


def faults(*messages: bytes | None) -> list[str | None]:
    (found,) = READER.texts([batch(list(messages))])
    return [row[FAULT] for row in found.to_pylist()]


def encoded(**changes: Any) -> bytes:
    return json.dumps(GOOD | changes).encode()


def test_good_messages_become_columns() -> None:
    ((first, second), understood) = read([encoded(), encoded(age=None, town="Zürich", row=None)])
    assert understood == [True, True]
    wanted = {name: value for name, value in GOOD.items() if name != "b"}
    assert {name: first[name] for name in wanted} == wanted
    assert (second["age"], second["town"]) == (None, "Zürich")
    assert second["row"] == hashlib.sha256(second[MESSAGE]).hexdigest()[:16]


def test_keys_that_are_numbers_are_texts() -> None:
    rows, understood = read([encoded(row=number, day=3) for number in range(200)])
    assert all(understood)
    assert [row["row"] for row in rows] == [str(number) for number in range(200)]
    assert {row["day"] for row in rows} == {"3"}


ODD = [
    None, b"", b"null", b"[1]", b'"text"', b"{", b"{}", b'{"other": 1}', b'{"age": 1} {"age": 2}', b'{"age": 1}}',
    b'{"age": 1', b'{"age": "\xff"}', b'{"_number": 1, "age": 1}', encoded(age="1"), encoded(age=1.5), encoded(town=7),
    encoded(tags="x"), encoded(tags=[["x"]]), encoded(town={"a": 1}), encoded(amount=True), encoded(age=2**70),
    b'{"age": 1, "age": 2}', b'{"amount": NaN}', b'{"zz": [', b']}', b'{"a": "\n"}', b'{"tags": [null]}',
    b'\xef\xbb\xbf{"age": 1}', b'{"town": "\\ud800"}', b'{"age": 1}\n{"age": 2}', b"{" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_an_odd_message_never_touches_its_neighbours(odd: bytes | None) -> None:
    messages = [encoded(row=f"k{number}", age=number) for number in range(300)]
    messages[150:150] = [odd]
    rows, understood = read(messages)
    for place, row in enumerate(rows):
        if understood[place] and place != 150:
            number = place - (place > 150)
            assert (row["row"], row["age"]) == (f"k{number}", number)
    assert np.count_nonzero(understood) >= 300 - 64
    if understood[150]:  # then one by one it is read alike
        assert odd is not None
        assert isinstance(json.loads(odd), dict)
        assert faults(odd) == [None]


@given(st.lists(st.sampled_from([*ODD, encoded(), encoded(row=5)]), max_size=200))
def test_no_mixture_shifts_a_row(messages: list[bytes | None]) -> None:
    rows, understood = read(messages)
    for message, row, sure in zip(messages, rows, understood, strict=True):
        if sure:
            assert message is not None
            values = json.loads(message)
            for name in ("age", "town", "amount", "tags", "pixels"):
                assert row[name] == values.get(name)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_have_a_fault(message: bytes) -> None:
    rows, (understood,) = read([message])
    (fault,) = faults(message)
    if understood:
        assert fault is None
        values = json.loads(message)
        assert all(rows[0][field.name] == values.get(field.name) for field in FIELDS)


def test_what_is_wrong_is_said() -> None:
    found = faults(
        None, b"{", b"[1]", b"\xff", b'{"other": 1}', b"{" * 100_000, encoded(town={"a": "it's"}), encoded(tags=1),
        b'{"age": 1} x',
    )  # fmt: skip
    assert found == [
        "the message is empty",
        "the message is no JSON at character 1: Expecting property name enclosed in double quotes",
        "the message is no JSON object",
        "the message is no UTF-8 at byte 0",
        "the message has no field of the model, such as age",
        found[5],
        """town: '{"a": "it’s"}' is not a single value""",
        "tags: '1' is not an array",
        "the message is no JSON at character 11: Extra data",
    ]
    assert found[5] is not None
    (rows,) = READER.texts([batch([encoded(age=39, tags=[1, True, None])])])
    (row,) = rows.to_pylist()
    assert (row["age"], row["tags"], row["pixels"]) == ("39", ["1", "true", None], ["1.0", "2.0"])
    assert (row[SOURCE], row[RAW], row["day"]) == ("t/0/0", encoded(age=39, tags=[1, True, None]).decode(), "mon")


def test_files_are_base64() -> None:
    reader = MessageReader((Field("photo", "image", shape=(1, 1, 1)),), "row")
    messages = [json.dumps({"row": "a", "photo": text}).encode() for text in (base64.b64encode(b"\x07").decode(), "?")]
    rows, understood = reader.typed(batch([*messages]))
    assert rows.column("photo").to_pylist() == [b"\x07", None]
    assert understood.tolist() == [True, False]
    (texts,) = reader.texts([batch([*messages])])
    assert [row["photo"] for row in texts.to_pylist()] == [b"\x07", None]
    assert texts.column(FAULT).to_pylist() == [None, "photo: '?' is not base64"]
