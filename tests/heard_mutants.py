"""The broken rules of what hosts hear of each other: silence, clocks, reach, strangers' words."""

from __future__ import annotations

from pathlib import Path

from tests.mutants import Mutant

ETCD = "state/etcd"
HEARD = "core/test_hosts_heard.py"
CLOCKS = "core/test_clock_gap.py"
WORDS = "core/test_host_words.py"


def _mutant(name: str, target: str, source: str, replacement: str, test: str) -> Mutant:
    file, _, test_name = test.partition("::")
    return Mutant(name, source, replacement, test_name, Path(target), f"tests/{file}")


HEARD_MUTANTS = (
    _mutant(
        "a host that just spoke is silent",
        f"{ETCD}/roll.py",
        "self._age_ms(entry) <= SILENT_MS",
        "self._age_ms(entry) < SILENT_MS",
        f"{HEARD}::test_a_host_is_silent_from_its_last_word_on_and_never_before_its_time",
    ),
    _mutant(
        "an old word is new to who comes late",
        f"{ETCD}/roll.py",
        "age_ms = max(0.0, answered.wall_ms - said.at_ms)",
        "age_ms = 0.0",
        f"{HEARD}::test_who_comes_late_takes_the_age_of_a_word_from_the_word_itself",
    ),
    _mutant(
        "a word from a clock that is ahead is from the future",
        f"{ETCD}/roll.py",
        "changed = Moment(answered.wall_ms - age_ms, answered.boot_ms - age_ms)",
        "changed = Moment(said.at_ms, answered.boot_ms - 9e9)",
        f"{HEARD}::test_a_word_from_a_clock_that_is_ahead_is_new_all_the_same",
    ),
    _mutant(
        "who left is silent",
        f"{ETCD}/roll.py",
        "is_silent = not heard and newest.role is not Role.LEFT",
        "is_silent = not heard",
        f"{HEARD}::test_a_host_that_left_is_not_silent_and_says_why",
    ),
    _mutant(
        "the last word of a host is taken away",
        f"{ETCD}/roll.py",
        "if not self._mark or not any(self._is_heard(each) for each in mine.values()):",
        "if not self._mark:",
        f"{HEARD}::test_only_long_gone_words_of_ones_own_host_are_taken_away_and_never_the_last",
    ),
    _mutant(
        "words of other hosts are taken away",
        f"{ETCD}/roll.py",
        "if each.said.mark == self._mark}",
        "if each.said.mark}",
        f"{HEARD}::test_only_long_gone_words_of_ones_own_host_are_taken_away_and_never_the_last",
    ),
    _mutant(
        "one lost answer is out of reach",
        f"{ETCD}/herald.py",
        "return self.times > 1 and now.boot_ms",
        "return now.boot_ms",
        f"{HEARD}::test_one_lost_answer_or_a_short_while_is_not_out_of_reach",
    ),
    _mutant(
        "a long value of a stranger is read",
        f"{ETCD}/presence.py",
        "    if len(value) > VALUE_BYTES_MAX:\n        return None\n",
        "",
        f"{HEARD}::test_what_makes_no_sense_is_left_out",
    ),
    _mutant(
        "a stranger's number has no limit",
        f"{ETCD}/presence.py",
        "all(0 <= each < _NUMBER_MAX for each in numbers)",
        "all(0 <= each for each in numbers)",
        f"{HEARD}::test_what_makes_no_sense_is_left_out",
    ),
    _mutant(
        "what a stranger says steers the terminal",
        f"{ETCD}/presence.py",
        "        host=shown(present.host, NAME_CHARS_MAX),\n",
        "",
        f"{HEARD}::test_what_steers_a_terminal_or_is_too_long_does_not_come_through",
    ),
    _mutant(
        "a slow write there counts as a clock that is behind",
        f"{ETCD}/clock_gap.py",
        "high_ms=at_ms + told.took_ms - after_ms",
        "high_ms=at_ms - after_ms",
        f"{CLOCKS}::test_an_answer_that_came_late_there_makes_nobody_wrong",
    ),
    _mutant(
        "a write that nobody read ends the one before",
        f"{ETCD}/clock_gap.py",
        "if self._open is not None and self._open[0] == told.before_ms:",
        "if self._open is not None:",
        f"{CLOCKS}::test_a_write_between_that_nobody_read_tells_nothing_of_the_one_before",
    ),
    _mutant(
        "two readings tell no more than one",
        f"{ETCD}/clock_gap.py",
        "low_ms = max(each.low_ms for each in self._samples)",
        "low_ms = min(each.low_ms for each in self._samples)",
        f"{CLOCKS}::test_the_true_difference_lies_within_the_bounds_and_a_minute_makes_them_narrow",
    ),
    _mutant(
        "after a clock was set the old readings count",
        f"{ETCD}/clock_gap.py",
        "self._samples.clear()  # one of the clocks",
        "pass  # one of the clocks",
        f"{CLOCKS}::test_after_a_clock_was_set_only_what_came_since_counts",
    ),
    _mutant(
        "of a host's two workers one is believed",
        f"{ETCD}/clock_gap.py",
        "low_ms = max(each.low_ms for each in clocks)",
        "low_ms = min(each.low_ms for each in clocks)",
        f"{CLOCKS}::test_two_workers_of_a_host_tell_of_its_one_clock_together",
    ),
    _mutant(
        "a clock is warned of that may be right",
        "state/hosts_seen.py",
        "return max(0.0, self.low_ms, -self.high_ms)",
        "return max(0.0, self.high_ms, -self.low_ms)",
        f"{WORDS}::test_a_clock_is_warned_of_only_where_it_is_surely_off",
    ),
    _mutant(
        "a silent host counts as standby",
        "state/hosts_seen.py",
        "return not self.is_silent and self.role in",
        "return self.role in",
        f"{WORDS}::test_each_way_of_being_a_host_has_words",
    ),
    _mutant(
        "two workers of a host write what they heard in turn",
        "state/hosts_file.py",
        "        if is_kept_up:",
        "        if False:",
        f"{WORDS}::test_what_another_worker_of_the_host_keeps_up_is_left_to_it",
    ),
    _mutant(
        "what was heard long ago is said of now",
        "handoff/commands/host_words.py",
        "if seen.away_since_ms or not seen.is_fresh(now_ms):",
        "if seen.away_since_ms:",
        f"{WORDS}::test_who_would_not_go_on_is_named_with_the_reason_and_only_while_it_is_news",
    ),
    _mutant(
        "a cycle is overdue on the page while nothing can be read",
        "foresight/dashboard/view.py",
        "elif tempo.overdue_ms and not silent and not is_away:",
        "elif tempo.overdue_ms and not silent:",
        f"{WORDS}::test_the_page_says_out_of_reach_and_since_when_and_of_nobody_that_it_is_gone",
    ),
)
