"""Event batches for tests, by the columns that matter to them."""

from typing import Any

import numpy as np

from streamproc.core import EventBatch, Int64Array, object_column


def events_of(count: int, **columns: Any) -> EventBatch:
    """Events with these columns, and zeros or None in the others."""

    def integers(name: str) -> Int64Array:
        given = columns.get(name)
        return np.zeros(count, np.int64) if given is None else np.array(given, np.int64)

    def objects(name: str) -> Any:
        return object_column(columns.get(name, [None] * count))

    row = columns.get("row")
    return EventBatch(
        number=np.arange(count) if "number" not in columns else integers("number"),
        partition=integers("partition"),
        ordinal=integers("ordinal"),
        offset=integers("offset"),
        event_time_ns=integers("event_time_ns"),
        arrival_ns=integers("arrival_ns"),
        admitted_ns=integers("admitted_ns"),
        deadline_ns=integers("deadline_ns"),
        key=objects("key"),
        record_key=objects("record_key"),
        value=objects("value"),
        columns=columns.get("columns", {}),
        headers=columns.get("headers", {}),
        row=None if row is None else np.array(row, np.int64),
    )
