"""Registries: manifests and blobs, by the distribution protocol.

What is read may come from a mirror: by digest it is the same bytes; a tag means what the first server that answers
says.

Source: OCI distribution specification 1.1.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

from finback.codec import strict_json
from finback.codec.strict_json import JsonError
from finback.ground.diagnostic import Diagnostic, FinbackError, Severity, error
from finback.ground.digest import Digest
from finback.ground.event import Emit, Event, Warned, silent
from finback.host.patience import Patience, Security
from finback.host.store import CHUNK, Store
from finback.host.web import Client, Reply, Request, is_page, redacted, retry_after
from finback.oci import manifest
from finback.oci.auth import Authenticator, ScopedGuard, refused
from finback.oci.credentials import Credentials
from finback.oci.manifest import Descriptor, Document
from finback.oci.network import Network

T = TypeVar("T")
REMEDY = "`finback --mirror REGISTRY=URL` reads from another place"
UNENCRYPTED = "if it is yours, `--insecure http://{host}` speaks to it without TLS"
GIVEN = "what the registry gave"
MINUTE = 60
# To find out how a registry on this machine speaks.
BRIEF = Patience(attempts=1, connect=2, read=5)
# What is shown of a registry's own words.
SHOWN = 300
_Advance = Callable[[int], None]


class Endpoint:
    """One server: a registry or a mirror of one."""

    def __init__(self, base: str, client: Client, credentials: Credentials, key: str) -> None:
        self.base = base
        self.client = client
        self.authenticator = Authenticator(client, base, lambda repository: credentials.find(key, repository))

    def ask(self, request: Request, *scopes: str, limit: int = CHUNK) -> Reply:
        """The answer to a request below `/v2/`."""
        # An upload may go on at another host, which our proof is not for.
        ours = urlsplit(request.url)[:2] == urlsplit(self.base)[:2]
        return self.client.ask(request, limit=limit, guard=self.guard(*scopes) if ours else None)

    def guard(self, *scopes: str) -> ScopedGuard:
        """Proof for one request."""
        return self.authenticator.guard(*scopes)

    def url(self, path: str, **query: str) -> str:
        """The address of a thing."""
        return f"{self.base}/v2/{path}" + (f"?{urlencode(query)}" if query else "")

    def problem(self, reply: Reply, what: str) -> FinbackError:
        """The error for an answer that is not the one hoped for: F205 refused, F206 not there, F207 anything else."""
        said = _said(reply)
        if is_page(reply):
            said = f"a web page with status {reply.status}, as of a proxy or firewall on the way"
        if reply.status in (401, 403):
            return refused(self.base, f"{what}{': ' + said if said else ''}")
        if reply.status == 404:
            return error(
                "F206",
                f"{urlsplit(self.base).netloc} has no {what}" + (f": {said}" if said else ""),
                help="check name and tag; many registries say the same of what one may not see: `finback login`",
            )
        where = f"{redacted(reply.url)}: " if reply.url else ""
        if reply.status == 400 and b"HTTPS" in reply.body and self.base.startswith("http:"):
            # As nginx and Go's servers say it.
            return error(
                "F210",
                f"{where}the registry speaks TLS, and was asked without",
                help=f"leave `--insecure {self.base}` out; with https:// its certificate is not checked",
            )
        if reply.status == 511:
            # Source: RFC 6585, section 6.
            message = f"{where}this network asks for a login before it lets anything through"
            return error("F200", message, help="log in with a browser")
        advice = "try again later; if it stays so, ask who runs the registry"
        if reply.status == 407:
            advice = "write name and password of the proxy into its address: HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT"
        if reply.status == 429:
            advice = "wait; many registries let those do more who are known (`finback login`), and a mirror may help"
        message = f"{where}the registry answered {reply.status}{': ' + said if said else ''}{_asked_wait(reply)}"
        return error("F207", message, help=advice)


class Registry:
    """A registry by its name in references: its mirrors, then itself."""

    def __init__(self, name: str, home: Endpoint, mirrors: tuple[Endpoint, ...] = (), emit: Emit = silent) -> None:
        self.name = name
        self.home = home
        self._readable = (*mirrors, home)
        self._emit = emit
        self._warned: set[str] = set()

    def document(self, repository: str, reference: str | Digest) -> Document:
        """The manifest or index that a tag or digest names, checked against the digest.

        Raises:
            FinbackError: F170 as `manifest.read`; F205 refused, F206 not there, F207 misunderstood, F301
                other bytes than *reference* names, F302 too large; F201 to F204 as `Client.ask`.

        """
        return self._first(lambda endpoint: _document(endpoint, repository, reference))

    def find(self, repository: str, reference: str | Digest) -> Document | None:
        """The same from the registry itself, None when it is not there."""
        try:
            return _document(self.home, repository, reference)
        except FinbackError as failure:
            if [d.code for d in failure.diagnostics] == ["F206"]:
                return None
            raise

    def download(self, repository: str, blob: Descriptor, store: Store, advance: _Advance) -> None:
        """Put a blob into the store; *advance* is told how many bytes of it there are.

        Raises:
            FinbackError: as `document`; F403, F404 or F405, the store can't be written.

        """
        self._first(lambda endpoint: _download(endpoint, repository, blob, store, advance))

    def small(self, repository: str, blob: Descriptor) -> bytes:
        """The bytes of a blob that is no larger than a manifest may be; they are not kept.

        Raises:
            FinbackError: as `document`.

        """
        return self._first(lambda endpoint: _small(endpoint, repository, blob))

    def referrers(self, repository: str, subject: Digest, artifact_type: str = "") -> tuple[Descriptor, ...]:
        """What says that it is about *subject*: by the API, or by the tag that stands in for it.

        Source: distribution specification 1.1, "Listing Referrers", "Unavailable Referrers API".

        Raises:
            FinbackError: as `document`.

        """
        return self._first(lambda endpoint: _referrers(endpoint, repository, subject, artifact_type))

    def _first(self, action: Callable[[Endpoint], T]) -> T:
        """What the first server answers that can."""
        tried: list[str] = []
        for endpoint in self._readable[:-1]:
            try:
                return action(endpoint)
            except FinbackError as failure:
                if not all(d.code.startswith(("F17", "F2", "F3")) for d in failure.diagnostics):
                    raise
                tried += [f"mirror: {d.message}" for d in failure.diagnostics]
                self._warn(endpoint, failure)
        try:
            return action(self.home)
        except FinbackError as failure:
            failure.diagnostics = tuple(_noted(d, tried) for d in failure.diagnostics)
            raise

    def _warn(self, endpoint: Endpoint, failure: FinbackError) -> None:
        """Say once that a mirror does not do its work; that it lacks something is no fault."""
        problem = failure.diagnostics[0]
        if problem.code != "F206" and endpoint.base not in self._warned:
            self._warned.add(endpoint.base)
            message = f"a mirror of {self.name} fails, and the next one is asked: {problem.message}"
            self._emit(Warned(diagnostic=replace(problem, message=message, severity=Severity.WARNING)))


class Registries:
    """The registries of one run, each with its connections and tokens."""

    def __init__(
        self, network: Network, credentials: Credentials, patience: Patience | None = None, emit: Emit = silent
    ) -> None:
        self._emit = emit
        self._network = network
        self._credentials = credentials
        self._patience = patience
        self._clients: dict[Security, Client] = {}
        self._open: dict[str, Registry] = {}
        self._gate = threading.Lock()
        self._telling = threading.Lock()

    def get(self, name: str) -> Registry:
        """The registry that references call *name*."""
        with self._gate:
            if name not in self._open:
                mirrors = tuple(self._endpoint(m, urlsplit(m).netloc) for m in self._network.mirrors(name))
                self._open[name] = Registry(name, self._endpoint(self._base(name), name), mirrors, self._emit)
            return self._open[name]

    def _base(self, name: str) -> str:
        """The address of a registry. On this machine one without TLS is found out, as Docker does it."""
        base = self._network.base(name)
        if not self._network.may_be_plain(name):
            return base
        client = Client(BRIEF, self._network.security(name))
        for scheme in ("https", "http"):
            try:
                client.ask(Request(url=f"{scheme}://{name}/v2/"), limit=CHUNK)
            except FinbackError as failure:
                # Whatever else is wrong with what it answers is reported where an image is asked for.
                if any(d.code == "F210" for d in failure.diagnostics):
                    return f"{'http' if scheme == 'https' else 'https'}://{name}"
            else:
                return f"{scheme}://{name}"
        return base

    def _endpoint(self, base: str, key: str) -> Endpoint:
        security = self._network.security(urlsplit(base).netloc)
        if security not in self._clients:
            self._clients[security] = Client(self._patience, security, REMEDY, UNENCRYPTED, self._tell)
        return Endpoint(base, self._clients[security], self._credentials, key)

    def _tell(self, event: Event) -> None:
        """Several threads may wait at a time."""
        with self._telling:
            self._emit(event)


def pull_scope(repository: str) -> str:
    """What reading needs. Source: distribution's auth/scope.md."""
    return f"repository:{repository}:pull"


