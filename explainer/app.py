"""Builds the web application from settings: the one place that knows every part."""

import asyncio
import base64
import gc
import hmac
import logging
import os
import secrets
import threading
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
from explainer.storage.database import SqlDatabase, newest_epoch
from explainer.storage.log_epochs import origin_of_epoch
from explainer.transparency_log.anchor_file import AnchorFile
from explainer.transparency_log.erasure_list import ErasureList
from explainer.transparency_log.key_service_client import read_token
from explainer.transparency_log.key_store import FileKeyStore, KeyStore, ServiceKeyStore
from explainer.transparency_log.log_key import LogKeyFiles, LogKeyHolder
from explainer.transparency_log.signer_process import SignerSocket
from explainer.transparency_log.witness_policy import read_witness_policy
from explainer.use_cases.ask_witnesses import keep_asking
from explainer.use_cases.decision_vault import SERVICE_KEY_ID, Vault
from explainer.use_cases.erase import repeat_erasures
from explainer.use_cases.finding_aid import FindingAid
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

ERASURE_LIST = "erasures.jsonl"
KEY_STORE_FILE = "keys/subject_keys.db"
SERVER_KEY_FILE = "server.key"
TABLE_FOLDER = "tables"
FINDING_AID_FILE = "log_finding_aid"
ANCHOR_FOLDER = "anchors"
ANCHOR_FILE = "checkpoints.jsonl"
OBJECTS_BETWEEN_COLLECTIONS = 20_000
"""How many objects more than were freed are made before Python looks for garbage in cycles; its own number is 700."""

_LOGGER = logging.getLogger(__name__)


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
    database = open_database(settings, clock=clock)
    database.migrate()
    database.check_schema()
    database.check_memory()
    if database.read_only_reason is not None:
        _LOGGER.critical("THE LOG IS READ-ONLY. %s", database.read_only_reason)
    vault = open_vault(settings, database)
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
        vault=vault,
        erasures=ErasureList(settings.erasure_list_file or anchor_folder(settings) / ERASURE_LIST),
        server_key=_derived(server_key, "access codes"),
        finding_aid=FindingAid(folder / FINDING_AID_FILE),
        clock=clock,
        proof_jobs=ProofJobs(settings.proof_seconds),
    )
    repeat_erasures(service)
    models.on_refusal = partial(log_refused_models, service)
    register_models(service)
    return service


def open_database(settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> SqlDatabase:
    """Open the database with the keys and the memory of its log; nothing is written yet.

    Args:
        settings: The settings.
        clock: Current time, UTC.

    Returns:
        The database.

    Raises:
        SettingsError: If database or keys cannot be used.
    """
    holder = log_key_holder(settings)
    origin = origin_of_epoch(settings.origin, newest_epoch(settings.database_url))
    return SqlDatabase(
        settings.database_url,
        signer=holder.first(origin),
        clock=clock,
        signer_of=holder.signer,
        anchors=AnchorFile(anchor_folder(settings) / ANCHOR_FILE),
    )


def log_key_holder(settings: Settings) -> LogKeyHolder:
    """Who holds the log's private keys: files in the data folder, or a process behind a socket."""
    if settings.log_signer_socket is not None:
        return SignerSocket(settings.log_signer_socket)
    return LogKeyFiles(settings.data_folder, secrets.token_bytes)


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
        # And what a request makes is gone with it, mostly without the collector's help.
        gc.collect()
        gc.freeze()
        thresholds = gc.get_threshold()
        gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
        give_back_what_only_the_start_needed()
        if service.proof_jobs is not None:
            service.proof_jobs.start()
        ended = asking_witnesses(service)
        watching = asyncio.create_task(_watch_models(service))
        yield
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        ended.set()
        gc.set_threshold(*thresholds)
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


def asking_witnesses(service: Service) -> threading.Event:
    """Ask the witnesses of the policy in a thread beside the service, if there are any.

    Args:
        service: The installation.

    Returns:
        What ends it when it is set.

    Raises:
        SettingsError: If the policy cannot be read.
    """
    ended, settings = threading.Event(), service.settings
    if settings.witness_policy_file is not None:
        policy = read_witness_policy(settings.witness_policy_file)
        asking = partial(keep_asking, service, policy, ended, seconds=settings.witness_seconds)
        threading.Thread(target=asking, name="witnesses", daemon=True).start()
    return ended


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


def anchor_folder(settings: Settings) -> Path:
    """Where the log's memory lies."""
    return settings.anchor_folder or settings.data_folder / ANCHOR_FOLDER


def open_vault(settings: Settings, database: SqlDatabase) -> Vault:
    """Open the key store.

    Args:
        settings: The settings.
        database: The database whose records are sealed under its keys.

    Returns:
        The vault.

    Raises:
        SettingsError: If the key store is missing where there are sealed records, or the server key does not fit it.
    """
    server_key = _server_key(settings)
    key_store = _key_store(settings, _derived(server_key, "key store"), database)
    return Vault(key_store, _derived(server_key, "key names"), os.urandom, erased_at=database.erased_at)


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
