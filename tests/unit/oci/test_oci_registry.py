"""Pulling from a registry that fails in every way that we know."""

from __future__ import annotations

import base64
import errno
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from finback.ground.diagnostic import FinbackError
from finback.ground.digest import Digest
from finback.ground.event import Started, Warned
from finback.host.store import Store
from finback.oci.credentials import Credential
from finback.oci.manifest import INDEX, LIMIT, MANIFEST
from finback.oci.network import Network, Rule
from finback.testing import fault
from finback.testing.fault import Change, Fault
from finback.testing.registry import Access, FakeRegistry
from finback.testing.world import World

LAYERS = [Random(1).randbytes(300_000), b"second layer" * 1000]
BLOB = rf"GET /v2/a/blobs/{Digest.of(LAYERS[0])}"
MANIFESTS = "GET /v2/a/manifests/"


def codes(failure: Any) -> list[str]:
    return [d.code for d in failure.value.diagnostics]


def whole(world: World) -> bool:
    """Whether everything of image `a` is in the store, and nothing else."""
    repository = world.registry.repositories["a"]
    wanted = {d.partition(":")[2] for d in (*repository.blobs, *repository.manifests)}
    return world.blobs() == wanted and all(world.store.read(Digest("sha256", b)) is not None for b in wanted)


def test_an_image_comes_whole_and_with_its_name(world: World) -> None:
    made = world.registry.put_image("a", "1", LAYERS)
    pulled = world.pull("a:1")
    assert str(pulled.manifest.digest) == made["digest"]
    assert pulled.config["architecture"] == "amd64"
    assert whole(world)
    tagged = world.store.tagged(f"{world.registry.host}/a:1")
    assert tagged is not None
    assert tagged["digest"] == made["digest"]
    before = len(world.registry.seen)
    world.pull(f"a@{made['digest']}")
    assert len(world.registry.seen) == before, "what is pinned and there needs no network"


@pytest.mark.parametrize(
    ("pattern", "change", "times"),
    [
        (BLOB, fault.status(503), 2),
        (BLOB, fault.status(429, Retry_After="0"), 2),
        (MANIFESTS, fault.status(500), 2),
        (BLOB, fault.cut(100_000), 2),
        (BLOB, fault.cut(0), 2),
        (BLOB, fault.truncated, 1),
        (BLOB, fault.corrupt, 1),
        (MANIFESTS, fault.cut(10), 1),
        (BLOB, fault.slow(0.1), 1),
    ],
    ids=["503", "429", "500", "reset", "reset at once", "truncated", "corrupt", "manifest cut", "slow loris"],
)
def test_faults_that_pass_end_in_success(world: World, pattern: str, change: Change, times: int) -> None:
    world.registry.put_image("a", "1", LAYERS)
    hit = Fault(pattern, change, times)
    world.registry.faults.append(hit)
    world.pull("a:1")
    assert hit.left == 0
    assert whole(world)


