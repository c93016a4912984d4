"""Images: bytes of a file, or bare pixels, to a picture of one size."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from emberline.features.columns.contract import Transform, check_field
from emberline.features.columns.field_column import FieldColumn
from emberline.features.errors import BadInputError
from emberline.features.schema import Resize, Schema
from emberline.features.statistics import Statistics

if TYPE_CHECKING:
    import tensorflow as tf

    from emberline.features.columns.raw_tensors import RawTensors

StoredAs: TypeAlias = Literal["pixels", "png", "jpeg"]


@dataclass(frozen=True)
class Image(FieldColumn):
    """A picture, upright and of one size, stored as bytes or as a file: never as floats, which take four times as much.

    Args:
        field: Raw image field: a JPEG, PNG, GIF, BMP or WebP file, or bare pixels of exactly this height, width and
            number of channels, row by row.
        height: Of the picture that is stored, in pixels.
        width: The same.
        channels: 3 for red, green and blue, 1 for grey; a picture that has others is converted.
        resize: How a picture of another shape is made to fit: `crop` keeps its middle, `pad` keeps all of it within
            black bars, `stretch` distorts it.
        stored_as: `pixels` are a byte each and cost nothing to read. A `png` is smaller and the same to the bit; a
            `jpeg` is far smaller, and not quite the picture that the exported model sees. Both are decoded in every
            epoch.

    Example:
        >>> from emberline.features.columns import Image
        >>> from emberline.features.preview import preview
        >>> from emberline.features.schema import Field
        >>> pixels = {"picture": [bytes([0, 255])]}
        >>> preview([Image("picture", height=1, width=2, channels=1)], pixels, [Field("picture", "image")])
        {'picture': [[0, 255]]}
    """

    field: str
    height: int
    width: int
    channels: int = 3
    resize: Resize = "crop"
    stored_as: StoredAs = "pixels"

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1 or self.channels not in (1, 3):
            raise BadInputError(
                f"Image {self.field!r}: expected a height and width of at least 1 and 1 or 3 channels, got "
                f"{self.height} × {self.width} × {self.channels}."
            )
        if self.resize not in ("crop", "pad", "stretch"):
            raise BadInputError(f"Image {self.field!r}: resize is crop, pad or stretch, got {self.resize!r}.")
        if self.stored_as not in get_args(StoredAs):
            raise BadInputError(
                f"Image {self.field!r}: it is stored as {', '.join(get_args(StoredAs))}, got {self.stored_as!r}."
            )

    @property
    def stored_type(self) -> Literal["uint8"]:
        return "uint8"

    @property
    def stored_shape(self) -> tuple[int, int, int]:
        """Of one row: height, width, channels."""
        return (self.height, self.width, self.channels)

    def check(self, schema: Schema) -> None:
        size = schema.field(self.field).shape
        check_field(f"Image {self.name!r}", schema, self.field, ("image",), many=False, shape=size)
        if size and (size != self.stored_shape or schema.field(self.field).resize != self.resize):
            raise BadInputError(
                f"Image {self.name!r} is {self.stored_shape}, {self.resize}; the rows have it as {size}, "
                f"{schema.field(self.field).resize}. Make a dataset version for this size."
            )

    def graph(self, statistics: Statistics) -> Transform:
        """Returns a function to uint8 `[batch, height, width, channels]`; a missing image is black.

        Pixels of that type stay as they are.
        """
        from emberline.features.images.decoding import pixels

        def transform(raw: "RawTensors") -> "tf.Tensor":
            given = raw.value(self.field)
            return given if given.dtype == "uint8" else pixels(given, self.stored_shape, self.resize)

        return transform
