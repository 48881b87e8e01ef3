"""OpenPGP signatures on clear-signed texts, as InRelease files are.

Subset: one clear-signed message, nothing around it. The algorithms that hold are those of Sequoia's standard policy;
whether a signature has expired is told by the system's clock. Specification: RFC 9580, sections 7 and 10.3.
"""

from __future__ import annotations

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
    signers = {signature.certificate for signature in result.valid_sigs}
    if now is not None:
        signers -= {c.fingerprint for c in certificates if c.expiration and c.expiration.timestamp() <= now}
    if not signers or result.bytes is None:
        raise _refused(name, "the key has expired" if result.valid_sigs else "no valid signature")
    return bytes(result.bytes)


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
