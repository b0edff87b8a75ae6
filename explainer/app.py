"""Builds the web application from settings: the one place that knows every part."""

import asyncio
import base64
import gc
import hmac
import logging
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path

from fastapi import FastAPI
from starlette.types import ASGIApp

from explainer.api.access_log import AccessLog
from explainer.api.application import api_application
from explainer.api.body_limit import BodyLimit
from explainer.api.head_requests import HeadAsGet
from explainer.api.otlp_spans import OtlpSpans
from explainer.api.processing_log import ProcessingLog
from explainer.api.unexpected_errors import WithoutWords
from explainer.errors import ErasedError, SettingsError
from explainer.resident_memory import give_back_what_only_the_start_needed
from explainer.settings import Settings, read_server_key
from explainer.storage.database import SqlDatabase
from explainer.transparency_log.erasure_list import ErasureList
from explainer.transparency_log.key_service_client import read_token
from explainer.transparency_log.key_store import FileKeyStore, KeyStore, ServiceKeyStore
from explainer.transparency_log.log_key import load_or_create_log_key
from explainer.use_cases.decision_vault import SERVICE_KEY_ID, Vault
from explainer.use_cases.erase import repeat_erasures
from explainer.use_cases.prepared_models import ModelVersionKey, PreparedModels
from explainer.use_cases.proof_jobs import ProofJobs
from explainer.use_cases.publish_register import log_refused_models, register_models
from explainer.use_cases.records import DecisionFilter
from explainer.use_cases.service import Service
from explainer.use_cases.take_in_models import take_in_new_models
from models.catalogue import Catalogue, bundled_packages_folder
from models.errors import ModelUnusableError
from models.growing_catalogue import GrowingCatalogue
from public_pages.pages import mount_pages

LOG = logging.getLogger("klarbescheid.models")

LOG_KEY_FILE = "log.key"
ERASURE_LIST = "anchors/erasures.jsonl"
KEY_STORE_FILE = "keys/subject_keys.db"
SERVER_KEY_FILE = "server.key"
TABLE_FOLDER = "tables"


def utc_now() -> datetime:
    """The current time, UTC."""
    return datetime.now(UTC)


