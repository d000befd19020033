"""From decoded events to the model's inputs, vectorised over a batch."""

from streamproc.features.changelog import ChangelogTopic
from streamproc.features.duplicates import Duplicates, KnownValues
from streamproc.features.expressions import Expression
from streamproc.features.fields import FieldFeatures
from streamproc.features.inputs import Features
from streamproc.features.interval_joins import Rows as JoinedRows
from streamproc.features.options import FEATURES, Feature, FeatureState
from streamproc.features.program import Advanced, Program
from streamproc.features.python import PythonFeatures
from streamproc.features.table_feed import FedTable, TableFeed
from streamproc.features.tables import AskedTable, KeyedNumbers, Table

__all__ = [
    "FEATURES",
    "Advanced",
    "AskedTable",
    "ChangelogTopic",
    "Duplicates",
    "Expression",
    "Feature",
    "FeatureState",
    "Features",
    "FedTable",
    "FieldFeatures",
    "JoinedRows",
    "KeyedNumbers",
    "KnownValues",
    "Program",
    "PythonFeatures",
    "Table",
    "TableFeed",
]
