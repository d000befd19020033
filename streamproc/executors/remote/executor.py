"""The executor of a model on another machine."""

import hashlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import replace

from streamproc.core import (
    NS_PER_S,
    Clock,
    Columns,
    ConfigError,
    ExternalError,
    ModelError,
    ModelInfo,
    Problem,
    Reason,
    TensorSpec,
)
from streamproc.executors.isolated.breaker import CircuitBreaker
from streamproc.executors.isolated.health import ProcessHealth
from streamproc.executors.remote.asking import Asking
from streamproc.executors.remote.errors import FailedError, RefusedError, RemoteError, WrongError
from streamproc.executors.remote.grpc_transport import GrpcTransport
from streamproc.executors.remote.http import HttpTransport
from streamproc.executors.remote.options import Address, Remote
from streamproc.executors.remote.transport import Described, Transport

log = logging.getLogger(__name__)

_DESCRIBE_S = 5.0
"""How long a server's description of its model is waited for at the start."""
_DESCRIBE_AGAIN_S = 0.5
"""And on the way of a batch, where it could not be asked at the start."""


class RemoteExecutor:
    """Asks a server for each batch; implements ``core.Executor`` and ``core.TimedExecutor``.

    What does not answer in time, cannot be reached or answers nonsense raises a ``ModelError`` with the reason
    ``model_unavailable``: another variant decides. What the server says of the request itself is raised as it is,
    so that the rows at fault are found.

    Args:
        options: what the user set.
        clock: the time.
        variant: which variant of the model it is.
        expected: what the model takes and gives as another variant says; it stands in while the server cannot be
            asked, and the server is held against it before it decides anything. None asks it now.
        key: where it stands in the configuration.

    Raises:
        ConfigError: the server has another model.
        ExternalError: it cannot be asked, and there is nothing to stand in.
    """

    inline = False  # the event loop never waits for a server

    def __init__(
        self,
        options: Remote,
        *,
        clock: Clock,
        variant: str = "full",
        expected: ModelInfo | None = None,
        key: str = "model",
    ) -> None:
        self._options = options
        self._clock = clock
        self._variant = variant
        self._expected = expected
        self._key = f"{key}.executor.remote"
        self._lock = threading.Lock()
        self._breaker = CircuitBreaker(options.breaker)
        self._wrong: str | None = None
        self._verified = False
        self.concurrency = options.concurrency
        self._servers = [self._transport(address) for address in options.addresses]
        self._asking = Asking(
            self._servers,
            retries=options.retries,
            hedge=options.hedge,
            concurrency=options.concurrency,
            clock=clock,
        )
        try:
            self.info = self._begin()
        except BaseException:
            self.close()
            raise

    def health(self) -> ProcessHealth:
        """How it stands, as of a model's own process; one server that answers is one that is ready."""
        with self._lock:
            state = self._breaker.state(self._clock.now_ns())
            opened = self._breaker.opened_total
        return ProcessHealth(int(self._verified and state == "closed"), 0, state, opened)

    @property
    def hedged_total(self) -> int:
        """Batches that were asked a second time because the first answer was slow."""
        return self._asking.hedged_total

    def run(self, inputs: Columns) -> Columns:
        """The outputs for a batch; see ``Executor``."""
        return self.run_by(inputs, None)

    def run_by(
        self, inputs: Columns, deadline_ns: int | None, until_ns: int | None = None
    ) -> Columns:
        """The outputs for a batch, or an error early enough for somebody else; see ``TimedExecutor``.

        Raises:
            ModelError: no good answer came in time.
            RefusedError: the server says that the request is at fault.
        """
        now_ns = self._clock.now_ns()
        last_ns = now_ns + int(self._options.timeout)
        until_ns = last_ns if until_ns is None or until_ns <= now_ns else min(last_ns, until_ns)
        if (
            deadline_ns is not None and deadline_ns > now_ns
        ):  # what is late already may as well wait
            until_ns = min(until_ns, deadline_ns - int(self._options.reserve))
        if until_ns <= now_ns:
            raise self._unavailable("its batch has no time left to ask it")
        with self._lock:
            allowed = self._breaker.allows(now_ns)
        if not allowed:
            raise self._unavailable("it failed again and again, and is left alone for a while")
        try:
            self._verify(until_ns)
            outputs = self._asking.ask(
                lambda server, left_ns: self._asked(server, inputs, left_ns, deadline_ns), until_ns
            )
        except FailedError:
            self._failed()
            raise
        except RefusedError:
            self._answered()
            raise
        except RemoteError as error:
            self._given_up(error, until_ns - now_ns)
            raise self._unavailable(str(error)) from None
        except BaseException:
            self._failed()  # such as a type that the protocol has not: nothing is to be left half open
            raise
        self._answered()
        return outputs

    def close(self) -> None:
        """Ask no more; see ``Executor``."""
        self._asking.close()
        for server in self._servers:
            server.close()

    def _transport(self, address: Address) -> Transport:
        if address.scheme.startswith("grpc"):
            return GrpcTransport(address, self._options.headers)
        return HttpTransport(address, self._options.headers, 2 * self._options.concurrency)

    def _begin(self) -> ModelInfo:
        """Ask what the model is; where nobody answers, take what another variant says."""
        failed: RemoteError | None = None
        for server in self._servers:
            try:
                described = server.describe(_DESCRIBE_S)
            except WrongError as error:
                text = f"{server.place} does not serve the model: {error}"
                raise ConfigError(Problem(text, f"{self._key}.url")) from error
            except RemoteError as error:
                failed = error
                continue
            info = self._info_of(described)
            wrong = self._difference(info)
            if wrong is not None:
                raise ConfigError(Problem(f"{server.place}: {wrong}", f"{self._key}.url"))
            self._verified = True
            return info
        text = f"the model {self._variant} at {self._servers[0].place} cannot be asked: {failed}"
        if self._expected is None:
            msg = f"{text}; start its server, or put another variant beside it"
            raise ExternalError(msg)
        log.warning("%s; the other variants decide until it can", text)
        return replace(
            self._expected,
            variant=self._variant,
            digest="unknown",
            batch_max=None,
            runs_on=f"remote {self._servers[0].place}",
        )

    def _verify(self, until_ns: int) -> None:
        """See that the server has the right model before its first answer, where it could not be asked before."""
        if self._wrong is not None:
            raise WrongError(self._wrong)
        if self._verified:
            return
        left_s = (until_ns - self._clock.now_ns()) / NS_PER_S
        info = self._info_of(self._servers[0].describe(min(_DESCRIBE_AGAIN_S, max(left_s, 1e-3))))
        wrong = self._difference(info)
        if wrong is not None:
            self._wrong = wrong
            log.error("%s %s: it is not asked any more", self._servers[0].place, wrong)
            raise WrongError(wrong)
        self._verified = True
        log.warning("the model %s at %s answers", self._variant, self._servers[0].place)

    def _info_of(self, described: Described) -> ModelInfo:
        versions = ",".join(described.versions)
        text = f"{self._options.url} {described}"
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        where = f"remote {self._servers[0].place}"
        about = " ".join(part for part in (described.platform, versions) if part)
        return ModelInfo(
            variant=self._variant,
            digest=f"description-sha256:{digest}",
            inputs=described.inputs,
            outputs=described.outputs,
            runs_on=f"{where} ({about})" if about else where,
        )

    def _difference(self, info: ModelInfo) -> str | None:
        """What the server's model takes or gives otherwise than the other variants; None where nothing."""
        if self._expected is None:
            return None
        for what, here, there in (
            ("takes", self._expected.inputs, info.inputs),
            ("gives", self._expected.outputs, info.outputs),
        ):
            if here and there and not _fits(here, there):
                return f"its model {what} {_words(there)}, the other variants {_words(here)}"
        return None

    def _asked(
        self, server: Transport, inputs: Columns, left_ns: int, deadline_ns: int | None
    ) -> Columns:
        outputs = server.infer(inputs, timeout_s=left_ns / NS_PER_S, deadline_ns=deadline_ns)
        rows = len(next(iter(inputs.values())))
        for spec in self.info.outputs:
            array = outputs.get(spec.name)
            if array is None:
                msg = f"it answered no {spec.name!r}, only {', '.join(outputs) or 'nothing'}"
                raise WrongError(msg)
            if not _is(spec, array.dtype.name, array.shape, rows):
                msg = f"it answered {spec.name!r} as {array.dtype} {list(array.shape)} for {rows} events"
                raise WrongError(msg)
        return outputs

    def _given_up(self, error: RemoteError, given_ns: int) -> None:
        """It did not answer: a failure, unless it had less time than half of its answers take."""
        usual_ns = self._asking.answers.quantile_ns(0.5)
        if usual_ns is not None and given_ns < usual_ns:
            with self._lock:
                half_open = self._breaker.state(self._clock.now_ns()) == "half_open"
            if not half_open:
                return
        log.debug("model %s: %s", self._variant, error)
        self._failed()

    def _answered(self) -> None:
        with self._lock:
            if self._breaker.state(self._clock.now_ns()) != "closed":
                log.warning("model %s answers again", self._variant)
            self._breaker.answered()

    def _failed(self) -> None:
        with self._lock:
            if self._breaker.failed(self._clock.now_ns()):
                log.error(
                    "model %s at %s failed again and again: it is left alone for a while (remote.breaker); "
                    "events go to another variant, or are dead letters",
                    self._variant,
                    self._servers[0].place,
                )

    def _unavailable(self, text: str) -> ModelError:
        detail = f"the model {self._variant} at {self._servers[0].place}: {text}"
        return ModelError(Reason.MODEL_UNAVAILABLE, detail)


def _fits(here: Sequence[TensorSpec], there: Sequence[TensorSpec]) -> bool:
    """Whether both say the same; a server may give its tensors in another order, and leave sizes open."""
    by_name = {spec.name: spec for spec in there}
    return len(here) == len(there) and all(
        (other := by_name.get(spec.name)) is not None
        and other.dtype == spec.dtype
        and len(other.shape) == len(spec.shape)
        and all(
            a is None or b is None or a == b for a, b in zip(spec.shape, other.shape, strict=True)
        )
        for spec in here
    )


def _is(spec: TensorSpec, dtype: str, shape: Sequence[int], rows: int) -> bool:
    return (
        dtype == spec.dtype
        and len(shape) == len(spec.shape) + 1
        and shape[0] == rows
        and all(n is None or n == m for n, m in zip(spec.shape, shape[1:], strict=True))
    )


def _words(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(
        f"{s.name} {s.dtype}[{', '.join('?' if n is None else str(n) for n in ('n', *s.shape))}]"
        for s in specs
    )
