"""Who the user is to registries: the file that Docker, Podman and skopeo share, and credential helpers.

The file is `$REGISTRY_AUTH_FILE`, else `config.json` in `$DOCKER_CONFIG` or `~/.docker`. Secrets are in no message, and
in no representation of a value.

Source: docker-login(1), containers-auth.json(5), the protocol of docker-credential-helpers.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finback.codec import strict_json
from finback.codec.strict_json import JsonError, Node
from finback.ground.diagnostic import error
from finback.host import environment, file, process
from finback.host.process import Command

LIMIT = 4 << 20
HELPER_SECONDS = 60
DOCKER_KEY = "https://index.docker.io/v1/"
_DOCKER_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
# What a helper says in place of a user's name when the secret is an identity token.
_TOKEN_USER = "<token>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What proves the user to one registry."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    """Exchanged for access tokens (OAuth 2 refresh token)."""
    registry_token: str = field(default="", repr=False)
    """Sent as it is."""


class Credentials:
    """The file at *path*. None, where this user has no home directory: nothing is known, and nothing can be kept."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @property
    def path(self) -> Path:
        """The file.

        Raises:
            FinbackError: F500, there is no place for it.

        """
        if self._path is None:
            environment.home("DOCKER_CONFIG or REGISTRY_AUTH_FILE")
        assert self._path is not None
        return self._path

    @classmethod
    def of_user(cls) -> Credentials:
        """The file that the environment names."""
        named = environment.lookup("REGISTRY_AUTH_FILE")
        if named:
            return cls(Path(named))
        folder = environment.lookup("DOCKER_CONFIG")
        home = environment.home_if_known()
        place = Path(folder) if folder else home / ".docker" if home else None
        return cls(place / "config.json" if place else None)

    def find(self, registry: str, repository: str = "") -> Credential | None:
        """What the file, or a helper that it names, has for a registry; keys of single repositories come first.

        Raises:
            FinbackError: F208, the file is not what it should be, or the helper can't be used.

        """
        config = self._read()
        helper = self._helper(config, registry)
        if helper:
            found = _ask(helper, _server(registry))
            if found is not None:
                return found
        entries = {_key(name): entry for name, entry in self._section(config, "auths").items()}
        for name in _candidates(_key(registry), repository):
            entry = entries.get(name)
            if isinstance(entry, Mapping):
                found = self._decode(entry, name)
                if found != Credential():
                    return found
        return None

    def store(self, registry: str, credential: Credential) -> str:
        """Remember *credential*; where it went, for people.

        Raises:
            FinbackError: F208 as `find`; F403, F404 or F405, the file can't be written.

        """
        config = self._read()
        helper = self._helper(config, registry)
        if helper:
            user, secret = credential.username, credential.password
            if credential.identity_token:
                user, secret = _TOKEN_USER, credential.identity_token
            body = {"ServerURL": _server(registry), "Username": user, "Secret": secret}
            status, _ = process.converse(_command(helper, "store"), json.dumps(body).encode(), seconds=HELPER_SECONDS)
            if status:
                raise _broken_helper(helper, f"it ended with status {status}")
            return f"docker-credential-{helper}"
        auths = self._without(config, registry)
        entry = {"auth": base64.b64encode(f"{credential.username}:{credential.password}".encode()).decode()}
        if credential.identity_token:
            entry["identitytoken"] = credential.identity_token
        self._write({**config, "auths": {**auths, _server(registry): entry}})
        return str(self.path)

    def erase(self, registry: str) -> bool:
        """Forget what is known of a registry; whether there was anything.

        Raises:
            FinbackError: F208 as `find`; F403, F404 or F405, the file can't be written.

        """
        config = self._read()
        helper = self._helper(config, registry)
        erased = False
        if helper and _ask(helper, _server(registry)) is not None:
            server = _server(registry).encode()
            status, _ = process.converse(_command(helper, "erase"), server, seconds=HELPER_SECONDS)
            if status:
                raise _broken_helper(helper, f"it ended with status {status}")
            erased = True
        left = self._without(config, registry)
        if len(left) != len(self._section(config, "auths")):
            self._write({**config, "auths": left})
            erased = True
        return erased

    def _without(self, config: Mapping[str, Any], registry: str) -> dict[str, Any]:
        return {n: e for n, e in self._section(config, "auths").items() if _key(n) != _key(registry)}

    def _helper(self, config: Mapping[str, Any], registry: str) -> str:
        named = {_key(n): h for n, h in self._section(config, "credHelpers").items()}
        helper = named.get(_key(registry)) or config.get("credsStore") or ""
        if helper and not (isinstance(helper, str) and _HELPER.match(helper)):
            raise self._bad(f"{helper!r} is not the name of a credential helper")
        return helper

    def _section(self, config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        section = {} if config.get(name) is None else config[name]
        if not isinstance(section, Mapping):
            raise self._bad(f"`{name}` is not an object")
        return section

    def _decode(self, entry: Mapping[str, Any], name: str) -> Credential:
        texts = self._texts(entry, name)
        try:
            plain = base64.b64decode(texts["auth"], validate=True).decode()
        except (binascii.Error, ValueError):
            # Without the cause, which shows the text.
            raise self._bad(f"`auth` of {name} is not base64") from None
        user, colon, password = plain.partition(":")
        if plain and not colon:
            raise self._bad(f"`auth` of {name} is not USER:PASSWORD")
        user, password = user or texts["username"], password or texts["password"]
        return Credential(
            username=user,
            # Docker's own files have had a NUL at the end.
            password=password.rstrip("\0"),
            identity_token=texts["identitytoken"],
            registry_token=texts["registrytoken"],
        )

    def _texts(self, entry: Mapping[str, Any], name: str) -> dict[str, str]:
        keys = ("auth", "username", "password", "identitytoken", "registrytoken")
        try:
            return {key: Node(entry, f"$.auths.{name}").get(key).text("") for key in keys}
        except JsonError as failure:
            raise self._bad(str(failure)) from None

    def _read(self) -> dict[str, Any]:
        if self._path is None or not self._path.exists():
            return {}
        data = file.read(self.path, limit=LIMIT)
        try:
            return dict(strict_json.read(data, limit=LIMIT).object()) if data.strip() else {}
        except JsonError as failure:
            raise self._bad(str(failure)) from None

    def _write(self, config: Mapping[str, Any]) -> None:
        with file.writing(self.path) as out:
            os.fchmod(out.fileno(), 0o600)
            # Docker's own layout, so that a diff shows what changed.
            out.write(json.dumps(config, indent="\t", ensure_ascii=False).encode() + b"\n")

    def _bad(self, why: str) -> Exception:
        return error("F208", f"{self.path}: {why}", help="mend it, or move it away and run `finback login` again")


def _key(name: str) -> str:
    """What *name*, a host or an address as old versions of Docker wrote them, is about."""
    bare = re.sub(r"^https?://", "", name).rstrip("/")
    bare = re.sub(r"/v[12]$", "", bare)
    host, slash, path = bare.partition("/")
    return ("docker.io" if host in _DOCKER_HOSTS else host) + slash + path


def _server(registry: str) -> str:
    """The key under which others look for the registry."""
    return DOCKER_KEY if _key(registry) == "docker.io" else registry


def _candidates(registry: str, repository: str) -> Iterator[str]:
    parts = repository.split("/") if repository else []
    for length in range(len(parts), 0, -1):
        yield f"{registry}/{'/'.join(parts[:length])}"
    yield registry


def _command(helper: str, verb: str) -> Command:
    return Command(argv=(f"docker-credential-{helper}", verb))


def _ask(helper: str, server: str) -> Credential | None:
    status, out = process.converse(_command(helper, "get"), server.encode(), seconds=HELPER_SECONDS)
    if status:
        # All helpers say it so; anything else is a failure.
        if b"credentials not found" in out:
            return None
        raise _broken_helper(helper, f"it ended with status {status}")
    try:
        body = strict_json.read(out, limit=LIMIT)
        user, secret = body.need("Username").text(), body.need("Secret").text()
    except JsonError as failure:
        raise _broken_helper(helper, f"its answer is not what the protocol says: {failure}") from None
    if user == _TOKEN_USER:
        return Credential(identity_token=secret)
    return Credential(username=user, password=secret)


def _broken_helper(helper: str, why: str) -> Exception:
    return error("F208", f"docker-credential-{helper} can't be used: {why}", help="run it by hand to see what is wrong")
