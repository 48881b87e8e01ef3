from __future__ import annotations

import pytest

from finback.ground.diagnostic import Diagnostic, FinbackError, Severity
from finback.ground.source import Source
from finback.spec.check import allocate_ids, check
from finback.spec.decode import load
from finback.spec.load import load_all, load_spec
from finback.spec.model import Spec


def findings(text: str) -> list[Diagnostic]:
    return list(check(load(Spec, Source("t.yml", text))))


def item(settings: str, section: str = "services") -> str:
    return f"{section}: [{{name: s, image: i, {settings}}}]"


WRONG = [
    ("kernel: {image: A}", "F030", "did you mean a?"),
    ("init: ['']", "F030", "NAME"),
    ("init: ['a b']", "F030", "NAME"),
    ("volumes: [{name: d, image: 'x y'}]", "F030", "NAME"),
    ("init: ['@pkg:../init']", "F031", "linuxkit/init"),
    ("volumes: [{name: My Data}]", "F032", "name: my-data"),
    ("volumes: [{name: d, format: oci}]", "F032", "image:"),
    ("volumes: [{name: d}, {name: d}]", "F033", "rename"),
    ("services: [{name: s, image: i}, {name: s, image: j}]", "F033", "rename"),
    ("services: [{name: a__b, image: i}]", "F034", "name: a-b"),
    ("services: [{name: 'a/b', image: i}]", "F034", "name: a-b"),
    ("services: [{name: .., image: i}]", "F034", "letters"),
    ("services: [{name: '', image: i}]", "F034", "letters"),
    (f"services: [{{name: {'a' * 77}, image: i}}]", "F034", "76"),
    ("onboot: [{name: a b, image: i}]", "F034", "name: a-b"),
    ("onshutdown: [{name: .a, image: i}]", "F034", "name: a"),
    (item("capabilities: [net_admin]"), "F035", "CAP_NET_ADMIN"),
    (item("capabilities: [CAP_NET_BIND]"), "F035", "CAP_NET_BIND_SERVICE"),
    (item("capabilities: [QQQ]"), "F035", "capabilities(7)"),
    (item("capabilities: [CAP_CHOWN, ALL]"), "F035", "alone"),
    (item("capabilities.add: [CAP_CHOWNN]"), "F035", "CAP_CHOWN"),
    (item("ambient: [CHOWN]"), "F035", "CAP_CHOWN"),
    (item("rlimits: ['nofile,1']"), "F036", "nofile,SOFT,HARD"),
    (item("rlimits: ['nofil,1,2']"), "F036", "nofile"),
    (item("rlimits: ['xyz,1,2']"), "F036", "rtprio"),
    (item("rlimits: ['nofile,2,1']"), "F036", "nofile"),
    (item("rlimits: ['nofile,-1,1']"), "F036", "unlimited"),
    (item("rlimits: ['nofile,1,18446744073709551616']"), "F036", "unlimited"),
    (item("tmpfs: ['/a:b:c']"), "F037", "/tmp:"),
    (item("binds: ['/a']"), "F037", "`/a:/a`"),
    (item("binds: [':/a']"), "F037", "/data"),
    (item("binds: ['./a:/b']"), "F037", "files:"),
    (item("binds.add: ['/a:/b:c:d']"), "F037", "/data"),
    (item("binds: ['data:/b']"), "F038", "volumes:"),
    (item("mounts: [{type: bind, source: data, destination: /x}]"), "F038", "/data"),
    ("volumes: [{name: data}]\n" + item("binds: ['dta:/b']"), "F038", "did you mean data?"),
    ("volumes: [{name: d, readonly: true}]\n" + item("binds: ['d:/b']"), "F039", "d:/b:ro"),
    ("volumes: [{name: d, readonly: true}]\n" + item("binds.add: ['d:/b:rw']"), "F039", "d:/b:ro"),
    (
        "volumes: [{name: d, readonly: true}]\n" + item("mounts: [{type: bind, source: d, destination: /b}]"),
        "F039",
        "ro",
    ),
    (item("mounts: [{destination: /x, source: /y}]"), "F042", "type:"),
    (item("mounts: [{type: tmpfs}]"), "F042", "destination:"),
    (item("runtime: {mounts: [{type: tmpfs}]}"), "F042", "destination:"),
    (item("runtime: {mounts: [{destination: x, source: y}]}"), "F042", "type:"),
    (item("devices: [{path: /dev/x, type: b}]"), "F043", "0666"),
    (item("devices: [{path: /dev/x, type: b, mode: rw-rw-rw-}]"), "F043", '"0666"'),
    (item("devices: [{path: sda, type: b, mode: '0666'}]"), "F043", "/dev/sda"),
    (item("devices: [{path: /dev/x, type: a, mode: '0666'}]"), "F043", "path: all"),
    ("files: [{path: a, contents: '', mode: '888'}]", "F044", '"0644"'),
    ("files: [{path: a, directory: true, mode: x}]", "F044", '"0755"'),
    ("files: [{path: /, directory: true}]", "F045", "etc/motd"),
    ("files: [{path: a/../b, contents: ''}]", "F045", "etc/motd"),
    ("files: [{path: a}]", "F046", "contents"),
    ("files: [{path: a, directory: false}]", "F046", "contents"),
    ("files: [{path: a, contents: x, source: y}]", "F046", "one of them"),
    ("files: [{path: a, source: x, metadata: yaml}]", "F046", "one of them"),
    ("files: [{path: a, directory: true, contents: x}]", "F046", "one of them"),
    (item("net: hots"), "F047", "did you mean host?"),
    (item("net: bridge"), "F047", "path of a namespace"),
    (item("ipc: none"), "F047", "`new`"),
    (item("rootfsPropagation: share"), "F047", "shared"),
    (item("resources: {devices: [{allow: true, access: rx}]}"), "F047", "rwm"[0]),
    (item("uid: -1"), "F048", "0 to"),
    (item("gid: 4294967295"), "F048", "0 to"),
    (item("uid: nobody"), "F021", "give a number"),
    (item("uid: '1000'"), "F021", "remove the quotes: 1000"),
    (item("additionalGids: [0, t]"), "F021", "name an item"),
    ("onboot: [{name: nginx, image: i}]\nfiles: [{path: a, contents: '', gid: ngnx}]", "F021", "did you mean nginx?"),
]