@pytest.mark.parametrize(
    ("pattern", "change", "code"),
    [
        (BLOB, fault.status(503), "F207"),
        (BLOB, fault.status(404), "F206"),
        (BLOB, fault.status(403), "F205"),
        (BLOB, fault.truncated, "F301"),
        (BLOB, fault.corrupt, "F301"),
        (BLOB, fault.longer, "F302"),
        (BLOB, fault.cut(1000), "F201"),
        (BLOB, fault.slow(0.1), "F201"),
        (MANIFESTS + "1", fault.status(404), "F206"),
        (MANIFESTS + "1", fault.replaced(b'{"x":"' + b"a" * LIMIT + b'"}', MANIFEST), "F302"),
        (MANIFESTS + "1", fault.replaced(b"<html>", "text/html"), "F200"),
        (MANIFESTS + "1", fault.replaced(b"\n <!DOCTYPE html><p>Log in", "text/html; charset=utf-8"), "F200"),
        (BLOB, fault.replaced(b"<html>Log in", "text/html"), "F200"),
        (MANIFESTS + "1", fault.replaced(b"<html>", MANIFEST), "F170"),
        (MANIFESTS + "1", fault.status(511), "F200"),
        (MANIFESTS + "1", fault.status(204), "F207"),
        (BLOB, fault.status(204), "F207"),
        (MANIFESTS + "1", fault.status(429, Retry_After="100000"), "F207"),
        (BLOB, fault.status(503, Retry_After="100000"), "F207"),
        (MANIFESTS + "1", fault.truncated, "F170"),
        (MANIFESTS + "1", fault.replaced(b"[" * 100_000, MANIFEST), "F170"),
        (MANIFESTS + "1", fault.redirect("file:///etc/passwd"), "F202"),
        (MANIFESTS + "1", fault.redirect("/v2/a/manifests/1"), "F202"),
    ],
    ids=[
        "blob 503",
        "blob 404",
        "blob 403",
        "truncated",
        "corrupt",
        "longer",
        "reset",
        "slow loris",
        "manifest 404",
        "huge manifest",
        "HTML",
        "HTML page",
        "HTML blob",
        "no HTML",
        "login needed",
        "manifest 204",
        "blob 204",
        "wait a day",
        "blob wait a day",
        "half a manifest",
        "deep JSON",
        "redirect to a file",
        "redirects in a circle",
    ],
)
def test_faults_that_stay_end_in_an_error_and_leave_nothing_wrong(
    world: World, pattern: str, change: Change, code: str
) -> None:
    world.registry.put_image("a", "1", LAYERS)
    world.registry.faults.append(Fault(pattern, change, 10_000))
    with pytest.raises(FinbackError) as failure:
        world.pull("a:1")
    assert codes(failure) == [code]
    assert all(d.help for d in failure.value.diagnostics)
    assert Digest.of(LAYERS[0]).encoded not in world.blobs()
    for name in world.blobs():
        world.store.read(Digest("sha256", name))
    assert world.left_over() == []
    assert world.store.tagged(f"{world.registry.host}/a:1") is None


def test_a_reset_transfer_goes_on_where_it_broke(world: World) -> None:
    world.registry.put_image("a", "1", LAYERS)
    world.registry.faults.append(Fault(BLOB, fault.cut(200_000)))
    world.pull("a:1")
    ranges = [s.headers.get("Range") for s in world.registry.seen if f"{s.method} {s.path}" == BLOB]
    assert ranges == [None, "bytes=200000-"]


def test_a_registry_that_knows_no_ranges_sends_all_again(world: World) -> None:
    world.registry.put_image("a", "1", LAYERS)
    whole_again = fault.replaced(LAYERS[0], "application/octet-stream")
    world.registry.faults += [Fault(BLOB, fault.cut(100_000)), Fault(BLOB, whole_again)]
    world.pull("a:1")
    assert whole(world)


def test_a_transfer_that_is_resumed_at_the_wrong_place(world: World) -> None:
    world.registry.put_image("a", "1", LAYERS)
    wrong = fault.status(206, Content_Range="bytes 5-9/10")
    world.registry.faults += [Fault(BLOB, fault.cut(100_000)), Fault(BLOB, wrong)]
    with pytest.raises(FinbackError) as failure:
        world.pull("a:1")
    assert codes(failure) == ["F201"]
    assert world.left_over() == []


