"""MSCOCO's captions of 2014 with vectors of 2,048 numbers, such as those of InceptionV3: see `captions`."""

from pipelines.datasets.captions import Captions

DATASET = Captions("coco_captions", 2048)