@pytest.mark.parametrize(("text", "code", "remedy"), WRONG, ids=[f"{c}-{i}" for i, (_, c, _) in enumerate(WRONG)])
def test_what_is_wrong(text: str, code: str, remedy: str) -> None:
    (found,) = findings(text)
    assert found.code == code
    assert found.severity is Severity.ERROR
    assert remedy in found.help
    assert found.span is not None
    with pytest.raises(FinbackError):
        load_spec(Source("t.yml", text))


RIGHT = [
    item("capabilities: [all]"),
    item("capabilities: [NONE]"),
    item("capabilities: []"),
    item("capabilities.add: [all]"),
    item("rlimits: ['nofile,1024,unlimited', 'RLIMIT_CPU, 1, 1']"),
    item("tmpfs: [/tmp, '/run:size=1m,mode=0755']"),
    item("binds: ['/a:/b', '/a:/c:ro,nosuid', '/:/host']"),
    item(
        "mounts: [{type: cgroup, options: [rw]}, {source: proc}, {destination: /dev}, {type: tmpfs, destination: /x}]"
    ),
    item("runtime: {mounts: [{source: /a, destination: tmp, options: [bind]}, {type: overlay, destination: /m}]}"),
    item("devices: [{path: all, type: a}, {path: /dev/x, type: c, major: 1, mode: 0666}]"),
    item("net: /run/netns/x, pid: host, ipc: root, uts: new, userns: '', rootfsPropagation: rslave"),
    item("uid: s, gid: root, additionalGids: [s, 5, '']"),
    item("env: ['A=', A=b=c]"),
    "onboot: [{name: 001.a+b, image: i}, {name: 001.a+b, image: j}]",
    "volumes: [{name: d_-9}, {name: e, image: x, format: oci, platforms: [linux/arm64]}]\n"
    + item("binds: ['d_-9:/d', 'e:/e:ro']"),
    "volumes: [{name: d, readonly: true}]\n"
    + item("mounts: [{type: bind, source: d, destination: /b, options: [ro]}]"),
    "files: [{path: /a/b/, directory: true, mode: 0o755}, {path: c, contents: ''}]",
    "files: [{path: d, symlink: ../e, mode: '0777'}]",
    "files: [{path: a, source: ~/x, optional: true}, {path: b, metadata: json}]",
    "files: [{path: c, contents: x, directory: false}]",
    "kernel: {image: '', cmdline: x}",
    "init: ['localhost/x', 'r:5000/a/b@sha256:" + "0" * 64 + "', nginx]",
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right(text: str) -> None:
    assert findings(text) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("trust: {org: [linuxkit]}", "F050"),
        (item("capabilities: [CAP_KILL], capabilities.add: [CAP_CHOWN]"), "F051"),
        (item("binds: [], binds.add: ['/a:/b']"), "F051"),
        (item("env: [HOME]"), "F053"),
        ("volumes: [{name: d, platforms: [linux/amd64]}]", "F054"),
        ("files: [{path: a, contents: x, optional: true}]", "F054"),
    ],
)
def test_what_is_doubtful(text: str, code: str) -> None:
    spec, warnings = load_all((Source("t.yml", text),))
    assert isinstance(spec, Spec)
    (found,) = warnings
    assert (found.code, found.severity) == (code, Severity.WARNING)
    assert found.help
    assert found.span is not None


