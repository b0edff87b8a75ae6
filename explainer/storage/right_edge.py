"""Keeps the right edge of the log between appends, and proves it before it is used again."""

from collections.abc import Sequence

from explainer.errors import LogIntegrityError
from explainer.storage.tile_reader import RightEdgeReader
from explainer.transparency_log.frontier import Frontier
from explainer.transparency_log.tiles import TileReader
from explainer.transparency_log.tree import Tree


class RightEdge:
    """The frontier of the newest tree this process has seen; saves reading up to 255 hashes for every append.

    What is kept may be out of date: another process may have appended, or our own transaction was rolled back.
    So it is used only if it leads to the root of the checkpoint that the transaction finds in the database.
    """

    def __init__(self) -> None:
        self._kept = Frontier(0, ())

    def append(self, reader: TileReader, *, size: int, root: bytes, new_hashes: Sequence[bytes]) -> Frontier:
        """The frontier after the new leaves.

        Args:
            reader: Hashes as the transaction sees them.
            size: Size of the newest checkpoint.
            root: Its root hash.
            new_hashes: Hashes of the new leaves, which the transaction has inserted.

        Returns:
            The frontier of the grown tree.

        Raises:
            LogIntegrityError: The stored hashes do not lead to the newest checkpoint's root.
        """
        before = self._kept
        if before.size != size or before.root() != root:
            before = Tree(RightEdgeReader(reader), size).frontier()
            if before.root() != root:
                raise LogIntegrityError(
                    f"The hashes in this database do not lead to the root that was signed for its {size} entries; "
                    "going on would sign a second history"
                )
        # One assignment of something immutable: threads see the old one or the new one, and prove either.
        self._kept = before.with_leaves(new_hashes)
        return self._kept
