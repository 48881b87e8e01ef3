"""Codes of family F3: a signature, a digest or a date does not hold."""

from __future__ import annotations

from finback.ground.errors.code import Code

WRONG_DIGEST = Code(
    "F301",
    "The bytes do not have the digest or size that was announced",
    "Nothing of them is used. A mirror that is being updated does this for minutes; otherwise whatever sent them, or "
    "something on the way, is faulty or hostile.",
)
TOO_LONG = Code("F302", "There are more bytes than were announced, or than such data may have")
BLOB_TOO_LARGE = Code("F303", "A blob is larger than what it is read as may be")
NOT_SIGNED = Code(
    "F310",
    "The archive is not signed by a valid key of the keyring",
    "The mirror is faulty or hostile, or the keyring is older than the archive's newest key.",
)
BAD_KEYRING = Code("F311", "The keyring cannot be read")
WRONG_SUITE = Code("F312", "The mirror answers with another suite than was asked for")
EXPIRED = Code("F313", "The signed statement about the archive has expired")
BACK_IN_TIME = Code(
    "F315",
    "The signed statement about the archive is older than one that was seen before",
    "finback remembers the newest date of each suite in its store. An older statement comes from a mirror that is out "
    "of date, or from somebody who holds back security updates. For an archive that keeps the past on purpose, set "
    "`checkValidUntil: false`.",
)
FROM_THE_FUTURE = Code("F314", "The signed statement about the archive is from the future", "Set this machine's clock.")
