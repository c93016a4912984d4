"""Addresses of tables that are more than files, with the version to read: of Spark's catalogs, of Delta, of Iceberg.

table:lake.shop.orders@v5930218452    what the session's catalogs know (--table lake.shop.orders)
delta:hdfs:///lake/orders@v12         a folder of Delta Lake
iceberg:lake.shop.orders@v5930218452  a table of a catalog of PyIceberg
"""

import re
from dataclasses import dataclass, replace

TABLE, DELTA, ICEBERG = "table", "delta", "iceberg"
KINDS = (TABLE, DELTA, ICEBERG)

_VERSION = re.compile(r"@v(\d+)$")


@dataclass(frozen=True)
class TableAddress:
    """Where a table is.

    Args:
        kind: One of `KINDS`.
        name: In its catalog; of `delta` the URI of its folder.
        version: Delta's version, Iceberg's snapshot; None: the newest, or a table that has none.

    Example:
        >>> TableAddress.parse("delta:file:///lake/orders@v12")
        TableAddress(kind='delta', name='file:///lake/orders', version=12)
        >>> TableAddress.parse("file:///lake/orders.parquet") is None
        True
    """

    kind: str
    name: str
    version: int | None = None

    @classmethod
    def parse(cls, uri: str) -> "TableAddress | None":
        """Returns the address that a URI is; None for files."""
        kind, colon, name = uri.partition(":")
        if not colon or kind not in KINDS:
            return None
        found = _VERSION.search(name)
        return cls(kind, name[: found.start()], int(found[1])) if found else cls(kind, name)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" + ("" if self.version is None else f"@v{self.version}")

    def at(self, version: int | None) -> "TableAddress":
        """Returns the address of one version."""
        return replace(self, version=version)

    @property
    def folder(self) -> str:
        """URI of the folder that holds it; empty if the catalog alone knows."""
        return self.name if self.kind == DELTA else ""
