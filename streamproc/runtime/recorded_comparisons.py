"""What a shadow or a canary and the model itself decided about the same events, in the words of a recording."""

from collections.abc import Callable, Sequence

from streamproc.codecs import Outputs
from streamproc.connectors.capture import Comparisons
from streamproc.core import TopicPartition
from streamproc.engine import Compared, ShadowPlan


class ComparisonTap:
    """Hands comparisons on to what records them; see ``engine.Rollout.told``.

    Args:
        record: takes them; must not wait.
        shadow: what the engine is told of the shadow now; None where there is none.
        variants: the names of all that runs now.
        now_ns: the present instant.
    """

    def __init__(
        self,
        record: Callable[[Comparisons], None],
        *,
        shadow: Callable[[], ShadowPlan | None],
        variants: Callable[[], Sequence[str]],
        now_ns: Callable[[], int],
    ) -> None:
        self._record = record
        self._shadow = shadow
        self._variants = variants
        self._now_ns = now_ns

    def told(self, compared: Compared) -> None:
        """Record a comparison."""
        shadow = self._shadow()
        published = shadow is None or shadow.name != compared.candidate
        events, variants = compared.events, self._variants()
        mine, its = compared.published, compared.aside
        model = variants[compared.level] if compared.level < len(variants) else ""
        if published:  # of a canary: what runs aside is the model's copy
            mine, its, model = its, mine, variants[0]
        topic, partition, *_ = compared.id_prefix.split("/")
        self._record(
            Comparisons(
                self._now_ns(),
                TopicPartition(topic, int(partition)),
                events.offset,
                events.row,
                compared.candidate,
                model,
                published,
                _objects(mine),
                _objects(its),
                compared.differences.differs,
            )
        )


def _objects(outputs: Outputs) -> list[bytes]:
    """Decisions as far as the model makes them: JSON objects with their ``output``."""
    return [b'{"output":%s}' % text for text in outputs.json_texts()]
