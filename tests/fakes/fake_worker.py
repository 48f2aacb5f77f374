"""Plays a worker's part from a script, so that queue, monitor and app tests need no torch.

`fake_worker.py SCRIPT RUN_DIR`, or `fake_worker.py SCRIPT sync RUN_DIR...`, which leaves a file
`synced` in each run's folder, once there is no file `away` beside SCRIPT. Either notes in
mlflow.json that MLflow knows all, a worker unless there is such a file. SCRIPT is a JSON file with
a list of steps, or the same per run: `{"<part of a run id>": [...], "": [...]}`. Steps, one key
each:

    {"emit": {"kind": "warned", ...}}   append an event; tickets that were saved are empty files
    {"raw": "text"}                     append bytes to the journal as they are
    {"print": "text"}                   write a line to the log
    {"sleep": 0.1}                      wait, ending early when asked to stop
    {"wait": "name"}                    wait for a file of that name beside the script
    {"ignore": "TERM"}                  from now on ignore a signal
    {"spawn": "group"}                  leave a sleeping grandchild behind; "session" gives it a
                                        session of its own, "held" also what this one has open,
                                        and an environment that does not say whose it is
    {"first": [...]}                    steps of the first attempt alone
    {"kill": 9}                         be ended by a signal
    {"exit": 3}                         end

As a real worker it writes the fence, a heartbeat, run_started and run_ended, and exits with 75 when
it gets SIGTERM between or during steps; before, it is killed by it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from engine import events, link
from engine.processes import Process
from engine.rundir import Heartbeat, RunDirectory, Status, status, write_json
from engine.schema import MLFLOW_STATUS


class Stopped(Exception):
    """SIGTERM came."""


def stop(*_):
    raise Stopped


def main(arguments):
    script, *verb, folder = arguments
    if verb:
        while away(script):
            time.sleep(0.01)
        for directory in map(RunDirectory, [*verb[1:], folder]):
            (directory.path / "synced").write_text(verb[0])
            deliver(directory, status(directory))
        return 0
    directory = RunDirectory(folder)
    attempt = int(os.environ["LTHTUI_ATTEMPT"])
    directory.attempt_file.write_text(str(attempt))
    beat = Heartbeat(
        attempt=attempt, process=Process.of(os.getpid()), time=time.time(), folder=directory.inode
    )
    write_json(directory.heartbeat_file, beat.model_dump())
    journal = events.Journal(directory.events_file, directory.run_id, attempt)
    keep_environment(directory)
    try:
        signal.signal(signal.SIGTERM, stop)
        return play(steps(Path(script), directory.run_id), Path(script).parent, directory, journal)
    except Stopped:
        end(directory, journal, events.RunEnded(status="stopped"))
        return 75


def away(script):
    return (Path(script).parent / "away").exists()


def end(directory, journal, event):
    journal.append(event)
    if os.environ.get("LTHTUI_SINK") != "off" and not away(sys.argv[1]):
        deliver(directory, Status(event.status))


def deliver(directory, state):
    settled = {
        "attempt": int(directory.attempt_file.read_text()),
        "status": MLFLOW_STATUS[state],
    }
    size = directory.events_file.stat().st_size
    noted = link.Link(
        experiment_id="1", mlflow_run_id="played", tracking_uri="", offset=size, settled=settled
    )
    write_json(directory.mlflow_file, noted.model_dump())


def keep_environment(directory):
    names = ("LTHTUI_ATTEMPT", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")
    seen = {name: os.environ.get(name) for name in names} | {"cwd": os.getcwd()}
    (directory.path / "environment.json").write_text(json.dumps(seen))


def steps(script, run_id):
    written = json.loads(script.read_text())
    if isinstance(written, list):
        return written
    return next(found for part, found in written.items() if part in run_id)


def play(script, folder, directory, journal):
    for step in script:
        ((verb, value),) = step.items()
        match verb:
            case "emit":
                if value["kind"] == "ticket_saved":
                    ticket = directory.path / value["path"]
                    ticket.parent.mkdir(parents=True, exist_ok=True)
                    ticket.touch()
                event = events.KINDS[value["kind"]].model_validate(value)
                if value["kind"] == "run_ended":
                    end(directory, journal, event)
                else:
                    journal.append(event)
            case "raw":
                with directory.events_file.open("a") as file:
                    file.write(value)
            case "print":
                print(value, flush=True)
            case "sleep":
                time.sleep(value)
            case "wait":
                while not (folder / value).exists():
                    time.sleep(0.01)
            case "ignore":
                signal.signal(getattr(signal, f"SIG{value}"), signal.SIG_IGN)
            case "spawn":
                child = subprocess.Popen(
                    [sys.executable, "-S", "-c", "import time; time.sleep(600)"],
                    start_new_session=value != "group",
                    close_fds=value != "held",
                    env={} if value == "held" else None,  # which tells whose it is
                )
                (directory.path / "spawned").write_text(str(child.pid))
                child.returncode = 0  # left behind on purpose
            case "first" if os.environ["LTHTUI_ATTEMPT"] == "1":
                if code := play(value, folder, directory, journal):
                    return code
            case "kill":
                os.kill(os.getpid(), value)
            case "exit":
                return value
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
