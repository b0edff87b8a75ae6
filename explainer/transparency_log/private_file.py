"""Files that hold secrets: made for their owner alone, and refused when anybody else can read them."""

import os
from pathlib import Path

from explainer.errors import SettingsError

_OWNER_ONLY = 0o600
_OTHERS = 0o077


def refuse_if_others_can_read(path: Path) -> None:
    """Refuse a secret that group or world may read, write or execute.

    Args:
        path: An existing file.

    Raises:
        SettingsError: If its mode lets anybody but its owner at it, or it cannot be read.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise SettingsError(f"The file {path.name} cannot be read: {error.strerror}.") from error
    if mode & _OTHERS:
        raise SettingsError(f"The file {path.name} can be read by others; run chmod 600 on it.")


def create_private_file(path: Path, content: bytes) -> bool:
    """Create a file of mode 0600 with all of its content or not at all, durable before this returns.

    Args:
        path: Where; the folder is made (mode 0700) when it is missing.
        content: What to write.

    Returns:
        False if the file existed already, for example because another process was quicker; it is left alone.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A hard link, unlike a rename, fails when the file exists: two processes cannot both win.
        os.link(unfinished, path)
    except FileExistsError:
        return False
    finally:
        unfinished.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
