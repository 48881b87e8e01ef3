"""Folders and variables of the user who runs finback. Source: XDG base directory specification 0.8."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from finback.ground.diagnostic import error


def lookup(name: str) -> str | None:
    """The value of an environment variable; None when it is unset or empty."""
    return os.environ.get(name) or None


def home_if_known() -> Path | None:
    """The home directory: HOME, or what the user database says. None in a container whose user has neither."""
    value = os.environ.get("HOME", "")
    if not value.startswith("/"):
        try:
            value = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            return None
    return Path(value) if value.startswith("/") else None


def home(instead: str = "") -> Path:
    """The home directory. *instead* is what to set in its place for what it is needed for.

    Raises:
        FinbackError: F500, there is none.

    """
    found = home_if_known()
    if found is None:
        raise error(
            "F500",
            f"this user (uid {os.getuid()}) has no home directory: HOME is not set, and the user is not in /etc/passwd",
            help=f"set HOME to a folder that can be written{f', or {instead}' if instead else ''}",
        )
    return found


def expanded(path: str) -> Path:
    """*path*, in which a leading `~/` stands for the home directory.

    Raises:
        FinbackError: F500, there is none.

    """
    return home() / path[2:] if path.startswith("~/") else Path(path)


def cache_folder() -> Path:
    """Where the store is: `$XDG_CACHE_HOME/finback`.

    Raises:
        FinbackError: F500, neither the variable is set nor is there a home directory.

    """
    return _xdg("XDG_CACHE_HOME", ".cache", "XDG_CACHE_HOME, or name a folder with --cache") / "finback"


def config_folder() -> Path | None:
    """Where configuration is: `$XDG_CONFIG_HOME/finback`. None where that is not set and there is no home directory."""
    value = os.environ.get("XDG_CONFIG_HOME", "")
    if not value.startswith("/") and home_if_known() is None:
        return None
    return _xdg("XDG_CONFIG_HOME", ".config", "") / "finback"


def state_folder() -> Path:
    """Where machines keep their state: `$XDG_STATE_HOME/finback`.

    Raises:
        FinbackError: F500, neither the variable is set nor is there a home directory.

    """
    return _xdg("XDG_STATE_HOME", ".local/state", "XDG_STATE_HOME") / "finback"


def runtime_folder() -> Path:
    """Where short-lived things with short paths are: `$XDG_RUNTIME_DIR/finback`, or a folder of this user in /tmp."""
    value = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(value) / "finback" if value.startswith("/") else Path(f"/tmp/finback-{os.getuid()}")


def may_write(path: Path) -> bool:
    """Whether this user may open *path* for reading and writing."""
    return os.access(path, os.R_OK | os.W_OK)


def _xdg(variable: str, fallback: str, instead: str) -> Path:
    value = os.environ.get(variable, "")
    # The specification: relative paths are invalid and to be ignored.
    return Path(value) if value.startswith("/") else home(instead) / fallback
