"""The processes of a model that are ready, and the thread that replaces those that died."""

import contextlib
import logging
import os
import select
import threading
from typing import NamedTuple

from streamproc.core import ConfigError, Duration, ExternalError, ModelInfo
from streamproc.executors.isolated.life import Job, Life

log = logging.getLogger(__name__)

_BACKOFF_MIN_S = 0.1
_BACKOFF_MAX_S = 5.0
_MS_PER_S = 1_000
_JOIN_S = 5.0


class Started(NamedTuple):
    """What the first process told of the model."""

    info: ModelInfo
    inline: bool


class Pool:
    """Keeps so many processes ready; used from any thread.

    Args:
        job: what they run.
        count: how many, the spare one included.
        start_timeout: how long one may take to be ready.
        name: of the model, for the log.
    """

    def __init__(self, job: Job, count: int, *, start_timeout: Duration, name: str) -> None:
        self._job = job
        self._count = count
        self._start_timeout = start_timeout
        self._name = name
        self._changed = threading.Condition()
        self._idle: list[Life] = []
        self._busy: set[Life] = set()
        self._dying: set[Life] = set()
        """Those at work that are seen to be dead: whoever waits for their answer discards them."""
        self._starting: Life | None = None
        self._closed = False
        self._started: Started | None = None
        self._error: Exception | None = None
        """Why the last start failed; None where it did not."""
        self._starts = 0
        self._wake: int | None = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        # One thread starts them all: the kernel ends a process with the thread that started it.
        self._keeper = threading.Thread(target=self._keep, name=f"streamproc-{name}", daemon=True)
        self._keeper.start()

    @property
    def ready_total(self) -> int:
        """Processes that are loaded and warm, those at work included."""
        with self._changed:
            return len(self._idle) + len(self._busy)

    @property
    def restarts(self) -> int:
        """Processes that were started in place of others."""
        return max(0, self._starts - self._count)

    def first(self) -> Started:
        """Wait for the first process.

        Raises:
            ConfigError: the model does not load.
            ExternalError: its process does not start.
        """
        with self._changed:
            while self._started is None:
                if self._error is not None:
                    raise self._error
                self._changed.wait()
            return self._started

    def take(self, timeout_s: float) -> Life:
        """A process that is ready; give it back, or discard it.

        Raises:
            ExternalError: there is none within the time, or none can be started.
        """
        with self._changed:
            there = self._changed.wait_for(
                lambda: self._idle or self._closed or self._error, timeout_s
            )
            if self._idle:
                life = self._idle.pop()
                self._busy.add(life)
                return life
            why = "it is closed" if self._closed else str(self._error)
            msg = f"no process of the model is ready: {why if there else 'it still starts'}"
            raise ExternalError(msg)

    def give_back(self, life: Life) -> None:
        """It can be asked again."""
        with self._changed:
            self._busy.discard(life)
            if not self._closed and life not in self._dying:
                self._idle.append(life)
                self._changed.notify()
                return
        self.discard(life)

    def discard(self, life: Life) -> None:
        """It is dead or out of its mind: another one takes its place."""
        life.kill()
        with self._changed:
            self._busy.discard(life)
            self._dying.discard(life)
        life.bury()
        self._rouse()

    def close(self) -> None:
        """Kill them all."""
        with self._changed:
            self._closed = True
            for life in (*self._busy, *([self._starting] if self._starting else [])):
                life.kill()  # whoever waits for it hears it, and discards it
            self._changed.notify_all()
        self._rouse()
        self._keeper.join(_JOIN_S)

    def _rouse(self) -> None:
        """Let the keeper look again."""
        with self._changed:
            if self._wake is not None:
                os.eventfd_write(self._wake, 1)

    def _keep(self) -> None:
        """See that there are as many as there should be, until closed."""
        backoff_s = _BACKOFF_MIN_S
        while not self._closed:
            self._bury_the_dead()
            if self.ready_total >= self._count:
                self._wait(None)
                continue
            if self._start():
                backoff_s = _BACKOFF_MIN_S
            elif not self._closed:
                self._wait(backoff_s)
                backoff_s = min(2 * backoff_s, _BACKOFF_MAX_S)
        with self._changed:
            last, self._idle = self._idle, []
            wake, self._wake = self._wake, None
        for life in last:
            life.kill()
            life.bury()
        if wake is not None:
            os.close(wake)

    def _wait(self, timeout_s: float | None) -> None:
        """Until a process dies, or somebody has changed something; the idle dead are buried next."""
        wake = self._wake
        if wake is None:
            return
        poller = select.poll()
        poller.register(wake, select.POLLIN)
        with self._changed:
            watched = {life.pidfd: life for life in {*self._idle, *self._busy} - self._dying}
        for pidfd in watched if timeout_s is None else ():
            poller.register(pidfd, select.POLLIN)
        happened = poller.poll(None if timeout_s is None else timeout_s * _MS_PER_S)
        with self._changed:
            dead = {watched[fd] for fd, _ in happened if fd in watched}
            self._dying |= dead & self._busy
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(wake)

    def _bury_the_dead(self) -> None:
        with self._changed:
            poller = select.poll()
            for life in self._idle:
                poller.register(life.pidfd, select.POLLIN)
            dead = {fd for fd, _ in poller.poll(0)}
            gone = [life for life in self._idle if life.pidfd in dead]
            self._idle = [life for life in self._idle if life.pidfd not in dead]
        for life in gone:
            log.warning(
                "model %s: process %d %s while it waited; another takes its place",
                self._name,
                life.pid,
                life.end_in_words(),
            )
            life.bury()

    def _start(self) -> bool:
        """Start one and wait until it is ready; False where it fails."""
        life = None
        try:
            life = Life(self._job)
            with self._changed:
                self._starting = life
                self._starts += 1
            info, inline = life.ready(self._start_timeout)
        except Exception as error:  # noqa: BLE001 - the keeper must outlive whatever it is
            if life is not None:
                life.kill()
            self._failed(error)
            if life is not None:
                life.bury()
            return False
        with self._changed:
            self._starting, self._error = None, None
            self._started = self._started or Started(info, inline)
            self._idle.insert(0, life)  # those that ran before are taken first: they are warmer
            self._changed.notify_all()
        return True

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, ConfigError | ExternalError):
            error = ExternalError(f"no process can be started: {error!r}")
        with self._changed:
            self._starting = None
            if self._started is not None and not self._closed:
                log.warning("model %s: %s; trying again", self._name, error)
            self._error = error
            self._changed.notify_all()
