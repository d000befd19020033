"""What a user can set of recording."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from streamproc.core import Duration, Size


@dataclass(frozen=True, slots=True)
class Redact:
    """What must not stand in a recording.

    A pseudonym is made with a secret (HMAC-SHA256): the same value has the same one, in keys and fields alike, and
    without the secret nobody can tell whose it is.

    Attributes:
        secret: what pseudonyms are made with: a reference such as ``${env:NAME}``, at least 16 characters.
        keys: whether the records' keys, and the ``key`` of decisions, become pseudonyms.
        fields: dotted paths of fields of JSON values that become pseudonyms: texts become texts, numbers numbers;
            ``*`` stands for every element, as in ``users.*.id``.
        drop: dotted paths of fields that are left out.
        drop_headers: names of headers that are left out.
    """

    secret: str = field(default="", repr=False)
    keys: bool = False
    fields: Sequence[str] = ()
    drop: Sequence[str] = ()
    drop_headers: Sequence[str] = ()

    def __post_init__(self) -> None:
        if (self.keys or self.fields) and len(self.secret) < SECRET_LENGTH_MIN:
            msg = (
                f"secret must have at least {SECRET_LENGTH_MIN} characters, for pseudonyms that nobody can guess: "
                "write secret: ${env:NAME}"
            )
            raise ValueError(msg)


SECRET_LENGTH_MIN = 16


@dataclass(frozen=True, slots=True)
class Record:
    """A recording of all that goes in and out, made by a process of its own; it never holds a decision up.

    Attributes:
        path: the folder of its files, which are ``NAME-START-ID-0001.mcap`` and so on.
        rotate_size: a longer file is completed, and the next one begun.
        rotate_every: the same of an older file.
        queue: how much may wait to be written; what comes when more waits is not recorded, and is counted.
        keep_free: how much of the disk is left free: recording pauses while there is less.
        redact: what must not stand in it.
    """

    path: str
    rotate_size: Size = Size.parse("1GiB")  # noqa: RUF009 - immutable
    rotate_every: Duration = Duration.parse("1h")  # noqa: RUF009 - immutable
    queue: Size = Size.parse("64MiB")  # noqa: RUF009 - immutable
    keep_free: Size = Size.parse("256MiB")  # noqa: RUF009 - immutable
    redact: Redact | None = None

    def __post_init__(self) -> None:
        if not self.path:
            msg = "path is empty: name a folder"
            raise ValueError(msg)
        if self.rotate_every < Duration.parse("1s"):
            msg = f"rotate_every is {self.rotate_every}: at least 1s"
            raise ValueError(msg)
        if self.rotate_size < Size.parse("1MiB"):
            msg = f"rotate_size is {self.rotate_size}: at least 1MiB"
            raise ValueError(msg)
