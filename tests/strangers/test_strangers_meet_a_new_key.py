"""While a running service replaces its key, strangers who know either key believe its checkpoints."""

from pathlib import Path

import pytest

from explainer.app import build_service, log_key_holder
from explainer.demo.run_demo import demo_settings
from explainer.transparency_log.tree import Tree
from explainer.use_cases.read_log import checkpoint
from explainer.use_cases.rotate_log_key import begin_key_rotation, end_key_rotation
from explainer.use_cases.service import Service
from tests.strangers.verdicts import stranger_accepts

pytestmark = pytest.mark.usefixtures("strangers")


def believed(service: Service, vkey: str) -> bool:
    with service.database.reading() as work:
        size = work.log.tree_size()
        leaf = work.log.leaves(size - 1, size)[0]
        proof = Tree(work.log.tiles(), size).inclusion_proof(size - 1)
    return stranger_accepts(checkpoint(service), vkey, leaf, size - 1, proof)


def test_strangers_believe_either_key_during_the_overlap_and_only_the_new_one_after(tmp_path: Path) -> None:
    service = build_service(demo_settings(tmp_path / "city", port=8000))
    old = service.log_vkey
    new = begin_key_rotation(service, log_key_holder(service.settings))
    assert believed(service, old)
    assert believed(service, new)
    end_key_rotation(service)
    assert believed(service, new)
    assert not believed(service, old)
    service.database.dispose()
