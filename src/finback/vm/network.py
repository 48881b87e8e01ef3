"""A network of machines: a switch that they are plugged into, which needs no privileges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from finback.ground.paths import StrPath
from finback.host import environment, folder, switch


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The network called *name* of this user, or of the folder *folder*.

    It carries Ethernet frames between the machines that name it, and to nowhere else; nothing on it gives addresses.
    Its process starts with the first machine and ends soon after the last.
    """

    name: str
    folder: StrPath | None = None

    def __post_init__(self) -> None:
        if self.folder is not None:
            object.__setattr__(self, "folder", Path(self.folder))

    @property
    def socket(self) -> Path:
        """Where machines are plugged in. The path is short, whatever the folder's is."""
        word = f"{Path(self.folder).absolute() if self.folder else ''}\0{self.name}"
        return environment.runtime_folder() / f"net-{sha256(word.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep the switch running for a block.

        Raises:
            FinbackError: F539, it can't be started.

        """
        folder.make_private(self.socket.parent)
        with switch.plugged(self.socket):
            yield
