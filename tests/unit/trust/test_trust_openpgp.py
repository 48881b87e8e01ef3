from __future__ import annotations

import base64
from pathlib import Path

import pysequoia
import pytest

from finback.ground.diagnostic import FinbackError
from finback.trust.openpgp import verify

TEXT = b"Suite: trixie\nDate: today\n"

# Made with gpg and a set-back clock: a key of January 2020 without an end, the same key with its end in February 2020,
# and three signatures on one text.
KEY = b"""\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEXgvhABYJKwYBBAHaRw8BAQdA0/Yb31RGJ0g9W4A3u+icjj++VNYF+xOaTW5u
i1+KKDy0HUV4cGlyZWQgPGV4cGlyZWRAZXhhbXBsZS5vcmc+iJAEExYIADgWIQTp
gBqf4KZVzT6PBUVET1HJTF8VWQUCXgvhAAIbAwULCQgHAgYVCgkICwIEFgIDAQIe
AQIXgAAKCRBET1HJTF8VWWnDAQDReEEZhu7IbyfOLrkQOaRc1EmnPxoy0sMT31r0
WZYfgAEAg8yEzOCzpWcJA1A6f0xVeynXYRsGPYUzC6gyMCx6VwE=
=RcM8
-----END PGP PUBLIC KEY BLOCK-----
"""
KEY_EXPIRED = b"""\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEXgvhABYJKwYBBAHaRw8BAQdA0/Yb31RGJ0g9W4A3u+icjj++VNYF+xOaTW5u
i1+KKDy0HUV4cGlyZWQgPGV4cGlyZWRAZXhhbXBsZS5vcmc+iJYEExYIAD4CGwMF
CwkIBwIGFQoJCAsCBBYCAwECHgECF4AWIQTpgBqf4KZVzT6PBUVET1HJTF8VWQUC
Xg6EAAUJACowAAAKCRBET1HJTF8VWR6aAP4y9edf8fdVtC0wEKy2YCJwZBnpS83N
PabSEuHT1cu9HQEA9hI3mgciBueSKXTerMnpyQyk6ugcm3E4GonpYUq4HgM=
=rX9R
-----END PGP PUBLIC KEY BLOCK-----
"""
SIGNED_BEFORE_THE_END = b"""\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

Suite: trixie
Date: Wed, 01 Jan 2020 00:00:00 UTC
-----BEGIN PGP SIGNATURE-----

iHUEARYIAB0WIQTpgBqf4KZVzT6PBUVET1HJTF8VWQUCXg/VgAAKCRBET1HJTF8V
WYtHAQD6Sha8fGWDsN2rG15vM9U6NwjeDLW/JEsnF3+sdDd8GQEA+UUDK7irPw60
rKq27yEJAY5Tp1u9GRyooCTGKHddDgM=
=JOgU
-----END PGP SIGNATURE-----
"""
SIGNED_AFTER_THE_END = b"""\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

Suite: trixie
Date: Wed, 01 Jan 2020 00:00:00 UTC
-----BEGIN PGP SIGNATURE-----

iHUEARYIAB0WIQTpgBqf4KZVzT6PBUVET1HJTF8VWQUCYLV4gAAKCRBET1HJTF8V
WSttAP9UIDo6dx4czZ1zt6NNZjbYxD5xKo/Ev028tlwGqUr1UAD+Jtt7zJ177MIM
YsaaKG2CrnT/Pz5c/lBGP2N795MIlAk=
=H/dY
-----END PGP SIGNATURE-----
"""
SIGNED_FOR_ONE_DAY = b"""\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

Suite: trixie
Date: Wed, 01 Jan 2020 00:00:00 UTC
-----BEGIN PGP SIGNATURE-----

iHsEARYIACMWIQTpgBqf4KZVzT6PBUVET1HJTF8VWQUCXg0ygAWDAAFRgAAKCRBE
T1HJTF8VWc/bAP9W0XE5iC94WelBSZ2cgdELmCj/aYuLe9r6chrMaJK1GwEA6Tf5
Kd9z0FW/ue8FdLNgMYak2iPVq9koxhtsPhLtCgU=
=UXCy
-----END PGP SIGNATURE-----
"""
OLD_TEXT = b"Suite: trixie\nDate: Wed, 01 Jan 2020 00:00:00 UTC"
MARCH_2020 = 1583020800


