"""The log over HTTP: an outsider with the public key needs nothing else."""

from hashlib import sha256

import pytest

from explainer.decisions.access_code import normalise_reference
from explainer.transparency_log.canonical_json import canonical_bytes
from explainer.transparency_log.commitment import Commitment
from explainer.transparency_log.log_entry import COMMITTED_FIELDS, parse_leaf
from explainer.transparency_log.tiles import TilePath
from explainer.transparency_log.verify import NotVerifiedError, url_fetcher, verify_log
from tests.api.test_record_decision import a_request, post
from tests.demo_city import RunningCity


def test_an_outsider_verifies_the_whole_log(demo_city: RunningCity) -> None:
    verified = verify_log(url_fetcher(f"{demo_city.base_url}/log"), demo_city.access["log_vkey"])
    assert verified.tree_size > 40


def test_a_log_that_grew_contains_the_log_seen_before(demo_city: RunningCity) -> None:
    fetch = url_fetcher(f"{demo_city.base_url}/log")
    old = fetch("checkpoint")
    post(demo_city, a_request())
    assert verify_log(fetch, demo_city.access["log_vkey"], old).tree_size > 0


def test_an_entry_tampered_with_on_the_way_is_noticed(demo_city: RunningCity) -> None:
    fetch = url_fetcher(f"{demo_city.base_url}/log")

    def tampering(path: str) -> bytes:
        content = fetch(path)
        return content.replace(b'"granted"', b'"refused"', 1) if path.startswith("tile/entries/") else content

    with pytest.raises(NotVerifiedError):
        verify_log(tampering, demo_city.access["log_vkey"])


def test_checkpoint_and_tiles_have_the_types_and_caching_of_the_standard(demo_city: RunningCity) -> None:
    with demo_city.client() as client:
        checkpoint = client.get("/log/checkpoint")
        size = int(checkpoint.text.splitlines()[1])
        partial = client.get(f"/log/{TilePath(0, size // 256, size % 256)}")
    assert checkpoint.headers["content-type"].startswith("text/plain")
    assert partial.headers["content-type"] == "application/octet-stream"
    assert len(partial.content) == 32 * (size % 256)
    assert "immutable" not in partial.headers["cache-control"]


@pytest.mark.parametrize(
    "path", ["tile/0/999", "tile/0/000.p/999", "tile/64/000", "tile/-1/000", "tile/0/../checkpoint", "tile/x", "tile/"]
)
def test_tiles_that_do_not_exist_are_not_found(demo_city: RunningCity, path: str) -> None:
    with demo_city.client() as client:
        assert client.get(f"/log/{path}").status_code == 404


def test_keys_are_published(demo_city: RunningCity) -> None:
    with demo_city.client() as client:
        assert client.get("/log/keys").json()["keys"][0]["vkey"] == demo_city.access["log_vkey"]


def test_every_decision_and_every_delivered_explanation_has_its_entry(demo_city: RunningCity) -> None:
    letter = demo_city.access["letters"][0]
    before = _size(demo_city)
    demo_city.explain(letter)
    demo_city.explain(letter | {"access_code": "2222 2222 2222"})
    assert _size(demo_city) == before + 1, "one for the delivered explanation, none for the failed attempt"


def _size(city: RunningCity) -> int:
    with city.service.database.reading() as work:
        return work.log.tree_size()


def digests_of(value: str) -> set[str]:
    """Every way to hash a guess that needs no salt, and with salts that a careless program might take."""
    plain, spelled = value.encode(), canonical_bytes(value)
    found = {sha256(text).hexdigest() for text in (plain, spelled)}
    for field in COMMITTED_FIELDS:
        for salt in (bytes(32), field.encode().ljust(32, b"\0")):
            found.add(Commitment(field, value, salt).digest.hex())
        found.add(sha256(b"klarbescheid/v1 commit\x00" + field.encode() + b"\x00" + spelled).hexdigest())
    return found


def test_nothing_in_the_public_entries_is_found_by_guessing_what_it_may_be(demo_city: RunningCity) -> None:
    """Even with every reference, every actor and every 5-digit number at hand; a value hashed without salt is found."""
    with demo_city.service.database.reading() as work:
        leaves = [parse_leaf(leaf) for leaf in work.log.leaves(0, work.log.tree_size())]
    public = {digest for leaf in leaves for digest in (*leaf.c.values(), leaf.id)}
    references = [normalise_reference(letter["reference"]) for letter in demo_city.access["letters"]]
    actors = ["subject", "service", "case_system:Fachverfahren", "overview in hour 2026-11-25T12"]
    guesses = {*references, *actors, *(f"{number:05d}" for number in range(3000))}
    guessed = {digest for guess in guesses for digest in digests_of(guess)}
    assert public
    assert not public & guessed
    careless = public | {sha256(references[0].encode()).hexdigest()}
    assert careless & guessed, "the guesser would find a value that was hashed without a salt"
