"""Every setting of the service, from environment ``EXPLAINER_*`` or a file, refused when unknown or a placeholder."""

import base64
import binascii
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from explainer.errors import SettingsError

_KEY_BYTES = 32
_PLACEHOLDERS = ("changeme", "change-me", "secret", "placeholder", "example", "todo")


class Settings(BaseSettings):
    """The frozen settings of one installation; ``docs/reference/settings.md`` is checked against this class."""

    model_config = SettingsConfigDict(env_prefix="EXPLAINER_", frozen=True, extra="forbid", secrets_dir=None)

    database_url: str = Field(
        default="sqlite:///var/klarbescheid.db",
        description="SQLAlchemy address of the database: sqlite:///file or postgresql+psycopg://user@host/name.",
    )
    data_folder: Path = Field(
        default=Path("var"), description="Folder for the log key, the key store and other files of this installation."
    )
    package_folders: tuple[Path, ...] = Field(
        default=(), description="Folders with model packages, besides the bundled ones."
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
    default_language: Literal["de", "en"] = Field(default="de", description="Language where the reader states none.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take arguments first, then the environment; nothing else."""
        del settings_cls, dotenv_settings, file_secret_settings
        return init_settings, env_settings

    @property
    def origin(self) -> str:
        """Name of the log: host and path without a scheme, as C2SP asks."""
        return self.log_origin or f"{self.base_url.split('://', 1)[-1].rstrip('/')}/log"


def load_settings(environment: dict[str, str]) -> Settings:
    """Read and check all settings, reporting every problem at once.

    Args:
        environment: Process environment; names that begin with EXPLAINER_ and are unknown are refused.

    Returns:
        The settings.

    Raises:
        SettingsError: If a setting is unknown, malformed or missing.
    """
    known = {f"EXPLAINER_{name.upper()}" for name in Settings.model_fields}
    problems = [
        f"{name}: there is no such setting."
        for name in sorted(environment)
        if name.upper().startswith("EXPLAINER_") and name.upper() not in known
    ]
    try:
        settings = Settings()
    except ValidationError as error:
        problems += [
            f"EXPLAINER_{'_'.join(str(part) for part in item['loc']).upper()}: {item['msg']}."
            for item in error.errors()
        ]
        raise SettingsError("The settings cannot be used:\n" + "\n".join(problems)) from error
    if not settings.demo and settings.server_key_file is None:
        problems.append(
            'EXPLAINER_SERVER_KEY_FILE: missing. Make one with `python -c "import base64,os;'
            'print(base64.b64encode(os.urandom(32)).decode())" > server.key` and chmod 600.'
        )
    if problems:
        raise SettingsError("The settings cannot be used:\n" + "\n".join(problems))
    return settings


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
        text = path.read_text(encoding="utf-8").strip()
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
    except binascii.Error as error:
        raise SettingsError(f"The server key file {path.name} is not Base64.") from error
    if len(key) != _KEY_BYTES or len(set(key)) <= _KEY_BYTES // 4:
        raise SettingsError(f"The server key file {path.name} must hold 32 random bytes in Base64.")
    return key
