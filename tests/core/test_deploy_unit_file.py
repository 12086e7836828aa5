"""A unit says what systemd needs, and words survive systemd's own way of reading them."""

from pathlib import Path

import pytest
from msgspec.structs import replace

import deploy
from deploy.unit_file import Credential, Service, quoted, unit_text

TEMPLATE = Path(deploy.__file__).parent.joinpath("units", "foresight.service").read_text("utf-8")
SERVICE = Service(app="foresight", command=["/venv/bin/python", "up"], directory="/pro%ject")


def lines(service: Service) -> list[str]:
    return unit_text(TEMPLATE, service).splitlines()


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("up", '"up"'),
        ("a b", '"a b"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("100%", '"100%%"'),
        ("$HOME", '"$$HOME"'),
        ("back\\slash", '"back\\\\slash"'),
    ],
)
def test_a_word_is_read_back_as_it_is(word: str, text: str) -> None:
    assert quoted(word) == text


def test_workers_outlive_the_launcher_and_the_launcher_alone_is_watched() -> None:
    wanted = {"Type=notify", "KillMode=process", "NotifyAccess=main", "OOMPolicy=continue"}
    assert wanted <= set(lines(SERVICE))
    assert any(line.startswith("WatchdogSec=") for line in lines(SERVICE))


@pytest.mark.parametrize(
    "private", ["PrivateTmp", "PrivatePIDs", "PrivateUsers", "DynamicUser", "ProtectProc"]
)
@pytest.mark.parametrize("user", ["", "mia"])
def test_nothing_parts_a_later_launcher_from_the_workers_before_it(private: str, user: str) -> None:
    """Adopting needs the same processes, and the lock of the account is in /tmp."""
    service = Service(app="foresight", command=["/x"], directory="/", user=user)
    assert not [line for line in lines(service) if line.startswith(private)]


def test_a_users_unit_needs_nothing_of_the_systems_manager() -> None:
    system = Service(app="foresight", command=["/x"], directory="/", user="mia")
    assert not [line for line in lines(SERVICE) if line.startswith(("Protect", "User="))]
    assert {"User=mia", "ProtectSystem=full", "WantedBy=multi-user.target"} <= set(lines(system))
    assert "WantedBy=default.target" in lines(SERVICE)


def test_a_key_is_handed_over_by_the_manager() -> None:
    key = Credential(name="the-key", file="/keys/100%", variable="KEY_FILE")
    service = Service(app="x", command=["/x"], directory="/", credential=key)
    assert "LoadCredential=the-key:/keys/100%%" in lines(service)
    assert "Environment=KEY_FILE=%d/the-key" in lines(service)
    assert not [line for line in lines(SERVICE) if line.startswith("LoadCredential")]


def test_paths_and_names() -> None:
    assert "WorkingDirectory=/pro%%ject" in lines(SERVICE)
    assert 'ExecStart="/venv/bin/python" "up"' in lines(SERVICE)
    named = Service(app="mine", command=["/x"], directory="/", variables={"XDG_STATE_HOME": "/s"})
    assert 'Environment="XDG_STATE_HOME=/s"' in lines(named)
    assert (SERVICE.unit, named.unit) == ("foresight.service", "foresight-mine.service")


def test_a_variable_is_handed_over_as_it_is() -> None:
    """Nothing is expanded there: with two of them, `$` named another home."""
    named = Service(app="x", command=["/x"], directory="/", variables={"HOMES": '/a$b "100%"'})
    assert 'Environment="HOMES=/a$b \\"100%%\\""' in lines(named)


def test_the_disk_of_the_home_is_there_before_it_starts() -> None:
    """Without its disk a home looks like one in which nothing ever ran."""
    service = Service(app="x", command=["/x"], directory="/", user="mia", home="/srv/my 100%")
    assert 'RequiresMountsFor="/srv/my 100%%"' in lines(service)
    unit, _, rest = unit_text(TEMPLATE, service).partition("[Service]")
    assert "RequiresMountsFor" in unit
    assert "RequiresMountsFor" not in rest
    # A user's manager knows of no disk that is not mounted yet.
    assert "RequiresMountsFor" not in unit_text(TEMPLATE, replace(service, user=""))


def test_what_is_missing_at_a_boot_is_waited_for() -> None:
    """After ten starts in half a minute nobody would have started it again, ever."""
    assert "StartLimitIntervalSec=0" in lines(SERVICE)
    assert not [line for line in lines(SERVICE) if line.startswith("StartLimitBurst")]
