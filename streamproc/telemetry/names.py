"""Every name under which streamproc is seen in Prometheus, in one place.

They are fixed: dashboards, alerts and rules are written with them.
"""

from typing import Final

OUTCOMES: Final = "streamproc_outcomes_total"
E2E_LATENCY: Final = "streamproc_e2e_latency_seconds"
OWN_LATENCY: Final = "streamproc_own_latency_seconds"
STAGE_LATENCY: Final = "streamproc_stage_latency_seconds"
BATCH_SIZE: Final = "streamproc_batch_size"
BATCHES: Final = "streamproc_batches_total"
BATCH_ROOM: Final = "streamproc_batch_room_total"
QUEUE_DEPTH: Final = "streamproc_queue_depth"
CONSUMER_LAG_RECORDS: Final = "streamproc_consumer_lag_records"
CONSUMER_LAG: Final = "streamproc_consumer_lag_seconds"
EVENT_TIME_SKEW: Final = "streamproc_event_time_skew_seconds"
LOOP_LAG: Final = "streamproc_loop_lag_seconds"
ACKED_LATE: Final = "streamproc_acked_late_total"
HANDED_BACK: Final = "streamproc_handed_back_total"
SKIPPED: Final = "streamproc_skipped_total"
WRONG_EVENT_TIMES: Final = "streamproc_wrong_event_times_total"
UNREAD_DEADLINES: Final = "streamproc_unread_deadlines_total"
AHEAD_OF_CLOCK: Final = "streamproc_ahead_of_clock_total"
TRACES_EXPORTED: Final = "streamproc_traces_exported_total"
TRACES_DROPPED: Final = "streamproc_traces_dropped_total"
WORKERS: Final = "streamproc_workers"
WORKER_RESTARTS: Final = "streamproc_worker_restarts_total"
WORKER_CPU: Final = "streamproc_worker_cpu_seconds_total"
DEMAND_WORKERS: Final = "streamproc_demand_workers"
VARIANT_LEVEL: Final = "streamproc_variant_level"
VARIANT: Final = "streamproc_variant_info"
BUILD: Final = "streamproc_build_info"

LANE_DEFAULT: Final = "default"
"""The label ``lane`` of a pipeline without lanes, and of what no lane takes."""
LANE_UNKNOWN: Final = "unknown"
"""Of what was given up before its fields, and so its lane, were known; only where there are lanes."""
