"""Which tests of workers do not apply where threads are the workers, and why: the guide has the same reasons."""

from __future__ import annotations

NOT_ON_THREADS: dict[str, list[str]] = {
    "A crash ends the client's own process, and nobody is left to tell of it": [
        "test_workers::test_a_worker_that_dies_takes_only_its_item",
        "test_workers::test_poison_is_tried_as_often_as_allowed_but_three_times_at_most",
        "test_workers::test_a_single_call_that_crashes_says_so_whatever_the_task_does_with_items",
        "test_adversary::test_a_result_that_ends_its_worker_while_it_is_packed_is_its_own_items_failure",
        "test_python_mode::test_a_chunk_that_crashed_is_run_again",
        "test_python_mode::test_a_chunk_that_is_skipped_leaves_the_others_their_row_numbers",
        "test_policies::test_names_say_what_is_tried_again",
        "test_serving::test_what_ends_its_worker_ends_nobody_else",
        "test_single_calls::test_every_call_of_many_callers_has_its_own_end",
    ],
    "There is no process that could be killed from outside, live on, or be started again": [
        "test_worker_leaks::test_no_worker_survives_its_supervisor",
        "test_worker_leaks::test_a_worker_that_dies_while_it_has_nothing_to_do_is_replaced",
        "test_worker_model::test_killing_workers_at_random_moments_loses_and_doubles_nothing",
        "test_worker_starts",
        "test_single_calls::test_a_cancelled_call_leaves_nothing",
    ],
    "What an operation starts (processes, threads) is the client's own, and does not end with the call": [
        "test_workers::test_what_harms_nobody_is_no_failure[leaves_threads]",
        "test_workers::test_what_harms_nobody_is_no_failure[leaves_a_child]",
        "test_worker_stops::test_what_earlier_items_left_behind_ends_with_the_run",
        "test_worker_leaks::test_closing_leaves_no_process_not_even_those_that_user_code_started",
        "test_adversary::test_processes_that_multiply_end_with_their_call",
        "test_worker_sessions",
    ],
    "What an operation closes or changes (handles, signals, directory, `sys.stdout`) is the client's own": [
        "test_adversary::test_outputs_that_an_operation_puts_elsewhere_are_its_own",
        "test_adversary::test_a_directory_is_that_of_the_operation_which_went_there",
        "test_adversary::test_an_alarm_that_an_operation_sets_rings_for_nobody_else",
        "test_adversary::test_a_limit_of_recursion_that_an_operation_lowers_is_its_own",
        "test_adversary::test_a_limit_of_the_system_that_an_operation_lowers_is_its_own",
        "test_adversary::test_where_no_memory_can_be_shared_any_more_results_come_back_all_the_same",
        "test_workers::test_what_harms_nobody_is_no_failure[closes_low_handles]",
        "test_workers::test_what_harms_nobody_is_no_failure[changes_its_process]",
        "test_worker_stops::test_nothing_of_a_cancelled_run_is_left[stops_itself]",
        "test_worker_stops::test_nothing_of_a_run_is_left_after_its_deadline[stops_itself]",
    ],
    "Code in C is not interrupted; where it keeps the interpreter's lock it holds up the client too, until it comes back": [
        "test_worker_stops::test_nothing_of_a_cancelled_run_is_left[backtracks]",
        "test_worker_stops::test_nothing_of_a_run_is_left_after_its_deadline[backtracks]",
        "test_worker_stops::test_a_thread_that_keeps_the_interpreter_harms_no_later_run",
        "test_policies::test_an_operation_is_told_that_its_time_is_up",
        "test_single_calls::test_ctrl_c_ends_a_call_whenever_it_comes",
    ],
    "A loop that catches every exception goes on, and takes its share of the interpreter": [
        "test_worker_stops::test_nothing_of_a_cancelled_run_is_left[loops]",
        "test_worker_stops::test_nothing_of_a_run_is_left_after_its_deadline[loops]",
    ],
    "What a thread holds in memory cannot be told from what others hold": [
        "test_workers::test_a_worker_that_eats_memory_is_stopped_and_named",
        "test_storm::test_chunks_that_are_halved_in_a_storm_are_whole",
        "test_policies::test_a_chunk_that_needs_too_much_is_run_in_halves",
        "test_policies::test_a_batch_is_halved_down_to_one_value_which_fails_alone",
        "test_policies::test_results_of_parts_are_in_order",
        "test_policies::test_parts_whose_results_are_no_rows_need_combine",
    ],
    "A result is read in the process that pickled it": [
        "test_workers::test_a_result_that_cannot_be_read_here_is_an_error_that_says_which",
    ],
}
"""Reasons, and the tests: a file, a test of it, or a test with what it is on."""


def reason_of(module: str, test: str, on: str) -> str | None:
    """Why a test is left out; `on` is the part of its id that has no kind of worker."""
    return (
        _REASONS.get(f"{module}::{test}[{on}]") or _REASONS.get(f"{module}::{test}") or _REASONS.get(module)
    )


_REASONS = {name: reason for reason, tests in NOT_ON_THREADS.items() for name in tests}
