"""The component `metadata` on this machine, as it is, with answers of clouds and discs from its folder `testdata`.

A case is a YAML file: `arguments`; `firmware`, files of /sys/class/dmi/id; `files`, others of the machine; `http`, what
a server answers to whom; `discs`; and `expect`: `config`, all files of /run/config, `root`, files of the machine's own
root, `hostname`, `log`. Bytes that are no text are base64 in YAML's `!!binary`.
"""

from __future__ import annotations

import base64
import gzip
import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPONENT = ROOT / "components/metadata"
PROGRAM = COMPONENT / "rootfs/usr/bin/metadata"
CASES = sorted((COMPONENT / "testdata").glob("*.yml"))
MIB = 1 << 20


def has_modules() -> bool:
    asked = ["lua5.4", "-e", "for _, name in ipairs({'yaml', 'cjson', 'socket', 'mime'}) do require(name) end"]
    return bool(shutil.which("lua5.4")) and subprocess.run(asked, capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(not shutil.which("busybox") or not has_modules(), reason="no busybox, or no Lua with modules"),
]

STUBS = {
    # The discs of a case, by the names of their devices. Like util-linux's, it ends at a device that has nothing.
    "blkid": 'shift 3; for d; do cat "$DISCS/facts-${d##*/}" 2>/dev/null || exit 2; done',
    "mount": 'shift 4; mkdir -p "$2" && cp -R "$DISCS/${1##*/}/." "$2"',
    "umount": 'rm -rf "$1"',
    "chown": 'echo "$1" >>"$DISCS/owners"; case $1 in nobody-knows*) exit 1 ;; esac',
    "hostname": 'printf %s "$1" >"$DISCS/hostname"',
    "vmware-rpctool": 'cat "$DISCS/rpc-${1#info-get }" 2>/dev/null || echo "No value found"',
}