def _document(endpoint: Endpoint, repository: str, reference: str | Digest) -> Document:
    url = endpoint.url(f"{repository}/manifests/{reference}")
    request = Request(url=url, headers={"Accept": manifest.ACCEPT})
    reply = endpoint.ask(request, pull_scope(repository), limit=manifest.LIMIT)
    mark = "@" if isinstance(reference, Digest) else ":"
    if reply.status != 200:
        raise endpoint.problem(reply, f"{repository}{mark}{reference}")
    if isinstance(reference, Digest) and _digest(reply.body, reference.algorithm) != reference:
        raise error(
            "F301",
            f"{urlsplit(endpoint.base).netloc} gave other bytes for {repository}@{reference}",
            help="the registry, or something between it and you, is faulty or hostile",
        )
    of = f"what {urlsplit(endpoint.base).netloc} gave as {repository}{mark}{reference}"
    found = manifest.read(reply.body, reply.headers.get("Content-Type", ""), of=of)
    return replace(found, digest=reference) if isinstance(reference, Digest) else found


def _download(endpoint: Endpoint, repository: str, blob: Descriptor, store: Store, advance: _Advance) -> None:
    if store.has(blob.digest):
        return
    for last in (False, True):
        try:
            _ingest(endpoint, repository, blob, store, advance)
        except FinbackError as failure:
            # A cache on the way may have kept half of it; once more is worth it, twice is not.
            if last or [d.code for d in failure.diagnostics] != ["F301"]:
                raise
        else:
            return


