"""When two decisions are other ones, and how far they are apart."""

import numpy as np
import pytest

from streamproc.codecs import Labelled, Numbers, Objects, Outputs
from streamproc.engine.comparison import differences

LABELS = ("down", "up")


def labelled(scores: list[list[float]], *, with_scores: bool = True) -> Labelled:
    array = np.array(scores, np.float32)
    texts = Labelled.texts_of(LABELS, scores=with_scores)
    return Labelled(LABELS, texts, array.argmax(axis=1), array if with_scores else None)


@pytest.mark.parametrize(
    ("first", "second", "differs", "distance"),
    [
        (labelled([[0.6, 0.4]]), labelled([[0.9, 0.1]]), False, 0.3),
        (labelled([[0.6, 0.4]]), labelled([[0.4, 0.6]]), True, 0.2),
        (labelled([[1, 0]], with_scores=False), labelled([[0, 1]], with_scores=False), True, 0),
        (Numbers(np.array([[1.0, 2.0]])), Numbers(np.array([[1.0, 2.001]])), False, 0.001),
        (Numbers(np.array([[1.0, 2.0]])), Numbers(np.array([[1.0, 2.1]])), True, 0.1),
        (Numbers(np.array([1000])), Numbers(np.array([1001])), True, 1),
        (Numbers(np.array([[1.0]])), Numbers(np.array([[1.0, 2.0]])), True, np.inf),
        (Objects.of([{"label": "a", "x": 1}]), Objects.of([{"label": "a", "x": 3}]), False, 2),
        (Objects.of([{"label": "a"}]), Objects.of([{"label": "b"}]), True, 0),
        (Objects.of([{"a": [1.0, 2.0]}]), Objects.of([{"a": [1.0, 2.0005]}]), False, 0.0005),
        (Objects.of([{"a": 1}]), Objects.of([{"b": 1}]), True, 0),
        (Objects.of([[1, 2]]), Objects.of([[1]]), True, 0),
        (Objects.of([None]), Objects.of([True]), True, 0),
    ],
)
def test_decisions(first: Outputs, second: Outputs, differs: bool, distance: float) -> None:
    found = differences(first, second, 1e-3)
    assert found.differs.tolist() == [differs]
    assert found.distance.tolist() == [pytest.approx(distance, abs=1e-6)]