@dataclass
class Server:
    """Answers what a case says, to those who ask as it says."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    port: int = 9
    asked: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, headers: Any) -> tuple[int, bytes]:
        self.asked.append(f"{method} {path}")
        for each in self.answers:
            if each["path"] == path and each.get("method", "GET") == method:
                if any(headers.get(name) != value for name, value in each.get("headers", {}).items()):
                    return 401, b"not so"
                body = each.get("body", "")
                body = json.dumps(body) if isinstance(body, (dict, list)) else body
                return each.get("status", 200), body if isinstance(body, bytes) else body.encode()
        return 404, b"<html>not here</html>"


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = state.answer(self.command, self.path, self.headers)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PUT = do_GET  # noqa: N815 # the name that http.server calls

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        state.port = listening.server_address[1]
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield state
        listening.shutdown()


@dataclass
class Guest:
    root: Path

    def put(self, path: str, content: str | bytes) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())

    def disc(self, device: str, kind: str, files: dict[str, str | bytes], label: str = "", boot: str = "") -> None:
        name = device.rsplit("/", 1)[1]
        self.put(f"sys/class/block/{name}/size", "1")
        for path, content in files.items():
            self.put(f"discs/{name}/{path}", content)
        facts = {"DEVNAME": device, "LABEL_FATBOOT": boot, "LABEL": label.replace(" ", "\\ "), "TYPE": kind}
        self.put(f"discs/facts-{name}", "".join(f"{k}={v}\n" for k, v in facts.items() if v) + "\n")

    def run(self, *arguments: str, port: int = 9, seconds: int = 60) -> subprocess.CompletedProcess[str]:
        for name, text in STUBS.items():
            self.put(f"stubs/{name}", f"#!/bin/sh\n{text}\n")
            (self.root / "stubs" / name).chmod(0o755)
        for folder in ("discs", "run", "hostroot/etc", "tmp"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        return subprocess.run(
            ["lua5.4", str(PROGRAM), *arguments],
            env={
                "PATH": f"{self.root}/stubs:{os.environ['PATH']}",
                "FINBACK_ROOT": str(self.root),
                "FINBACK_METADATA_SERVER": f"127.0.0.1:{port}",
                "DISCS": f"{self.root}/discs",
                "TMPDIR": f"{self.root}/tmp",
            },
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def userdata(self, content: str | bytes) -> subprocess.CompletedProcess[str]:
        """What the program says of *content* as user data."""
        self.put("given", content)
        done = self.run("file=/given")
        assert (done.returncode, done.stderr) == (0, ""), done
        return done

    def files(self, folder: str) -> dict[str, str]:
        found = self.root / folder
        return {
            str(p.relative_to(found)): p.read_bytes().decode(errors="backslashreplace")
            for p in sorted(found.rglob("*"))
            if p.is_file()
        }

    @property
    def config(self) -> dict[str, str]:
        return self.files("run/config")

    @property
    def hostname(self) -> str | None:
        file = self.root / "discs/hostname"
        return file.read_text() if file.exists() else None

    @property
    def keys(self) -> list[str]:
        return self.config.get("ssh/authorized_keys", "").splitlines()


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    return Guest(tmp_path)


@pytest.mark.parametrize("path", CASES, ids=[p.stem for p in CASES])
def test_sources(guest: Guest, server: Server, path: Path) -> None:
    case = yaml.safe_load(path.read_text())
    server.answers = case.get("http", [])
    for name, text in case.get("firmware", {}).items():
        guest.put(f"sys/class/dmi/id/{name}", text + "\n")
    for name, text in case.get("files", {}).items():
        guest.put(name, text)
    for disc in case.get("discs", []):
        guest.disc(**disc)
    done = guest.run(*case.get("arguments", []), port=server.port)
    assert (done.returncode, done.stderr) == (0, "")
    expected = case["expect"]
    assert guest.config == expected["config"]
    assert guest.files("hostroot") == expected.get("root", {})
    assert guest.hostname == expected.get("hostname")
    assert done.stdout.splitlines() == expected["log"]
    assert ("instance_id" in guest.config) == (guest.root / "run/machine-id").exists()


def test_every_source_has_a_case() -> None:
    sources = {p.stem for p in (COMPONENT / "rootfs/usr/lib/finback-metadata/sources").glob("*.lua")} - {"file"}
    assert {s for s in sources if not any(c.stem.split("-")[0] == s for c in CASES)} == set()


ED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0pBKsOvsr3C4mYx1JvtcXvHVWSDMW4Lx1OZpRFGDbT me@host"
RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7 you"
SK = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIA== token"
OPTIONS = f'from="10.0.0.0/8,!10.1.0.0/16",command="echo \\"hi there\\"; sleep 1",no-pty {RSA}'
B64 = base64.b64encode(b"hello\n").decode()
GZ64 = base64.b64encode(gzip.compress(b"hello\n", mtime=0)).decode()

# Text of a cloud-config, what becomes the name, which keys.
FORMS: dict[str, tuple[str, str | None, list[str]]] = {
    "plain": (f"#cloud-config\nhostname: web\nssh_authorized_keys:\n  - {ED}\n", "web", [ED]),
    "a list that is not indented": (f"#cloud-config\nssh_authorized_keys:\n- {ED}\n- {RSA}\n", None, [ED, RSA]),
    "comments": (f"#cloud-config\nhostname: web # the name\nssh_authorized_keys: # keys\n  - {ED}\n", "web", [ED]),
    "CRLF": (f"#cloud-config\r\nhostname: web\r\nssh_authorized_keys:\r\n  - {ED}\r\n", "web", [ED]),
    "a byte order mark": (f"\ufeff#cloud-config\nhostname: web\nssh_authorized_keys: [{ED}]\n", "web", [ED]),
    "quotes": (f"#cloud-config\nhostname: \"web\"\nssh_authorized_keys:\n  - '{ED}'\n", "web", [ED]),
    "folded": (f"#cloud-config\nhostname: >-\n  web\nssh_authorized_keys:\n  - >-\n    {ED}\n", "web", [ED]),
    "a key folded over lines": (
        f"#cloud-config\nssh_authorized_keys:\n  - {ED.replace(' ', chr(10) + '    ')}\n",
        None,
        [ED],
    ),
    "literal": (f"#cloud-config\nssh_authorized_keys:\n  - |\n    {ED}\n    {RSA}\n", None, [ED, RSA]),
    "keys as one literal": (f"#cloud-config\nssh_authorized_keys: |\n  {ED}\n  # mine\n\n  {RSA}\n", None, [ED, RSA]),
    "a key as a text": (f"#cloud-config\nssh_authorized_keys: {ED}\n", None, [ED]),
    "flow": (f'#cloud-config\n{{hostname: web, ssh_authorized_keys: ["{ED}"]}}\n', "web", [ED]),
    "JSON": ("#cloud-config\n" + json.dumps({"hostname": "web", "ssh_authorized_keys": [ED]}), "web", [ED]),
    "JSON with tabs and escapes": (
        '#cloud-config\n{\n\t"hostname": "w\\u0065b",\n\t"ssh_authorized_keys": ["'
        + ED.replace("/", "\\/")
        + '"]\n}\n',
        "web",
        [ED],
    ),
    "JSON without its first line": (json.dumps({"hostname": "web", "ssh_authorized_keys": [ED]}), "web", [ED]),
    "a document's marks": (f"#cloud-config\n---\nhostname: web\nssh_authorized_keys: [{ED}]\n...\n", "web", [ED]),
    "a version in front": (f"#cloud-config\n%YAML 1.1\n---\nhostname: web\nssh_authorized_keys: [{ED}]\n", "web", [ED]),
    "anchors": (f"#cloud-config\nx-keys: &k\n  - {ED}\nhostname: web\nssh_authorized_keys: *k\n", "web", [ED]),
    "merge keys": (
        f"#cloud-config\nx: &b\n  ssh_authorized_keys: [{ED}]\nusers:\n  - <<: *b\n    name: a\n",
        None,
        [ED],
    ),
    "users": (
        f"""#cloud-config
