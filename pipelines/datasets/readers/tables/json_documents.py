"""Whether a JSON file holds a row per line, or all of them in one document."""

import json

from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.readers.tables.table_files import TableFile
from emberline.pipelines.datasets.readers.tables.text_stream import open_plain

LINES, DOCUMENT = "lines", "document"
HEAD_BYTES = 64 << 10


def json_kind(file: TableFile, name: str) -> str:
    """Returns `lines`, or `document` for one list of rows.

    Raises:
        BadInputError: for a document of another kind.
    """
    with open_plain(file) as stream:
        head = bytes(stream.read(HEAD_BYTES))
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        return DOCUMENT
    line, _, rest = text.partition(b"\n")
    try:
        row = json.loads(line)
    except ValueError:
        row = None if line.strip() in (b"{", b"") else {}
    nested = isinstance(row, dict) and row and all(isinstance(value, dict | list) for value in row.values())
    if row is None or (nested and not rest.strip() and len(head) < HEAD_BYTES):
        raise BadInputError(
            f"{name!r} is one JSON document, not JSON lines, and no list of rows: write a row per line "
            '(pandas: to_json(..., orient="records", lines=True)), or a list of rows.'
        )
    return LINES
