"""`make clients` is run by hand: what it would try is looked at in every check."""

from tests.clients.__main__ import SCRIPTS, says
from tests.clients.environments import CLIENTS


def test_what_a_client_must_say_is_looked_for_in_its_order() -> None:
    """A cancel that came before its order would be another one's."""
    assert says("order: NEW\ncancel: DONE\n", ("NEW", "DONE"))
    assert not says("cancel: DONE\norder: NEW\n", ("NEW", "DONE"))
    assert not says("order: NEW\n", ("NEW", "NEW"))


def test_every_client_has_its_program_and_its_lock() -> None:
    """Each lock pins what its own list names, with digests, and names no place to get it."""
    for client in SCRIPTS:
        assert (CLIENTS / client.script).is_file()
        assert client.wanted
    for name in {client.environment for client in SCRIPTS} | {"freqtrade"}:
        lock = (CLIENTS / f"{name}.lock").read_text(encoding="ascii")
        listed = (CLIENTS / f"{name}.in").read_text(encoding="ascii").splitlines()
        for wanted in (line for line in listed if not line.startswith("#")):
            assert f"\n{wanted} \\\n    --hash=sha256:" in lock, wanted
        assert "://" not in lock
