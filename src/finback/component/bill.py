"""A bill of materials: a system or a component, the images in it, and the packages in those.

Source: purl-spec (types deb, apk, oci); NISTIR 7695, "Common Platform Enumeration: Naming Specification", 6.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from finback.component.inventory import Package
from finback.ground.digest import Digest
from finback.ground.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class BillImage:
    """A container image and what is in it."""

    reference: str
    """Expanded: `docker.io/finback/nginx`."""
    digest: Digest
    version: str
    packages: tuple[Package, ...]
    pinned: Mapping[str, Digest]
    """Hashes of packages' files, by name, where they are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What a system, or a component, is made of."""

    name: str
    version: str
    platform: Platform
    system: bool
    """A bootable system, not a single image."""
    epoch: int
    """Seconds since 1970, when it counts as made."""
    images: tuple[BillImage, ...]


# Vendors and products that the CPE dictionary has under other names than Debian's source package.
_PRODUCTS = {
    "linux": ("o", "linux", "linux_kernel"), "glibc": ("a", "gnu", "glibc"), "bash": ("a", "gnu", "bash"),
    "openssh": ("a", "openbsd", "openssh"), "nginx": ("a", "f5", "nginx"), "curl": ("a", "haxx", "curl"),
    "docker.io": ("a", "docker", "docker"), "runc": ("a", "linuxfoundation", "runc"), "etcd": ("a", "etcd", "etcd"),
    "containerd": ("a", "linuxfoundation", "containerd"), "gnutls28": ("a", "gnu", "gnutls"),
    "postgresql-17": ("a", "postgresql", "postgresql"), "unbound": ("a", "nlnetlabs", "unbound"),
    "caddy": ("a", "caddyserver", "caddy"), "mosquitto": ("a", "eclipse", "mosquitto"),
}  # fmt: skip


def upstream(version: str) -> str:
    """The upstream version in a Debian version: without epoch, revision and what Debian repacked.

    Source: deb-version(7).
    """
    without = version.partition(":")[2] or version
    return re.sub(r"[+~](?:dfsg|ds|really|repack|git).*\Z", "", without.rsplit("-", 1)[0])


def purl(package: Package) -> str:
    """The package URL: `pkg:deb/debian/libc6@2.41-12?arch=amd64`."""
    vendor = {"deb": "deb/debian", "apk": "apk/alpine"}[package.kind]
    name, version = quote(package.name, safe=""), quote(package.version, safe=".~-")
    qualifiers = [f"arch={quote(package.architecture, safe='')}"] if package.architecture else []
    if package.source not in ("", package.name):
        qualifiers.append(f"upstream={quote(package.source, safe='')}")
    return f"pkg:{vendor}/{name}@{version}" + (f"?{'&'.join(qualifiers)}" if qualifiers else "")


def cpe(package: Package) -> str:
    """The CPE 2.3 name: a guess but for `_PRODUCTS`: vendor and product are taken to be the source package."""
    source = re.sub(r"-signed(-.*)?\Z", "", package.source)
    part, vendor, product = _PRODUCTS.get(source, ("a", source, source))
    version = upstream(package.version) if package.kind == "deb" else re.sub(r"-r\d+\Z", "", package.version)
    words = [_escaped(w) for w in (vendor, product, version)]
    return f"cpe:2.3:{part}:{':'.join(words)}:*:*:*:*:*:*:*"


def _escaped(text: str) -> str:
    return re.sub(r"([^A-Za-z0-9._-])", r"\\\1", text.lower()) or "*"


def image_purl(image: BillImage) -> str:
    """The package URL of an image: `pkg:oci/nginx@sha256:…?repository_url=docker.io/finback/nginx`."""
    repository = image.reference.partition("@")[0]
    head, _, leaf = repository.rpartition("/")
    name, _, tag = leaf.partition(":")
    where = quote(f"{head}/{name}" if head else name, safe="/.")
    more = f"&tag={quote(tag, safe='')}" if tag else ""
    return f"pkg:oci/{name.lower()}@{quote(str(image.digest), safe='')}?repository_url={where}{more}"