def test_retry_after_is_honoured(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from finback.host import web

    waits: list[float] = []
    monkeypatch.setattr(web.time, "sleep", waits.append)
    world.registry.put_image("a", "1", LAYERS)
    world.registry.faults.append(Fault(MANIFESTS, fault.status(429, Retry_After="7")))
    world.registry.faults.append(Fault(MANIFESTS, fault.status(503)))
    world.patience = type(world.patience)(longest_pause=60)
    world.pull("a:1")
    assert waits == [7.0, pytest.approx(0.9)]


@pytest.mark.parametrize("pattern", [MANIFESTS, BLOB])
def test_a_long_wait_is_an_error_at_once_and_a_short_one_is_reported(
    world: World, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    from finback.host import web

    waits: list[float] = []
    monkeypatch.setattr(web.time, "sleep", waits.append)
    world.registry.put_image("a", "1", LAYERS)
    hit = Fault(pattern, fault.status(429, Retry_After="7200"), 2)
    world.registry.faults.append(hit)
    world.patience = type(world.patience)(longest_pause=60)
    with pytest.raises(FinbackError, match="asks to wait 120 minutes") as failure:
        world.pull("a:1")
    assert (codes(failure), waits) == (["F207"], [])
    world.registry.faults[:] = [Fault(pattern, fault.status(503, Retry_After="30"))]
    world.pull("a:1")
    assert waits == [30.0]
    titles = [e.title for e in world.events if isinstance(e, Started)]
    assert f"{world.registry.host} asks to wait 30 s (status 503)" in titles


def test_a_registry_on_this_machine_needs_no_tls(world: World) -> None:
    world.registry.put_image("a", "1", LAYERS)
    world.rules = ()
    world.pull("a:1")
    assert whole(world)
    world.rules = (Rule(pattern="*", insecure="tls"),)
    with pytest.raises(FinbackError) as failure:
        world.pull("a:2")
    assert codes(failure)[0] in ("F201", "F210"), "what is asked for by a rule is done"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (fault.replaced(b"<html>", "text/html"), "F200"),
        (fault.redirect("ftp://elsewhere.test/"), "F202"),
        (fault.redirect("/v2/"), "F202"),
        (fault.status(404), "F206"),
        (fault.replaced(b"", MANIFEST), "F170"),
    ],
    ids=["page", "no web address", "circle", "not there", "nothing"],
)
def test_what_a_registry_on_this_machine_answers_without_tls_is_what_is_reported(
    world: World, change: Change, code: str
) -> None:
    world.rules = ()
    world.registry.faults.append(Fault("GET /v2/", change, 99))
    with pytest.raises(FinbackError) as failure:
        world.pull("a:1")
    assert codes(failure) == [code]
    assert "TLS" not in failure.value.diagnostics[0].message


@pytest.mark.parametrize(
    ("registry", "here"),
    [
        ("localhost", True), ("localhost:5000", True), ("127.0.0.1:5000", True), ("127.9.9.9", True),
        ("[::1]:5000", True), ("[::1]", True), ("10.0.0.1:5000", False), ("localhost.example", False),
        ("[fd00::1]:5000", False), ("docker.io", False), ("127.0.0.1.example:5000", False),
    ],
)  # fmt: skip
def test_which_registries_are_on_this_machine(registry: str, here: bool) -> None:
    assert Network().may_be_plain(registry) == here
    assert bool(Network().security(registry).unchecked) == here
    assert not Network((Rule(pattern=registry, insecure="http"),)).may_be_plain(registry)


