"""Bytes of image files to pixels of one size, as a TensorFlow graph: the same in the ETL and in exported models.

A JPEG is decoded at a half, a quarter or an eighth of its size where that is still large enough: its blocks of
8 × 8 can be turned into 4 × 4, 2 × 2 or 1 × 1 for a fraction of the work. Only the part that is shown is decoded. The
rest is made smaller by the mean over the area of each pixel of the result, or larger by linear interpolation. Of what
TensorFlow offers, that is four times as fast as a triangle filter.
"""

import tensorflow as tf

from emberline.features.images import header
from emberline.features.images.bmp import decode_bmp
from emberline.features.little_endian import number

RATIOS = (1, 2, 4, 8)
"""By how much JPEGs can be reduced while they are decoded."""

HEAD = 1024
"""A camera's note about its rotation is looked for in so many first bytes: it comes before everything large."""

_SEGMENTS, _ENTRIES = 4, 24
"""Segments of a JPEG, and entries of its first directory, that are looked at."""

_ORIENTATION = 0x0112

Shape = tuple[int, int, int]


def pixels(contents: tf.Tensor, shape: Shape, resize: str) -> tf.Tensor:
    """Decodes the images of a batch, upright and in one size.

    Args:
        contents: string `[batch]`: files, or bare pixels of exactly this shape; empty ones become black.
        shape: Height, width and channels.
        resize: `crop`, `pad` or `stretch`.

    Returns:
        uint8 `[batch, height, width, channels]`.
    """
    bare = is_bare(contents, shape)
    return tf.cond(
        tf.reduce_all(bare),
        lambda: tf.reshape(tf.io.decode_raw(contents, tf.uint8), [-1, *shape]),
        lambda: _each(contents, bare, shape, resize),
    )


