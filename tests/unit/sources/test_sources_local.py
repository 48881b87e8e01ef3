"""Images that are on this machine: layouts, archives of `docker save`, a daemon."""

from __future__ import annotations

import gzip
import http.server
import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.image_files import Layout, as_json, layer, packed_files, saved

from finback.app.settings import Settings
from finback.app.workspace import Workspace
from finback.codec.compress import compress
from finback.ground.diagnostic import FinbackError
from finback.ground.digest import Digest
from finback.ground.event import silent
from finback.ground.platform import Platform
from finback.ground.source import Source
from finback.host.store import Store
from finback.oci import image
from finback.oci.configuration import DEFAULT_PATH
from finback.oci.flatten import entries
from finback.oci.image import LAYER
from finback.oci.manifest import INDEX, MANIFEST
from finback.resolve.catalogue import Found, Wanted
from finback.resolve.plan import Container, ImagePin
from finback.resolve.resolve import Request, resolve
from finback.spec.decode import load
from finback.spec.model import Spec

Find = Callable[..., Found]


@pytest.fixture
def workspace(tmp_path: Path, store: Store) -> Workspace:
    return Workspace(emit=silent, settings=Settings(), cache=store.root)


@pytest.fixture
def find(workspace: Workspace) -> Find:
    def look(reference: str, platform: str = "amd64", **more: Any) -> Found:
        return workspace.catalogue().find(Wanted(reference=reference, platform=Platform.parse(platform), **more))

    return look


def holds(store: Store, found: Found) -> list[str]:
    assert found.pin.digest is not None
    return [e.path for e in entries(store, found.pin.digest)]


def code(failure: pytest.ExceptionInfo[FinbackError]) -> str:
    return failure.value.diagnostics[0].code


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_a_layout_is_read(packed: bool, compression: str, tmp_path: Path, store: Store, find: Find) -> None:
    layout = Layout()
    layout.named("web", layout.image("web", compression=compression))
    layout.named("docker.io/library/db:1", layout.image("db"))
    path = layout.write(tmp_path / "images", packed=packed)
    found = find(f"oci-layout:{path}:web")
    assert holds(store, found) == ["web"]
    assert found.config["config"]["Cmd"] == ["/a"]
    assert found.pin.reference == f"oci-layout:{path}:web"
    assert str(found.pin.digest) == layout.index[0]["digest"]
    # Nothing of the other image was taken.
    taken = {f"sha256:{p.name}" for p in (store.root / "blobs/sha256").iterdir()}
    unpacked = {str(Digest.of(layer("web")))}
    assert taken <= {*layout.blobs, *unpacked}
    assert layout.index[1]["digest"] not in taken
    assert holds(store, find(f"oci-layout:{path}:db:1")) == ["db"]
    with pytest.raises(FinbackError, match="none is named") as failure:
        find(f"oci-layout:{path}")
    assert "docker.io/library/db:1, web" in failure.value.diagnostics[0].help
    with pytest.raises(FinbackError, match="has no image nope") as failure:
        find(f"oci-layout:{path}:nope")
    assert code(failure) == "F182"


def planned(workspace: Workspace, image: str, more: str = "") -> Container:
    """A service of *image* in a plan."""
    spec = load(Spec, Source("t.yml", f"services: [{{name: web, image: '{image}'{more}}}]\n"))
    request = Request(spec=spec, name="t", platform=Platform.parse("amd64"), epoch=0, substitute=lambda name: None)
    return resolve(request, workspace.catalogue(), NoFiles()).services[0]


class NoFiles:
    """A machine that has no files."""

    def read(self, path: str, span: object) -> None:
        """There is none."""

    def keep(self, data: bytes) -> Digest:
        """Not kept."""
        return Digest.of(data)


