"""The environments in which clients of others are tried, each at the versions of its lock.

Owns where they are and when they are made anew. Must never enter: what the clients do.
"""

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / "examples" / "clients"
PLACE = ROOT / ".clients"
STAMP = "made-for"
BUILT = {"freqtrade": ("sdnotify",)}
"""What has no wheel: the one program of others that runs while installing, in its own place."""


def python_of(name: str) -> Path:
    """Return the interpreter of an environment; make it unless it is as its lock says."""
    lock, place = CLIENTS / f"{name}.lock", PLACE / name
    stamp = sha256(lock.read_bytes()).hexdigest()
    made = place / STAMP
    if not made.exists() or made.read_text(encoding="ascii") != stamp:
        _make(place, lock, BUILT.get(name, ()))
        made.write_text(stamp, encoding="ascii")
    return place / "bin" / "python"


def _make(place: Path, lock: Path, built: tuple[str, ...]) -> None:
    uv = str(Path(sys.executable).with_name("uv"))
    print(f"clients: installing {lock.name}", flush=True)
    wheels = ["--only-binary", ":all:", "--require-hashes"]
    wheels += [word for name in built for word in ("--no-binary", name)]
    command = [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(place)]
    subprocess.run(command, check=True)
    python = str(place / "bin" / "python")
    command = [uv, "pip", "install", "--quiet", "--python", python, *wheels, "-r", str(lock)]
    subprocess.run(command, check=True)
