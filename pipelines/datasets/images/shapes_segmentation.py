"""Synthetic photographs of shapes, each with its mask: what `mask_folder` reads."""

import numpy as np

from emberline.features import storage
from emberline.pipelines.datasets.generators.png import png_bytes
from emberline.pipelines.datasets.images.shapes import CLASSES, FILES, draw
from emberline.pipelines.datasets.readers.mask_folder import IMAGES, MASKS, MaskFolder
from emberline.pipelines.datasets.synthetic import Synthetic, write_facts


class ShapesSegmentation(MaskFolder):
    """Writes its files itself."""

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes `train/images/0000.png`, `train/masks/0000.png` and so on; a mask is white where the shape is."""
        generator = np.random.default_rng(seed)
        for split, files in FILES.items():
            for index, shape in enumerate(generator.integers(0, len(CLASSES), files)):
                picture, inside = draw(int(shape), generator)
                mask = np.where(inside, 255, 0).astype(np.uint8)[..., np.newaxis]
                for folder, pixels in ((IMAGES, picture), (MASKS, mask)):
                    storage.write_bytes_atomic(
                        storage.join(directory, split, folder, f"{index:04d}.png"), png_bytes(pixels)
                    )
        return write_facts(directory, Synthetic({}, seed))


DATASET = ShapesSegmentation("shapes_segmentation")
