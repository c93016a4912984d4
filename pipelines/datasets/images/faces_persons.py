"""Faces by person: folders `person-00` to `person-19`. Without photographs, drawn ones.

For persons of other names, a module like this one with their folders' names.
"""

from emberline.pipelines.datasets.images.face_drawings import Faces

DATASET = Faces("faces_persons", "person", tuple(f"person-{number:02d}" for number in range(20)))
