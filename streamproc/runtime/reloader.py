"""Carries a reload out: reads the configuration again, prepares on a thread, puts in on the event loop, or keeps what runs."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from streamproc.config import PipelineConfig, secrets_of
from streamproc.core import NS_PER_S, Clock, ConfigError, Executor, ExternalError, ModelInfo
from streamproc.engine import Verdict
from streamproc.executors import PythonModel, digest_of, runners
from streamproc.runtime.assembly import Assembly
from streamproc.runtime.braking import braked, floor_of
from streamproc.runtime.credentials import Credentials, Renewal
from streamproc.runtime.driver import Driver
from streamproc.runtime.reload import RELOADED, Prepared, check_reload, files_of, prepare, words_of
from streamproc.runtime.rolled_back import RolledBack
from streamproc.slo import Measures

log = logging.getLogger(__name__)

Reread = Callable[[], PipelineConfig]
"""Reads the configuration again; raises ``ConfigError`` where it is wrong."""
Looks = dict[str, tuple[int, int, int] | None]


class Reloader:
    """Belongs to the event loop of one running pipeline.

    Args:
        config: as it is now.
        executors: that run now, the best variant's first.
        assembly: of the pipeline.
        driver: of the pipeline.
        clock: the time.
        reread: reads the configuration again; None keeps it, and loads the model's files anew.
        credentials: what the clients show.

    Attributes:
        config: as it is now.
        executors: that run now.
        rolled_back: keeps the canaries that were taken back over restarts.
        results: how many reloads there were, by result.
    """

    def __init__(
        self,
        config: PipelineConfig,
        executors: tuple[Executor, ...],
        *,
        assembly: Assembly,
        driver: Driver,
        clock: Clock,
        reread: Reread | None,
        credentials: Credentials,
    ) -> None:
        self.config = config
        self.executors = executors
        self.results: Counter[str] = Counter()
        self._compute, self._latency = assembly.compute, assembly.latency
        self._engine = assembly.engine
        self._driver = driver
        self._clock = clock
        self._reread = reread
        self._credentials = credentials
        self._secrets = assembly.secrets
        self.rolled_back = RolledBack(assembly.engine, clock, lambda: self.config.rollout)
        self.rolled_back.obey()
        self._measures = Measures()
        self._one_at_a_time = asyncio.Lock()

    async def reload(self, config: PipelineConfig | None = None) -> Mapping[str, object]:
        """Go on with the configuration and the model files as they are now.

        Args:
            config: the configuration; None reads it again.

        Returns:
            what runs now.

        Raises:
            ConfigError: it is wrong, or a reload cannot change it; or the model does not load, does not answer its
                golden inputs, or is another kind of model. What ran goes on.
            ExternalError: a process of the model does not start. What ran goes on.
        """
        async with self._one_at_a_time:
            result = "refused"
            try:
                if config is None:
                    config = await self._read()
                check_reload(self.config, config)
                result = "failed"
                renewals = await self._credentials.prepare(config)
                prepared = await asyncio.to_thread(self._prepare, config)
            except (ConfigError, ExternalError) as error:
                self.results[result] += 1
                log.error("reload %s, what ran goes on: %s", result, _one_line(error))  # noqa: TRY400
                raise
            return self._put_in(prepared, renewals)

    def brake(self, measures: Measures) -> None:
        """Do what a burning budget asks for, between two batches; a reload keeps to it until it is taken back."""
        moved = measures.max_queue != self._measures.max_queue
        if measures.roll_back and not self._measures.roll_back:
            self._engine.roll_back(
                Verdict("slo", f"the budget of {', '.join(measures.because)} burns")
            )
        self._measures = measures
        if moved:
            self._put_into_engine(
                Prepared.of_the_same(self.config, self.executors, self._compute, self._latency),
                "what a burning budget asks for",
            )
        else:
            self._hold(self.config)

    def _put_into_engine(self, prepared: Prepared, words: str) -> None:
        config = braked(prepared.config, self._measures)
        replace(prepared, config=config).put_into(self._engine, words)
        self._hold(prepared.config)

    def _hold(self, config: PipelineConfig) -> None:
        ladder = [variant.name for variant in config.model.ladder]
        self._engine.hold_variant(floor_of(ladder, self._measures))

    async def watch(self) -> None:
        """Reload where a file of the model has changed, and been left alone since; until cancelled."""
        seen = changed = await asyncio.to_thread(
            _look, files_of(self.config.model, self.config.rollout)
        )
        while (every := self.config.model.watch) is not None:
            await asyncio.sleep(every / NS_PER_S)
            now = await asyncio.to_thread(_look, files_of(self.config.model, self.config.rollout))
            if now != seen and now == changed:
                seen = now
                try:
                    await self.reload(self.config)
                except (ConfigError, ExternalError):
                    continue  # said, and not tried again before the next change
            changed = now

    async def _read(self) -> PipelineConfig:
        if self._reread is None:
            return self.config
        return await asyncio.to_thread(self._reread)

    def _prepare(self, config: PipelineConfig) -> Prepared:
        # A larger batch is measured with the model.
        same_size = self.config.batching.max_size == config.batching.max_size
        same_models = (self.config.model, self.config.rollout) == (config.model, config.rollout)
        if same_size and same_models and self._is_loaded(config):
            return Prepared.of_the_same(config, self.executors, self._compute, self._latency)
        return prepare(config, self.executors, self._clock)

    def _is_loaded(self, config: PipelineConfig) -> bool:
        """Whether the files are those that are loaded; a function in a process of its own is always loaded anew."""
        model = config.model
        for variant, executor in zip(runners(model, config.rollout), self.executors, strict=True):
            if variant.files:
                if digest_of(variant, model.rules) != executor.info.digest:
                    return False
            elif model.isolated and isinstance(variant.executor, PythonModel):
                return False
        return True

    def _put_in(self, prepared: Prepared, renewals: Sequence[Renewal]) -> Mapping[str, object]:
        """Between two batches: nothing else runs on the event loop meanwhile."""
        before = [executor.info for executor in self.executors]
        after = [executor.info for executor in prepared.executors]
        self._secrets.update(secrets_of(prepared.config))
        self._credentials.show(renewals)
        words = words_of(before, after)
        changed = [
            key for key in RELOADED if getattr(self.config, key) != getattr(prepared.config, key)
        ]
        tried_again = self.rolled_back.undone()
        if {*changed} - {"slo"} or prepared.executors is not self.executors or tried_again:
            self._put_into_engine(prepared, "; ".join((words, *changed)))
            self._driver.swap(prepared.executors, prepared.compute)
            if _runs_another(self.config, before, prepared.config, after):
                self._engine.begin_anew()
        changed += [f"{renewal.end}.kafka.security" for renewal in renewals]
        if self.config.telemetry != prepared.config.telemetry:
            changed.append("telemetry.metrics.token")
        self.config, self.executors = prepared.config, prepared.executors
        self._compute, self._latency = prepared.compute, prepared.latency
        self.results["done"] += 1
        log.warning("reloaded: %s; changed keys: %s", words, ", ".join(changed) or "none")
        return {
            "reloaded": True,
            "changed": changed,
            "models": [{"variant": model.variant, "digest": model.digest} for model in after],
        }


def _runs_another(
    config: PipelineConfig,
    before: Sequence[ModelInfo],
    new_config: PipelineConfig,
    after: Sequence[ModelInfo],
) -> bool:
    """Whether another model runs from now on, by its files and constants."""
    digests = [{model.digest for model in models} for models in (before, after)]
    return digests[0] != digests[1] or config.model.constants != new_config.model.constants


def _look(paths: tuple[str, ...]) -> Looks:
    """What can be seen of files without reading them: inode, size and time of change."""
    found: Looks = {}
    for path in paths:
        try:
            status = Path(path).lstat()
        except OSError:
            found[path] = None
        else:
            found[path] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found


def _one_line(error: Exception) -> str:
    return "; ".join(str(error).splitlines())
