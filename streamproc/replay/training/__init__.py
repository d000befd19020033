"""Training data out of recordings: features made by the code that serves, with the labels that came later."""

from streamproc.replay.training.exporting import Exported, TrainingJob, export_training
from streamproc.replay.training.features import FeatureRows, features_of
from streamproc.replay.training.labels import Joining, Labels, read_labels
from streamproc.replay.training.leaks import Leak, look_ahead

__all__ = [
    "Exported",
    "FeatureRows",
    "Joining",
    "Labels",
    "Leak",
    "TrainingJob",
    "export_training",
    "features_of",
    "look_ahead",
    "read_labels",
]
