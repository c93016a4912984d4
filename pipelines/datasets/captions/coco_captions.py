"""MSCOCO's captions of 2014 with vectors of 2,048 numbers, such as those of InceptionV3: see `captions`."""

from emberline.pipelines.datasets.captions.scene_captions import SceneCaptions

DATASET = SceneCaptions("coco_captions", 2048)
