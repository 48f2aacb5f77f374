import select
import signal
import sys

from engine.processes import Process
from lthtui.launch.backends import local


def test_a_worker_has_ended_only_when_its_shim_is_reaped(spawn):
    child = spawn([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    dying = Process.of(child.pid).model_copy(update={"start": 1})  # as between two looks at it
    worker = local.LocalWorker(dying, child, -1)
    assert not worker.ended()
    child.kill()
    select.select([worker], [], [])
    assert worker.ended() and child.returncode == -signal.SIGKILL
    worker.close()
