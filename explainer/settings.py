"""Every setting of the service, from environment ``EXPLAINER_*`` or a file, refused when unknown or a placeholder."""

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from explainer.errors import SettingsError

PREFIX = "EXPLAINER_"
SETTINGS_FILE = "EXPLAINER_SETTINGS_FILE"

_KEY_BYTES = 32
_PRINTABLE = range(0x20, 0x7F)
_PLACEHOLDERS = ("changeme", "change-me", "secret", "placeholder", "example", "todo")


class Settings(BaseModel):
    """The frozen settings of one installation; ``docs/reference/settings.md`` is checked against this class."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str = Field(
        default="sqlite:///var/klarbescheid.db",
        description="SQLAlchemy address of the database: sqlite:///file or postgresql+psycopg://user@host/name.",
    )
    data_folder: Path = Field(
        default=Path("var"), description="Folder for the log key, the key store and other files of this installation."
    )
    package_folders: tuple[Path, ...] = Field(
        default=(), description="Folders with model packages, besides the bundled ones; several are joined by a colon."
    )
    use_bundled_packages: bool = Field(default=True, description="Whether the bundled model packages are offered.")
    city_name: str = Field(default="Musterstadt", description="Name of the city as it stands on the pages.")
    base_url: str = Field(
        default="http://127.0.0.1:8000",
        description="Public address without a slash at the end; links and the name of the log are made of it.",
    )
    log_origin: str | None = Field(
        default=None, description="Name of the log in its checkpoints; made from base_url when empty. Never change it."
    )
    server_key_file: Path | None = Field(
        default=None,
        description="File with 32 random bytes in Base64 that protects access codes and stored keys; "
        "made in the demo, required everywhere else. Keep a copy apart from the database.",
    )
    key_service_url: str | None = Field(
        default=None,
        description="Address of a key service (`explainer key-service`), where several machines serve one city; "
        "the key store is a file in the data folder when empty.",
    )
    key_service_token_file: Path | None = Field(
        default=None, description="File with the token of the key service, mode 0600."
    )
    retention_days: int = Field(
        default=400,
        ge=183,
        description="After how many days `explainer retention` erases the data of a decision; the law demands 183.",
    )
    erasure_list_file: Path | None = Field(
        default=None,
        description="List of what was erased, so that a restored copy brings nobody back; put it on another volume. "
        "anchors/erasures.jsonl in the data folder when empty.",
    )
    log_signer_socket: Path | None = Field(
        default=None,
        description="Unix socket of a process that holds the log's keys (explainer log signer); a file in the data "
        "folder when empty.",
    )
    witness_policy_file: Path | None = Field(
        default=None,
        description="C2SP policy file with the witnesses that cosign checkpoints; none are asked when empty.",
    )
    witness_seconds: float = Field(
        default=30.0, gt=0, le=3600, description="Pause between two rounds of asking the witnesses, in seconds."
    )
    anchor_folder: Path | None = Field(
        default=None,
        description="Folder for what must outlive the database: the checkpoints that were released. Best on another "
        "volume; anchors/ in the data folder when empty.",
    )
    demo: bool = Field(default=False, description="Demo city: makes its own secrets and publishes its log entries.")
    public_log_entries: bool = Field(
        default=False, description="Whether anyone may read log entries (always in the demo); else auditors only."
    )
    https_only: bool = Field(default=True, description="Whether cookies are sent over HTTPS only; off in the demo.")
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    max_body_bytes: int = Field(default=262_144, ge=1024, description="Largest request body, in bytes.")
    answer_days: int = Field(
        default=14, ge=1, le=30, description="Within how many days a person answers when an explanation is refused."
    )
    load_models: Literal["at_start", "when_needed"] = Field(
        default="at_start",
        description="When models are verified and made ready: at_start, or when_needed for the first number that was "
        "not computed before. Their files are checked at every start.",
    )
    look_for_models_seconds: int = Field(
        default=30,
        ge=0,
        description="How often a running service looks for model packages that were added, in seconds; 0 for never. "
        "They are verified before they are used.",
    )
    traces_endpoint: str | None = Field(
        default=None,
        description="Where one OpenTelemetry span for each processing of a person's data is sent (OTLP over HTTP), "
        "such as https://collector.example/v1/traces; off when empty. Needs the extra `traces`.",
    )
    processing_activity_id: str | None = Field(
        default=None,
        description="Address (URI) of this processing in the city's register; required with traces_endpoint.",
    )
    traces_required: bool = Field(
        default=False, description="Whether an answer is withheld while the collector does not acknowledge its traces."
    )
    proof_seconds: float = Field(
        default=10.0,
        ge=0,
        le=600,
        description="How long it is tried, in the background, to prove that no change would have helped a person; "
        "0 switches this off.",
    )
    default_language: Literal["de", "en"] = Field(default="de", description="Language where the reader states none.")

    @field_validator("package_folders", mode="before")
    @classmethod
    def _split_folders(cls, value: object) -> object:
        return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value

    @field_validator("base_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("an address begins with http:// or https://")
        return value.rstrip("/")

    @property
    def origin(self) -> str:
        """Name of the log: host and path without a scheme, as C2SP asks."""
        return self.log_origin or f"{self.base_url.split('://', 1)[-1].rstrip('/')}/log"


def load_settings(environment: Mapping[str, str]) -> Settings:
    """Read and check all settings, reporting every problem at once.

    Args:
        environment: Process environment; names that begin with EXPLAINER_ and are unknown are refused.
            ``EXPLAINER_SETTINGS_FILE`` may name a file of further ``EXPLAINER_…=…`` lines; the environment goes first.

    Returns:
        The settings.

    Raises:
        SettingsError: If a setting is unknown, malformed, missing or a placeholder.
    """
    given = {**_settings_file(environment.get(SETTINGS_FILE)), **environment}
    named = {name.upper(): value for name, value in given.items() if name.upper().startswith(PREFIX)}
    named.pop(SETTINGS_FILE, None)
    known = {f"{PREFIX}{name.upper()}": name for name in Settings.model_fields}
    problems = [f"{name}: there is no such setting." for name in sorted(named) if name not in known]
    try:
        settings = Settings.model_validate({known[name]: value for name, value in named.items() if name in known})
    except ValidationError as error:
        problems += [f"{PREFIX}{str(item['loc'][0]).upper()}: {item['msg']}." for item in error.errors()]
        raise SettingsError("The settings cannot be used:\n" + "\n".join(problems)) from error
    if not settings.demo:
        problems += _problems_outside_the_demo(settings)
    problems += _problems_with_traces(settings)
    if problems:
        raise SettingsError("The settings cannot be used:\n" + "\n".join(problems))
    return settings


def _settings_file(path: str | None) -> dict[str, str]:
    if path is None:
        return {}
    if not Path(path).is_file():
        raise SettingsError(f"{SETTINGS_FILE}: there is no file {path}.")
    return {name: value or "" for name, value in dotenv_values(path, interpolate=False).items()}


def _problems_outside_the_demo(settings: Settings) -> list[str]:
    problems = []
    if settings.server_key_file is None:
        problems.append(
            'EXPLAINER_SERVER_KEY_FILE: missing. Make one with `python -c "import base64,os;'
            'print(base64.b64encode(os.urandom(32)).decode())" > server.key` and chmod 600.'
        )
    defaults = Settings()
    if settings.city_name == defaults.city_name:
        problems.append("EXPLAINER_CITY_NAME: give the name of your city; this one stands for the demo.")
    if settings.base_url == defaults.base_url:
        problems.append("EXPLAINER_BASE_URL: give the public address of the service; letters and the log name it.")
    return problems


def _problems_with_traces(settings: Settings) -> list[str]:
    endpoint, activity = settings.traces_endpoint, settings.processing_activity_id
    if endpoint is None:
        return []
    problems = []
    here = urlsplit(endpoint).hostname in {"127.0.0.1", "localhost", "::1"}
    if not endpoint.startswith("https://") and not (here and endpoint.startswith("http://")):
        problems.append("EXPLAINER_TRACES_ENDPOINT: traces leave this machine over https:// only.")
    if activity is None or not urlsplit(activity).scheme:
        problems.append("EXPLAINER_PROCESSING_ACTIVITY_ID: give the URI of this processing in the city's register.")
    return problems


def read_server_key(path: Path) -> bytes:
    """Read the 32-byte server key.

    Args:
        path: File with Base64 text.

    Returns:
        32 bytes.

    Raises:
        SettingsError: If the file is missing, readable by others, a placeholder or not 32 random bytes.
    """
    try:
        text = path.read_bytes().decode("ascii", errors="replace").strip()
        mode = path.stat().st_mode & 0o077
    except OSError as error:
        raise SettingsError(f"The server key file {path.name} cannot be read: {error.strerror}.") from error
    if mode:
        raise SettingsError(f"The server key file {path.name} can be read by others; run chmod 600 on it.")
    if text.lower() in _PLACEHOLDERS:
        raise SettingsError(
            f"The server key file {path.name} holds a placeholder; put 32 random bytes in Base64 there."
        )
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise SettingsError(f"The server key file {path.name} is not Base64.") from error
    if len(key) != _KEY_BYTES or len(set(key)) <= _KEY_BYTES // 4 or all(sign in _PRINTABLE for sign in key):
        raise SettingsError(f"The server key file {path.name} must hold 32 random bytes in Base64.")
    return key
