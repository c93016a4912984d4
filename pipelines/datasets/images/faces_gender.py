"""Faces by gender: a folder `f` and a folder `m`, as Adience names them. Without photographs, drawn ones."""

from emberline.pipelines.datasets.images.face_drawings import SEXES, Faces

DATASET = Faces("faces_gender", "sex", SEXES)