def test_a_registry_by_its_address_of_ipv6(store: Store, tmp_path: Path) -> None:
    try:
        registry = FakeRegistry(address="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    with registry:
        registry.put_image("a", "1", LAYERS)
        world = World(registry, store, tmp_path)
        world.rules = ()
        assert registry.host.startswith("[::1]:")
        world.pull("a:1")
        assert whole(world)


@pytest.mark.parametrize(
    "media_type", ["", "application/json", "text/plain; charset=utf-8", "application/octet-stream"]
)
def test_a_registry_that_does_not_say_what_it_sends(world: World, media_type: str) -> None:
    """As one behind a plain web server, whose manifests have no `mediaType`, which is optional."""
    made = world.registry.put_image("a", "1", LAYERS)
    body = json.loads(world.registry.repository("a").manifests[made["digest"]][1])
    body.pop("mediaType", None)
    world.registry.faults.append(Fault(MANIFESTS, fault.replaced(json.dumps(body).encode(), media_type), 99))
    pulled = world.pull("a:1")
    assert pulled.manifest.media_type == MANIFEST
    assert all(world.store.has(layer.digest) for layer in pulled.manifest.layers)


def test_a_descriptor_that_lies_about_the_size(world: World) -> None:
    for size in (len(LAYERS[0]) - 1, len(LAYERS[0]) + 1):
        made = world.registry.put_image("a", "1", LAYERS)
        document = json.loads(world.registry.repositories["a"].manifests[made["digest"]][1])
        document["layers"][0]["size"] = size
        world.registry.put_manifest("a", document, "1")
        with pytest.raises(FinbackError) as failure:
            world.pull("a:1")
        assert codes(failure)[0] in ("F301", "F302")
        assert Digest.of(LAYERS[0]).encoded not in world.blobs()


def test_a_disk_that_is_full(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from finback.host import store as stores

    real = stores.Ingest.write

    def write(self: Any, chunk: bytes) -> None:
        if self.size + len(chunk) > 50_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, chunk)

    monkeypatch.setattr(stores.Ingest, "write", write)
    world.registry.put_image("a", "1", LAYERS)
    with pytest.raises(FinbackError) as failure:
        world.pull("a:1")
    assert codes(failure) == ["F403"]
    assert world.left_over() == []


# Indexes.


def four(world: World) -> dict[str, dict[str, Any]]:
    made = {a: world.registry.put_image("a", "", [a.encode()], a) for a in ("amd64", "arm64", "riscv64", "s390x")}
    world.registry.put_index("a", "1", list(made.values()))
    return made


def test_only_the_platform_that_is_wanted_is_fetched(world: World) -> None:
    made = four(world)
    pulled = world.pull("a:1", "riscv64")
    assert str(pulled.manifest.digest) == made["riscv64"]["digest"]
    assert Digest.of(b"amd64").encoded not in world.blobs()
    fetched = [s.path for s in world.registry.seen]
    assert sum("/blobs/" in p for p in fetched) == 2
    assert sum("/manifests/" in p for p in fetched) == 2


def test_what_an_image_has_is_listed(world: World) -> None:
    world.registry.put_index("a", "1", [world.registry.put_image("a", "", [b"x"], a) for a in ("arm64", "s390x")])
    with pytest.raises(FinbackError) as failure:
        world.pull("a:1", "amd64")
    assert codes(failure) == ["F171"]
    assert "linux/arm64, linux/s390x" in failure.value.diagnostics[0].help
    world.registry.put_image("a", "2", [b"x"], "arm64")
    with pytest.raises(FinbackError) as failure:
        world.pull("a:2", "amd64")
    assert codes(failure) == ["F171"]
    assert Digest.of(b"x").encoded not in world.blobs()


def test_indexes_in_indexes_end(world: World) -> None:
    entry = world.registry.put_image("a", "", [b"x"])
    platform = entry["platform"]
    for depth in range(6):
        entry = {**world.registry.put_index("a", str(depth), [entry]), "platform": platform}
    world.pull("a:0")
    with pytest.raises(FinbackError) as failure:
        world.pull("a:5")
    assert codes(failure) == ["F172"]


def test_an_index_that_contains_itself(world: World) -> None:
    digest = "sha256:" + "1" * 64
    body = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [
                {
                    "mediaType": INDEX,
                    "digest": digest,
                    "size": 1,
                    "platform": {"os": "linux", "architecture": "amd64"},
                }
            ],
        }
    ).encode()
    world.registry.repository("a").manifests[digest] = (INDEX, body)
    world.registry.repository("a").tags["1"] = digest
    with pytest.raises(FinbackError) as failure:
        world.pull("a:1")
    assert codes(failure) == ["F301"]
    assert world.blobs() == set()


# Proof of who asks.


