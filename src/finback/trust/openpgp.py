"""OpenPGP signatures on clear-signed texts, as InRelease files are.

A text is taken when all of these hold. Each has a test in `tests/unit/trust`.

1. It is one clear-signed message with nothing before or behind it, and exactly what was signed is given out.
2. At least one signature holds; further ones may be of unknown keys, expired, or damaged. The threshold is one, because
   an archive signs with its old and its new key while it changes them, and a keyring may know either.
3. The signature is of the type "binary" or "text", was made by a key of a certificate of the keyring that is marked for
   signing, and covers every byte of the text.
4. Its hash and the key's algorithm and length are accepted by Sequoia's standard policy, which refuses MD5, SHA-1, and
   RSA and DSA below 2048 bits, in the signature as in what binds the key to its certificate.
5. By the system's clock the signature is not from the future, and has not expired.
6. When the signature was made, the certificate and the signing key were there, and neither had expired nor was revoked.
7. When the time *now* is given: neither the certificate nor the signing key, which may be a subkey with an end of its
   own, has expired by then, nor has been revoked at all, whatever the reason. Whoever steals an old key can date a
   signature back; apt and gpgv are as strict.

A certificate of the keyring that does not fulfil this (weak, expired, revoked, of unknown algorithms) is passed over:
it makes no signature valid, and does not stand in the way of others.

Specification: RFC 9580, sections 5.2 (signatures), 5.2.3.13 (key expiration time), 7 and 10.3.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from finback.ground.diagnostic import FinbackError, error

_BEGIN = b"-----BEGIN PGP SIGNED MESSAGE-----"
_END = b"-----END PGP SIGNATURE-----"


def verify(signed: bytes, keyring: bytes, name: str = "the text", *, now: int | None = None) -> bytes:
    """The text that *signed* carries, once a key of *keyring* is seen to have signed it; *name* says which, for errors.

    *keyring* is a series of OpenPGP certificates, binary or armoured. A signature that was good when it was made stays
    good when its key expires, unless *now*, in seconds since 1970, is given: then the key must be good at that time, as
    apt wants it, for whoever steals an old key can date a signature back.

    Raises:
        FinbackError: F310, no certificate of the keyring made a good signature that has not expired; F311, the keyring
            can't be read.

    """
    import pysequoia

    try:
        certificates = list(pysequoia.Cert.split_bytes(keyring))
    except Exception as failure:  # noqa: BLE001 # the library raises bare Exceptions
        raise _unreadable(_first_line(failure)) from None
    if not certificates:
        raise _unreadable("there is no certificate in it")
    # What is not signed must not be there at all, lest somebody reads it: gpgv and apt are as strict.
    # Within the signed text and its signature no line can start like these.
    whole = signed.startswith(_BEGIN) and signed.rstrip().endswith(_END)
    if not whole or signed.count(b"\n" + _BEGIN) or signed.count(b"\n" + _END) != 1:
        raise _refused(name, "it is not one clear-signed text")

    def lookup(_ids: list[str]) -> list[object]:
        return list(certificates)

    try:
        result = pysequoia.verify(bytes=signed, store=lookup)
    except Exception as failure:  # noqa: BLE001 # the library raises bare Exceptions
        raise _refused(name, _first_line(failure)) from None
    reason = _objection(result.valid_sigs, certificates, now)
    if reason or result.bytes is None:
        raise _refused(name, reason or "no valid signature")
    return bytes(result.bytes)


def _objection(signatures: Iterable[Any], certificates: Iterable[Any], now: int | None) -> str:
    """Why none of *signatures*, which held when they were made, counts at *now*; "" when one does."""
    known = {certificate.fingerprint: certificate for certificate in certificates}
    reason = "no valid signature"
    for signature in signatures:
        reason = "" if now is None else _ended(known[signature.certificate], signature.signing_key, now)
        if not reason:
            break
    return reason


def _ended(certificate: Any, signing_key: str, now: int) -> str:
    """Why the key *signing_key* (a fingerprint) of *certificate* is no longer good at *now*; "" when it is."""
    try:
        if certificate.is_revoked:
            return "the key has been revoked"
        end = certificate.expiration
    except Exception:  # noqa: BLE001 # the library raises bare Exceptions, here for what its policy refuses
        return "the key's certificate is not accepted"
    if end is not None and end.timestamp() <= now:
        return "the key has expired"
    return "" if signing_key == certificate.fingerprint else _ended_subkey(certificate, signing_key, now)


def _ended_subkey(certificate: Any, signing_key: str, now: int) -> str:
    """The same for a subkey by itself: what its newest binding says, and any revocation.

    The library tells the end of a certificate only. That the binding is genuine has been checked when the signature was
    found to be valid; a newer one, which only the keyring's owner can have put there, prolongs or shortens.
    """
    from pysequoia.packet import PacketPile, SignatureType, Tag

    created: datetime | None = None
    newest: tuple[datetime, timedelta | None] | None = None
    inside = False
    for packet in PacketPile.from_bytes(bytes(certificate)):
        if packet.tag != Tag.Signature:
            inside = packet.tag == Tag.PublicSubkey and packet.fingerprint == signing_key
            created = packet.key_created if inside else created
        elif inside and packet.signature_type == SignatureType.SubkeyRevocation:
            return "the signing key has been revoked"
        elif inside and packet.signature_type == SignatureType.SubkeyBinding and packet.signature_created is not None:
            when = packet.signature_created
            if newest is None or when >= newest[0]:
                newest = when, packet.key_validity_period
    if created is None or newest is None:
        return "the signing key is not bound to its certificate"
    if newest[1] is not None and newest[1].total_seconds() and (created + newest[1]).timestamp() <= now:
        return "the signing key has expired"
    return ""


def _first_line(failure: Exception) -> str:
    # The rest is a stack trace of the library's.
    return (str(failure).strip().splitlines() or [type(failure).__name__])[0]


def _unreadable(reason: str) -> FinbackError:
    return error(
        "F311", f"the keyring can't be read: {reason}", help="set FINBACK_KEYRING to a file with OpenPGP certificates"
    )


def _refused(name: str, reason: str) -> FinbackError:
    return error(
        "F310",
        f"{name} is not signed by a key of the keyring: {reason}",
        help="the mirror is faulty or hostile, or the keyring is too old: update debian-archive-keyring",
    )
