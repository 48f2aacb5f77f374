import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import PATIENCE

from engine.processes import Process
from engine.rundir import Heartbeat, Status, status, write_json
from lthtui.launch import devices, lease, queue
from lthtui.launch.devices import Device
from lthtui.launch.dispatcher import RETRY, Dispatcher
from lthtui.launch.slots import Holder

FINISH = {"emit": {"kind": "run_ended", "status": "finished"}}
GPUS = (Device("GPU-a", "0: A"), Device("GPU-b", "1: B"))


def spans(stage):
    """When each run's worker started and ended, in the order of starts."""
    found = [(run.launch().time, run.exit().time, run) for run in stage.runs()]
    return sorted(found, key=lambda one: one[0])


def environment(run):
    return json.loads((run.path / "environment.json").read_text())


def test_five_runs_on_two_places_start_in_order_two_at_a_time(stage, dispatch):
    stage.play({"wait": "go"}, FINISH)
    runs = stage.submit(0, 1, 2, 3, 4)
    dispatch(lambda: stage.allow("go"))
    assert {status(run) for run in runs} == {Status.FINISHED}
    found = spans(stage)
    assert [run.run_id for _, _, run in found] == [run.run_id for run in runs]
    for start, _, _ in found:
        assert sum(begin <= start < end for begin, end, _ in found) <= 2
    assert sum(begin <= found[1][0] < end for begin, end, _ in found) == 2
    assert not [*(stage.root / "queue").glob("*.json")]
    assert not [*(stage.root / "queue" / "slots").iterdir()]


def test_higher_priorities_start_first(stage, dispatch):
    stage.submit(0, launch={"threads": 2})
    queue.submit(stage.root, stage.specs(1, launch={"threads": 2}), turn=queue.Turn(priority=1))
    dispatch()
    assert [run.run_id[-2:] for _, _, run in spans(stage)] == ["s1", "s0"]


def test_a_run_that_needs_the_whole_machine_is_not_overtaken(stage, dispatch):
    stage.play({"wait": "go"}, FINISH)
    small, large = {"threads": 1}, {"threads": 2}
    for seed, launch in enumerate([small, large, small]):
        stage.submit(seed, launch=launch)
    dispatch(lambda: stage.allow("go"))
    found = spans(stage)
    assert [run.run_id[-2:] for _, _, run in found] == ["s0", "s1", "s2"]
    assert found[1][0] >= found[0][1] and found[2][0] >= found[1][1]


def test_runs_are_placed_on_gpus_by_uuid(stage, dispatch, monkeypatch):
    monkeypatch.setattr(devices, "gpus", lambda: GPUS)
    stage.play({"wait": "go"}, FINISH)
    first, second, cpu = *stage.submit(0, 1), *stage.submit(2, launch={"devices": "cpu"})
    (chosen,) = stage.submit(3, launch={"devices": ["1"], "threads": 3})
    dispatch(lambda: stage.allow("go"))
    assert [run.launch().device for run in (first, second, cpu, chosen)] == [
        "GPU-a",
        "GPU-b",
        "cpu",
        "GPU-b",
    ]
    assert chosen.launch().time >= second.exit().time
    assert environment(second) | {"cwd": ""} == {
        "LTHTUI_ATTEMPT": "1",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "GPU-b",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "cwd": "",
    }
    assert environment(cpu)["CUDA_VISIBLE_DEVICES"] == ""
    assert environment(chosen)["OMP_NUM_THREADS"] == "3"


