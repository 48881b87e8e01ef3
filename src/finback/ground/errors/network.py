"""Codes of family F2: something elsewhere could not be reached, or refuses."""

from __future__ import annotations

from finback.ground.errors.code import Code

WEB_PAGE = Code(
    "F200",
    "A web page came in the place of what was asked for",
    "A captive portal, a proxy or a firewall answers instead of the server, or the address is that of a web site. Log "
    "in to the network with a browser, or check the proxy.",
)
UNREACHABLE = Code("F201", "The server cannot be reached", "Check the network and any proxy.")
BAD_ANSWER = Code("F202", "The server answered with an error, or with a redirection that cannot be followed")
BAD_URL = Code("F203", "The text is not a URL", "Write one like http://HOST/PATH.")
BAD_CERTIFICATE = Code(
    "F204",
    "The server's certificate is not accepted",
    "The clock of this machine may be wrong, its certificates too old (`SSL_CERT_FILE` names others), or a proxy may "
    "answer in the server's place.",
)
NOT_ALLOWED = Code("F205", "The registry refuses access", "`finback login HOST` stores name and password.")
NOT_IN_REGISTRY = Code(
    "F206",
    "The registry does not have this image, or hides it from you",
    "Many registries give the same answer for an image that does not exist and for one that needs a login.",
)
REGISTRY_FAULT = Code("F207", "The registry's answer contradicts its protocol")
BAD_CREDENTIALS = Code("F208", "The stored credentials, or the helper that keeps them, cannot be used")
UPLOAD_FAILED = Code("F209", "The data does not get through to the registry")
TLS_ON_ONE_SIDE = Code(
    "F210",
    "The server does not speak TLS though it was asked with it, or the other way round",
    "`--insecure http://HOST` speaks to a registry without TLS. Registries on this machine need no option.",
)
