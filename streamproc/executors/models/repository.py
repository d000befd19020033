"""A folder of models with versions, as Triton's: ``REPOSITORY/NAME/VERSION/model.onnx``, beside a ``config.pbtxt``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NoReturn

from streamproc.core import ConfigError, Problem
from streamproc.executors.models.pbtxt import Fields, read_pbtxt

CONFIG_NAME: Final = "config.pbtxt"
_DEFAULT_FILE: Final = "model.onnx"
_PLATFORMS: Final = ("onnxruntime_onnx", "onnxruntime", "openvino", "")
_REFUSED: Final = {
    "ensemble_scheduling": "is an ensemble of other models",
    "sequence_batching": "wants sequences of requests, which have a state",
    "model_transaction_policy": "answers more or less often than it is asked",
}
"""What changes the meaning of a model, and is not understood here."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A model in a folder of models, with versions.

    Attributes:
        path: the repository, relative to the configuration file.
        name: the model's folder in it.
        version: ``latest``, or the number of one; its folder is called so.
    """

    path: str
    name: str
    version: int | Literal["latest"] = "latest"

    def __post_init__(self) -> None:
        if not self.name or self.name in (".", "..") or "/" in self.name:
            msg = f"name must be that of a folder in the repository, was {self.name!r}"
            raise ValueError(msg)
        if isinstance(self.version, int) and self.version < 1:
            msg = f"version must be latest or a number from 1 on, was {self.version}"
            raise ValueError(msg)

    @property
    def folder(self) -> Path:
        """The model's."""
        return Path(self.path) / self.name

    @property
    def file(self) -> str:
        """The file of the version that is meant now: of ``latest``, another one once there is a higher number.

        Raises:
            ConfigError: there is none, or ``config.pbtxt`` says what is not understood here.
        """
        version, config = self.version, self._config()
        there = self._versions()
        try:
            allowed = _allowed(config, there)
        except ValueError as error:
            self._refuse(f"{self.folder / CONFIG_NAME}: {error}")
        if version == "latest":
            if not allowed:
                self._refuse(
                    f"{self.folder} has no version: none of its folders is called by a number"
                )
            version = max(allowed)
        elif version not in there:
            numbers = ", ".join(map(str, there)) or "none"
            self._refuse(f"{self.folder} has no version {version}: there are {numbers}")
        elif version not in allowed:
            self._refuse(
                f"version {version} of {self.name} is not served by {CONFIG_NAME}'s version_policy"
            )
        return str(self.folder / str(version) / _file_name(config))

    def _versions(self) -> list[int]:
        try:
            names = [entry.name for entry in self.folder.iterdir() if entry.is_dir()]
        except OSError as error:
            self._refuse(f"{self.folder} cannot be read: {error.strerror or error}")
        # As Triton: 0 and 01 are no versions.
        return sorted(int(n) for n in names if n.isascii() and n.isdigit() and n[0] != "0")

    def _config(self) -> Fields:
        path = self.folder / CONFIG_NAME
        if not path.is_file():
            return {}
        try:
            config = read_pbtxt(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            self._refuse(f"{path} cannot be read: {error}")
        for key, why in _REFUSED.items():
            if key in config:
                self._refuse(f"{path}: {key}: the model {why}, which is not done here")
        named = _text(config, "name")
        if named not in ("", self.name):
            self._refuse(f"{path} is of {named!r}, and lies in the folder {self.name!r}")
        for key in ("platform", "backend"):
            if _text(config, key) not in _PLATFORMS:
                self._refuse(
                    f"{path}: {key} {_text(config, key)!r} is not run here: only ONNX files are"
                )
        return config

    def _refuse(self, text: str) -> NoReturn:
        raise ConfigError(Problem(text, f"repository {self.path}"))


def _file_name(config: Fields) -> str:
    name = _text(config, "default_model_filename") or _DEFAULT_FILE
    return Path(name).name


def _text(config: Fields, key: str) -> str:
    value = config.get(key, [""])[-1]
    return value if isinstance(value, str) else ""


def _allowed(config: Fields, there: list[int]) -> list[int]:
    """The versions that ``version_policy`` serves; without one all may be asked for.

    Raises:
        ValueError: it is none.
    """
    policy = config.get("version_policy", [{}])[-1]
    if not isinstance(policy, dict) or not policy or "all" in policy:
        return there
    if "specific" in policy:
        chosen = policy["specific"][-1]
        named = chosen.get("versions", []) if isinstance(chosen, dict) else []
        return [version for version in there if version in named]
    if "latest" in policy:
        latest = policy["latest"][-1]
        count = latest.get("num_versions", [1])[-1] if isinstance(latest, dict) else 1
        return there[-count:] if isinstance(count, int) and count > 0 else there[-1:]
    msg = "version_policy has none of latest, all and specific"
    raise ValueError(msg)