def test_who_queues_a_run_says_which_gpus_it_may_see(stage, dispatch, monkeypatch):
    monkeypatch.setattr(devices, "gpus", lambda: GPUS)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    (one,) = stage.submit(0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (none,) = stage.submit(1)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    dispatch()
    assert (one.launch().device, none.launch().device) == ("GPU-b", "cpu")


def test_every_start_is_an_attempt_and_keeps_the_threads_of_the_first(stage, dispatch, monkeypatch):
    monkeypatch.setenv("LTHTUI_USER", "ann")
    stage.play({"exit": 1})
    (run,) = stage.submit(0, launch={"threads": 2})
    monkeypatch.setenv("LTHTUI_USER", "bob")  # who starts the queue process is of no interest
    dispatch()
    assert (status(run), run.launch().attempt) == (Status.FAILED, 1)
    assert run.launch().user == "ann"
    run.attempt_file.write_text("7")  # somebody started it by hand meanwhile
    run.spec_file.write_text(run.spec_file.read_text().replace("threads: 2", "threads: 1"))
    stage.play(FINISH)
    queue.resume([run])
    dispatch()
    assert (status(run), run.launch().attempt, run.launch().threads) == (Status.FINISHED, 8, 2)
    assert environment(run)["LTHTUI_ATTEMPT"] == "8"


@pytest.mark.parametrize(
    ("steps", "settings", "synced"),
    [
        ([{"kill": 9}], {}, True),
        ([{"exit": 1}], {}, True),
        ([{"kill": 9}], {"tracking": "off"}, False),
        ([FINISH], {}, False),
        ([{"emit": {"kind": "run_ended", "status": "failed"}}, {"exit": 1}], {}, False),
    ],
)
def test_the_store_is_told_of_workers_that_died_without_a_word(
    stage, dispatch, steps, settings, synced
):
    stage.play(*steps)
    (run,) = stage.submit(0, **settings)
    dispatch()
    assert (run.path / "synced").exists() == synced


def test_a_run_that_nobody_can_place_waits_and_the_log_says_why(
    stage, dispatch, monkeypatch, capfd
):
    monkeypatch.setattr(devices, "gpus", lambda: GPUS)
    (lost,) = stage.submit(0, launch={"devices": ["1"]})
    (other,) = stage.submit(1)
    monkeypatch.setattr(devices, "gpus", lambda: ())
    stage.play({"wait": "go"}, FINISH)
    dispatcher = Dispatcher(stage.root)
    for _ in range(2):
        dispatcher.dispatch()
    assert (status(lost), status(other)) == (Status.QUEUED, Status.RUNNING)
    assert capfd.readouterr().out.count("no GPU '1' here") == 1
    lost.queue_file.unlink()
    stage.allow("go")
    dispatcher.run(lease.take(stage.root))
    assert status(other) == Status.FINISHED


def test_a_waiting_run_that_somebody_started_by_hand_is_not_started_again(stage, dispatch):
    (run,) = stage.submit(0)
    beat = Heartbeat(attempt=1, process=Process.of(os.getpid()), time=time.time())
    write_json(run.heartbeat_file, beat.model_dump())
    dispatch()
    assert (status(run), run.launch()) == (Status.RUNNING, None)
    assert not run.queue_file.exists()
    run.heartbeat_file.unlink()


def test_a_run_whose_folder_is_spoilt_keeps_no_other_from_its_turn(stage, dispatch):
    spoilt, other = stage.submit(0, 1, launch={"threads": 2})
    spoilt.launch_file.mkdir()
    dispatcher = Dispatcher(stage.root)
    dispatcher.dispatch()
    assert [status(run) for run in (spoilt, other)] == [Status.QUEUED, Status.RUNNING]
    assert "can't be started" in dispatcher._obstacles[spoilt.run_id].reason
    spoilt.launch_file.rmdir()
    dispatcher.run(lease.take(stage.root))
    assert [status(run) for run in (spoilt, other)] == [Status.FINISHED] * 2


def test_a_look_that_fails_takes_no_run_out_of_the_queue(stage, dispatch, monkeypatch):
    (run,) = stage.submit(0)
    real = Path.stat

    def stale(path, **options):
        if path == run.spec_file:
            raise OSError(116, "Stale file handle", str(path))
        return real(path, **options)

    dispatcher = Dispatcher(stage.root)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", stale)
        dispatcher.dispatch()
    dispatcher.run(lease.take(stage.root))
    assert status(run) == Status.FINISHED


def test_processes_that_stay_behind_are_looked_at_less_and_less(stage, dispatch):
    (run,) = stage.submit(0)
    dispatcher = Dispatcher(stage.root)
    holder = Holder(run_id=run.run_id, threads=1, per_device=1)
    taken = dispatcher.ledger.take([devices.cpu()], holder)
    pauses = []
    for _ in range(6):
        dispatcher.collect()
        pauses.append(dispatcher._patience())
    assert pauses[0] <= 0.1 and pauses == sorted(pauses) and pauses[-1] == RETRY
    taken.close()
    dispatch()
    assert status(run) == Status.FINISHED


def test_a_run_queued_again_before_its_end_was_seen_to_stays_queued(stage, dispatch):
    stage.play({"emit": {"kind": "run_ended", "status": "stopped"}})
    (run,) = stage.submit(0)

    def again():
        stage.until(run, Status.STOPPED)  # what the queue process has not looked at yet
        stage.play(FINISH)
        assert [one.action for one in queue.resume([run])] == ["resumed"]
        dispatcher.dispatch()
        assert status(run) == Status.QUEUED

    dispatcher = Dispatcher(stage.root)
    dispatcher.dispatch()
    again()
    dispatcher.run(lease.take(stage.root))
    assert (status(run), run.launch().attempt) == (Status.FINISHED, 2)


def test_a_killed_queue_process_is_replaced_and_its_runs_adopted(stage):
    stage.play({"wait": "go"}, FINISH)
    threads = os.cpu_count() or 1
    running, waiting, last = stage.submit(0, 1, 2, launch={"threads": threads})
    stage.wait(running.heartbeat_file.exists)
    before = running.launch()
    stage.kill_queue_process()
    assert (status(running), status(waiting)) == (Status.RUNNING, Status.QUEUED)
    lease.ensure(stage.root)
    stage.wait(stage.dispatched)
    assert running.launch() == before
    stage.allow("go")
    stage.until(last, Status.FINISHED)
    assert (status(running), running.exit().attempt) == (Status.FINISHED, 1)
    assert waiting.launch().time >= running.exit().time
    assert last.launch().time >= waiting.exit().time
    assert not (running.path / "synced").exists()


def test_what_died_while_nobody_looked_is_found(stage):
    stage.play({"wait": "never"})
    (run,) = stage.submit(0)
    stage.wait(run.heartbeat_file.exists)
    stage.kill_queue_process()
    worker = run.heartbeat().process
    run.launch().process.signal(signal.SIGKILL)
    stage.wait(lambda: not worker.alive)
    assert status(run) == Status.LOST
    lease.ensure(stage.root)
    stage.wait((run.path / "synced").exists)
    stage.wait(lambda: not stage.dispatched())
    assert status(run) == Status.LOST


def test_a_place_is_free_only_when_all_processes_of_its_run_are_gone(stage, dispatch):
    stage.play(s0=[{"spawn": "held"}, {"wait": "never"}], s1=[FINISH])
    first, second = stage.submit(0, 1, launch={"threads": 2})
    dispatcher = Dispatcher(stage.root)
    dispatcher.dispatch()
    stage.wait((first.path / "spawned").exists)
    stage.wait(lambda: (first.path / "spawned").read_text())
    orphan = Process.of(int((first.path / "spawned").read_text()))
    first.launch().process.signal(signal.SIGKILL)  # the shim, so that nobody sweeps
    stage.wait(lambda: status(first) == Status.LOST)
    dispatcher.collect()
    dispatcher.dispatch()
    assert orphan.alive and status(second) == Status.QUEUED
    orphan.signal(signal.SIGKILL)
    stage.wait(lambda: not orphan.alive)
    dispatch()
    assert status(second) == Status.FINISHED


def test_a_killed_shim_is_seen_to_also_when_its_worker_takes_long_to_go(stage):
    stage.play({"spawn": "held"}, {"wait": "never"})
    (run,) = stage.submit(0)
    stage.wait(lambda: (run.path / "spawned").exists() and (run.path / "spawned").read_text())
    orphan = Process.of(int((run.path / "spawned").read_text()))
    run.launch().process.signal(signal.SIGKILL)
    stage.until(run, Status.LOST)
    time.sleep(0.3)
    assert stage.dispatched() and not (run.path / "synced").exists()
    orphan.signal(signal.SIGKILL)
    stage.wait((run.path / "synced").exists)


def test_it_ends_when_nothing_is_left_and_starts_anew(stage):
    for seed in (0, 1):
        (run,) = stage.submit(seed)
        stage.until(run, Status.FINISHED)
        stage.wait(lambda: not stage.dispatched())
    log = stage.root / "queue" / "dispatcher.log"
    assert log.read_text() == ""


def test_it_is_no_zombie_of_who_started_it(stage):
    stage.play({"wait": "go"}, FINISH)
    (run,) = stage.submit(0)
    stage.until(run, Status.RUNNING)
    pid = stage.leader().pid
    stage.allow("go")
    stage.until(run, Status.FINISHED)
    stage.wait(lambda: not Path(f"/proc/{pid}").exists())


def test_one_at_a_time_holds_the_lease(stage):
    stage.play({"wait": "go"}, FINISH)
    (run,) = stage.submit(0)
    stage.until(run, Status.RUNNING)
    second = [sys.executable, "-P", "-m", "lthtui.launch.dispatcher", stage.root]
    assert subprocess.run(second, timeout=PATIENCE).returncode == 0
    assert stage.dispatched()
    stage.allow("go")
    stage.until(run, Status.FINISHED)


def test_waiting_for_a_run_costs_nothing(stage):
    stage.play({"wait": "go"}, FINISH)
    runs = stage.submit(0, 1, 2, launch={"threads": os.cpu_count() or 1})
    stage.wait(runs[0].heartbeat_file.exists)
    pid = stage.leader().pid
    used = _ticks(pid)
    time.sleep(2)
    assert _ticks(pid) - used < 20  # of 200 hundredths of a second
    stage.allow("go")
    stage.until(runs[-1], Status.FINISHED)


def _ticks(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_it_imports_nothing_heavy():
    heavy = ["textual", "typer", "rich", "mlflow", "torch", "numpy", "yaml"]
    code = f"""
import sys, lthtui.launch.dispatcher
print([name for name in {heavy} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
