"""Synthetic faces: stand-ins for photographs of persons, drawn by rules that a reader could know.

Sex is hair down to the shoulders and red lips; a range of ages is how round a head is, how large its eyes, how many
lines are on its forehead and how grey its hair; a person is colours and proportions. Pose, light and background are
drawn anew for every picture.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emberline.pipelines.datasets.generators.png import write_pictures
from emberline.pipelines.datasets.readers.image_folder import ImageFolder
from emberline.pipelines.datasets.synthetic import Synthetic, write_facts

SEXES = ("f", "m")
AGES = ("0-2", "4-6", "8-12", "15-20", "25-32", "38-43", "48-53", "60-100")
"""The ranges of Adience, the photographs that the networks for age and gender were published with."""

FILES = {"train": 800, "eval": 200}
MISPLACED = 0.03
"""Share of files whose folder is drawn anew."""

_ROUNDNESS = (0.24, 0.16, 0.08, 0, 0, 0, 0, 0)
_EYES = (0.25, 0.22, 0.19, 0.16, 0.15, 0.14, 0.13, 0.12)
_LINES = (0, 0, 0, 0, 1, 2, 3, 4)
_GREY = (0, 0, 0, 0, 0, 0.2, 0.6, 1)

Pixels = NDArray[np.float64]


class Person(NamedTuple):
    """What stays the same in all pictures of somebody. Lengths are shares of half the height of a head.

    Args:
        skin: Colour, 0 to 255.
        hair: Colour.
        eyes: Colour.
        width: Half the width of the head.
        apart: From the nose to an eye.
        nose: Its length.
        mouth: Half its width.
    """

    skin: Pixels
    hair: Pixels
    eyes: Pixels
    width: float
    apart: float
    nose: float
    mouth: float


def somebody(generator: np.random.Generator) -> Person:
    """Returns a person drawn at random."""
    skin = np.array([255, 215, 180]) * generator.uniform(0.45, 0.95) + generator.normal(0, 6, 3)
    numbers = [generator.uniform(*span) for span in ((0.66, 0.8), (0.26, 0.36), (0.2, 0.36), (0.16, 0.3))]
    return Person(skin, generator.uniform(20, 170, 3), generator.uniform(0, 160, 3), *numbers)


def draw(person: Person, sex: int, age: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Returns a picture `[height, width, 3]`.

    Args:
        person: Who it shows.
        sex: Position in `SEXES`.
        age: Position in `AGES`.
        generator: Of the pose and everything else that is by chance.
    """
    height, width = generator.integers(88, 141, 2)
    down, across = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    reach = min(height, width) * generator.uniform(0.32, 0.38)
    y, x = down - height / 2 - generator.normal(0, 2), across - width / 2 - generator.normal(0, 2)
    angle = generator.normal(0, 0.12)
    y, x = (np.cos(angle) * y - np.sin(angle) * x) / reach, (np.sin(angle) * y + np.cos(angle) * x) / reach
    wide, eye = person.width + _ROUNDNESS[age], _EYES[age]
    hair = person.hair + _GREY[age] * (215 - person.hair)
    picture = np.empty((height, width, 3))
    picture[:] = generator.uniform(30, 230, 3)

    def paint(where: NDArray[np.bool_], colour: Pixels) -> None:
        picture[where] = colour

    def ellipse(middle_y: float, middle_x: float, half_height: float, half_width: float) -> NDArray[np.bool_]:
        return np.hypot((y - middle_y) / half_height, (x - middle_x) / half_width) < 1

    is_woman = SEXES[sex] == "f"
    if is_woman:
        paint((np.abs(x) < 1.22 * wide) & (y > -0.4) & (y < 1.15), hair)
    paint((np.abs(x) < 0.5 * wide) & (y > 0.6), 0.9 * person.skin)
    paint(ellipse(-0.1, 0, 1.0, 1.15 * wide) & (y < -0.2), hair)
    paint(ellipse(0, 0, 1, wide) & (y > -0.62), person.skin)
    for side in (-1, 1):
        paint(ellipse(-0.12, side * person.apart, 0.75 * eye, eye), np.full(3, 245.0))
        paint(ellipse(-0.12, side * person.apart, 0.5 * eye, 0.5 * eye), person.eyes)
    paint((np.abs(x) < 0.04) & (y > 0.05) & (y < 0.05 + person.nose), 0.75 * person.skin)
    lips = np.array([200.0, 20.0, 50.0]) if is_woman else 0.7 * person.skin
    paint(ellipse(0.58, 0, 0.11 if is_woman else 0.05, person.mouth), lips)
    for line in range(_LINES[age]):
        paint((np.abs(y + 0.56 - 0.075 * line) < 0.02) & (np.abs(x) < 0.6 * wide), 0.65 * person.skin)
    light = generator.uniform(0.8, 1.1)
    return np.clip(light * picture + generator.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


class Faces(ImageFolder):
    """Reads a folder of photographs per class, and draws faces where there are none.

    Args:
        name: Of the data set: that of its module.
        tells: What the folders are named after.
        classes: Names of the folders, by class id.
    """

    def __init__(self, name: str, tells: Literal["sex", "age", "person"], classes: tuple[str, ...]) -> None:
        super().__init__(name, classes, "embedding" if tells == "person" else "")
        self._tells = tells
        self._classes = classes

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes `train/CLASS/0000.png` and so on.

        The best scores are those of a reader who knows the rules, and nothing about which files were misplaced; of
        persons none is, and there is no best score.
        """
        generator = np.random.default_rng(seed)
        known = [somebody(generator) for _ in self._classes] if self._tells == "person" else []

        def picture(kind: int) -> NDArray[np.uint8]:
            shown = {"sex": int(generator.integers(0, len(SEXES))), "age": int(generator.integers(0, len(AGES)))}
            shown |= {self._tells: kind}
            # A person keeps sex and age.
            sex, age = (kind % len(SEXES), kind % len(AGES)) if known else (shown["sex"], shown["age"])
            return draw(known[kind] if known else somebody(generator), sex, age, generator)

        right = write_pictures(directory, self._classes, FILES, 0 if known else MISPLACED, generator, picture)
        return write_facts(directory, Synthetic({} if known else {"accuracy": right}, seed))
