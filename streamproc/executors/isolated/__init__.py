"""A model in a process of its own, so that what kills or stops it neither stops the stream nor loses a record.

| file | what it holds |
|---|---|
| `options.py` | what a user can set |
| `executor.py` | the executor: one attempt at a batch |
| `breaker.py` | when a model that fails again and again is left alone for a while |
| `pool.py` | the processes that are ready, and the thread that replaces those that died |
| `life.py` | one process, from its start to its end |
| `messages.py`, `arena.py` | what it is told, and the memory in which tensors go to it and back |
| `child.py` | the process's own side |
"""

from streamproc.executors.isolated.options import Breaker, Isolation

__all__ = ["Breaker", "Isolation"]
