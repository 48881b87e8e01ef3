"""The component `metadata` on this machine, beside the servers of clouds that the boot tests have."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUEST = ROOT / "components/metadata/rootfs/usr"
SERVER = ROOT / "tests/boot/systems/metadata_server.py"
PROGRAMS = ("busybox", "jq", "wget")

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason="no busybox, jq or wget"),
]
Metadata = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def metadata(tmp_path: Path) -> Metadata:
    """The program with *tmp_path* in the place of /run and /tmp, and a port of this machine in that of the servers."""

    def run(*arguments: str, port: int = 9) -> subprocess.CompletedProcess[str]:
        shutil.copytree(GUEST, tmp_path / "usr", dirs_exist_ok=True)
        for path in (p for p in (tmp_path / "usr").rglob("*") if p.is_file()):
            text = path.read_text().replace("http://169.254.169.254", f"http://127.0.0.1:{port}")
            text = text.replace("/usr/lib/finback-metadata", f"{tmp_path}/usr/lib/finback-metadata")
            text = text.replace("/run/", f"{tmp_path}/run/").replace("mine=/tmp", f"mine={tmp_path}")
            path.write_text(text.replace('hostname "$word" &&', "true &&").replace("/sys/", f"{tmp_path}/sys/"))
        (tmp_path / "run").mkdir(exist_ok=True)
        return subprocess.run(
            ["busybox", "sh", str(tmp_path / "usr/bin/metadata"), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = int(probe.getsockname()[1])
    script = tmp_path / "server.py"
    script.write_text(SERVER.read_text().replace('("169.254.169.254", 80)', f'("127.0.0.1", {number})'))
    server = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL)
    limit = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", number), 1).close()
            break
        except OSError:
            assert time.monotonic() < limit
            time.sleep(0.05)
    yield number
    server.kill()
    server.wait()


def config(folder: Path) -> dict[str, str]:
    found = folder / "run/config"
    return {str(p.relative_to(found)): p.read_text().strip() for p in found.rglob("*") if p.is_file()}


CLOUDS = [
    ("aws", "AWS", "from-cloud-config", "i-1"),
    ("azure", "Azure", "az-host", "az-1"),
    ("digitalocean", "DigitalOcean", "droplet", "9"),
    ("gcp", "GCP", "gce.internal", "42"),
    ("hetzner", "Hetzner", "hetzner-box", "7"),
    ("openstack", "OpenStack", "os.example.org", "os-1"),
]


@pytest.mark.parametrize(("cloud", "provider", "hostname", "identity"), CLOUDS, ids=[c[0] for c in CLOUDS])
def test_clouds(
    metadata: Metadata, port: int, tmp_path: Path, cloud: str, provider: str, hostname: str, identity: str
) -> None:
    done = metadata(cloud, port=port)
    assert (done.returncode, done.stderr) == (0, "")
    found = config(tmp_path)
    assert (found["provider"], found["hostname"], found["instance_id"]) == (provider, hostname, identity)
    assert f" {cloud}" in found["ssh/authorized_keys"]
    if cloud == "openstack":
        assert "longer than 1048576 bytes" in done.stdout
        assert "userdata" not in found
    else:
        assert cloud in found["userdata"] or "cloud-config" in found["userdata"]
        assert (tmp_path / "run/config/userdata").stat().st_mode & 0o777 == 0o600
    assert len((tmp_path / "run/machine-id").read_text()) == 33


def test_a_cloud_is_found_among_others(metadata: Metadata, port: int, tmp_path: Path) -> None:
    metadata(port=port)
    assert config(tmp_path)["provider"] == "GCP"


def test_a_server_that_says_nothing_does_not_keep_the_machine(metadata: Metadata, tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        begun = time.monotonic()
        done = metadata(port=silent.getsockname()[1])
    assert done.returncode == 0
    assert "the metadata server does not answer" in done.stdout
    assert "nothing was found" in done.stdout
    assert time.monotonic() - begun < 30
    assert config(tmp_path) == {}


def test_user_data_become_files(metadata: Metadata, tmp_path: Path) -> None:
    tree = {
        "hostname": {"content": "box"},
        "old": {"file": {"perm": "0644", "content": "of the old form"}},
        "app": {"perm": "0750", "entries": {"deep": {"entries": {"key": {"perm": "600", "content": "a\nb"}}}}},
        "empty": {"content": ""},
    }
    (tmp_path / "data").write_text(json.dumps(tree))
    assert "its name is box" in metadata(f"file={tmp_path}/data").stdout
    found = config(tmp_path)
    assert (found["old/file"], found["app/deep/key"], found["empty"]) == ("of the old form", "a\nb", "")
    assert (tmp_path / "run/config/app").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "run/config/app/deep/key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "tree",
    [
        {"..": {"x": {"content": "y"}}},
        {"a/../../b": {"content": "y"}},
        {"": {"content": "y"}},
        {"a\nfile 0644 ../b": {"content": "y"}},
        {"a": {"perm": "0644; rm", "content": "y"}},
        {"a": "text"},
        {"a": {"content": 5}, "b": []},
    ],
)
def test_user_data_lead_nowhere_else(metadata: Metadata, tmp_path: Path, tree: object) -> None:
    (tmp_path / "data").write_text(json.dumps(tree))
    assert "not of LinuxKit's form" in metadata(f"file={tmp_path}/data").stdout
    assert set(config(tmp_path)) == {"userdata", "provider"}


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", "{", "#cloud-config\nusers: []\n"])
def test_other_user_data_are_kept_as_they_are(metadata: Metadata, tmp_path: Path, text: str) -> None:
    (tmp_path / "data").write_text(text)
    done = metadata(f"file={tmp_path}/data")
    assert done.returncode == 0
    assert ("userdata" in config(tmp_path)) == bool(text)
    assert ("not understood: users" in done.stdout) == ("users" in text)