users:
  - default
  - name: a
    sudo: ALL=(ALL) NOPASSWD:ALL
    ssh_authorized_keys:
      - {ED}
  - name: b
    ssh-authorized-keys: [{RSA}]
""",
        None,
        [ED, RSA],
    ),
    "users as a mapping": (f"#cloud-config\nusers:\n  a: {{ssh_authorized_keys: [{ED}]}}\n  b: true\n", None, [ED]),
    "the default user": (f"#cloud-config\nuser:\n  name: a\n  ssh_authorized_keys: [{ED}]\n", None, [ED]),
    "the distribution's user": (
        f"#cloud-config\nsystem_info: {{default_user: {{name: a, ssh_authorized_keys: [{ED}]}}}}\n",
        None,
        [ED],
    ),
    "users by name": (f"#cloud-config\nusers: 'default, a'\nssh_authorized_keys: [{ED}]\n", None, [ED]),
    "keys twice": (
        f"#cloud-config\nssh_authorized_keys: [{ED}]\nusers: [{{name: a, ssh_authorized_keys: [{ED}]}}]\n",
        None,
        [ED],
    ),
    "options": (f"#cloud-config\nssh_authorized_keys:\n  - {OPTIONS}\n", None, [OPTIONS]),
    "options in quotes": (
        "#cloud-config\nssh_authorized_keys:\n  - '" + f'command="x",restrict {ED}' + "'\n",
        None,
        [f'command="x",restrict {ED}'],
    ),
    "kinds of keys": (
        f"#cloud-config\nssh_authorized_keys:\n- {SK}\n- ecdsa-sha2-nistp256 AAAAE2Vj= x\n- cert-authority {RSA}\n",
        None,
        [SK, "ecdsa-sha2-nistp256 AAAAE2Vj= x", f"cert-authority {RSA}"],
    ),
    "a name with _": ("#cloud-config\nhostname: web_1\n", "web_1", []),
    "a name that is a number": ("#cloud-config\nhostname: 0123\n", "0123", []),
    "a full name": ("#cloud-config\nfqdn: web.example.org\n", "web", []),
    "a full name beside a short one": ("#cloud-config\nhostname: box\nfqdn: web.example.org\n", "box", []),
    "a full name that is preferred": (
        "#cloud-config\nhostname: box\nfqdn: web.example.org\nprefer_fqdn_over_hostname: yes\n",
        "web.example.org",
        [],
    ),
    "a name that is kept": ("#cloud-config\nhostname: box\npreserve_hostname: True\n", None, []),
    "a comment before the first line": (f"# by a tool\n#cloud-config\nssh_authorized_keys: [{ED}]\n", None, [ED]),
    "blank lines before the first": ("\n\n#cloud-config\nhostname: web\n", "web", []),
    "more behind the first line": ("#cloud-config for web\nhostname: web\n", "web", []),
    "a key twice": ("#cloud-config\nhostname: old\nhostname: web\n", "web", []),
    "no line end": ("#cloud-config\nhostname: web", "web", []),
    "Unicode": (
        f"#cloud-config\n# Gr\u00fc\u00dfe \U0001f600\nssh_authorized_keys: ['{ED} \u00fc']\n",
        None,
        [f"{ED} \u00fc"],
    ),
    "jinja without expressions": (
        f"## template: jinja\n#cloud-config\nhostname: web\nssh_authorized_keys: [{ED}]\n",
        "web",
        [ED],
    ),
    "jinja": ("## template: jinja\n#cloud-config\nhostname: '{{ v1.local_hostname }}'\n", None, []),
    "null": ("#cloud-config\nhostname:\nssh_authorized_keys:\nusers: ~\nwrite_files: []\n", None, []),
    "nothing": ("#cloud-config\n", None, []),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_cloud_config(guest: Guest, form: str) -> None:
    text, name, keys = FORMS[form]
    guest.userdata(text)
    assert (guest.hostname, guest.keys) == (name, keys)


@pytest.mark.parametrize("form", ["plain", "CRLF", "users", "options", "JSON"])
@pytest.mark.parametrize(
    "packing", ["UTF-16", "gzip", "base64", "base64 of gzip", "MIME", "MIME of gzip", "gzip of MIME", "archive"]
)
def test_packed(guest: Guest, form: str, packing: str) -> None:
    text, name, keys = FORMS[form]
    data = text.encode()

    def mime(content: bytes, kind: str) -> bytes:
        return (
            b'Content-Type: multipart/mixed;\r\n boundary="===b=="\r\nMIME-Version: 1.0\r\n\r\n'
            b"--===b==\r\nMIME-Version: 1.0\r\nContent-Type: text/x-shellscript\r\n\r\n#!/bin/sh\necho\r\n--===b==\r\n"
            b"Content-Type: %s\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--===b==--\r\n"
            % (kind.encode(), base64.encodebytes(content))
        )

    made = {
        "UTF-16": lambda: text.encode("utf-16"),
        "gzip": lambda: gzip.compress(data),
        "base64": lambda: base64.encodebytes(data),
        "base64 of gzip": lambda: base64.b64encode(gzip.compress(data)),
        "MIME": lambda: mime(data, "text/cloud-config; charset=utf-8"),
        "MIME of gzip": lambda: mime(gzip.compress(data), "application/x-gzip"),
        "gzip of MIME": lambda: gzip.compress(mime(data, "text/plain")),
        "archive": lambda: (
            b"#cloud-config-archive\n" + json.dumps([{"type": "text/cloud-config", "content": text}]).encode()
        ),
    }[packing]()
    done = guest.userdata(made)
    assert (guest.hostname, guest.keys) == (name, keys)
    assert ("a script is not run" in done.stdout) == ("MIME" in packing)
    # As they came.
    assert (guest.root / "run/config/userdata").read_bytes() == made


PROXMOX = f"""#cloud-config
hostname: vm
manage_etc_hosts: true
fqdn: vm.example.org
user: debian
password: $5$a$b
ssh_authorized_keys:
  - {ED}