def secret(world: World, access: Access, name: str = "me", password: str = "s3cr3t") -> None:
    world.registry.access = access
    world.credentials.store(world.registry.host, Credential(username=name, password=password))


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_who_has_a_password_gets_in(world: World, scheme: str) -> None:
    world.registry.put_image("a", "1", LAYERS)
    secret(world, Access(scheme, {"me": "s3cr3t"}))
    world.pull("a:1")
    assert whole(world)
    tokens = [s for s in world.registry.seen if s.path.startswith("/token")]
    assert len(tokens) == (scheme == "bearer"), "one token does for a whole repository"


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_a_wrong_password_is_an_error_that_does_not_show_it(world: World, scheme: str) -> None:
    world.registry.put_image("a", "1", LAYERS)
    secret(world, Access(scheme, {"me": "other"}))
    with pytest.raises(FinbackError) as failure:
        world.pull("a:1")
    assert codes(failure) == ["F205"]
    shown = str(failure.value.diagnostics) + str(failure.value)
    assert "s3cr3t" not in shown
    assert f"finback login {world.registry.host}" in shown
    assert len(world.registry.seen) < 6


def test_the_user_may_be_somebody_else_for_each_repository(world: World) -> None:
    world.registry.access = Access("basic", {"me": "s3cr3t", "you": "0ther"})
    for name, key, password in (("me", "", "s3cr3t"), ("you", "/a", "0ther")):
        world.credentials.store(f"{world.registry.host}{key}", Credential(username=name, password=password))
    for repository in ("a", "b"):
        world.registry.put_image(repository, "1", LAYERS)
    registries = world.registries
    for repository, user in (("a", "you:0ther"), ("b", "me:s3cr3t"), ("a", "you:0ther")):
        world.pull(f"{repository}:1", registries=registries)
        sent = world.registry.seen[-1].headers["Authorization"].removeprefix("Basic ")
        assert base64.b64decode(sent).decode() == user


def test_a_registry_that_has_had_enough_of_us_says_why(world: World) -> None:
    world.registry.faults.append(Fault(MANIFESTS, fault.status(429, Retry_After="0"), 99))
    with pytest.raises(FinbackError) as failure:
        world.pull("a:1")
    assert codes(failure) == ["F207"]
    assert "finback login" in failure.value.diagnostics[0].help


def test_tokens_for_everybody(world: World) -> None:
    world.registry.put_image("a", "1", LAYERS)
    world.registry.access = Access("bearer", anonymous=True)
    world.pull("a:1")
    assert whole(world)
    asked = next(s for s in world.registry.seen if s.path.startswith("/token"))
    assert "Authorization" not in asked.headers


def test_a_token_that_expires_midway_is_renewed(world: World) -> None:
    access = Access("bearer", {"me": "s3cr3t"})
    secret(world, access)
    world.registry.put_image("a", "1", LAYERS)

    def expire(answer: fault.Answer) -> fault.Answer:
        access.expire()
        return fault.cut(100_000)(answer)

    world.registry.faults.append(Fault(BLOB, expire))
    world.pull("a:1")
    assert whole(world)
    assert sum(s.path.startswith("/token") for s in world.registry.seen) >= 2


def test_an_identity_token_is_exchanged(world: World) -> None:
    access = Access("bearer", {"me": "s3cr3t"})
    world.registry.access = access
    world.registry.put_image("a", "1", LAYERS)
    world.credentials.store(world.registry.host, Credential(identity_token=access.identity))
    world.pull("a:1")
    assert whole(world)
    asked = next(s for s in world.registry.seen if s.path.startswith("/token"))
    assert asked.method == "POST"
    assert b"grant_type=refresh_token" in asked.body


def test_a_registry_that_never_accepts_its_own_tokens(world: World) -> None:
    world.registry.put_image("a", "1", LAYERS)
    secret(world, Access("bearer", {"me": "s3cr3t"}))
    challenge = f'Bearer realm="{world.registry.url}/token",service="fake"'
    world.registry.faults.append(Fault("GET /v2/", fault.status(401, WWW_Authenticate=challenge), 10_000))
    with pytest.raises(FinbackError) as failure:
        world.pull("a:1")
    assert codes(failure) == ["F205"]
    assert len(world.registry.seen) == 3


