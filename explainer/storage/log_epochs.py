"""Where the rows of each epoch of the log stand.

A log that was restored from a backup goes on as a new log, with a name of its own: its second epoch. The old entries
stay where they are, because decisions and explanations refer to them. Every epoch counts its entries from 0; its rows
are numbered from ``epoch * 2^48`` on. That is a multiple of the leaves of every tile there can be, so tiles of two
epochs never share a number either, and the tables that are for ever need no new column.
"""

from explainer.errors import SettingsError
from explainer.transparency_log.tiles import TILE_HEIGHT

_INDEX_BITS = 48
INDEXES = 1 << _INDEX_BITS
"""Entries an epoch has room for."""


def first_row(epoch: int) -> int:
    """Row number of an epoch's first entry; added to a tree size it names that checkpoint's row."""
    return epoch << _INDEX_BITS


def epoch_of_row(number: int) -> int:
    """Which epoch a row of ``log_entry`` or ``log_checkpoint`` belongs to."""
    return number >> _INDEX_BITS


def index_of_row(number: int) -> int:
    """Index of an entry, or size of a tree, within its epoch."""
    return number & (INDEXES - 1)


def first_tile(epoch: int, level: int) -> int:
    """Number of an epoch's first tile on a level."""
    return first_row(epoch) >> (TILE_HEIGHT * (level + 1))


def epoch_of_origin(origin: str, name: str) -> int:
    """Which epoch a log's name stands for; the inverse of :func:`origin_of_epoch`.

    Args:
        origin: Name of the first epoch.
        name: Name of one of them.

    Returns:
        0 for the first.

    Raises:
        SettingsError: If it is the name of another log.
    """
    number = name.removeprefix(f"{origin}/")
    if name == origin:
        return 0
    if name.startswith(f"{origin}/") and number.isascii() and number.isdecimal() and int(number) > 1:
        return int(number) - 1
    raise SettingsError(f"{name} is another log than {origin}; set EXPLAINER_LOG_ORIGIN to the name of your log.")


def origin_of_epoch(origin: str, epoch: int) -> str:
    """Name of the log in an epoch: the name it was given, and from the second epoch on a number behind it.

    Args:
        origin: Name of the first epoch.
        epoch: 0 for the first.

    Returns:
        The origin; no two epochs share one, so no key name does either.
    """
    return origin if epoch == 0 else f"{origin}/{epoch + 1}"