@pytest.fixture(scope="module")
def key() -> pysequoia.Tsk:
    return pysequoia.Tsk.generate("Test Archive <archive@example.org>")


@pytest.fixture(scope="module")
def keyring(key: pysequoia.Tsk) -> bytes:
    return bytes(key.extract_certificate())


@pytest.fixture(scope="module")
def signed(key: pysequoia.Tsk) -> bytes:
    return _sign(key, TEXT)


def _sign(key: pysequoia.Tsk, text: bytes, mode: object = pysequoia.SignatureMode.CLEAR) -> bytes:
    return bytes(pysequoia.sign(key.signer(), text, mode=mode))


def _stranger() -> pysequoia.Tsk:
    return pysequoia.Tsk.generate("Stranger <stranger@example.org>")


def _refusal(signed: bytes, keyring: bytes, now: int | None = None) -> str:
    with pytest.raises(FinbackError) as caught:
        verify(signed, keyring, "InRelease of trixie", now=now)
    (diagnostic,) = caught.value.diagnostics
    assert caught.value.status == 4
    assert diagnostic.help
    assert "backtrace" not in diagnostic.message
    return f"{diagnostic.code} {diagnostic.message}"


def test_gives_the_signed_text(signed: bytes, keyring: bytes) -> None:
    assert verify(signed, keyring) == TEXT


def test_one_key_of_many_is_enough(signed: bytes, keyring: bytes) -> None:
    strangers = [bytes(_stranger().extract_certificate()) for _ in range(2)]
    assert verify(signed, strangers[0] + keyring + strangers[1]) == TEXT
    assert verify(signed, KEY + str(pysequoia.Cert.from_bytes(keyring)).encode()) == TEXT


def test_a_keyring_may_be_armoured_or_binary() -> None:
    assert verify(SIGNED_AFTER_THE_END, KEY) == OLD_TEXT
    assert verify(SIGNED_AFTER_THE_END, _dearmoured(KEY)) == OLD_TEXT


def test_lines_that_start_with_a_dash(key: pysequoia.Tsk, keyring: bytes) -> None:
    text = b"- item\n-----BEGIN PGP SIGNED MESSAGE-----\nend\n"
    assert verify(_sign(key, text), keyring) == text


def test_an_unknown_key(signed: bytes) -> None:
    reason = _refusal(signed, bytes(_stranger().extract_certificate()))
    assert reason.startswith("F310 InRelease of trixie is not signed by a key of the keyring: ")


def test_every_changed_byte_of_the_text(signed: bytes, keyring: bytes) -> None:
    start = signed.index(TEXT)
    for at in range(start, start + len(TEXT) - 1):
        changed = signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :]
        assert _refusal(changed, keyring).startswith("F310")


def test_a_signature_of_another_text(key: pysequoia.Tsk, signed: bytes, keyring: bytes) -> None:
    other = _sign(key, b"Suite: sid\n")
    mark = b"-----BEGIN PGP SIGNATURE-----"
    assert _refusal(signed.partition(mark)[0] + mark + other.partition(mark)[2], keyring).startswith("F310")


@pytest.mark.parametrize("extra", [b"Suite: evil\n", b"\n"])
def test_nothing_may_stand_before_the_signed_text(extra: bytes, signed: bytes, keyring: bytes) -> None:
    assert "not one clear-signed text" in _refusal(extra + signed, keyring)


def test_nothing_may_stand_after_it(signed: bytes, keyring: bytes) -> None:
    assert verify(signed + b"\n\n", keyring) == TEXT
    assert "not one clear-signed text" in _refusal(signed + b"Suite: evil\n", keyring)
    assert "not one clear-signed text" in _refusal(signed + b"\n" + signed, keyring)


def test_other_forms_of_signed_text(key: pysequoia.Tsk, keyring: bytes) -> None:
    for mode in (pysequoia.SignatureMode.INLINE, pysequoia.SignatureMode.DETACHED):
        assert "not one clear-signed text" in _refusal(_sign(key, TEXT, mode), keyring)


