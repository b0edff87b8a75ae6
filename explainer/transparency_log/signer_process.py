"""Keeps the log's keys in a process of their own: the service asks it over a Unix socket and never sees a private key.

Each request and each answer is one line of JSON:

====================================================  ============================================
``{"do": "first", "origin": …}``                      ``{"vkey": …}``
``{"do": "new", "origin": …}``                        ``{"vkey": …}``
``{"do": "sign", "vkey": …, "text": …}``              ``{"signature": Base64 of 64 bytes}``
anything that is refused                              ``{"refused": sentence}``
====================================================  ============================================

The process signs checkpoints of the log that the key is named after, and nothing else. Whoever may open the socket,
which is made for its owner alone, may have any of them signed: it protects the key and does not judge the history.
"""

import json
import os
import socket
import socketserver
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from explainer.errors import SettingsError
from explainer.transparency_log.checkpoint import Checkpoint
from explainer.transparency_log.log_key import LogKeyHolder, missing_key
from explainer.transparency_log.signed_note import NoteSigner, NoteVerifier
from explainer.transparency_log.strict_base64 import decode_base64, encode_base64
from models.errors import KlarbescheidError

_PATIENCE_SECONDS = 10.0
_LONGEST_LINE = 65_536


class SignerSocket:
    """Asks a signer process; see ``transparency_log.log_key.LogKeyHolder``.

    Args:
        path: Its Unix socket.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def first(self, origin: str) -> NoteSigner:
        """The key a log begins with; made by the signer process at the very first start."""
        return self._signer_of_answer(self.ask({"do": "first", "origin": origin}))

    def signer(self, vkey: str) -> NoteSigner:
        """The signer of a key; whether the process holds it is tried at once."""
        signer = self._signer_of_answer({"vkey": vkey})
        try:
            signer.sign(Checkpoint(signer.name, 0, bytes(32)).format())
        except SettingsError as error:
            raise missing_key(vkey) from error
        return signer

    def new(self, origin: str) -> NoteSigner:
        """Let the process make one more key."""
        return self._signer_of_answer(self.ask({"do": "new", "origin": origin}))

    def ask(self, request: dict[str, str]) -> dict[str, Any]:
        """Send one request on a connection of its own.

        Args:
            request: See the module.

        Returns:
            The answer.

        Raises:
            SettingsError: If the process cannot be reached, or refuses.
        """
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_PATIENCE_SECONDS)
                connection.connect(str(self._path))
                with connection.makefile("rwb") as stream:
                    stream.write(json.dumps(request).encode() + b"\n")
                    stream.flush()
                    answer: dict[str, Any] = json.loads(stream.readline(_LONGEST_LINE))
        except (OSError, ValueError) as error:
            raise SettingsError(f"The signer process at {self._path.name} does not answer: {error}.") from error
        if "refused" in answer:
            raise SettingsError(f"The signer process refuses: {answer['refused']}")
        return answer

    def _signer_of_answer(self, answer: dict[str, Any]) -> NoteSigner:
        verifier = NoteVerifier.from_vkey(str(answer["vkey"]))
        return NoteSigner(verifier.name, _KeyElsewhere(self, verifier))


class _KeyElsewhere:
    """A private key that lies in the signer process; see ``transparency_log.signed_note.SigningKey``."""

    def __init__(self, process: SignerSocket, verifier: NoteVerifier) -> None:
        self._process = process
        self._verifier = verifier

    def public_key(self) -> Ed25519PublicKey:
        return self._verifier.public_key

    def sign(self, data: bytes, /) -> bytes:
        answer = self._process.ask({"do": "sign", "vkey": self._verifier.vkey, "text": data.decode()})
        signature = decode_base64(str(answer["signature"]))
        if not self._verifier.accepts(data.decode(), signature):
            raise SettingsError("The signer process gave a signature that does not hold.")
        return signature


class SignerServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The signer process.

    Args:
        path: Where to make its socket, for this user alone.
        keys: Holds the keys.
    """

    daemon_threads = True

    def __init__(self, path: Path, keys: LogKeyHolder) -> None:
        self._keys = keys
        self._signers: dict[str, NoteSigner] = {}
        with suppress(FileNotFoundError):
            path.unlink()
        before = os.umask(0o177)
        try:
            super().__init__(str(path), _Requests)
        finally:
            os.umask(before)

    def answer(self, request: dict[str, str]) -> dict[str, str]:
        """Answer one request; see the module.

        Raises:
            KlarbescheidError: If it is refused.
        """
        if request.get("do") == "first":
            return {"vkey": self._keys.first(request["origin"]).vkey}
        if request.get("do") == "new":
            return {"vkey": self._keys.new(request["origin"]).vkey}
        if request.get("do") != "sign":
            raise SettingsError("It signs checkpoints, and makes keys; nothing else.")
        vkey = request["vkey"]
        signer = self._signers.get(vkey) or self._keys.signer(vkey)
        self._signers[vkey] = signer
        if Checkpoint.parse(request["text"]).origin != signer.name:
            raise SettingsError(f"The key signs checkpoints of {signer.name} only.")
        return {"signature": encode_base64(signer.sign(request["text"]).signature)}


class _Requests(socketserver.StreamRequestHandler):
    timeout = _PATIENCE_SECONDS

    def handle(self) -> None:
        assert isinstance(self.server, SignerServer)  # noqa: S101 -- for the type checker: it makes its own handlers
        try:
            answer = self.server.answer(json.loads(self.rfile.readline(_LONGEST_LINE)))
        except KlarbescheidError as error:
            answer = {"refused": str(error)}
        except (ValueError, KeyError, TypeError, AttributeError):
            answer = {"refused": "This is no request that it knows."}
        self.wfile.write(json.dumps(answer).encode() + b"\n")
