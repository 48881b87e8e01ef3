"""Proof for one registry: basic, or bearer tokens for scopes, kept until they expire or are refused.

Source: distribution's token specification (auth/token.md, auth/oauth.md, auth/scope.md); RFC 7617, RFC 6750.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from finback.codec import strict_json
from finback.codec.strict_json import JsonError, Node
from finback.ground.diagnostic import FinbackError, error
from finback.host import clock
from finback.host.web import Client, Reply, Request, resolved
from finback.oci import challenge
from finback.oci.challenge import Challenge
from finback.oci.credentials import Credential

LIMIT = 1 << 20
CLIENT = "finback"
# The specification's default, and its advice to renew a little before the end.
LIFETIME = 60
MARGIN = 5


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    until: float = 0.0
    """On the monotonic clock."""


@dataclass(frozen=True, slots=True)
class _Granted:
    """A token server's answer. Source: auth/token.md, "Token Response Fields"; auth/oauth.md, "Token Response"."""

    text: str = field(repr=False)
    refresh: str = field(repr=False)
    seconds: float


def _granted(body: Node) -> _Granted:
    lifetime = body.get("expires_in").number(LIFETIME)
    return _Granted(
        text=body.get("access_token").text("") or body.get("token").text(""),
        refresh=body.get("refresh_token").text(""),
        # Some servers send 0 or less for "not stated".
        seconds=lifetime if lifetime > 0 else LIFETIME,
    )