@pytest.mark.parametrize("text", [b"", b"<html>", TEXT, b"-----BEGIN PGP SIGNED MESSAGE-----\n"])
def test_what_is_not_signed(text: bytes, keyring: bytes) -> None:
    assert _refusal(text, keyring).startswith("F310")


def test_every_truncation(signed: bytes, keyring: bytes) -> None:
    for length in range(0, len(signed.rstrip()), 11):
        assert _refusal(signed[:length], keyring).startswith("F310")


def test_a_revoked_key(key: pysequoia.Tsk, signed: bytes, keyring: bytes) -> None:
    certificate = pysequoia.Cert.from_bytes(keyring)
    revocation = certificate.revoke(key.certifier())
    revoked = certificate.merge(pysequoia.Cert.from_bytes(keyring + bytes(revocation)))
    assert revoked.is_revoked
    assert _refusal(signed, bytes(revoked)).startswith("F310")


def test_an_expired_signature() -> None:
    assert _refusal(SIGNED_FOR_ONE_DAY, KEY).startswith("F310")


def test_a_signature_made_after_its_key_expired() -> None:
    assert verify(SIGNED_AFTER_THE_END, KEY) == OLD_TEXT
    assert _refusal(SIGNED_AFTER_THE_END, KEY_EXPIRED).startswith("F310")


def test_a_key_that_expired_since_is_refused_when_the_time_is_given() -> None:
    assert verify(SIGNED_BEFORE_THE_END, KEY_EXPIRED) == OLD_TEXT
    assert verify(SIGNED_BEFORE_THE_END, KEY_EXPIRED, now=MARCH_2020 - 60 * 86400) == OLD_TEXT
    assert verify(SIGNED_BEFORE_THE_END, KEY, now=MARCH_2020) == OLD_TEXT
    assert "the key has expired" in _refusal(SIGNED_BEFORE_THE_END, KEY_EXPIRED, now=MARCH_2020)


# Made with gpg and a set-back clock: `sub` has a primary key without an end and a signing subkey of January 2020;
# `revoked` is the same with the subkey superseded on 20 January; the subkey of `prolonged` got another end.
VECTORS = Path(__file__).parents[2] / "fixtures" / "openpgp"
JANUARY_2020, JULY_2020 = 1578700800, 1593561600


def vector(name: str) -> bytes:
    return (VECTORS / name).read_bytes()


@pytest.mark.parametrize(
    ("keys", "signed", "now", "reason"),
    [
        ("sub", "sub", None, ""),
        ("sub", "sub", JANUARY_2020, ""),
        ("sub", "sub", JULY_2020, "the signing key has expired"),
        ("prolonged", "prolonged", JULY_2020, ""),
        ("prolonged", "prolonged", JULY_2020 + 365 * 86400, "the signing key has expired"),
        ("revoked", "sub", None, ""),
        ("revoked", "sub", JANUARY_2020, "the signing key has been revoked"),
        ("weak", "weak", None, "no valid signature"),
        ("good", "sha1", None, "no valid signature"),
        ("good", "future", None, "no valid signature"),
        ("good", "sub", None, "no valid signature"),
        # Of two signatures one is enough, whichever key is known or good.
        ("good", "both", JULY_2020, ""),
        ("sub", "both", JULY_2020, "the signing key has expired"),
        ("sub good", "both", JULY_2020, ""),
        # A weak certificate that did not sign does not stand in the way.
        ("weak sub", "sub", JANUARY_2020, ""),
        ("sub weak good", "both", JULY_2020, ""),
    ],
)
def test_the_rules(keys: str, signed: str, now: int | None, reason: str) -> None:
    keyring = b"".join(vector(f"{name}.key") for name in keys.split())
    if reason:
        assert reason in _refusal(vector(f"{signed}.asc"), keyring, now)
    else:
        assert verify(vector(f"{signed}.asc"), keyring, now=now) == OLD_TEXT


@pytest.mark.parametrize("keyring", [b"", b"rubbish", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n", KEY[:200]])
def test_an_unreadable_keyring(keyring: bytes, signed: bytes) -> None:
    assert _refusal(signed, keyring).startswith("F311 the keyring can't be read: ")


def _dearmoured(armoured: bytes) -> bytes:
    return base64.b64decode(armoured.split(b"\n\n", 1)[1].split(b"\n=", 1)[0])
