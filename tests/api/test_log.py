"""The log over HTTP: an outsider with the public key needs nothing else."""

import pytest

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