@pytest.mark.parametrize(
    ("config", "more", "env", "signal"),
    [
        ({"Cmd": ["sh"]}, "", (f"PATH={DEFAULT_PATH}",), "SIGTERM"),
        ({"Cmd": ["sh"], "Env": ["A=1"], "StopSignal": "SIGRTMIN+3"}, "", (f"PATH={DEFAULT_PATH}", "A=1"), "37"),
        ({"Cmd": ["sh"], "Env": ["PATH=/x"], "StopSignal": "3"}, "", ("PATH=/x",), "SIGQUIT"),
        ({"Cmd": ["sh"], "Env": ["PATH=/x"]}, ", env: [B=2]", (f"PATH={DEFAULT_PATH}", "B=2"), "SIGTERM"),
        ({"Cmd": ["sh"], "StopSignal": "winch"}, ", stop: {signal: 15}", (f"PATH={DEFAULT_PATH}",), "SIGTERM"),
        ({"Cmd": ["sh"], "StopSignal": "winch"}, ", stop: {timeout: 9}", (f"PATH={DEFAULT_PATH}",), "SIGWINCH"),
        ({"Cmd": ["sh"], "StopSignal": "rubbish"}, ", stop: {signal: int}", (f"PATH={DEFAULT_PATH}",), "SIGINT"),
    ],
)
def test_what_an_image_says_of_its_program(
    config: dict[str, Any], more: str, env: tuple[str, ...], signal: str, tmp_path: Path, workspace: Workspace
) -> None:
    layout = Layout()
    layout.named("web", layout.image("web", config=config))
    made = planned(workspace, f"oci-layout:{layout.write(tmp_path / 'images')}:web", more)
    assert made.settings.env == env
    assert made.supervision.stop_signal == signal


def test_an_image_with_a_stop_signal_that_is_none_is_told_what_helps(tmp_path: Path, workspace: Workspace) -> None:
    layout = Layout()
    layout.named("web", layout.image("web", config={"Cmd": ["sh"], "StopSignal": "SIGSTOPP"}))
    with pytest.raises(FinbackError, match="SIGSTOPP") as failure:
        planned(workspace, f"oci-layout:{layout.write(tmp_path / 'images')}:web")
    assert code(failure) == "F124"
    assert "stop: {signal: SIGTERM}" in failure.value.diagnostics[0].help


def test_the_platform_is_chosen_and_nothing_else_is_read(tmp_path: Path, store: Store, find: Find) -> None:
    layout = Layout()
    offered = ("amd64", "arm64/v8", "riscv64", "arm/v7", "arm/v6", "amd64/v3")
    manifests = [layout.image(p.replace("/", "-"), p) for p in offered]
    attestation = {**layout.image("a"), "platform": {"os": "unknown", "architecture": "unknown"}}
    manifests.append({**attestation, "annotations": {"vnd.docker.reference.type": "attestation-manifest"}})
    inner = layout.put(as_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}), INDEX)
    layout.index.append(layout.put(as_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [inner]}), INDEX))
    path = layout.write(tmp_path / "images")
    # The others are not even there.
    for other in manifests[2:]:
        (path / "blobs/sha256" / other["digest"][7:]).unlink()
    assert holds(store, find(f"oci-layout:{path}")) == ["amd64"]
    assert holds(store, find(f"oci-layout:{path}", "arm64")) == ["arm64-v8"]
    with pytest.raises(FinbackError, match="not to be had for linux/s390x") as failure:
        find(f"oci-layout:{path}", "s390x")
    listed = failure.value.diagnostics[0].help
    assert "linux/arm/v7" in listed
    assert "linux/amd64/v3" in listed
    assert "unknown" not in listed


def test_an_image_that_does_not_say_its_platform_in_the_index_is_looked_into(tmp_path: Path, find: Find) -> None:
    layout = Layout()
    descriptor = layout.image("web", "arm64")
    del descriptor["platform"]
    layout.index.append(descriptor)
    path = layout.write(tmp_path / "images")
    assert find(f"oci-layout:{path}", "arm64").pin.digest is not None
    with pytest.raises(FinbackError, match="not to be had for linux/amd64") as failure:
        find(f"oci-layout:{path}")
    assert "linux/arm64" in failure.value.diagnostics[0].help


