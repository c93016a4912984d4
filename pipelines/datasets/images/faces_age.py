"""Faces by age: a folder for each of Adience's eight ranges, `0-2` to `60-100`. Without photographs, drawn ones."""

from emberline.pipelines.datasets.images.face_drawings import AGES, Faces

DATASET = Faces("faces_age", "age", AGES)