chpasswd:
  expire: False
users:
  - default
package_upgrade: true
"""
TERRAFORM = f"""Content-Type: multipart/mixed; boundary="MIMEBOUNDARY"
MIME-Version: 1.0\r
\r
--MIMEBOUNDARY\r
Content-Disposition: attachment; filename="init.cfg"\r
Content-Transfer-Encoding: 7bit\r
Content-Type: text/cloud-config\r
Mime-Version: 1.0\r
X-Merge-Type: list(append)+dict(recurse_array)+str()\r
\r
#cloud-config
hostname: vm
users:
- name: ops
  ssh_authorized_keys:
  - {ED}
\r
--MIMEBOUNDARY--\r
"""
VIRT_INSTALL = f"""#cloud-config
runcmd:
- echo "Please reset the default root password" > /etc/motd
users:
- default
- name: root
  ssh-authorized-keys:
  - {ED}
chpasswd:
  list: |
    root:x
"""
CLUSTER_API = f"""## template: jinja
#cloud-config

write_files:
-   path: /etc/kubernetes/pki/ca.crt
    owner: root:root
    permissions: '0640'
    content: |
      -----BEGIN CERTIFICATE-----
      x
hostname: vm
users:
  - name: capi
    ssh_authorized_keys:
      - {ED}
