"""What ``check`` says of several topics: what is remembered of a field that some of them do not have."""

from collections.abc import Iterator

from streamproc.codecs import TopicCodecs
from streamproc.config import PipelineConfig
from streamproc.core import Problem
from streamproc.engine import PythonFunction


def warnings(config: PipelineConfig) -> Iterator[Problem]:
    """Operators over the events of all topics, of a field that is NaN in some: so is what they make."""
    codec, features = config.codec, config.features
    if not isinstance(codec, TopicCodecs) or codec.fill is not None:
        return
    for place, feature in enumerate(() if isinstance(features, PythonFunction) else features):
        if isinstance(feature, str) or getattr(feature, "when", "") is not None:
            continue  # it is of one event alone, or says of which events it is
        for name in _fields_of(feature):
            lacking = [topic for topic, one in codec.codecs.items() if name not in one.fields]
            if name not in codec.fields or not lacking or "float" not in codec.fields[name]:
                continue
            have = [topic for topic in codec.codecs if topic not in lacking]
            text = (
                f"is of the events of {', '.join(lacking)} too, whose {name} is NaN, and so is what it makes of them: "
                f"write when: \"topic == '{have[0]}'\", or codec.by_topic.fill"
            )
            yield Problem(text, f"features[{place}]")
            break


def _fields_of(feature: object) -> list[str]:
    one, several = getattr(feature, "field", None), getattr(feature, "fields", ())
    return [*([one] if isinstance(one, str) else []), *several]
