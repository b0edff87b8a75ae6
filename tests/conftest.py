"""Fixtures that several folders of tests share."""

from collections.abc import Iterator

import pytest

from tests.demo_city import RunningCity, running_demo_city


@pytest.fixture(scope="session")
def demo_city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCity]:
    """A demo city that runs for the whole session of tests; tests may add to it and must not empty it."""
    with running_demo_city(tmp_path_factory.mktemp("demo_city")) as city:
        yield city
