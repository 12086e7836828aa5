"""What of a lock is unpacked or built, and which package installers had no wheel of."""

import pytest

from deploy.git_tree import Blob
from deploy.wheels import carried, could_be_built, no_wheel_of

HASH = "--hash=sha256:" + "0" * 64


@pytest.mark.parametrize(
    "line",
    [
        f"alpha==1.0 {HASH}",
        f"alpha[extra,more] == 1.0 ; python_version < '3.14' {HASH} {HASH}  # why",
        f"alpha==1.0 \\\n    {HASH} \\\n    {HASH}\n    # via beta",
        f"alpha @ file:///a%20b/alpha-1.0-py3-none-any.whl {HASH}",
        f"alpha@https://example.invalid/alpha-1.0-py3-none-any.whl#sha256=00 {HASH}",
        "--find-links wheels",
        "-i https://example.invalid/simple --trusted-host=example.invalid",
        "--only-binary :all:",
        "--require-hashes",
        "# alpha.tar.gz",
        "",
    ],
)
def test_what_is_unpacked_may_stand_in_a_lock(line: str) -> None:
    """A lock that installed yesterday must install today, if nothing was built."""
    assert could_be_built(f"{line}\nbeta==2 {HASH}\n".encode()) == []


@pytest.mark.parametrize(
    "line",
    [
        "--no-binary :all:",
        "--no-b=alpha",
        "--only-binary :none:",
        "--only-binary alpha",
        "--find-links wheels --no-binary alpha",
        "-e .",
        "-r other.txt",
        "./alpha",
        "alpha-1.0.tar.gz",
        f"alpha @ https://example.invalid/alpha-1.0.tar.gz {HASH}",
        f"alpha @ https://example.invalid/alpha-1.0.tar.gz?like=alpha.whl {HASH}",
        f"alpha @ https://example.invalid/alpha-1.0.tar.gz#alpha.whl {HASH}",
        "git+https://example.invalid/alpha",
        f"alpha==1.0 --global-option=x {HASH}",
        "alpha>=1.0",
        "alpha",
    ],
)
@pytest.mark.parametrize("before", ["", "    ", "# a comment ends a line \\\n", "\\\n"])
def test_what_might_be_built_is_told_as_it_stands(line: str, before: str) -> None:
    """Installers strip indentation and join lines; what they see must be what is judged."""
    lock = f"beta==2 {HASH}\n{before}{line}\ngamma==3 {HASH}\n"
    assert could_be_built(lock.encode()) == [line]


def test_a_lock_in_another_encoding_is_no_way_around() -> None:
    """pip believes a mark at its begin; we read it as what it looks like, and refuse it."""
    assert could_be_built("--no-binary :all:\n".encode("utf-16")) != []


LOCK = f"alpha==1.0 {HASH}\nalpha-more==1.0 {HASH}\nbeta==2 {HASH}\n".encode()


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("cause: Because alpha==1.0 has no usable wheels and you require …", ["alpha==1.0"]),
        ("ERROR: No matching distribution found for beta==2", ["beta==2"]),
        ("ERROR: No matching distribution found for alpha-more==1.0 (from …)", ["alpha-more==1.0"]),
        ("ERROR: No matching distribution found for beta==2.1", []),
        ("Retrying (Retry(total=4))\nNo matching distribution found for beta==2", []),
        ("Downloading beta==2", []),
    ],
)
def test_what_has_no_wheel_is_told_by_its_pin(said: str, found: list[str]) -> None:
    """An index that was not reached has no wheel either, and building one would not help."""
    assert no_wheel_of(LOCK, said) == found


def test_only_wheels_right_in_their_directory_are_carried() -> None:
    paths = ["wheels/a-1-py3-none-any.whl", "wheels/deep/b.whl", "wheels/c.tar.gz", "d.whl"]
    found = carried([Blob(path, 0o100644, "0", 1) for path in paths])
    assert [blob.path for blob in found] == ["a-1-py3-none-any.whl"]
