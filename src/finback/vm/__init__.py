"""Virtual machines for programs: defined, started, watched, changed while they run, and found again.

All that is known about a machine lies in its state folder, so that another process can go on where one has ended.
"""

from finback.backends import Disk, Forward
from finback.vm.event import Ended, Event, Paused, Removed, Reported, Restarted, Resumed
from finback.vm.lab import Lab, Node
from finback.vm.machine import VM, Result
from finback.vm.network import Network

__all__ = [
    "VM",
    "Disk",
    "Ended",
    "Event",
    "Forward",
    "Lab",
    "Network",
    "Node",
    "Paused",
    "Removed",
    "Reported",
    "Restarted",
    "Result",
    "Resumed",
]
