"""Operators: columns made of columns, of the event alone or of what its key did before. One file a family."""

from streamproc.features.operators.as_of import AsOf
from streamproc.features.operators.categories import Bucket, Hash, OneHot
from streamproc.features.operators.closed import ClosedWindow
from streamproc.features.operators.cumulative import Cumulative
from streamproc.features.operators.custom import Custom, KeyedBatch
from streamproc.features.operators.ewm import Ewm
from streamproc.features.operators.interval import Interval
from streamproc.features.operators.lookup import Lookup
from streamproc.features.operators.operator import Need, Operator, View
from streamproc.features.operators.previous import Difference, Lag, Last, Return, TimeSince
from streamproc.features.operators.quantile import Quantile
from streamproc.features.operators.rolling import Rolling
from streamproc.features.operators.scaling import Cast, Formula, Scale
from streamproc.features.operators.sequence import KeySequence

__all__ = [
    "AsOf", "Bucket", "Cast", "ClosedWindow", "Cumulative", "Custom", "Difference", "Ewm", "Formula", "Hash", "Interval", "KeySequence", "KeyedBatch", "Lag",
    "Last", "Lookup", "Need", "OneHot", "Operator", "Quantile", "Return", "Rolling", "Scale", "TimeSince", "View",
]  # fmt: skip
