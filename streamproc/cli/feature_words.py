"""Features as people call them."""

from collections.abc import Sequence

from streamproc.engine import PythonFunction
from streamproc.features import FEATURES, Feature

_NAMES = {kind: name for name, kind in FEATURES.items()}


def feature_words(features: Sequence[str | Feature] | PythonFunction) -> str:
    """``price + rolling(price) + sequence(price, size)``, or the function's name."""
    if isinstance(features, PythonFunction):
        return features.python
    return " + ".join(f if isinstance(f, str) else _operator(f) for f in features)


def _operator(feature: Feature) -> str:
    used = getattr(feature, "fields", None) or [getattr(feature, "field", "")]
    return f"{_NAMES[type(feature)]}({', '.join(filter(None, used))})"
