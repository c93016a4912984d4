"""What columns have in common that store numbers of raw fields and learn nothing."""

from emberline.features.columns.contract import StoredType
from emberline.features.statistics import Need


class FieldColumn:
    """A mixin: called like its one raw field unless it has a name of its own, stored as floats, without statistics.

    A column overrides what differs.

    Attributes:
        field: The raw field.
        called: Name of the stored column, where it is not the field's.
    """

    field: str
    called: str = ""

    @property
    def name(self) -> str:
        return self.called or self.field

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.field,)

    @property
    def needs(self) -> tuple[Need, ...]:
        return ()

    @property
    def stored_type(self) -> StoredType:
        return "float32"