"""
GO_YAML = f'#cloud-config\nhostname: vm\nssh_authorized_keys:\n    - "{ED}"\nwrite_files:\n    - {{}}\n'
PYYAML = (
    "#cloud-config\n"
    + yaml.safe_dump({"hostname": "vm", "users": [{"name": "x" * 90, "ssh_authorized_keys": [ED, ED]}]}, width=40)
    + "...\n"
)
TOOLS = {"Proxmox": PROXMOX, "Terraform": TERRAFORM, "virt-install": VIRT_INSTALL, "Cluster API": CLUSTER_API}
TOOLS |= {"Go": GO_YAML, "PyYAML": PYYAML}


@pytest.mark.parametrize("tool", TOOLS)
def test_what_tools_write(guest: Guest, tool: str) -> None:
    guest.userdata(TOOLS[tool])
    assert guest.keys == [ED]
    assert guest.hostname == (None if tool == "virt-install" else "vm")


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("7bit", "hostname: web\r\n"),
        ("quoted-printable", "host=\r\nname: w=65b\r\n"),
        ("base64", base64.encodebytes(b"hostname: web\n").decode()),
    ],
)
def test_parts_by_their_type(guest: Guest, encoding: str, body: str) -> None:
    """The type of a part counts: its text needs no first line."""
    guest.userdata(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n"
        f"Content-Type: text/cloud-config; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n{body}\n"
        "--b--\nepilogue\n"
    )
    assert guest.hostname == "web"


# User data that are not read, and what the log says of them.
NAMED = {
    "#!/bin/sh\necho hi\n": "a script is not run",
    "#include\nhttp://x/y\n": "#include names is not fetched",
    "#include-once\nhttp://x/y\n": "#include names is not fetched",
    "#cloud-boothook\necho\n": "a boothook is not run",
    "#part-handler\n": "a part handler is not run",
    "#upstart-job\n": "an upstart job is not run",
    '#cloud-config-jsonp\n[{"op": "add"}]\n': "a JSON patch is not applied",
    "## template: jinja\n#cloud-config\nhostname: '{{ x }}'\n": "a jinja template is not rendered",
    '{"ignition": {"version": "3.4.0"}}': "an Ignition configuration is not applied",
    "<powershell>\n": "a script for Windows",
    "words\n": "in no form that is understood",
    "hostname: web\n": "begin them with the line #cloud-config",
    '{"a": ': "are not the JSON that they look like",
    "#cloud-config\n- a\n": "no mapping",
    "#cloud-config\nruncmd: [ls]\nntp: {}\npackages: [x]\n": "not understood: ntp packages runcmd",
    "#cloud-config\nhostname: 'a b'\n": "no name for a machine",
    "#cloud-config\nhostname: [a]\n": "hostname is no text",
    "#cloud-config\nssh_authorized_keys: [none]\n": "this is no public key, and left out: none",
    "#cloud-config\nssh_authorized_keys: [{a: b}]\n": "entry 1 is no text",
    "#cloud-config\nusers: [{name: a, passwd: x, uid: 5, k: v}]\n": "user a: this is not used: k passwd",
    "#cloud-config\nwrite_files: [{path: x, content: y}]\n": "entry 1 (x) is left out: path has to begin with /",
    "#cloud-config\nwrite_files: [{path: /etc/../x}]\n": "plain path",
    "#cloud-config\nwrite_files: [{path: /dev/sda}]\n": "folder of the kernel's",
    "#cloud-config\nwrite_files: [{path: /a, encoding: rot13}]\n": "there is no encoding rot13",
    "#cloud-config\nwrite_files: [{path: /a, encoding: b64, content: '!'}]\n": "content is not base64",
    "#cloud-config\nwrite_files: [{path: /a, encoding: gzip, content: x}]\n": "not packed by gzip",
    "#cloud-config\nwrite_files: [{path: /a, permissions: rw}]\n": "permissions are no mode",
    "#cloud-config\nwrite_files: [{path: /a, owner: 'nobody-knows:x', content: x}]\n": "/a is not written",
    "#cloud-config\na: &a [*a]\n": "not YAML as a whole",
    f"#cloud-config\na: {'[' * 200}\n": "nested deeper",
}


@pytest.mark.parametrize("text", NAMED)
def test_what_is_not_read_is_named(guest: Guest, text: str) -> None:
    assert NAMED[text] in guest.userdata(text).stdout
    assert set(guest.config) == {"userdata", "provider"}
    assert guest.files("hostroot") == {}


# A fault, and what the rest says all the same.
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("ntp: [a\n", "ntp of the cloud-config, line 3, is left out"),
        (
            "ntp:\n\t- a\n",
            "an entry of ntp in the cloud-config, line 4, is left out: found character that cannot start any token",
        ),
        ('a: "open\n', "a of the cloud-config"),
        (
            f"users:\n  - {{name: a\n  - name: b\n    ssh_authorized_keys: [{RSA}]\n",
            "an entry of users in the cloud-config, line 4",
        ),
        (f"ssh_authorized_keys:\n  - none\n  - {RSA}\n", "no public key"),
        ("write_files:\n  - {path: no}\n", "write_files: entry 1"),
        (f"users: [[1], {{name: b, ssh_authorized_keys: [{RSA}]}}]\n", "users: entry 1 is neither"),
        ('bytes: "\\xZZ"\n', "bytes of the cloud-config"),
    ],
)
def test_one_bad_entry_costs_that_entry(guest: Guest, fault: str, said: str) -> None:
    text = f"#cloud-config\nhostname: web\n{fault}user:\n  ssh_authorized_keys: [{ED}]\n"
    done = guest.userdata(text)
    assert said in done.stdout
    assert guest.hostname == "web"
    assert set(guest.keys) == {ED, *([RSA] if RSA in fault else [])}


def test_one_bad_entry_of_meta_data_costs_that_entry(guest: Guest) -> None:
    meta = f"dsmode: 'net\ninstance-id: i-1\r\nlocal-hostname: web\npublic-keys:\n- {ED}\n- 'open\n- {RSA}\nx: [\n"
    guest.disc("/dev/vdb", "iso9660", {"meta-data": meta, "user-data": "#cloud-config\n"}, label="cidata")
    done = guest.run()
    assert (guest.hostname, guest.keys, guest.config["instance_id"]) == ("web", [ED, RSA], "i-1")
    for said in (
        "dsmode of meta-data, line 1,",
        "an entry of public-keys in meta-data, line 6,",
        "x of meta-data, line 8,",
    ):
        assert said in done.stdout


@pytest.mark.parametrize(
    ("entry", "content", "mode", "owner"),
    [
        ("content: hello", "hello", 0o644, "root:root"),
        ("content: |\n      hello\n    permissions: '0600'", "hello\n", 0o600, "root:root"),
        ("content: |\n      hello\n    permissions: 0o640\n    owner: www-data", "hello\n", 0o640, "www-data"),
        ("content: x\n    permissions: 0755\n    owner: a.b:c_d", "x", 0o755, "a.b:c_d"),
        ("content: x\n    permissions: 600", "x", 0o600, "root:root"),
        (f"encoding: b64\n    content: {B64}", "hello\n", 0o644, "root:root"),
        (f"encoding: base64\n    content: |\n      {B64[:4]}\n      {B64[4:]}", "hello\n", 0o644, "root:root"),
        (f"encoding: gzip+b64\n    content: {GZ64}", "hello\n", 0o644, "root:root"),
        (f"encoding: gz\n    content: !!binary |\n      {GZ64}", "hello\n", 0o644, "root:root"),
        (f"content: !!binary {B64}", "hello\n", 0o644, "root:root"),
        ("encoding: text/plain\n    content: 'a: b'", "a: b", 0o644, "root:root"),
        ("content:", "", 0o644, "root:root"),
        ("permissions: '0400'", "", 0o400, "root:root"),
    ],
)
def test_write_files(guest: Guest, entry: str, content: str, mode: int, owner: str) -> None:
    done = guest.userdata(f"#cloud-config\nwrite_files:\n  - path: /etc/app/file\n    {entry}\n")
    assert done.stdout.splitlines()[-1] == "/etc/app/file is written"
    file = guest.root / "hostroot/etc/app/file"
    assert file.read_text() == content
    assert file.stat().st_mode & 0o7777 == mode
    assert (guest.root / "discs/owners").read_text().split() == [owner]
    assert guest.files("hostroot") == {"etc/app/file": content}


def test_append(guest: Guest) -> None:
    guest.put("hostroot/etc/hosts", "127.0.0.1 localhost\n")
    text = '#cloud-config\nwrite_files: [{path: /etc/hosts, content: "10.0.0.1 a\\n", append: true}]\n'
    for _ in range(2):
        guest.userdata(text)
        assert guest.files("hostroot") == {"etc/hosts": "127.0.0.1 localhost\n10.0.0.1 a\n"}


def test_files_do_not_leave_by_links(guest: Guest, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (guest.root / "hostroot/etc").mkdir(parents=True)
    (guest.root / "hostroot/etc/out").symlink_to(outside)
    (guest.root / "hostroot/etc/link").symlink_to(outside / "target")
    done = guest.userdata(
        "#cloud-config\nwrite_files:\n- {path: /etc/out/x, content: y}\n- {path: /etc/link, content: y}\n"
    )
    assert "/etc/out/x is not written" in done.stdout
    assert list(outside.iterdir()) == []
    assert (guest.root / "hostroot/etc/link").read_text() == "y"


def test_linuxkits_tree(guest: Guest) -> None:
    tree = {
        "hostname": {"content": "box"},
        "old": {"file": {"perm": "0644", "content": "of the old form"}},
        "app": {"perm": "0750", "entries": {"deep": {"entries": {"key": {"perm": "600", "content": "a\nb"}}}}},
        "empty": {"content": ""},
        "folder": {"entries": {}},
        "ssh": {"entries": {"authorized_keys": {"perm": "0600", "content": ED}}},
        "ignored": {"content": "x", "comment": "of a key that nobody knows"},
        "emoji": {"content": "\U0001f600\u0000"},
    }
    assert "Set hostname to: box" in guest.userdata(json.dumps(tree)).stdout
    found = guest.config
    assert (found["old/file"], found["app/deep/key"], found["empty"]) == ("of the old form", "a\nb", "")
    assert (found["ssh/authorized_keys"], found["ignored"], found["emoji"]) == (ED, "x", "\U0001f600\x00")
    assert (guest.root / "run/config/app").stat().st_mode & 0o777 == 0o750
    assert (guest.root / "run/config/folder").is_dir()
    assert (guest.root / "run/config/app/deep/key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "entry",
    [
        {"..": {"content": "y"}},
        {"a/../../b": {"content": "y"}},
        {"": {"content": "y"}},
        {"a\nfile 0644 ../b": {"content": "y"}},
        {"a": {"perm": "0644; rm", "content": "y"}},
        {"a": {"content": "x", "entries": {}}},
        {"a": {}},
        {"a": None},
        {"..": {"entries": {"x": {"content": "y"}}}},
    ],
)
def test_one_bad_entry_of_a_tree_costs_that_entry(guest: Guest, entry: dict[str, Any]) -> None:
    done = guest.userdata(json.dumps({"good": {"content": "x"}, **entry}))
    assert "of the user data is invalid" in done.stdout
    assert set(guest.config) == {"userdata", "provider", "good"}
    assert sorted(p.name for p in (guest.root / "run").iterdir()) == ["config"]


@pytest.mark.parametrize(
    "tree",
    [
        {"a": "text"},
        {"a": {"content": 5}},
        {"a": {"content": "x", "perm": 420}},
        {"a": {"entries": {"b": 1}}},
        {"a": 1},
    ],
)
def test_a_wrong_type_costs_the_tree(guest: Guest, tree: dict[str, Any]) -> None:
    """As in LinuxKit, nothing of such data is taken."""
    assert "not of LinuxKit's form" in guest.userdata(json.dumps({"good": {"content": "x"}, **tree})).stdout
    assert set(guest.config) == {"userdata", "provider"}


def test_bounds(guest: Guest) -> None:
    done = guest.userdata(b"#cloud-config\n#" + b"x" * MIB)
    assert "longer than 1048576 bytes" in done.stdout
    assert guest.config == {}
    done = guest.userdata(gzip.compress(b"\0" * (64 * MIB)))
    assert "packed user data are longer than 1048576 bytes" in done.stdout
    bomb = "#cloud-config\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    started = time.monotonic()
    done = guest.userdata(bomb + "hostname: web\n")
    assert "more than 50000 values" in done.stdout
    assert guest.hostname == "web"
    assert time.monotonic() - started < 10
    packed = b"#cloud-config\nhostname: deep\n"
    for _ in range(8):
        packed = gzip.compress(packed)
    assert "more than 5 levels" in guest.userdata(packed).stdout


BLANKS = " " * 900_000


@pytest.mark.parametrize(
    "text",
    [
        f"#cloud-config\nhostname: web\na: '{BLANKS}x'\n",
        f"#cloud-config\nhostname: web\nssh_authorized_keys: ['{BLANKS}x']\n",
        f"#cloud-config\nhostname: web\nfqdn: '{BLANKS}x'\n",
        f"#cloud-config{BLANKS}x\nhostname: web\n",
        f"#cloud-config\nhostname: web\nssh_authorized_keys: [{'x, ' * 40_000}]\n",
        "#cloud-config\nhostname: web\n" + "a: [\n" * 100_000,
        "MIME-Version: 1.0\nX: y\n" + " z\n" * 300_000,
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" + "--b\n" * 200_000,
        f"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n{BLANKS}x\n--b--\n",
        "\n" * 1_000_000,
        "A" * 1_000_000,
        '{"a":' * 200_000,
        "#cloud-config\nhostname: web\na: " + "{" * 500_000,
        "#cloud-config\nhostname: web\na: " + "x: " * 300_000,
        "#cloud-config\nhostname: web\n" + "- " * 400_000,
        "#cloud-config\nhostname: web\n" + "? " * 400_000,
        "#cloud-config\nhostname: web\n" + "&a " * 300_000,
    ],
)
def test_no_text_takes_long(guest: Guest, text: str) -> None:
    started = time.monotonic()
    done = guest.userdata(text)
    assert time.monotonic() - started < 8
    assert len(done.stdout) < 100_000


def test_a_server_that_says_nothing_does_not_keep_the_machine(guest: Guest) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        begun = time.monotonic()
        done = guest.run(port=silent.getsockname()[1])
    assert done.returncode == 0
    assert done.stdout.count("169.254.169.254 does not answer") == 1
    assert "No metadata/userdata found. Bye" in done.stdout
    assert time.monotonic() - begun < 10
    assert guest.config == {}


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """The port of a server that gives everyone *answer*, and closes."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)

        def serve() -> None:
            while True:
                try:
                    peer, _ = listening.accept()
                except OSError:
                    return
                with peer, suppress(OSError):
                    peer.recv(65536)
                    peer.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhost",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nho\r\n2\r\nst\r\n0\r\nA: b\r\n\r\n",
        b"HTTP/1.0 200 OK\nServer: x\n\nhost",
        b"HTTP/1.1 200\r\n\r\nhost",
    ],
)
def test_forms_of_answers(guest: Guest, answer: bytes) -> None:
    with answering(answer) as port:
        guest.run("hetzner", port=port)
    assert (guest.config["hostname"], guest.config["userdata"]) == ("host", "host")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100000,
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 10000000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10000000,
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_server_that_says_nonsense(guest: Guest, answer: bytes) -> None:
    with answering(answer) as port:
        done = guest.run("hetzner", "digitalocean", port=port)
    assert (done.returncode, done.stderr) == (0, "")
    assert "No metadata/userdata found. Bye" in done.stdout
    assert guest.config == {}


