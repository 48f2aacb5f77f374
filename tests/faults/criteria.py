"""The criteria that the launcher, the store and the files have to meet, and the tests of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Criterion:
    """One criterion.

    Attributes:
        tests: files and tests as `file::test other`, one string a file, below `tests/`.
        note: what of it is measured in another way, or not at all.
    """

    number: int
    title: str
    tests: tuple[str, ...]
    note: str = ""

    @property
    def names(self) -> Iterator[str]:
        """Its tests as pytest names them, without parameters."""
        for one in self.tests:
            file, _, names = one.partition("::")
            for name in names.split():
                yield f"tests/{file}::{name}"


CRITERIA = (
    Criterion(
        1,
        "50 kills of a worker with all it started, at random times and changes to files: tickets"
        " bit-identical, no metric missing or doubled in MLflow",
        (
            "faults/test_kills.py::test_a_few_kills test_fifty_kills",
            "engine/test_worker.py::test_killed_and_resumed_equals_uninterrupted"
            " test_killed_whenever_equals_uninterrupted",
        ),
    ),
    Criterion(
        2,
        "the shim alone is killed, 20 times: its worker is gone in 1 s, the run lost in 5 s, the"
        " place free, no process left",
        (
            "faults/test_supervision.py::test_a_killed_shim_takes_its_run_with_it"
            " test_twenty_killed_shims",
            "lthtui/launch/test_dispatcher.py::"
            "test_a_killed_shim_is_seen_to_also_when_its_worker_takes_long_to_go",
        ),
    ),
    Criterion(
        3,
        "the queue process is killed while 4 runs train, 20 times: all adopted, same processes,"
        " exit codes right, none twice, order kept",
        (
            "faults/test_supervision.py::test_a_killed_queue_process_with_four_workers"
            " test_twenty_killed_queue_processes",
        ),
    ),
    Criterion(
        4,
        "the terminal is closed, or gets Ctrl-C: with the app runs go on; `lthtui run` stops them"
        " at a checkpoint",
        (
            "faults/test_terminals.py::test_runs_go_on_without_the_app",
            "lthtui/test_headless.py::test_ctrl_c_stops_at_a_checkpoint_and_says_how_to_go_on"
            " test_a_closed_terminal_leaves_the_runs_going",
            "engine/test_worker.py::test_sigterm_saves_a_checkpoint_and_exits_75",
        ),
    ),
    Criterion(
        5,
        "8 processes start on an empty root at once, 20 rounds: no failure, the store is whole",
        (
            "faults/test_cold_starts.py::test_eight_cold_starts_at_once",
            "engine/test_mlstore.py::test_eight_processes_make_one_store",
        ),
    ),
    Criterion(
        6,
        "killed while the store is made, at 20 moments: the next start succeeds",
        (
            "faults/test_cold_starts.py::test_killed_while_the_store_is_made",
            "engine/test_mlstore.py::test_killed_while_creating",
        ),
    ),
    Criterion(
        7,
        "8 trainers, MLflow's pages and the app for 10 minutes: no lock error, the rows of the"
        " journals, steps not slower than without logging by 2 %",
        ("faults/test_load.py::test_eight_trainers_with_pages_and_app",),
        "what logging costs a step: `pytest -m benchmark -s tests/benchmarks/test_logging_cost.py`",
    ),
    Criterion(
        8,
        "the store is locked for 60 s: training goes on, the rest comes in 10 s, nothing twice",
        (
            "faults/test_store.py::test_a_store_that_is_held_for_a_minute",
            "engine/test_following.py::test_a_store_locked_by_somebody_else_is_waited_for",
        ),
    ),
    Criterion(
        9,
        "the store is deleted or damaged: training goes on, and it is made again from the journals",
        (
            "engine/test_following.py::test_a_store_deleted_while_the_run_goes_on_is_made_again",
            "engine/test_mlstore.py::test_what_is_no_store_is_refused",
            "engine/test_store_faults.py::test_a_store_that_breaks_meanwhile_is_said_once_and_ends"
            "_no_run test_a_store_that_was_emptied_is_made_anew_with_all_that_came_before",
            "lthtui/doctor/test_store.py::test_a_damaged_store_is_rebuilt_from_the_runs"
            " test_rows_that_went_missing_are_noticed_and_come_back",
        ),
    ),
    Criterion(
        10,
        "a small disk is full at any moment: the last checkpoint loads, one clear line, the run"
        " resumes bit-identical",
        (
            "faults/test_disk.py::test_a_disk_that_is_full_again_and_again",
            "engine/test_worker.py::test_a_full_disk_loses_nothing_that_was_saved",
            "engine/test_store_faults.py::test_a_full_disk_costs_no_row_and_doubles_none"
            " test_a_log_that_took_the_last_room_is_merged_and_logging_goes_on",
        ),
    ),
    Criterion(
        11,
        "a checkpoint is cut anywhere or has a bit flipped: always noticed, the one before is used",
        (
            "engine/test_checkpoints.py::test_every_truncation_is_noticed"
            " test_every_flipped_bit_is_noticed",
            "engine/test_worker.py::test_a_damaged_checkpoint_falls_back_to_the_one_before"
            " test_a_damaged_level_is_trained_again",
            "engine/test_tickets.py::test_damage_is_noticed",
        ),
    ),
    Criterion(
        12,
        "small files are missing, empty or torn: no crash, the run is lost or recovered",
        (
            "engine/test_rundir.py::test_a_broken_file_is_as_good_as_none"
            " test_every_combination_of_files_gives_some_status"
            " test_the_last_end_is_found_behind_a_torn_line_and_within_a_large_journal",
            "engine/test_events.py::test_a_torn_line_is_cut_off_and_its_event_written_again"
            " test_a_line_that_is_no_event_is_skipped",
            "engine/test_checkpoints.py::test_a_missing_file_is_noticed",
            "lthtui/launch/test_slots.py::test_a_broken_file_is_no_place_and_can_be_taken",
            "lthtui/launch/test_shim.py::test_a_broken_record_is_replaced",
        ),
    ),
    Criterion(
        13,
        "a pid was given to somebody else: never signalled, the run is lost",
        (
            "lthtui/launch/test_queue.py::"
            "test_a_run_whose_pid_was_given_to_somebody_else_is_never_signalled",
            "engine/test_rundir.py::"
            "test_a_process_that_is_gone_without_a_word_is_lost_even_if_its_pid_is_used_again",
        ),
    ),
    Criterion(
        14,
        "a worker ignores SIGTERM: killed at the end of its grace with all it started, and only"
        " then the next one starts",
        (
            "faults/test_supervision.py::test_a_deaf_worker_is_killed_at_the_end_of_its_grace",
            "lthtui/launch/test_shim.py::test_quit_also_kills_what_escaped_the_group"
            " test_what_the_command_leaves_behind_is_swept",
            "lthtui/launch/test_dispatcher.py::"
            "test_a_place_is_free_only_when_all_processes_of_its_run_are_gone",
        ),
    ),
    Criterion(
        15,
        "out of memory, killed, diverged: the cause is recorded; tried again, later each time and"
        " not forever, or left to a person",
        (
            "faults/test_failures.py::"
            "test_out_of_memory_is_tried_again_alone_ever_later_and_not_forever"
            " test_a_retry_waits_for_its_time"
            " test_what_may_pass_is_tried_again_and_what_would_not_is_left"
            " test_a_level_that_was_finished_begins_a_new_row_of_retries"
            " test_a_person_retries_what_may_pass_and_forces_the_rest"
            " test_a_real_worker_that_runs_out_of_memory_goes_on",
            "engine/test_worker.py::test_divergence_fails_the_run_with_its_reason",
        ),
        "memory of a GPU is simulated by the exception that torch raises",
    ),
    Criterion(
        16,
        "a worker is halted: stalled within 3 intervals, not killed, running again after SIGCONT",
        ("faults/test_supervision.py::test_a_halted_worker_is_stalled_and_goes_on",),
    ),
    Criterion(
        17,
        "the clock jumps by a day: nothing lost, no negative times, requests still count",
        (
            "faults/test_clock.py::test_training_measures_no_time_by_the_clock_of_the_day"
            " test_a_run_of_this_machine_is_never_lost_by_the_clock"
            " test_a_request_counts_also_when_the_clock_was_set_back"
            " test_an_old_request_stops_no_newer_attempt_after_the_clock_was_set_back",
        ),
    ),
    Criterion(
        18,
        "Slurm, two nodes on loopback: stopped, out of time, controller killed, node dead with its"
        " orphan alive: one attempt writes, the same ticket",
        (
            "faults/test_slurm.py::test_a_node_dies_and_its_orphan_lives_on"
            " test_the_controller_dies_and_comes_back test_a_time_limit_ends_a_job_and_not_its_run"
            " test_a_more_pressing_job_takes_the_node test_an_array_under_random_kills",
            "lthtui/launch/backends/test_slurm.py::"
            "test_a_run_stopped_by_its_time_limit_goes_on_to_the_same_ticket"
            " test_pending_and_running_jobs_are_stopped_and_resumed",
        ),
    ),
    Criterion(
        19,
        "several clients and queue processes in 1,000 random orders: no run starts twice, no"
        " exclusive place is shared, nothing is forgotten, every command keeps its promise",
        (
            "faults/test_interleavings.py::test_a_few_interleavings test_a_thousand_interleavings",
            "lthtui/launch/test_queue.py::test_several_clients_at_once_start_each_run_once",
        ),
    ),
    Criterion(
        20,
        "CUDA_VISIBLE_DEVICES is respected, busy GPUs are left alone, declared memory is never"
        " given twice",
        (
            "lthtui/launch/test_devices.py::test_cuda_visible_devices_is_the_allowed_set",
            "lthtui/launch/test_dispatcher.py::test_runs_are_placed_on_gpus_by_uuid",
            "lthtui/launch/test_slots.py::test_declared_memory_is_shared_as_far_as_it_goes",
            "lthtui/launch/test_gpu_queue.py::test_a_run_starts_when_others_have_left_the_gpu"
            " test_a_run_waits_until_the_memory_of_the_one_before_is_back",
        ),
    ),
    Criterion(
        21,
        "at least 200 bad specs: each refused at its place with exit code 2, nothing is run",
        (
            "faults/test_hostile_specs.py::test_each_is_refused_at_its_place_and_nothing_happens"
            " test_commands_end_with_2_and_start_nothing",
            "lthtui/specfiles/test_refusals.py::test_a_broken_spec_is_refused_at_its_place"
            " test_whatever_is_typed_into_a_spec_it_is_read_or_refused_with_a_place",
            "lthtui/test_yamlfile.py::test_broken_text_is_refused_at_its_place",
        ),
    ),
    Criterion(
        22,
        "text from outside reaches no terminal as it is; a line of a megabyte slows nothing",
        (
            "faults/test_hostile_text.py::test_no_command_lets_it_through"
            " test_the_app_lets_nothing_through_and_stays_quick",
            "lthtui/app/test_flows.py::test_text_from_outside_is_shown_as_text",
            "lthtui/test_text.py::test_nothing_hidden_reaches_a_terminal",
        ),
    ),
    Criterion(
        23,
        "hostile tickets and checkpoints are refused, run nothing and take little memory",
        (
            "faults/test_hostile_files.py::test_a_hostile_ticket_is_refused"
            " test_a_hostile_file_in_a_checkpoint_is_refused"
            " test_a_manifest_that_names_other_files_reads_none"
            " test_verify_and_import_refuse_them_in_little_memory test_nothing_here_was_run",
            "engine/test_exporting.py::"
            "test_what_is_no_pruned_checkpoint_is_refused_without_running_it",
            "engine/test_mirror.py::test_a_journal_cannot_have_foreign_files_filed",
        ),
        "nothing unpacks archives yet",
    ),
    Criterion(
        24,
        "1,000 waiting runs are listed in 0.1 s beyond the start of the program",
        ("benchmarks/test_launch_speed.py::test_listing_a_thousand_waiting_runs",),
        "tables and curves of 10,000 runs belong to the app",
    ),
    Criterion(
        25,
        "the root is moved, or copied to a read-only place: its runs and artifacts are found",
        (
            "engine/test_relocation.py::test_a_moved_root_takes_its_artifacts_along"
            " test_a_copy_never_writes_into_its_original"
            " test_killed_half_way_nothing_was_changed",
            "lthtui/test_store.py::test_a_read_only_copy_can_be_read"
            " test_another_user_browses_a_copy_that_is_not_theirs_to_write",
        ),
    ),
    Criterion(
        26,
        "a store of another MLflow: read, never written, the command that upgrades it is named",
        (
            "engine/test_mlstore.py::test_a_store_of_another_mlflow_is_refused_with_what_to_do",
            "lthtui/test_store.py::test_a_store_of_another_mlflow_is_read_but_never_written",
        ),
    ),
    Criterion(
        27,
        "MLflow's pages: this machine only, at most 3 processes and 700 MB, gone in 5 s, other"
        " hosts and origins refused, works in a network without a way out",
        (
            "faults/test_load.py::test_pages_without_a_way_out",
            "lthtui/test_mlflow_ui.py::test_only_this_machine_reaches_it"
            " test_it_ends_with_its_terminal_and_leaves_no_process",
        ),
    ),
    Criterion(
        28,
        "short runs with something killed every few seconds: nothing is left behind, MLflow holds"
        " what the journals hold",
        ("faults/test_soak.py::test_soak",),
    ),
    Criterion(
        29,
        "a network file system: no write-ahead log, said so, refused where locks do not work",
        (
            "engine/test_mlstore.py::test_no_write_ahead_log_where_memory_is_not_shared"
            " test_a_store_that_came_to_a_network_loses_its_log_and_nothing_else"
            " test_a_network_that_keeps_nobody_apart_gets_no_store",
            "lthtui/doctor/test_doctor.py::"
            "test_a_network_file_system_is_told_and_one_without_locks_refused",
        ),
    ),
    Criterion(
        30,
        "an MLflow server goes away under a run that logs to it: training goes on, all of it is"
        " there once it is back, nothing twice, the token in no file; a killed run ends there too",
        (
            "faults/test_server.py::test_a_server_goes_away_in_the_middle"
            " test_a_killed_run_is_no_longer_running_there",
        ),
    ),
)
LAUNCH = Criterion(
    0,
    "what launching costs",
    (
        "benchmarks/test_launch_speed.py::"
        "test_from_the_queue_to_the_first_step_against_a_bare_import_of_torch"
        " test_how_long_a_place_stands_idle_between_two_runs"
        " test_what_an_idle_queue_process_costs",
    ),
)


def missing() -> list[str]:
    """Tests that are named here and are not there."""
    found = []
    for criterion in (*CRITERIA, LAUNCH):
        for name in criterion.names:
            file, _, test = name.partition("::")
            path = TESTS.parent / file
            if not path.is_file() or f"def {test}(" not in path.read_text():
                found.append(name)
    return found
