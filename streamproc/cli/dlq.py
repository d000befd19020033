"""``streamproc dlq``: dead letters listed, looked at, and put back."""

import asyncio
import base64
import datetime
import sys
from collections import Counter
from typing import Annotated, Any

import typer

from streamproc.cli import options
from streamproc.cli.failures import DONE, FAILED, located
from streamproc.cli.screen import line, notes_console, print_json, result_console, table
from streamproc.config import LoadedConfig, kafka_sink, kafka_source, load
from streamproc.connectors.kafka import Access
from streamproc.core import NS_PER_MS, ConfigError, Duration, Problem, SystemClock
from streamproc.runtime import dead_letter_topic
from streamproc.runtime.dead_letters import (
    DeadLetterTopic,
    Filter,
    Letter,
    Place,
    why_not_returned,
)

_TOPIC_KEY = "outcomes.dead_letter_topic"

Reasons = Annotated[
    list[str] | None,
    typer.Option("--reason", help="Only those with this reason; may be given several times."),
]
Topic = Annotated[
    str | None, typer.Option("--topic", help="Only those whose record came from this topic.")
]
Partition = Annotated[
    int | None, typer.Option("--partition", min=0, help="Only those of this input partition.")
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="Only those since then: 2h, or 2026-01-31T12:00+00:00."
    ),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Only those before.")]

group = typer.Typer(
    add_completion=False, rich_markup_mode=None, help="Dead letters: list, look at, put back."
)