class Authenticator:
    """What is known of one registry, for any number of threads."""

    def __init__(self, client: Client, registry: str, find: Callable[[str], Credential | None]) -> None:
        self._client = client
        self._registry = registry
        self._find = find
        self._known: dict[str, Credential] = {}
        """By repository: the user may be somebody else for each."""
        self._basic = False
        self._tokens: dict[tuple[str, ...], _Token] = {}
        self._gate = threading.RLock()

    def guard(self, *scopes: str) -> ScopedGuard:
        """Proof for requests that need *scopes*."""
        return ScopedGuard(self, scopes)

    def current(self, scopes: tuple[str, ...]) -> str:
        """What goes into the field Authorization now; "" for nothing."""
        with self._gate:
            if self._basic and self._credential(scopes).username:
                return _basic(self._credential(scopes))
            token = self._tokens.get(scopes)
            return f"Bearer {token.text}" if token and clock.monotonic() < token.until else ""

    def answer(self, headers: Mapping[str, str], scopes: tuple[str, ...], sent: str) -> bool:
        """Look for better proof than *sent*, which was not enough; whether there is any.

        Raises:
            FinbackError: F205 the proof that we have is refused; F207 the registry can't be understood; as
                `Client.ask`.

        """
        try:
            asked = {c.scheme: c for c in reversed(challenge.parse(headers.get("WWW-Authenticate", "")))}
        except ValueError as failure:
            raise self._odd(f"it asks for proof in a way that can't be read: {failure}") from None
        with self._gate:
            if self.current(scopes) not in ("", sent):
                # Another thread has been here meanwhile.
                return True
            if "bearer" in asked:
                return self._token(asked["bearer"], scopes, sent)
            if "basic" in asked and self._credential(scopes).username:
                self._basic = True
                return not sent
            return False

    def _credential(self, scopes: Sequence[str]) -> Credential:
        repository = _repository(scopes)
        if repository not in self._known:
            self._known[repository] = self._find(repository) or Credential()
        return self._known[repository]

    def _token(self, asked: Challenge, scopes: tuple[str, ...], sent: str) -> bool:
        known = self._credential(scopes)
        if known.registry_token:
            self._tokens[scopes] = _Token(known.registry_token, float("inf"))
            return sent != f"Bearer {known.registry_token}"
        self._tokens.pop(scopes, None)
        realm = asked.parameters.get("realm", "")
        self._check(realm)
        # A registry may know a repository by another name than we do.
        words = [*scopes, *(s for s in asked.parameters.get("scope", "").split() if s not in scopes)]
        service = asked.parameters.get("service", "")
        began = clock.monotonic()
        ask = self._exchange if known.identity_token else self._plain
        body = self._read(ask(known, realm, service, words), known)
        if not body.text or not body.text.isprintable() or not body.text.isascii():
            raise self._odd(f"there is no token in the answer of {urlsplit(realm).netloc}")
        if known.identity_token and body.refresh:
            self._known[_repository(scopes)] = Credential(identity_token=body.refresh)
        self._tokens[scopes] = _Token(body.text, began + max(body.seconds - MARGIN, 1))
        return True

    def _check(self, realm: str) -> None:
        from finback.host.connection import is_loopback

        parts = urlsplit(resolved(realm, realm) or "")
        plain = urlsplit(self._registry).scheme == "http"
        if plain and is_loopback(urlsplit(self._registry).hostname or ""):
            # Without TLS nobody reads along on this machine; on the way to another one somebody may.
            plain = is_loopback(parts.hostname or "")
        if parts.scheme not in (("http", "https") if plain else ("https",)) or not parts.netloc or "@" in parts.netloc:
            raise self._odd("it sends us for a token to where no secret should go")

    def _plain(self, known: Credential, realm: str, service: str, scopes: list[str]) -> Reply:
        """Source: auth/token.md, "Requesting a token"."""
        query = [("service", service)] if service else []
        query += [("scope", s) for s in scopes]
        headers = {}
        if known.username:
            query.append(("account", known.username))
            headers = {"Authorization": _basic(known)}
        separator = "&" if urlsplit(realm).query else "?"
        url = f"{realm}{separator}{urlencode(query)}" if query else realm
        return self._client.ask(Request(url=url), limit=LIMIT, guard=_Fixed(headers))

    def _exchange(self, known: Credential, realm: str, service: str, scopes: list[str]) -> Reply:
        """Source: auth/oauth.md, "Getting a token": the grant `refresh_token`."""
        form = {
            "grant_type": "refresh_token",
            "service": service,
            "client_id": CLIENT,
            "scope": " ".join(scopes),
            "refresh_token": known.identity_token,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        request = Request(url=realm, method="POST", headers=headers, body=urlencode(form).encode())
        return self._client.ask(request, limit=LIMIT)

    def _read(self, reply: Reply, known: Credential) -> _Granted:
        if reply.status in (400, 401, 403):
            who = known.username or ("the identity token" if known.identity_token else "")
            raise refused(self._registry, f"{who} is not accepted" if who else "it gives nothing to the anonymous")
        if reply.status != 200:
            raise self._odd(f"asked for a token, {urlsplit(reply.url).netloc} answers {reply.status}")
        try:
            return _granted(strict_json.read(reply.body, limit=LIMIT))
        except JsonError as failure:
            # Without any part of the answer, which may hold a secret.
            raise self._odd(
                f"the answer of {urlsplit(reply.url).netloc} with a token can't be read: {failure}"
            ) from None

    def _odd(self, why: str) -> FinbackError:
        return error(
            "F207",
            f"registry {urlsplit(self._registry).netloc}: {why}",
            help="this is the registry's fault, or something between it and you answers in its place",
        )


class ScopedGuard:
    """Proof for the requests of one scope. Implements `finback.host.web.Guard`."""

    def __init__(self, authenticator: Authenticator, scopes: tuple[str, ...]) -> None:
        self._authenticator = authenticator
        self._scopes = scopes
        self._sent = ""

    def headers(self) -> Mapping[str, str]:
        """What we have for now."""
        self._sent = self._authenticator.current(self._scopes)
        return {"Authorization": self._sent} if self._sent else {}

    def renew(self, headers: Mapping[str, str]) -> bool:
        """Answer the challenge in *headers*."""
        return self._authenticator.answer(headers, self._scopes, self._sent)


class _Fixed:
    """The same proof for every try."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def headers(self) -> Mapping[str, str]:
        return self._headers

    def renew(self, headers: Mapping[str, str]) -> bool:
        """There is no better one."""
        del headers
        return False


def refused(registry: str, why: str) -> FinbackError:
    """The error for a registry that does not let us in."""
    host = urlsplit(registry).netloc or registry
    return error("F205", f"registry {host} refuses: {why}", help=f"`finback login {host}` gives it name and password")


def _basic(known: Credential) -> str:
    return "Basic " + base64.b64encode(f"{known.username}:{known.password}".encode()).decode()


def _repository(scopes: Sequence[str]) -> str:
    """What the first of *scopes*, `repository:NAME:ACTIONS`, is about."""
    return scopes[0].split(":")[1] if scopes else ""
