"""Which witnesses cosign the log's checkpoints, read from a C2SP tlog-policy file, and what their cosignatures prove.

::

    witness <name> <vkey> <address>
    group <name> <number|any|all> <member> …
    quorum <name of a witness or group, or none>

A witness signs that a checkpoint is consistent with every one it has signed before (C2SP tlog-cosignature, version 1).
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from explainer.errors import BadSignatureError, SettingsError
from explainer.transparency_log.signed_note import NoteSignature
from explainer.transparency_log.strict_base64 import decode_base64

_COSIGNATURE_V1 = 0x04
_PUBLIC_KEY_SIZE = 32
_TIME_SIZE = 8


@dataclass(frozen=True, kw_only=True)
class Witness:
    """One witness.

    Attributes:
        name: Its name in the policy.
        key_name: Name of its key.
        key_id: 4 bytes before its signatures.
        public_key: 32 bytes, Ed25519.
        address: Where it takes checkpoints, without a slash at the end.
    """

    name: str
    key_name: str
    key_id: bytes
    public_key: bytes
    address: str

    @classmethod
    def from_policy(cls, name: str, vkey: str, address: str) -> "Witness":
        """Read a witness from the words of its line.

        Raises:
            SettingsError: If its vkey is none, or the address is not HTTP.
        """
        parts = vkey.split("+", 2)
        try:
            encoded = decode_base64(parts[-1])
        except ValueError:
            encoded = b""
        key_id = sha256(parts[0].encode() + b"\n" + encoded).digest()[:4]
        if len(encoded) != 1 + _PUBLIC_KEY_SIZE or encoded[0] != _COSIGNATURE_V1 or parts[1:2] != [key_id.hex()]:
            raise SettingsError(f"The key of the witness {name} is no vkey for Ed25519 cosignatures.")
        if not address.startswith(("http://", "https://")):
            raise SettingsError(f"The address of the witness {name} must begin with http:// or https://.")
        return cls(name=name, key_name=parts[0], key_id=key_id, public_key=encoded[1:], address=address.rstrip("/"))

    def check(self, cosignature: NoteSignature, text: str) -> None:
        """Check a cosignature of this witness.

        Args:
            cosignature: The signature line.
            text: Text of the checkpoint.

        Raises:
            BadSignatureError: If it is of another key, or does not hold.
        """
        stamp, signature = cosignature.signature[:_TIME_SIZE], cosignature.signature[_TIME_SIZE:]
        signed = f"cosignature/v1\ntime {int.from_bytes(stamp)}\n{text}"
        if (cosignature.name, cosignature.key_id) != (self.key_name, self.key_id):
            raise BadSignatureError(f"The witness {self.name} answered with the signature of another key.")
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, signed.encode())
        except InvalidSignature as error:
            raise BadSignatureError(f"The cosignature of the witness {self.name} does not hold.") from error


@dataclass(frozen=True, kw_only=True)
class WitnessPolicy:
    """Witnesses, and how many of them are enough.

    Attributes:
        witnesses: All of them.
        groups: Name of a group to how many of which members are needed.
        quorum: Witness or group that must have signed; None when none must.
    """

    witnesses: Sequence[Witness] = ()
    groups: Mapping[str, tuple[int, Sequence[str]]]
    quorum: str | None = None

    def is_met(self, signed: AbstractSet[str]) -> bool:
        """Whether the witnesses of these names are enough."""
        return self.quorum is None or self._has(self.quorum, signed)

    def _has(self, name: str, signed: AbstractSet[str]) -> bool:
        if name not in self.groups:
            return name in signed
        needed, members = self.groups[name]
        return sum(self._has(member, signed) for member in members) >= needed


def read_witness_policy(path: Path) -> WitnessPolicy:
    """Read a policy file; ``log`` lines are for verifiers and passed over.

    Args:
        path: The file.

    Returns:
        The policy.

    Raises:
        SettingsError: If it cannot be read; the sentence names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The witness policy {path.name} cannot be read: {error}.") from error
    witnesses: list[Witness] = []
    groups: dict[str, tuple[int, Sequence[str]]] = {}
    quorum: str | None = None
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split()
        known = {witness.name for witness in witnesses} | set(groups)
        match words:
            case [] | ["log", *_]:
                pass
            case ["witness", name, vkey, address] if name not in known:
                witnesses.append(Witness.from_policy(name, vkey, address))
            case ["group", name, needed, *members] if name not in known and members and set(members) <= known:
                groups[name] = (_threshold(needed, len(members), number), members)
            case ["quorum", name] if name == "none" or name in known:
                quorum = None if name == "none" else name
            case _:
                raise SettingsError(f"Line {number} of the witness policy {path.name} cannot be used: {line.strip()}")
    return WitnessPolicy(witnesses=witnesses, groups=groups, quorum=quorum)


def _threshold(word: str, members: int, line: int) -> int:
    needed = {"any": 1, "all": members}.get(word) or (int(word) if word.isascii() and word.isdecimal() else 0)
    if not 1 <= needed <= members:
        raise SettingsError(f"Line {line} of the witness policy asks for {word} of {members} members.")
    return needed
