"""Codes of family F6: the lock file and the world differ."""

from __future__ import annotations

from finback.ground.errors.code import Code

UNLIKE_OUTPUT = Code(
    "F600",
    "An output of a frozen build is not the one that the lock file pins",
    "Build with the versions that the message names, or build without --frozen and commit the lock file.",
)
BAD_LOCK = Code("F601", "The file is not a lock file that this version of finback reads")
NOT_LOCKED = Code(
    "F602", "The lock file does not pin this, or does not exist", "Run `finback lock` and commit the file."
)
LOCKED_DIFFERS = Code("F603", "An image or file is not what the lock file pins")
COMPONENT_CHANGED = Code("F604", "A component has changed since the lock file was written")
NOT_PINNED = Code("F605", "The lock file pins nothing of this name")
LOCK_NOT_WRITTEN = Code("F606", "The lock file could not be written")
PACKAGE_GONE = Code(
    "F610",
    "A pinned package is no longer in the archive",
    "Mirrors keep only the newest versions. `finback lock --update` takes the successor; FINBACK_MIRROR can name a "
    "mirror "
    "that keeps old versions.",
)
NO_SECURITY_MIRROR = Code("F611", "A pinned package is from the security archive, and no mirror of that is known")