def _each(contents: tf.Tensor, bare: tf.Tensor, shape: Shape, resize: str) -> tf.Tensor:
    def one(item: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        content, orientation, is_pixels = item
        kind = tf.where(is_pixels, 0, tf.where(tf.strings.length(content) == 0, 1, 2))
        return tf.switch_case(
            kind,
            [
                lambda: tf.reshape(tf.io.decode_raw(content, tf.uint8), shape),
                lambda: tf.zeros(shape, tf.uint8),
                lambda: decode(content, orientation, shape, resize),
            ],
        )

    spec = tf.TensorSpec(shape, tf.uint8)
    return tf.map_fn(one, (contents, orientations(contents), bare), fn_output_signature=spec)


def is_bare(contents: tf.Tensor, shape: Shape) -> tf.Tensor:
    """Returns which contents are pixels and not files, by the rule of `header.is_file`: bool `[batch]`."""
    height, width, channels = shape
    length = tf.strings.length(contents)
    jpeg = _begins(contents, header.JPEG) & (
        tf.strings.substr(contents, tf.maximum(length - 2, 0), tf.minimum(length, 2)) == header.JPEG_END
    )
    files = _begins(contents, header.PNG) | jpeg
    for sign in header.GIF:
        files |= _begins(contents, sign)
    return (length == height * width * channels) & ~files


def _begins(contents: tf.Tensor, sign: bytes) -> tf.Tensor:
    return tf.strings.substr(contents, 0, len(sign)) == sign


def decode(content: tf.Tensor, orientation: tf.Tensor, shape: Shape, resize: str) -> tf.Tensor:
    """Decodes one file to an upright image of the given shape.

    Args:
        content: string scalar.
        orientation: How it has to be turned, 1 to 8 as EXIF counts.
        shape: Height, width and channels.
        resize: `crop`, `pad` or `stretch`.

    Returns:
        uint8 of that shape.
    """
    height, width, channels = shape
    lying = orientation >= 5  # rows and columns change places
    size = tf.where(lying, [width, height], [height, width])

    def png() -> tf.Tensor:
        return _cut(tf.io.decode_png(_allowed(content, _png_pixels(content)), channels), size, resize)

    def other() -> tf.Tensor:
        return _cut(_other(content, channels), size, resize)

    def bmp() -> tf.Tensor:
        return _cut(_in_channels(decode_bmp(content), channels), size, resize)

    kinds = [_begins(content, header.JPEG), _begins(content, header.PNG), _begins(content, b"BM"), True]
    kind = tf.argmax(tf.cast(tf.stack(kinds), tf.int32), output_type=tf.int32)
    image = tf.switch_case(kind, [lambda: _jpeg(content, channels, size, resize), png, bmp, other])
    image.set_shape([None, None, channels])
    fitted = _fitted(image, size, resize)
    upright = tf.cond(orientation > 1, lambda: _turned(fitted, orientation), lambda: fitted)
    return tf.ensure_shape(upright, shape)


def _jpeg(content: tf.Tensor, channels: int, size: tf.Tensor, resize: str) -> tf.Tensor:
    """What is needed of a JPEG, reduced as far as it still has a pixel for each of the result."""
    found = tf.io.extract_jpeg_shape(content)
    full, inks = found[:2], found[2]
    content = _allowed(content, tf.reduce_prod(tf.cast(full, tf.int64)))
    room = 1 / tf.reduce_max(_scale(full, size, resize))
    choice = tf.reduce_sum(tf.cast(room >= tf.constant(RATIOS[1:], tf.float32), tf.int32))

    def reduced(ratio: int) -> tf.Tensor:
        window = tf.concat(_window(-(-full // ratio), size, resize), axis=0)
        if channels == 3:
            return tf.image.decode_and_crop_jpeg(content, window, 3, ratio)
        # The decoder makes no grey of four inks.
        return tf.cond(
            inks == 4,
            lambda: _in_channels(tf.image.decode_and_crop_jpeg(content, window, 3, ratio), channels),
            lambda: tf.image.decode_and_crop_jpeg(content, window, channels, ratio),
        )

    return tf.switch_case(choice, [lambda ratio=ratio: reduced(ratio) for ratio in RATIOS])


def _other(content: tf.Tensor, channels: int) -> tf.Tensor:
    """GIF and WebP: their decoder takes a picture as it is, or not at all."""
    gif = _begins(content, header.GIF[0]) | _begins(content, header.GIF[1])
    webp = _begins(content, b"RIFF") & (
        tf.strings.substr(content, tf.minimum(8, tf.strings.length(content)), 4) == b"WEBP"
    )
    with tf.control_dependencies([tf.debugging.Assert(gif | webp, ["a picture is of no format that is read"])]):
        claimed = tf.cond(gif, lambda: _gif_pixels(content), lambda: _webp_pixels(content))
        still = tf.cond(gif, lambda: _opaque(content), lambda: _still(content))
    decoded = tf.io.decode_image(_allowed(still, claimed), expand_animations=False)
    given = tf.shape(decoded)[-1]
    coloured = tf.cond(given >= 3, lambda: decoded[..., :3], lambda: tf.repeat(decoded[..., :1], 3, axis=-1))
    return _in_channels(tf.ensure_shape(coloured, [None, None, 3]), channels)


def _in_channels(coloured: tf.Tensor, channels: int) -> tf.Tensor:
    return coloured if channels == 3 else tf.image.rgb_to_grayscale(coloured)


def _still(content: tf.Tensor) -> tf.Tensor:
    """A WebP, unless it moves: see `header.WEBP_MOVING`."""
    extended = tf.strings.substr(content, tf.minimum(12, tf.strings.length(content)), 4) == b"VP8X"
    flag = tf.bitwise.bitwise_and(number(content, 20, 1), header.WEBP_MOVING) != 0
    named = tf.strings.substr(content, tf.minimum(30, tf.strings.length(content)), 4) == b"ANIM"
    good = ~(extended & (flag | named))
    with tf.control_dependencies([tf.debugging.Assert(good, ["a WebP moves, and only still ones are read"])]):
        return tf.identity(content)


def _opaque(content: tf.Tensor) -> tf.Tensor:
    """A GIF whose first picture has no transparent colour: transparency of PNG and WebP is passed over, too.

    The decoder would make such pixels black, whatever their colour.
    """
    screen = number(content, 10, 1)
    colours = tf.where(screen >= 128, 3 * tf.bitwise.left_shift(2, screen & 7), 0)

    def is_before(place: tf.Tensor, inside: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        return (place < tf.strings.length(content)) & (inside | (number(content, place, 1) == 0x21))

    def on(place: tf.Tensor, inside: tf.Tensor, flags: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        size = number(content, place, 1)  # of a block of an extension, which ends with an empty one
        control = ~inside & (number(content, place + 1, 1) == 0xF9)
        return place + tf.where(inside, 1 + size, 2), ~inside | (size > 0), tf.where(control, place + 3, flags)

    _, _, flags = tf.while_loop(is_before, on, (13 + colours, tf.constant(False), tf.constant(0)))
    without = tf.gather(tf.constant([bytes([value & 0xFE]) for value in range(256)]), number(content, flags, 1))

    def patched() -> tf.Tensor:
        return tf.strings.join(
            [tf.strings.substr(content, 0, flags), without, tf.strings.substr(content, flags + 1, -1)]
        )

    return tf.cond((flags > 0) & (flags < tf.strings.length(content)), patched, lambda: tf.identity(content))


def _allowed(content: tf.Tensor, claimed: tf.Tensor) -> tf.Tensor:
    """The content, if it does not claim more pixels than a file may have: the rule of `header.read_header`."""
    allowed = (claimed >= 0) & (claimed <= header.MOST_PIXELS)
    with tf.control_dependencies(
        [tf.debugging.Assert(allowed, ["an image has more pixels than are allowed:", claimed])]
    ):
        return tf.identity(content)


def _numbers(content: tf.Tensor, *parts: tuple[int, int, int]) -> list[tf.Tensor]:
    """Numbers of a file's first 32 bytes, as int64: (place, how many bytes, 1 if the smallest comes first, else -1)."""
    head = tf.cast(tf.io.decode_raw(tf.strings.substr(content, 0, 32), tf.uint8, fixed_length=32), tf.int64)
    return [
        tf.reduce_sum(head[place : place + size][::order] * [256**power for power in range(size)])
        for place, size, order in parts
    ]


def _png_pixels(content: tf.Tensor) -> tf.Tensor:
    width, height = _numbers(content, (16, 4, -1), (20, 4, -1))
    return tf.minimum(width, 2**31) * tf.minimum(height, 2**31)


def _webp_pixels(content: tf.Tensor) -> tf.Tensor:
    wide, high, bits, width, height = _numbers(content, (24, 3, 1), (27, 3, 1), (21, 4, 1), (26, 2, 1), (28, 2, 1))
    lossless = (1 + bits % 2**14) * (1 + bits // 2**14 % 2**14)
    kind = tf.strings.substr(content, tf.minimum(12, tf.strings.length(content)), 4)
    simple = width % 2**14 * (height % 2**14)
    return tf.where(kind == "VP8X", (1 + wide) * (1 + high), tf.where(kind == "VP8L", lossless, simple))


def _gif_pixels(content: tf.Tensor) -> tf.Tensor:
    """Pixels of the screen and of all frames, which the decoder unpacks whatever is asked of it."""
    data = tf.io.decode_raw(content, tf.uint8)
    length = tf.size(data)

    def at(places: tf.Tensor) -> tf.Tensor:
        inside = places < length
        return tf.where(inside, tf.cast(tf.gather(data, tf.where(inside, places, 0)), tf.int32), 0)

    def table(flags: tf.Tensor) -> tf.Tensor:
        return tf.where(flags >= 128, 3 * tf.bitwise.left_shift(2, flags % 8), 0)

    def area(sizes: tf.Tensor) -> tf.Tensor:
        sizes = tf.cast(sizes, tf.int64)
        return (sizes[0] + 256 * sizes[1]) * (sizes[2] + 256 * sizes[3])

    def behind(place: tf.Tensor) -> tf.Tensor:
        """Behind a chain of parts, each of which begins with its length."""
        end = tf.while_loop(
            lambda place, size: (size > 0) & (place < length),
            lambda place, size: (place + 1 + size, at(place + 1 + size)),
            (place, at(place)),
        )[0]
        return end + 1

    def on(place: tf.Tensor, pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        head = at(place + tf.range(10))
        is_frame, is_note = head[0] == 0x2C, head[0] == 0x21
        chain = place + tf.where(is_frame, 11 + table(head[9]), 2)
        place = tf.cond(is_frame | is_note, lambda: behind(chain), lambda: length)
        return place, pixels + tf.where(is_frame, area(head[5:9]), 0)

    screen = at(tf.range(13))
    _, pixels = tf.while_loop(
        lambda place, pixels: (place < length) & (pixels <= header.MOST_PIXELS),
        on,
        (13 + table(screen[10]), area(screen[6:10])),
    )
    return pixels


def _scale(given: tf.Tensor, wanted: tf.Tensor, resize: str) -> tf.Tensor:
    """By what height and width are multiplied: float32 `[2]`."""
    each = tf.cast(wanted, tf.float32) / tf.cast(given, tf.float32)
    if resize == "stretch":
        return each
    return tf.repeat(tf.reduce_max(each) if resize == "crop" else tf.reduce_min(each), 2)


def _window(given: tf.Tensor, wanted: tf.Tensor, resize: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Top and left, height and width of what is shown of an image: its middle where it is cropped, else all."""
    if resize != "crop":
        return tf.zeros_like(given), given
    shown = tf.cast(tf.round(tf.cast(wanted, tf.float32) / _scale(given, wanted, resize)), tf.int32)
    shown = tf.clip_by_value(shown, 1, given)
    return (given - shown) // 2, shown


def _cut(image: tf.Tensor, wanted: tf.Tensor, resize: str) -> tf.Tensor:
    begin, shown = _window(tf.shape(image)[:2], wanted, resize)
    return image[begin[0] : begin[0] + shown[0], begin[1] : begin[1] + shown[1]]


def _fitted(image: tf.Tensor, size: tf.Tensor, resize: str) -> tf.Tensor:
    """Scaled, within black bars where it is padded: uint8 `[*size, channels]`."""
    given, inner = tf.shape(image)[:2], size
    if resize == "pad":
        inner = tf.cast(tf.round(tf.cast(given, tf.float32) * _scale(given, size, resize)), tf.int32)
        inner = tf.clip_by_value(inner, 1, size)
    scaled = tf.cond(
        tf.reduce_all(inner <= given),
        lambda: tf.raw_ops.ResizeArea(images=image[tf.newaxis], size=inner),
        lambda: tf.image.resize(image[tf.newaxis], inner, antialias=True),
    )
    # Between 0 and 255 in either way: means of what is.
    found = tf.cast(scaled[0] + 0.5, tf.uint8)
    if resize == "pad":
        before = (size - inner) // 2
        found = tf.pad(found, tf.concat([tf.stack([before, size - inner - before], axis=1), [[0, 0]]], axis=0))
    return found


def _turned(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """As a camera's note asks: transposed, mirrored, or both."""
    image = tf.cond(orientation >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    across = tf.reduce_any(orientation == [2, 3, 6, 7])
    down = tf.reduce_any(orientation == [3, 4, 7, 8])
    image = tf.cond(across, lambda: tf.reverse(image, [1]), lambda: image)
    return tf.cond(down, lambda: tf.reverse(image, [0]), lambda: image)


def orientations(contents: tf.Tensor) -> tf.Tensor:
    """Returns how files have to be turned, as the EXIF notes of JPEGs say: int32 `[batch]`, 1 (not at all) to 8.

    It reads a whole batch at once, by arithmetic on the first bytes: JPEG's segments, then TIFF's first directory.
    """
    # One byte of a file's 1,024 can be read with one gather; 0 is what lies beyond.
    head = tf.cast(tf.io.decode_raw(tf.strings.substr(contents, 0, HEAD), tf.uint8, fixed_length=HEAD), tf.int32)

    def byte(place: tf.Tensor) -> tf.Tensor:
        inside = (place >= 0) & (place < HEAD)
        return tf.where(inside, tf.gather(head, tf.where(inside, place, 0), batch_dims=1), 0)

    def big(place: tf.Tensor) -> tf.Tensor:
        return byte(place) * 256 + byte(place + 1)

    is_jpeg = _begins(contents, header.JPEG)
    place = tf.fill(tf.shape(is_jpeg), 2)
    tiff = tf.zeros_like(place)
    for _ in range(_SEGMENTS):
        noted = (big(place) == 0xFFE1) & (big(place + 4) == 0x4578) & (big(place + 6) == 0x6966)  # "Exif"
        tiff = tf.where(noted & (tiff == 0), place + 10, tiff)
        application = big(place) // 16 == 0xFFE
        place = tf.where(application, place + 2 + big(place + 2), HEAD)
    little = byte(tiff) == 0x49

    def short(place: tf.Tensor, little: tf.Tensor) -> tf.Tensor:
        return tf.where(little, byte(place) + 256 * byte(place + 1), big(place))

    directory = tiff + tf.where(little, short(tiff + 4, little), short(tiff + 6, little))
    count = tf.minimum(short(directory, little), _ENTRIES)
    numbers = tf.range(_ENTRIES)
    entries = directory[:, tf.newaxis] + 2 + 12 * numbers
    wide = tf.repeat(little[:, tf.newaxis], _ENTRIES, axis=1)
    asked = (short(entries, wide) == _ORIENTATION) & (numbers < count[:, tf.newaxis])
    found = tf.reduce_max(tf.where(asked, short(entries + 8, wide), 0), axis=1)
    known = is_jpeg & (tiff > 0) & (found >= 1) & (found <= 8)
    return tf.where(known, found, 1)
