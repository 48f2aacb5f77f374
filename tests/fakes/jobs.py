"""Runs as jobs of a cluster: what tests do with them."""

from __future__ import annotations

import subprocess

from waiting import wait_for

from engine.rundir import status
from lthtui.launch import entries

JOB = {"slurm": {"time": "10"}, "retries": 0}


def use(cluster, monkeypatch, folder):
    """Have this process, and what it starts, use the cluster, from a folder without settings."""
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    monkeypatch.chdir(folder)


def job_of(run):
    """The number of a run's job, once there is one."""
    wait_for(lambda: (entry := entries.find(run)) and entry.job, lambda: status(run))
    return entries.find(run).job


def reaches(run, epoch):
    """Wait until a run has ended an epoch."""
    mark = f'"epoch":{epoch},'.encode()
    wait_for(lambda: run.events_file.exists() and mark in run.events_file.read_bytes())


def tickets(run):
    return {path.parent.name: path.read_bytes() for path in run.levels.glob("*/ticket.safetensors")}


def dispatcher_of(root):
    """The pid of the queue process of a root."""
    pattern = f"lthtui.launch.dispatcher {root}$"
    found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True)
    return int(found.stdout)
