"""What a user can set of the front door."""

from dataclasses import dataclass, field

from streamproc.core import Duration, Size

PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class Serve:
    """Answers requests of the Open Inference Protocol, besides the stream: ``POST /v2/models/NAME/infer``.

    Attributes:
        listen: ``host:port``; port 0 takes a free one.
        token: what callers must show (``Authorization: Bearer``), such as ``${file:/run/secrets/token}``, at least 16
            characters. Required where ``listen`` can be reached from other machines.
        timeout: within which a request is answered that says nothing else; null takes ``deadline.budget``.
        max_rows: of one request.
        max_waiting: rows of requests that may wait; more are refused at once.
        max_body: of one request.
    """

    listen: str = "127.0.0.1:8000"
    token: str | None = field(default=None, repr=False)
    timeout: Duration | None = None
    max_rows: int = 1_024
    max_waiting: int = 8_192
    max_body: Size = Size.parse("16MiB")  # noqa: RUF009 - immutable

    def __post_init__(self) -> None:
        host, _, port = self.listen.rpartition(":")
        if not host or not port.isdigit() or int(port) > PORT_MAX:
            msg = f"listen must be host:port, such as 127.0.0.1:8000, was {self.listen!r}"
            raise ValueError(msg)
        if self.timeout is not None and self.timeout <= 0:
            msg = f"timeout must be above 0, was {self.timeout}"
            raise ValueError(msg)
        for name in ("max_rows", "max_waiting", "max_body"):
            if getattr(self, name) < 1:
                msg = f"{name} must be at least 1, was {getattr(self, name)}"
                raise ValueError(msg)
