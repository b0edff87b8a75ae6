"""What a page says about a proof is the proof."""

import pytest

from explainer.errors import BadInclusionProofError
from explainer.transparency_log.merkle import leaf_hash, node_hash, root_of
from explainer.transparency_log.proof_steps import proof_steps
from tests.unit.transparency_log.memory_log import MemoryLog, leaves

LOG = MemoryLog(leaves(300))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 255, 256, 257, 300])
def test_steps_lead_from_every_leaf_to_the_root_and_name_the_entries_beside(size: int) -> None:
    tree = LOG.tree(size)
    for index in range(size):
        computed = LOG.hashes[index]
        steps = proof_steps(computed, index, size, tree.inclusion_proof(index))
        for step in steps:
            assert step.sibling == root_of(LOG.hashes[step.first : step.last + 1])
            assert (step.first > index) is step.sibling_is_right
            computed = node_hash(computed, step.sibling) if step.sibling_is_right else node_hash(step.sibling, computed)
            assert step.result == computed
        assert computed == tree.root()


def test_another_leaf_leads_elsewhere_and_a_proof_of_another_length_nowhere() -> None:
    proof = LOG.tree().inclusion_proof(17)
    assert proof_steps(leaf_hash(b"another"), 17, 300, proof)[-1].result != LOG.tree().root()
    with pytest.raises(BadInclusionProofError):
        proof_steps(LOG.hashes[17], 17, 300, proof[:-1])
