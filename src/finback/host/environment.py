"""Folders and variables of the user who runs finback. Source: XDG base directory specification 0.8."""

from __future__ import annotations

import os
from pathlib import Path


def lookup(name: str) -> str | None:
    """The value of an environment variable; None when it is unset or empty."""
    return os.environ.get(name) or None


def home() -> Path:
    """The home directory."""
    return Path.home()


def cache_folder() -> Path:
    """Where the store is: `$XDG_CACHE_HOME/finback`."""
    return _xdg("XDG_CACHE_HOME", ".cache") / "finback"


def config_folder() -> Path:
    """Where configuration is: `$XDG_CONFIG_HOME/finback`."""
    return _xdg("XDG_CONFIG_HOME", ".config") / "finback"


def state_folder() -> Path:
    """Where machines keep their state: `$XDG_STATE_HOME/finback`."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "finback"


def runtime_folder() -> Path:
    """Where short-lived things with short paths are: `$XDG_RUNTIME_DIR/finback`, or a folder of this user in /tmp."""
    value = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(value) / "finback" if value.startswith("/") else Path(f"/tmp/finback-{os.getuid()}")


def may_write(path: Path) -> bool:
    """Whether this user may open *path* for reading and writing."""
    return os.access(path, os.R_OK | os.W_OK)


def _xdg(variable: str, fallback: str) -> Path:
    value = os.environ.get(variable, "")
    # The specification: relative paths are invalid and to be ignored.
    return Path(value) if value.startswith("/") else Path.home() / fallback
