"""The text of our git hooks, and how one of ours is told from a stranger's.

Owns what the shell does inside a merge: call the hook that was there before, say in a line what
is asked for, start one detached process, leave with status 0. All else is that process's matter.
"""

from __future__ import annotations

import shlex
from typing import Final

import msgspec

FORMAT: Final = 1
KEPT: Final = ".foresight-kept"  # behind the name of a hook that was there before
MARK: Final = "# foresight-hook: "
RECEIVE: Final = "post-receive"
HOOKS: Final = ("post-merge", "post-rewrite")
BARE_HOOKS: Final = (RECEIVE, *HOOKS)  # a bare repository may have linked working trees

_HEADER: Final = """\
#!/bin/sh
# Written by `foresight hook install`; `foresight hook remove` takes it away again.
{mark}{settings}
# A hook that was here before is kept beside this one and called first, as git would call it.
kept="$0{suffix}"
call_kept() {{
  [ -x "$kept" ] || return 0
  IFS= read -r first <"$kept" 2>/dev/null
  case "$first" in
    # Some find their way by their own name, which has to be the old one then.
    "#!/bin/sh" | "#!/usr/bin/env sh") sh -c 'kept=$1; shift; . "$kept"' "$0" "$kept" "$@" ;;
    *) "$kept" "$@" ;;
  esac
}}
"""

_CALL: Final = """\
call_kept "$@"
"""

# What git says on stdin is needed twice; the x keeps newlines at its end.
_CALL_RECEIVE: Final = """\
said=$(cat; echo x)
said=${{said%x}}
printf '%s' "$said" 2>/dev/null | call_kept "$@"
case "$said" in
  *" "{ref} | *" "{ref}"
"*) ;;
  *) exit 0 ;;
esac
"""

# One line for whoever merged, and only where this hook would act. A subject is whoever's who could
# push: of its bytes those that are no plain letters are shown as `?`, since some steer a terminal.
_SAY: Final = """\
if [ -d {logs} ] && [ -x {python} ]{condition}; then
  git --no-pager log -1 --format={words} {ref} 2>/dev/null |
    LC_ALL=C tr -c '\\012\\040-\\176' '?' >&2
fi
"""
_ON_BRANCH: Final = ' && [ "$(git symbolic-ref --quiet HEAD)" = {ref} ]'
WORDS: Final = (
    "foresight: %h %s is asked to go live; watch it with `foresight status --watch`, and "
    "`foresight deploys` says how it ended"
)

# With nothing of ours open, and behind everybody in the queue: merge and terminal go on.
_START: Final = """\
{{
at=${{GIT_DIR:-$(git rev-parse --absolute-git-dir)}}
case "$at" in /*) ;; .) at=$PWD ;; *) at=$PWD/$at ;; esac
if [ -d {logs} ] && [ -x {python} ]; then
  ( cd / && exec nice -n 10 nohup \\
      {python} -I -m foresight hook run --home {home} --git-dir "$at"{option} ) \\
    </dev/null >>{log} 2>&1 &
fi
}} >/dev/null 2>&1
exit 0
"""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a hook of ours knows.

    Attributes:
        home: The state directory, absolute.
        shared: The git directory that it acts for; elsewhere it does nothing.
        branch: The branch that it acts for.
        python: The interpreter of the installation, absolute.
        format: Of this text.
    """

    home: str
    shared: str
    branch: str
    python: str
    format: int = FORMAT


def script(name: str, settings: Settings) -> bytes:
    """Return the text of one hook."""
    receives = name == RECEIVE
    ref = shlex.quote(f"refs/heads/{settings.branch}")
    text = _HEADER.format(mark=MARK, settings=msgspec.json.encode(settings).decode(), suffix=KEPT)
    text += _CALL_RECEIVE.format(ref=ref) if receives else _CALL
    text += _SAY.format(
        logs=shlex.quote(f"{settings.home}/logs"),
        python=shlex.quote(settings.python),
        condition="" if receives else _ON_BRANCH.format(ref=ref),
        words=shlex.quote(WORDS),
        ref=ref,
    )
    text += _START.format(
        home=shlex.quote(settings.home),
        logs=shlex.quote(f"{settings.home}/logs"),
        log=shlex.quote(f"{settings.home}/logs/hook.log"),
        python=shlex.quote(settings.python),
        option=" --received" if receives else "",
    )
    return text.encode()


def settings_of(text: bytes) -> Settings | None:
    """Return what a hook of ours knows; None if the text is not one of ours."""
    for line in text.split(b"\n", 4)[:4]:
        if line.startswith(MARK.encode()):
            try:
                return msgspec.json.decode(line[len(MARK) :], type=Settings)
            except msgspec.MsgspecError:
                return None
    return None