def broken(layout: Layout, change: str) -> None:
    """Make one thing of the only image wrong."""
    body = json.loads(layout.blobs[layout.index[0]["digest"]])
    first = body["layers"][0]
    match change:
        case "flipped bit":
            data = layout.blobs[first["digest"]]
            layout.blobs[first["digest"]] = data[:-1] + bytes([data[-1] ^ 1])
        case "cut short":
            layout.blobs[first["digest"]] = layout.blobs[first["digest"]][:-1]
        case "too long":
            layout.blobs[first["digest"]] += b"x"
        case "missing":
            del layout.blobs[first["digest"]]
        case "manifest":
            layout.blobs[layout.index[0]["digest"]] += b" "
        case "config size":
            body["config"]["size"] += 1
        case "layer size":
            first["size"] -= 1
        case "foreign":
            del layout.blobs[first["digest"]]
            first["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
        case "type":
            first["mediaType"] = "application/vnd.oci.image.layer.v1.tar+rot13"
        case "encrypted":
            first["mediaType"] = LAYER + "+gzip+encrypted"
        case "count":
            body["layers"].append(first)
        case "artefact":
            body["config"]["mediaType"] = "application/vnd.example+json"
    if change not in ("flipped bit", "cut short", "too long", "missing", "manifest"):
        layout.index = []
        layout.named("web", layout.put(as_json(body), MANIFEST))


@pytest.mark.parametrize(
    ("change", "codes", "said"),
    [
        ("flipped bit", {"F183"}, "damaged"), ("cut short", {"F183"}, "damaged"), ("too long", {"F183"}, "damaged"),
        ("missing", {"F410"}, "there is no file"), ("manifest", {"F183"}, "damaged"),
        ("config size", {"F183"}, "damaged"), ("layer size", {"F183"}, "damaged"), ("foreign", {"F173"}, "forbids"),
        ("type", {"F124"}, r"rot13"), ("encrypted", {"F124"}, "encrypted"), ("count", {"F124"}, "2 layers"),
        ("artefact", {"F124"}, "artefact of type application/vnd.example"),
    ],
)  # fmt: skip
def test_faulty_layouts_are_refused_and_nothing_wrong_is_kept(
    change: str, codes: set[str], said: str, tmp_path: Path, store: Store, find: Find
) -> None:
    layout = Layout()
    layout.named("web", layout.image("web"))
    broken(layout, change)
    with pytest.raises(FinbackError, match=said) as failure:
        find(f"oci-layout:{layout.write(tmp_path / 'images')}")
    assert code(failure) in codes
    for blob in (store.root / "blobs/sha256").iterdir():
        assert Digest.of(blob.read_bytes()).encoded == blob.name
    assert not list((store.root / "tmp").iterdir())


@pytest.mark.parametrize("method", ["gzip", "zstd"])
@pytest.mark.parametrize("change", ["diff id", "cut short", "bomb", "not compressed"])
def test_faulty_compressed_layers_are_refused(
    method: str, change: str, tmp_path: Path, store: Store, find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = layer("web") if change != "bomb" else bytes(1 << 25)
    packed = b"".join(compress([plain], method)) if change != "not compressed" else plain
    packed = packed[:-5] if change == "cut short" else packed
    diff_id = Digest.of(b"other" if change in ("diff id", "not compressed") else plain)
    monkeypatch.setattr("finback.codec.decompress.LEAST", 1 << 20)
    monkeypatch.setattr("finback.codec.decompress.RATIO", 1)
    config = store.put(as_json({"os": "linux", "architecture": "amd64",
                                "rootfs": {"type": "layers", "diff_ids": [str(diff_id)]}}))  # fmt: skip
    body = {
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": image.CONFIG, "digest": str(config), "size": store.size(config)},
        "layers": [{"mediaType": f"{LAYER}+{method}", "digest": str(store.put(packed)), "size": len(packed)}],
    }  # fmt: skip
    digest = store.put(as_json(body))
    with pytest.raises(FinbackError) as failure:
        entries(store, digest)
    assert code(failure) == ("F181" if change in ("diff id", "not compressed") else "F180")
    assert not store.has(diff_id)
    assert not list((store.root / "tmp").iterdir())


def test_a_bit_flipped_in_the_store_is_the_stores_fault(tmp_path: Path, store: Store, find: Find) -> None:
    layout = Layout()
    layout.named("web", layout.image("web", compression="gzip"))
    path = layout.write(tmp_path / "images")
    found = find(f"oci-layout:{path}")
    packed = Digest.parse(json.loads(layout.blobs[layout.index[0]["digest"]])["layers"][0]["digest"])
    for at in (3, 20, -3):
        data = bytearray(layout.blobs[str(packed)])
        data[at] ^= 4
        store.path(packed).write_bytes(data)
        with pytest.raises(FinbackError) as failure:
            holds(Store(store.root), found)
        assert code(failure) == "F401"
        # The next run takes it again.
        assert holds(store, find(f"oci-layout:{path}")) == ["web"]
        store.path(Digest.of(layer("web"))).unlink()


def test_the_lock_is_kept_to(tmp_path: Path, store: Store, find: Find) -> None:
    def write(name: str) -> Path:
        layout = Layout()
        layout.named("web", layout.image(name))
        return layout.write(tmp_path / "images")

    reference = f"oci-layout:{write('old')}"
    old = find(reference).pin
    write("new")
    assert find(reference, locked=old).pin == old
    new = find(reference).pin
    assert new.digest != old.digest
    assert old.digest is not None
    store.path(old.digest).unlink()
    assert find(reference, locked=old).pin == new
    with pytest.raises(FinbackError, match="not the image that the lock pins") as failure:
        find(reference, locked=old, frozen=True)
    assert code(failure) == "F603"


@pytest.mark.parametrize("packing", ["tar", "gzip", "zstd"])
def test_an_old_docker_archive_is_read(packing: str, tmp_path: Path, store: Store, find: Find) -> None:
    data = packed_files(saved(["web:1", "docker.io/library/web:latest"]))
    data = data if packing == "tar" else b"".join(compress([data], packing))
    (tmp_path / "web.tar").write_bytes(data)
    digests = set()
    for name in ("", ":web", ":web:1", ":docker.io/library/web:1"):
        found = find(f"docker-archive:{tmp_path}/web.tar{name}")
        assert holds(store, found) == ["one", "two"]
        digests.add(found.pin.digest)
    assert len(digests) == 1
    with pytest.raises(FinbackError, match="has no image web:2") as failure:
        find(f"docker-archive:{tmp_path}/web.tar:web:2")
    assert "web:1" in failure.value.diagnostics[0].help
    with pytest.raises(FinbackError, match="not to be had for linux/arm64"):
        find(f"docker-archive:{tmp_path}/web.tar", "arm64")


def test_a_new_docker_archive_is_a_layout(tmp_path: Path, store: Store, find: Find) -> None:
    layout = Layout()
    about = {"io.containerd.image.name": "docker.io/library/web:1", "org.opencontainers.image.ref.name": "1"}
    layout.index.append({**layout.image("web"), "annotations": about})
    (tmp_path / "web.tar").write_bytes(packed_files({**layout.files(), "manifest.json": b"ignored"}))
    assert holds(store, find(f"docker-archive:{tmp_path}/web.tar:web:1")) == ["web"]


def test_links_to_layers_and_compressed_layers_in_archives(tmp_path: Path, store: Store, find: Find) -> None:
    files = saved([], ("one", "two"))
    again = files.pop("two/layer.tar")
    files["three/layer.tar"] = gzip.compress(again)
    (tmp_path / "a.tar").write_bytes(packed_files(files, {"two/layer.tar": "../three/layer.tar"}))
    assert holds(store, find(f"docker-archive:{tmp_path}/a.tar")) == ["one", "two"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("layer", "not what its digest says"), ("config", "not what its digest says"),
        ("no manifest", "nor manifest.json"),
        ("manifest", "can't be read"), ("count", "layers of an image"), ("outside", "no file"), ("noise", "not a tar"),
        ("two", "has 2 images"),
    ],
)  # fmt: skip
def test_faulty_docker_archives_are_refused(change: str, said: str, tmp_path: Path, store: Store, find: Find) -> None:
    files = saved(["web:1"])
    listed = json.loads(files["manifest.json"])
    match change:
        case "layer":
            files["one/layer.tar"] = layer("other")
        case "config":
            files[listed[0]["Config"]] += b" "
        case "no manifest":
            del files["manifest.json"]
        case "manifest":
            listed = [{"Config": 1}]
        case "count":
            listed[0]["Layers"].pop()
        case "outside":
            (tmp_path / "secret").write_bytes(layer("one"))
            listed[0]["Layers"][0] = f"../../{tmp_path}/secret"
        case "two":
            listed.append({**listed[0], "Layers": [*listed[0]["Layers"], "one/layer.tar"]})
    if "manifest.json" in files:
        files["manifest.json"] = as_json(listed)
    (tmp_path / "a.tar").write_bytes(b"noise" * 999 if change == "noise" else packed_files(files))
    with pytest.raises(FinbackError, match=said):
        find(f"docker-archive:{tmp_path}/a.tar")


def test_paths_are_beside_the_file_that_names_them(tmp_path: Path, store: Store, find: Find) -> None:
    from finback.ground.source import Source, Span

    layout = Layout()
    layout.named("web", layout.image("web"))
    layout.write(tmp_path / "sub/images")
    span = Span(Source(str(tmp_path / "sub/web.yml"), ""), 0, 0)
    assert holds(store, find("oci-layout:images", span=span)) == ["web"]
    with pytest.raises(FinbackError, match="images") as failure:
        find("oci-layout:images")
    assert code(failure) == "F410"


class Daemon(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers as Docker does."""

    daemon_threads = True
    images: dict[str, bytes]
    asked: list[str]
    fault: str = ""

    def get_request(self) -> tuple[Any, Any]:
        # What answers HTTP wants an address to log.
        return super().get_request()[0], ("local", 0)


class Answer(http.server.BaseHTTPRequestHandler):
    server: Daemon

    def do_GET(self) -> None:
        name = self.path.removeprefix("/images/").removesuffix("/get")
        self.server.asked.append(name)
        data = self.server.images.get(name)
        if self.server.fault == "500" or data is None:
            body = as_json({"message": f"No such image: {name}" if data is None else "layer does not exist"})
            self.send_response(404 if data is None else 500)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(data), 3000):
            piece = data[at : at + 3000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            if self.server.fault == "broken off":
                self.close_connection = True
                return
        self.wfile.write(b"0\r\n\r\n")

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    server = Daemon(str(tmp_path / "sock"), Answer)
    server.images = {"web:1": packed_files(saved(["web:1"]))}
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/sock")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_local_daemon_is_asked(daemon: Daemon, store: Store, find: Find, workspace: Workspace) -> None:
    found = find("docker-daemon:web:1")
    assert holds(store, found) == ["one", "two"]
    assert find("docker-daemon:web:1", locked=found.pin).pin == found.pin
    assert daemon.asked == ["web:1"]
    with pytest.raises(FinbackError, match="has no image") as failure:
        find("docker-daemon:none")
    assert code(failure) == "F188"
    # --docker: every name is looked for there first, and elsewhere when it is not there.
    workspace.first_sources = ("docker-daemon",)
    assert find("docker.io/library/web:1").pin == ImagePin(
        reference="docker.io/library/web:1", digest=found.pin.digest, version="1"
    )
    with pytest.raises(FinbackError) as failure:
        find("docker.io/finback/none")
    assert daemon.asked[-1] == "finback/none"
    assert code(failure) != "F188"


@pytest.mark.parametrize(("fault", "said"), [("500", "layer does not exist"), ("broken off", "broke off")])
def test_what_a_daemon_does_wrong_is_said(daemon: Daemon, fault: str, said: str, store: Store, find: Find) -> None:
    daemon.fault = fault
    with pytest.raises(FinbackError, match=said) as failure:
        find("docker-daemon:web:1")
    assert code(failure) == "F187"
    assert not list((store.root / "tmp").iterdir())


@pytest.mark.parametrize(
    ("host", "said"), [("unix:///nowhere/sock", "does not answer"), ("tcp://1.2.3.4:2375", "this machine only")]
)
def test_no_daemon_is_said(host: str, said: str, find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(FinbackError, match=said) as failure:
        find("docker-daemon:web")
    assert code(failure) == "F186"
    assert failure.value.diagnostics[0].help


@pytest.mark.parametrize("text", ["oci-layout:", "docker-archive::", "oci-layout:a\nb", "oci-layout:" + "a" * 5000])
def test_places_that_are_none(text: str, find: Find) -> None:
    with pytest.raises(FinbackError) as failure:
        find(text)
    assert code(failure) == "F030"


def test_what_is_no_place(find: Find) -> None:
    with pytest.raises(FinbackError, match="no image source 'nope'"):
        find("nope:./x")
    with pytest.raises(FinbackError, match="library is no place"):
        find("library:./x")