def _small(endpoint: Endpoint, repository: str, blob: Descriptor) -> bytes:
    what = f"blob {blob.digest} of {repository}"
    request = Request(url=endpoint.url(f"{repository}/blobs/{blob.digest}"))
    reply = endpoint.ask(request, pull_scope(repository), limit=manifest.LIMIT)
    if reply.status != 200:
        raise endpoint.problem(reply, what)
    if len(reply.body) != blob.size or _digest(reply.body, blob.digest.algorithm) != blob.digest:
        raise error("F301", f"{what} has other bytes than its digest says", help="the registry is faulty or hostile")
    return reply.body


def _ingest(endpoint: Endpoint, repository: str, blob: Descriptor, store: Store, advance: _Advance) -> None:
    what = f"blob {blob.digest} of {repository}"
    chunks = endpoint.client.stream(
        Request(url=endpoint.url(f"{repository}/blobs/{blob.digest}")),
        refused=lambda reply: endpoint.problem(reply, what),
        guard=endpoint.guard(pull_scope(repository)),
        pinned=True,
    )
    try:
        with store.ingest(blob.digest, limit=blob.size) as ingest:
            for chunk in chunks:
                ingest.write(chunk)
                advance(ingest.size)
            if ingest.size != blob.size:
                raise error(
                    "F301",
                    f"{what} has {ingest.size} bytes, and its manifest says {blob.size}",
                    help="what sent it is faulty or has changed; try again later",
                )
    except FinbackError as failure:
        # The store does not know where the bytes came from.
        source = f"{what}, from {urlsplit(endpoint.base).netloc}"
        failure.diagnostics = tuple(
            _noted(d, [source]) if d.code in ("F301", "F302") else d for d in failure.diagnostics
        )
        raise


def _referrers(endpoint: Endpoint, repository: str, subject: Digest, kind: str) -> tuple[Descriptor, ...]:
    query = {"artifactType": kind} if kind else {}
    url = endpoint.url(f"{repository}/referrers/{subject}", **query)
    request = Request(url=url, headers={"Accept": manifest.INDEX})
    reply = endpoint.ask(request, pull_scope(repository), limit=manifest.LIMIT)
    if reply.status == 200:
        found = manifest.read(reply.body, manifest.INDEX, of=GIVEN)
    elif reply.status == 404:
        try:
            found = _document(endpoint, repository, fallback_tag(subject))
        except FinbackError as failure:
            if [d.code for d in failure.diagnostics] == ["F206"]:
                return ()
            raise
    else:
        raise endpoint.problem(reply, f"referrers of {repository}@{subject}")
    # A registry may ignore the filter.
    return tuple(m for m in found.manifests if not kind or m.artifact_type == kind)


def fallback_tag(subject: Digest) -> str:
    """The tag of the index of what is about *subject*.

    Source: distribution specification 1.1, "Referrers Tag Schema".
    """
    return f"{subject.algorithm[:32]}-{subject.encoded[:64]}"


def _asked_wait(reply: Reply) -> str:
    """How long it asks to wait, which was too long."""
    seconds = retry_after(reply.headers.get("Retry-After", ""))
    if not seconds or seconds < MINUTE:
        return ""
    return f" (it asks to wait {seconds / MINUTE:.0f} minutes)"


def _said(reply: Reply) -> str:
    """The registry's own words. Source: distribution specification 1.1, "Error Codes"."""
    try:
        problems = strict_json.read(reply.body).get("errors").items()
        words = "; ".join(f"{p.get('code').text('')} {p.get('message').text('')}".strip() for p in problems)
    except JsonError:
        return ""
    return "".join(c for c in words[:SHOWN] if c.isprintable())


def _noted(diagnostic: Diagnostic, notes: list[str]) -> Diagnostic:
    return replace(diagnostic, notes=(*diagnostic.notes, *notes))


def _digest(data: bytes, algorithm: str) -> Digest:
    import hashlib

    return Digest(algorithm, hashlib.new(algorithm, data).hexdigest())