@group.command("list")
def list_letters(
    config: options.Config,
    set_: options.Set = None,
    reason: Reasons = None,
    topic: Topic = None,
    partition: Partition = None,
    since: Since = None,
    until: Until = None,
    returned: Annotated[
        bool, typer.Option("--returned", help="Those as well that were put back.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Which dead letters there are, and why; nothing of their payload is shown."""
    loaded = load(config, overrides=set_ or ())
    with located(loaded):
        chosen = _filter((), reason, topic, partition, since, until)
        found = _topic(loaded)
        letters, receipts = asyncio.run(found.read(chosen, limit=limit, returned_too=returned))
    if json:
        shown = [{**_facts(letter), "returned": letter.at in receipts} for letter in letters]
        reasons = dict(Counter(letter.reason for letter in letters))
        print_json({"topic": _name(loaded), "letters": shown, "reasons": reasons})
        return DONE
    rows = table("at", "bytes", "redriven", "when", "from", "reason")
    for column in (3, 4, 5):
        rows.columns[column].justify = "left"
    for letter in letters:
        facts = _facts(letter)
        why = f"{letter.reason} ({letter.cause})" if letter.cause else letter.reason
        back = ", put back" if letter.at in receipts else ""
        rows.add_row(
            facts["at"],
            str(facts["bytes"]),
            str(letter.redriven),
            facts["when"],
            str(letter.source),
            why + back,
        )
    result_console(as_json=False).print(rows)
    more = ": there may be more (--limit)" if len(letters) == limit else ""
    line(notes_console(), f"{len(letters)} dead letters in {_name(loaded)}{more}")
    return DONE


@group.command("show")
def show(
    config: options.Config,
    letter: Annotated[
        str, typer.Argument(metavar="PARTITION/OFFSET", help="Where it stands, as `list` says.")
    ],
    set_: options.Set = None,
    value: Annotated[
        bool,
        typer.Option("--value", help="Its payload too: key, value, header values, what was wrong."),
    ] = False,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """One dead letter; its payload only when it is asked for."""
    loaded = load(config, overrides=set_ or ())
    with located(loaded):
        place = _place(letter, _name(loaded))
        chosen = Filter(places={place})
        letters, receipts = asyncio.run(
            _topic(loaded).read(chosen, limit=1, returned_too=True, values=True)
        )
        if not letters:
            msg = f"there is no dead letter at {place}"
            raise ConfigError(msg)
    facts = {**_facts(letters[0]), "returned": place in receipts}
    if value:
        facts |= _payload(letters[0])
    if json:
        print_json(facts)
        return DONE
    rows = table("", "")
    rows.columns[1].justify = "left"
    for name, found in facts.items():
        plain = isinstance(found, str) and found.isprintable()
        rows.add_row(name, found if plain else repr(found))
    result_console(as_json=False).print(rows)
    return DONE


@group.command("redrive")
def redrive(
    config: options.Config,
    letters: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PARTITION/OFFSET ...]", help="Which, as `list` shows them."),
    ] = None,
    set_: options.Set = None,
    reason: Reasons = None,
    topic: Topic = None,
    partition: Partition = None,
    since: Since = None,
    until: Until = None,
    every: Annotated[bool, typer.Option("--all", help="All that the options leave.")] = False,
    times: Annotated[
        int, typer.Option("--max", min=1, help="How often one record may be put back.")
    ] = 3,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 1_000,
    whole_records: Annotated[
        bool,
        typer.Option("--whole-records", help="Records too of which only some rows had failed."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be put back, and do nothing.")
    ] = False,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Put records back to the topic and partition that they came from, each at most once."""
    loaded = load(config, overrides=set_ or ())
    name = _name(loaded)
    with located(loaded):
        places = [_place(text, name) for text in letters or ()]
        chosen = _filter(places, reason, topic, partition, since, until)
        if chosen == Filter(places=[]) and not every:
            msg = (
                "which? Name letters, or --reason, --topic, --partition, --since, --until, or --all"
            )
            raise ConfigError(msg)
        source = kafka_source(loaded.config, "dlq redrive")
        sink = kafka_sink(loaded.config, "dlq")
        if sink.bootstrap_servers not in {"", source.bootstrap_servers}:
            msg = "dead letters are in another cluster than the source: they cannot be put back in one transaction"
            raise ConfigError(Problem(msg, "sink.kafka.bootstrap_servers"))
        done = asyncio.run(
            _topic(loaded).redrive(
                chosen,
                limit=limit,
                refusal=lambda letter: why_not_returned(
                    letter, topics=source.topics, times_max=times, whole=whole_records
                ),
                pipeline=loaded.config.name,
                dry=dry_run,
            )
        )
    if json:
        print_json(
            {
                "dry_run": dry_run,
                "returned": [_facts(one) for one in done.returned],
                "refused": [{**_facts(one), "why": why} for one, why in done.refused],
                "returned_before": done.before,
            }
        )
    else:
        did = "would be put back" if dry_run else "put back"
        before = f", {done.before} of those named were before" if done.before else ""
        line(result_console(as_json=False), f"{len(done.returned)} {did}{before}")
    for one, why in done.refused:
        print(f"streamproc: {one.at.partition}/{one.at.offset}: {why}", file=sys.stderr)
    return FAILED if done.refused else DONE


def _name(loaded: LoadedConfig) -> str:
    topic = dead_letter_topic(loaded.config)
    if topic is None:
        msg = "is null: this pipeline counts its dead letters and drops them"
        raise ConfigError(loaded.problem(_TOPIC_KEY, msg))
    return topic


def _topic(loaded: LoadedConfig) -> DeadLetterTopic:
    access = Access.of_sink(kafka_sink(loaded.config, "dlq"), loaded.config.source)
    return DeadLetterTopic(access, _name(loaded))


def _place(text: str, topic: str) -> Place:
    try:
        return Place.parse(text.removeprefix(f"{topic}/"), topic)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _filter(
    places: Any,  # noqa: ANN401 - a collection of places
    reason: list[str] | None,
    topic: str | None,
    partition: int | None,
    since: str | None,
    until: str | None,
) -> Filter:
    return Filter(places, reason or (), topic, partition, _instant_ms(since), _instant_ms(until))


def _instant_ms(text: str | None) -> int | None:
    """Ms since 1970 of a time, or of so long ago.

    Raises:
        ConfigError: it is neither.
    """
    if text is None:
        return None
    try:
        return (SystemClock().now_ns() - int(Duration.parse(text))) // NS_PER_MS
    except ValueError:
        pass
    try:
        return int(datetime.datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        msg = f"{text!r} is no time: write 2h for so long ago, or 2026-01-31T12:00+00:00"
        raise ConfigError(msg) from None


def _facts(letter: Letter) -> dict[str, Any]:
    """What can be shown to anybody: nothing of the payload."""
    when = datetime.datetime.fromtimestamp(letter.timestamp_ms / 1000, datetime.UTC)
    return {
        "at": f"{letter.at.partition}/{letter.at.offset}",
        "source": str(letter.source),
        "reason": letter.reason,
        "cause": letter.cause or None,
        "when": when.isoformat(timespec="milliseconds"),
        "redriven": letter.redriven,
        "bytes": sum(len(v or b"") for _, v in letter.headers)
        + len(letter.key or b"")
        + (letter.value_bytes or 0),
        "headers": len(letter.headers),
    }


def _payload(letter: Letter) -> dict[str, Any]:
    return {
        "detail": letter.detail,
        "key": _text(letter.key),
        "value": _text(letter.value),
        "header_values": {name: _text(value) for name, value in letter.headers},
    }


def _text(value: bytes | None) -> str | None:
    """Bytes as text where they are some, else as base64."""
    if value is None:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "\x00"
    return text if text.isprintable() else f"base64:{base64.b64encode(value).decode()}"