def build_service(settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> Service:
    """Open everything one installation needs, list its models and publish its register.

    Args:
        settings: The settings.
        clock: Current time, UTC.

    Returns:
        The service, ready to serve.

    Raises:
        SettingsError: If a setting, key file or database cannot be used.
    """
    folder = settings.data_folder
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(f"The data folder {folder} cannot be used: {error.strerror}.") from error
    server_key = _server_key(settings)
    signer = load_or_create_log_key(folder / LOG_KEY_FILE, origin=settings.origin, random_bytes=secrets.token_bytes)
    database = SqlDatabase(settings.database_url, signer=signer, clock=clock)
    database.migrate()
    database.check_schema()
    key_store = _key_store(settings, _derived(server_key, "key store"), database)
    installed = GrowingCatalogue(package_folders(settings))
    catalogue = installed.catalogue
    models, refused = prepared_models(settings, catalogue)
    service = Service(
        settings=settings,
        database=database,
        catalogue=catalogue,
        explained_versions=models,
        refused_versions=refused,
        installed=installed,
        vault=Vault(key_store, _derived(server_key, "key names"), os.urandom, erased_at=database.erased_at),
        erasures=ErasureList(settings.erasure_list_file or folder / ERASURE_LIST),
        server_key=_derived(server_key, "access codes"),
        log_vkey=signer.vkey,
        clock=clock,
        proof_jobs=ProofJobs(settings.proof_seconds),
    )
    repeat_erasures(service)
    models.on_refusal = partial(log_refused_models, service)
    register_models(service)
    return service


def prepared_models(
    settings: Settings, catalogue: Catalogue
) -> tuple[PreparedModels, Mapping[ModelVersionKey, ModelUnusableError]]:
    """Make every listed package ready to explain: now, or when it is first needed, as the settings say.

    Args:
        settings: The settings.
        catalogue: Listed packages.

    Returns:
        The models, and those that did not pass their verification, as far as it is known; the others go on.
    """
    refused: dict[ModelVersionKey, ModelUnusableError] = {}
    models = PreparedModels(catalogue.versions, settings.data_folder / TABLE_FOLDER, refused)
    if settings.load_models == "at_start":
        for key in models:
            with suppress(ModelUnusableError):
                models[key]
    return models, refused


def create_app(settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> ASGIApp:
    """Build the web application: API and log below ``/api`` and ``/log``, pages everywhere else.

    Args:
        settings: The settings.
        clock: Current time, UTC.

    Returns:
        The application.
    """
    return application_of(build_service(settings, clock=clock))


def application_of(service: Service) -> ASGIApp:
    """Build the web application around a service that is already open."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # What exists now lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        give_back_what_only_the_start_needed()
        if service.proof_jobs is not None:
            service.proof_jobs.start()
        watching = asyncio.create_task(_watch_models(service))
        yield
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        gc.unfreeze()
        if service.proof_jobs is not None:
            service.proof_jobs.close()
        service.database.dispose()

    app = api_application(service, lifespan=lifespan)
    mount_pages(app, service)
    app.add_middleware(BodyLimit, max_bytes=service.settings.max_body_bytes)
    app.add_middleware(HeadAsGet)
    endpoint, activity_id = service.settings.traces_endpoint, service.settings.processing_activity_id
    if endpoint is not None and activity_id is not None:
        spans = OtlpSpans(endpoint, activity_id)
        app.add_middleware(ProcessingLog, spans=spans, required=service.settings.traces_required)
    app.add_middleware(AccessLog)
    return WithoutWords(app)


async def _watch_models(service: Service) -> None:
    """Look for added packages again and again, beside the requests."""
    seconds = service.settings.look_for_models_seconds
    while seconds:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(take_in_new_models, service)
        except Exception:  # whatever goes wrong with one package must not end the looking
            LOG.exception("Looking for added models failed; the service goes on with those it has.")


def package_folders(settings: Settings) -> list[Path]:
    """Folders that hold model packages: the bundled one first, then the city's own.

    Raises:
        SettingsError: If one of them does not exist.
    """
    bundled = [bundled_packages_folder()] if settings.use_bundled_packages else []
    folders = [*bundled, *settings.package_folders]
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        raise SettingsError(f"These package folders do not exist: {', '.join(map(str, missing))}.")
    return folders


def _key_store(settings: Settings, master_key: bytes, database: SqlDatabase) -> KeyStore:
    with database.reading() as work:
        has_decisions = work.decisions.count(DecisionFilter()) > 0
    if settings.key_service_url is not None:
        return _keys_at_service(settings, settings.key_service_url, master_key, has_decisions=has_decisions)
    path = settings.data_folder / KEY_STORE_FILE
    if has_decisions and not path.exists():
        raise SettingsError(
            f"The key store {path} is missing, but the database holds decisions sealed under its keys. Put its backup "
            "back; a new, empty key store would make every one of them look erased."
        )
    path.parent.mkdir(exist_ok=True, mode=0o700)
    return FileKeyStore(path, master_key=master_key, random_bytes=secrets.token_bytes)


def _keys_at_service(settings: Settings, url: str, master_key: bytes, *, has_decisions: bool) -> KeyStore:
    if settings.key_service_token_file is None:
        raise SettingsError(
            "EXPLAINER_KEY_SERVICE_TOKEN_FILE: missing. It names the file with the key service's token."
        )
    token = read_token(settings.key_service_token_file)
    store = ServiceKeyStore(url, token, master_key=master_key, random_bytes=secrets.token_bytes)
    if has_decisions:
        try:
            store.get(SERVICE_KEY_ID)
        except ErasedError as error:
            raise SettingsError(
                f"The key service at {url} does not hold the keys of this database. Put its backup back; with an empty "
                "one every decision would look erased."
            ) from error
    return store


def _server_key(settings: Settings) -> bytes:
    path = settings.server_key_file or settings.data_folder / SERVER_KEY_FILE
    if settings.demo and not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(base64.b64encode(secrets.token_bytes(32)).decode())
    return read_server_key(path)


def _derived(server_key: bytes, purpose: str) -> bytes:
    """A key for one purpose, so that no two uses share one (one HKDF-Expand block, RFC 5869 section 2.3)."""
    return hmac.new(server_key, f"klarbescheid/v1 {purpose}".encode() + b"\x01", sha256).digest()