NGINX = "\nservices: [{name: nginx, image: nginx, net: host}]"


def codes(text: str) -> list[str]:
    return [d.code for d in findings(text)]


@pytest.mark.parametrize("settings", ["net: host", "net: root", "capabilities: [CAP_NET_BIND_SERVICE]",
                                      "binds: ['/etc/resolv.conf:/etc/resolv.conf']"])  # fmt: skip
def test_a_network_that_nothing_configures(settings: str) -> None:
    assert codes("kernel: {image: k}\n" + item(settings)) == ["F052"]


@pytest.mark.parametrize(
    "text",
    [
        "kernel: {image: k}\nonboot: [{name: d, image: 'linuxkit/dhcpcd:1'}]" + NGINX,
        "kernel: {image: k}\nonboot: [{name: ip, image: 'linuxkit/ip:3c'}]" + NGINX,
        "kernel: {image: k}\nonboot: [{name: static, image: finback/ip}]" + NGINX,
        "kernel: {image: k}\nonboot: [{name: network, image: mine}]" + NGINX,
        "kernel: {image: k, cmdline: 'quiet ip=dhcp'}" + NGINX,
        "init: [i]" + NGINX,  # a part of a system, to be merged with the rest
        "kernel: {image: k}\nservices: [{name: rngd, image: r}, {name: x, image: y, net: new}]",
    ],
)
def test_a_network_that_something_configures_or_nothing_needs(text: str) -> None:
    assert "F052" not in codes(text)


def test_names_that_only_contain_ip_configure_nothing() -> None:
    assert codes("kernel: {image: k}\nonboot: [{name: zip, image: strip}]" + NGINX) == ["F052"]


def test_ids_count_over_all_sections_and_the_last_of_a_name_counts() -> None:
    spec = load(Spec, Source("t", "onboot: [{name: a, image: x}, {name: b, image: x}, {name: a, image: x}]\n"
                                  "onshutdown: [{name: c, image: x}]\nservices: [{name: d, image: x}]"))  # fmt: skip
    assert allocate_ids(spec) == {"a": 102, "b": 101, "c": 103, "d": 104}
    assert allocate_ids(Spec()) == {}


def test_findings_of_several_files_come_in_their_order_and_know_each_other() -> None:
    one = Source("one.yml", "volumes: [{name: d}]\nservices: [{name: s, image: i, net: hots}]")
    two = Source("two.yml", "services:\n- {name: t, image: i, binds: ['d:/d']}\n- {name: u, image: i, uid: [5]}")
    with pytest.raises(FinbackError) as caught:
        load_all((one, two))
    assert [str(d.span).partition(":")[0] for d in caught.value.diagnostics] == ["one.yml", "two.yml"]


def test_a_duplicate_over_files_names_both_places() -> None:
    files = [Source(f"{n}.yml", "services: [{name: s, image: i}]") for n in ("one", "two")]
    with pytest.raises(FinbackError) as caught:
        load_all(files)
    (found,) = caught.value.diagnostics
    assert found.code == "F033"
    assert str(found.span) == "two.yml:1:19"
    assert found.notes == ("the first is at one.yml:1:19",)
