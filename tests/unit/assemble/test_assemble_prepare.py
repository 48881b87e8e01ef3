from __future__ import annotations

from typing import Any

from finback.assemble.prepare import prepare
from finback.assemble.supervise import variables
from finback.resolve.plan import Container, ImagePin, SecretUse
from finback.spec.model import IDMapping, Settings

NOTHING: dict[str, Any] = {
    "mounts": [], "mkdir": [], "cgroups": [], "interfaces": [], "bindNS": {}, "namespace": "",
}  # fmt: skip

PLAIN = Settings()


def container(section: str = "services", settings: Settings = PLAIN, *secrets: SecretUse) -> Container:
    return Container(
        section=section, index=0, name="app", image=ImagePin(reference="i"), settings=settings, secrets=secrets
    )


def steps(settings: Settings, *secrets: SecretUse) -> list[str]:
    text = prepare(container("services", settings, *secrets), NOTHING)
    return text.partition("prepare() {\n")[2].partition("\n}")[0].replace("\t", "").replace(" &&", "").split("\n")


def test_a_container_without_secrets_does_nothing_about_them() -> None:
    assert steps(Settings()) == [":"]
    assert not any(line.startswith("secrets=") for line in variables(container()))


def test_secrets_are_of_the_container_s_user() -> None:
    assert steps(Settings(uid=7, gid=8), SecretUse(name="a"), SecretUse(name="b", mode=0o440, optional=True)) == [
        "mkdir -p /run/finback/secrets/app",
        "give_secret a /run/finback/secrets/app 7:8 0400",
        "{ ! have_secret b || give_secret b /run/finback/secrets/app 7:8 0440; }",
    ]


def test_ids_of_a_user_namespace_are_those_of_the_machine() -> None:
    mapped = (IDMapping(container_id=0, host_id=100000, size=1000),)
    made = steps(Settings(uid=7, userns="new", uid_mappings=mapped), SecretUse(name="a"))
    assert made[-1] == "give_secret a /run/finback/secrets/app 100007:0 0400"


def test_a_service_waits_for_the_secrets_that_it_needs() -> None:
    made = container("services", Settings(), SecretUse(name="a"), SecretUse(name="b", optional=True))
    assert "secrets=a" in variables(made)
    assert not any(line.startswith("secrets=") for line in variables(container("onboot", Settings(), *made.secrets)))
