"""Public counts: groups under 10 are shown as "<10", so that nobody can be found in a number."""

SMALLEST_SHOWN_GROUP = 10


def public_count(count: int) -> str:
    """Write a count as the public sees it.

    Args:
        count: The true count.

    Returns:
        The count, or ``<10`` for 1 to 9; nought is nought, because nobody is in it.
    """
    if 0 < count < SMALLEST_SHOWN_GROUP:
        return f"<{SMALLEST_SHOWN_GROUP}"
    return str(count)