def test_arguments(guest: Guest) -> None:
    for words in (["nowhere"], ["-x"], ["file"], ["aws=1"]):
        done = guest.run(*words)
        assert done.returncode == 1
        assert "there are akamai alibaba aws azure cdrom" in done.stderr
    assert guest.run("-h").returncode == 0


def test_linuxkits_order(guest: Guest, server: Server) -> None:
    """Sources of the network are asked first when they are named, then those in the machine, each as given."""
    guest.disc("/dev/vdb", "iso9660", {"user-data": "x\n"}, label="cidata")
    server.answers = [{"path": "/hetzner/v1/metadata/instance-id", "body": "7"}]
    assert "Hetzner says who this machine is" in guest.run("cdrom", "hetzner", port=server.port).stdout
    # Without names, what lies in the machine comes first, and no server is asked.
    server.asked.clear()
    assert "CDROM /dev/vdb says who" in guest.run(port=server.port).stdout
    assert server.asked == []


@pytest.mark.parametrize("blank", ["vda", "vdc"])
def test_a_disk_with_nothing_on_it_hides_no_disc(guest: Guest, blank: str) -> None:
    guest.put(f"sys/class/block/{blank}/size", "1")
    guest.disc("/dev/vdb", "iso9660", {"config": '{"a": {"content": "of a disc"}}'}, label="config")
    assert guest.run("cdrom").returncode == 0
    assert (guest.root / "run/config/a").read_text() == "of a disc"


def test_the_firmware_names_the_cloud(guest: Guest, server: Server) -> None:
    guest.put("sys/class/dmi/id/sys_vendor", "Hetzner\n")
    server.answers = [{"path": "/latest/meta-data/instance-id", "body": "i-1"}]
    assert "No metadata/userdata found. Bye" in guest.run(port=server.port).stdout
    assert all("/hetzner/" in each for each in server.asked)


def test_luacheck() -> None:
    if not shutil.which("luacheck"):
        pytest.skip("no luacheck")
    done = subprocess.run(
        [
            "luacheck",
            "--no-color",
            "--std",
            "lua54",
            "--max-line-length",
            "130",
            str(COMPONENT / "rootfs/usr"),
            str(PROGRAM),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
