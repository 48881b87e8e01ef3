"""Who gets into the fake registry, and the tokens that it gives.

Source: distribution's token specification (auth/token.md, auth/oauth.md).
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Mapping

from finback.testing.fault import Answer, as_json


class Access:
    """Who gets in: anybody by default; with *users*, by *scheme* `basic` or `bearer`."""

    def __init__(
        self, scheme: str = "", users: Mapping[str, str] | None = None, *, anonymous: bool = False, lifetime: int = 60
    ) -> None:
        self.scheme = scheme
        self.users = dict(users or {})
        self.anonymous = anonymous
        """Whether a token for reading is given to everybody."""
        self.lifetime = lifetime
        self.identity = secrets.token_hex(8)
        """An identity token that is good."""
        self._tokens: dict[str, tuple[set[str], float]] = {}

    def expire(self) -> None:
        """Make all tokens that were given useless."""
        self._tokens.clear()

    def user(self, header: str) -> str:
        """Who *header* is by its password; "" for nobody."""
        kind, _, rest = header.partition(" ")
        if kind != "Basic":
            return ""
        name, _, password = base64.b64decode(rest).decode().partition(":")
        return name if self.users.get(name) == password and password else ""

    def admits(self, header: str, scope: str) -> bool:
        """Whether a request that needs *scope*, `repository:NAME:ACTION`, may go on."""
        if not self.scheme:
            return True
        if self.scheme == "basic":
            return bool(self.user(header))
        scopes, until = self._tokens.get(header.removeprefix("Bearer "), (set(), 0.0))
        return time.monotonic() < until and (not scope or scope in scopes)

    def token(self, header: str, query: Mapping[str, list[str]]) -> Answer:
        """Answer a request for a token, by GET or by the grant `refresh_token`."""
        known = bool(self.user(header)) or query.get("refresh_token") == [self.identity]
        if not known and (header or "refresh_token" in query or not self.anonymous):
            return Answer(status=401)
        scopes = set()
        for asked in " ".join(query.get("scope", ())).split():
            kind, name, actions = asked.split(":")
            scopes |= {f"{kind}:{name}:{a}" for a in actions.split(",") if known or a == "pull"}
        text = secrets.token_hex(16)
        self._tokens[text] = (scopes, time.monotonic() + self.lifetime)
        return as_json({"token": text, "expires_in": self.lifetime})