@pytest.mark.parametrize("realm", ["", "ftp://x/token", "http://a@b/token", "token"])
def test_no_secret_goes_to_a_strange_place(world: World, realm: str) -> None:
    secret(world, Access("bearer", {"me": "s3cr3t"}))
    world.registry.faults.append(Fault("GET /v2/", fault.status(401, WWW_Authenticate=f'Bearer realm="{realm}"'), 99))
    with pytest.raises(FinbackError) as failure:
        world.pull("a:1")
    assert codes(failure) == ["F207"]


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_credentials_do_not_follow_a_redirect_to_another_host(world: World, scheme: str) -> None:
    world.registry.put_image("a", "1", LAYERS)
    secret(world, Access(scheme, {"me": "s3cr3t"}))
    with FakeRegistry() as other:
        other.put_blob("a", LAYERS[0])
        world.registry.faults.append(Fault(BLOB, fault.redirect(f"{other.url}{BLOB[4:]}?signature=x"), 10))
        other.faults.append(Fault(BLOB, fault.cut(100_000)))
        world.pull("a:1")
        assert [s.headers.get("Range") for s in other.seen] == [None, "bytes=100000-"]
        for seen in other.seen:
            assert "authorization" not in {n.lower() for n in seen.headers}
    assert whole(world)


def test_no_secret_leaves_this_machine_without_tls(world: World) -> None:
    world.rules = ()
    challenge = 'Bearer realm="http://token.invalid/token"'
    world.registry.faults.append(Fault("GET /v2/a/", fault.status(401, WWW_Authenticate=challenge), 99))
    with pytest.raises(FinbackError) as failure:
        world.pull("a:1")
    assert codes(failure) == ["F207"]
    assert "no secret" in failure.value.diagnostics[0].message


# Mirrors.


def test_a_mirror_is_asked_first_and_the_registry_when_it_fails(world: World) -> None:
    world.registry.put_image("a", "1", LAYERS)
    with FakeRegistry() as mirror:
        mirror.put_image("a", "1", LAYERS)
        mirror.faults.append(Fault(BLOB, fault.status(404), 10))
        world.rules = (Rule(pattern="127.0.0.*", insecure="http"), Rule(pattern="*", mirrors=(mirror.url,)))
        world.rules = (*world.rules, Rule(pattern=world.registry.host, insecure="http"))
        world.rules = (*world.rules, Rule(pattern=mirror.host, insecure="http"))
        world.pull("a:1")
        assert whole(world)
        assert [s.path for s in world.registry.seen] == [BLOB[4:]]
    (world.store.root / "blobs/sha256" / Digest.of(LAYERS[0]).encoded).unlink()
    world.pull("a:1")
    assert whole(world), "a mirror that is not there is passed over"
    warnings = [e.diagnostic.message for e in world.events if isinstance(e, Warned)]
    assert len(warnings) == 1, "and that is said once"
    assert warnings[0].startswith("a mirror of 127.0.0.1")


def test_a_mirror_can_lie_about_nothing_that_is_pinned(world: World) -> None:
    made = world.registry.put_image("a", "1", LAYERS)
    with FakeRegistry() as mirror:
        mirror.put_image("a", "1", [b"evil"])
        mirror.repositories["a"].manifests[made["digest"]] = next(iter(mirror.repositories["a"].manifests.values()))
        world.rules = (*world.rules, Rule(pattern="*", mirrors=(mirror.url,)))
        pulled = world.pull(f"a@{made['digest']}")
    assert str(pulled.manifest.digest) == made["digest"]
    assert Digest.of(b"evil").encoded not in world.blobs()


def test_a_proxy_from_the_environment_is_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.registry.put_image("a", "1", LAYERS)
    monkeypatch.setenv("http_proxy", world.registry.url)
    elsewhere = world.registries.get("registry.invalid")
    with pytest.raises(FinbackError):
        elsewhere.document("a", "2")
    assert world.registry.seen[-1].path.startswith("http://registry.invalid/v2/a/")
    seen = len(world.registry.seen)
    monkeypatch.setenv("no_proxy", "other.test, .invalid")
    with pytest.raises(FinbackError) as failure:
        world.registries.get("registry.invalid").document("a", "1")
    assert (codes(failure), len(world.registry.seen)) == (["F201"], seen)
    # This machine is never behind a proxy.
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    world.pull("a:1")
