"""Codes of family F4: the store, an output or another file could not be read or written."""

from __future__ import annotations

from finback.ground.errors.code import Code

INDEX_PUT_ASIDE = Code(
    "F400",
    "The index of the store was damaged and has been put aside",
    "Run the command again. Images that `finback cache import` had named must be imported again.",
)
BLOB_DAMAGED = Code(
    "F401",
    "Data in the store was damaged and has been removed",
    "Run the command again: it makes or fetches the data again. Check the disk if this happens repeatedly.",
)
BLOB_MISSING = Code("F402", "Data is not in the store", "Run the command again to make or fetch it.")
NO_SPACE = Code("F403", "No space is left", "Nothing half-written was left. Free some space, or use another place.")
NOT_PERMITTED = Code("F404", "A file or folder may not be read or written")
FILE_FAILURE = Code("F405", "The file system reports an error")
RECORD_DAMAGED = Code("F406", "A record of the store is damaged", "`finback cache verify` finds and mends damage.")
NO_FILE = Code("F410", "There is no such file")
FILE_TOO_LONG = Code("F411", "The file is larger than such a file may be")
EXISTS = Code("F412", "The output exists already")
