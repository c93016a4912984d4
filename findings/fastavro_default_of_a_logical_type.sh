#!/usr/bin/env bash
# fastavro 1.13.1: a field that the reader's schema adds gets its default as it stands in the schema's JSON, not as a
# value of its type: bytes come as text, a decimal as the text of its bytes, a date as a whole number. The same default
# arrives as a date where the writer filled it in: a table of old and new files holds two types in one column, days
# since 1970 beside dates. Apache's own library (avro 1.12.2) gives bytes, and wrong ones: two, the UTF-8 of U+00FF,
# where Avro's specification asks for the one byte FF.
#
# Seen, of defaults of 1 day, 0.01 and the byte FF: fastavro 1, '\x01', 'ÿ'; filled in by its writer 1970-01-02; avro
#   b'\xc3\xbf'
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet fastavro==1.13.1 avro==1.12.2
found=$("$folder/venv/bin/python" -W ignore - <<'PYTHON'
import io
import json

import avro.datafile
import avro.io
import avro.schema
import fastavro

DATE = {"type": "int", "logicalType": "date"}
AMOUNT = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}


def schema(*fields):
    return {"type": "record", "name": "row", "fields": [{"name": "id", "type": "long"}, *fields]}


def written(rows, *fields):
    file = io.BytesIO()
    fastavro.writer(file, schema(*fields), rows)
    file.seek(0)
    return file


day = {"name": "day", "type": DATE, "default": 1}
raw = {"name": "raw", "type": "bytes", "default": "\u00ff"}
amount = {"name": "amount", "type": AMOUNT, "default": "\u0001"}
(row,) = fastavro.reader(written([{"id": 1}]), schema(day, amount, raw))
(filled,) = fastavro.reader(written([{"id": 1}], day))
reader = avro.io.DatumReader(readers_schema=avro.schema.parse(json.dumps(schema(raw))))
(other,) = avro.datafile.DataFileReader(written([{"id": 1}]), reader)
print(f"fastavro {row['day']!r}, {row['amount']!r}, {row['raw']!r}; written {filled['day']}; avro {other['raw']!r}")
PYTHON
)
echo "fastavro 1.13.1: $found"
[ "$found" = "fastavro 1, '\\x01', 'ÿ'; written 1970-01-02; avro b'\\xc3\\xbf'" ]
