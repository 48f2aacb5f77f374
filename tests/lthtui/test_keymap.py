"""Keys that a person chose are checked before the app starts."""

from __future__ import annotations

import pytest

from engine.errors import UsageError
from lthtui import keymap
from lthtui.keymap import Bound

KNOWN = [
    Bound("run.stop", "Main", "x"),
    Bound("main.filter", "Main", "slash"),
    Bound("app.quit", "Main", "q"),
    Bound("grid.up", "Grid", "up,k"),
    Bound("log.up", "Log", "up,k"),
    Bound("help.close", "Help", "escape,q"),
    Bound("app.quit", "Help", "q"),  # which the help takes before the app
]
NAMES = ["slash", "up", "escape", "pageup", "f5"]


def check(**chosen):
    chosen = {name.replace("_", "."): keys for name, keys in chosen.items()}
    keymap.check(chosen, KNOWN, NAMES, lambda key: {"/": "slash"}.get(key, key))


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"run_stop": "X, pageup"},
        {"run_stop": "ctrl+shift+f5"},
        {"run_stop": "q", "app_quit": "Q"},
        {"grid_up": "x"},  # in focus, a widget's keys come first
        {"run_stop": "é"},
    ],
)
def test_what_does_one_thing_in_each_place_is_taken(chosen):
    check(**chosen)


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"run_stpo": "X"}, "no binding 'run.stpo'; did you mean run.stop?"),
        ({"run_stop": "pageupp"}, "'pageupp' for run.stop is no key; did you mean pageup?"),
        ({"run_stop": "ctl+x"}, "'ctl.x' for run.stop is no key"),
        ({"run_stop": ""}, "'' for run.stop is no key"),
        ({"run_stop": "a,,b"}, "'' for run.stop"),
        ({"run_stop": "\x1b[2J"}, r"'\\x1b"),
        ({"run_stop": "/"}, "'slash' would be both run.stop and main.filter"),
        ({"run_stop": "q"}, "'q' would be both run.stop and app.quit; give one of them another"),
        ({"main_filter": "/,x"}, "'x' would be both run.stop and main.filter"),
    ],
)
def test_what_would_do_nothing_or_two_things_is_refused(chosen, words):
    with pytest.raises(UsageError, match=words):
        check(**chosen)
