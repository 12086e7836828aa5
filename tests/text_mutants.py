"""The broken rules about texts and numbers that no file can hold; `tests.mutants` tries them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.mutants import Mutant

TESTS: Final = "tests/core/test_any_text.py"


def _mutant(name: str, target: str, source: str, replacement: str, test: str) -> Mutant:
    return Mutant(name, source, replacement, test, Path(target), TESTS)


TEXT_MUTANTS: Final = (
    _mutant(
        "a number that is none becomes null in a payload",
        "handoff/workload.py",
        '    if b"null" in data:\n        require_finite',
        '    if b"NaN" in data:\n        require_finite',
        "test_a_payload_with_a_number_that_json_lacks_is_refused[nan]",
    ),
    _mutant(
        "a payload may not say that something is missing",
        "state/schema.py",
        "enc_hook=_without_raw)",
        "enc_hook=None)",
        "test_a_payload_may_say_that_something_is_missing",
    ),
    _mutant(
        "a reason that is no text ends the loop",
        "handoff/worker/observing.py",
        'Unavailable(storable(str(inputs.reason or "no reason given")))',
        'Unavailable(str(inputs.reason or "no reason given"))',
        "test_a_reason_that_no_file_can_hold_is_escaped[_says]",
    ),
    _mutant(
        "an exception whose words are no text ends the loop",
        "handoff/outside.py",
        "        return storable(str(error))[:WORDS_MAX]",
        "        return str(error)[:WORDS_MAX]",
        "test_a_reason_that_no_file_can_hold_is_escaped[_raises]",
    ),
    _mutant(
        "an exception that cannot say itself is another one",
        "handoff/outside.py",
        '        return "it cannot say why"',
        "        raise",
        "test_an_exception_that_cannot_say_itself_is_what_it_is[observe]",
    ),
    _mutant(
        "an exception says whole pages",
        "handoff/outside.py",
        "        return storable(str(error))[:WORDS_MAX]",
        "        return storable(str(error))",
        "test_a_venue_that_answers_with_pages_fills_no_disk",
    ),
    _mutant(
        "why something is pending is whatever the application says",
        "handoff/worker/requests.py",
        "        return _told(answer) if isinstance(answer, Pending)",
        "        return answer if isinstance(answer, Pending)",
        "test_a_receipt_of_what_stays_unknown_can_be_read[pending-no text]",
    ),
    _mutant(
        "a fault whose words are no text is another fault",
        "handoff/errors.py",
        "        self.reason = storable(reason)",
        "        self.reason = str(reason)",
        "test_a_fault_in_such_words_is_still_a_fault",
    ),
    _mutant(
        "a refusal in words that are no text is lost",
        "handoff/worker/requests.py",
        "reason=storable(str(answer.reason))",
        "reason=str(answer.reason)",
        "test_a_receipt_in_such_words_is_a_receipt",
    ),
    _mutant(
        "a receipt that cannot be stored is believed",
        "handoff/worker/requests.py",
        "            return as_read(_told(answer))",
        "            return _told(answer)",
        "test_a_receipt_that_cannot_be_stored_proves_nothing",
    ),
    _mutant(
        "an effect that no owner could read again is planned",
        "handoff/deciding.py",
        "            return as_read(planned)",
        "            return planned",
        "test_an_effect_with_a_fraction_of_a_nanosecond_is_the_releases_fault",
    ),
    _mutant(
        "a deploy whose reason is no text has no line",
        "deploy/history.py",
        "        return storable(value)\n",
        "        return value\n",
        "test_a_deploy_that_ends_in_such_words_has_its_line",
    ),
)
