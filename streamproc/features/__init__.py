"""From decoded events to the model's inputs, vectorised over a batch."""

from streamproc.features.expressions import Expression
from streamproc.features.fields import FieldFeatures
from streamproc.features.inputs import Features
from streamproc.features.python import PythonFeatures

__all__ = ["Expression", "Features", "FieldFeatures", "PythonFeatures"]
