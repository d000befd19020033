"""What is carried from event to event of a key: many keys at once as one by one, to the last bit."""

import numpy as np

from streamproc.features.runs import Runs


def test_many_keys_at_once_give_the_bits_of_one_by_one() -> None:
    rng = np.random.default_rng(2)
    slot = rng.choice(40, 600, p=(p := rng.random(40) ** 3) / p.sum())
    factor, term = rng.random(600), rng.normal(size=600)
    runs = Runs(slot)
    first = rng.normal(size=len(runs.slots))
    made = runs.flat(runs.decayed(first, runs.table(factor, 1.0), runs.table(term, 0.0)))
    y = dict(zip(runs.slots.tolist(), first.tolist(), strict=True))
    for row, s in enumerate(slot.tolist()):
        y[s] = y[s] * float(factor[row]) + float(term[row])
        assert made[row] == y[s]


def test_a_table_has_each_keys_events_in_their_order() -> None:
    runs = Runs(np.array([5, 7, 5, 5, 7]))
    values = np.arange(5.0)
    table = runs.table(values, -1.0)
    assert table.tolist() == [[0, 2, 3], [1, 4, -1]]
    assert runs.slots.tolist() == [5, 7]
    assert runs.flat(table).tolist() == values.tolist()
    assert runs.last(table).tolist() == [3, 4]
    carried = runs.carried(np.add, np.array([10.0, 20.0]), table)
    assert runs.flat(carried).tolist() == [10, 21, 12, 15, 25]
