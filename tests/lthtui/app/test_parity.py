"""Whatever the app does can be done without it, by a command, and the other way round."""

from __future__ import annotations

from fnmatch import fnmatch

import typer

from lthtui.app import LthApp
from lthtui.commands.tree import tree
from lthtui.screens import bindings

# About the screen alone: where one looks, what is marked, how it is drawn, a dialogue's answers.
SCREEN = """
    app.* go.* help.* confirm.* name.* pick.* kinds.* grid.* sheet.* matrix.* form.*
    *.cancel *.no *.close *.back *.clear *.mark *.leave
    *.next *.before *.next_pane *.pane_before *.next_tab *.tab_before *.files *.problem *.reload
    *.up *.down *.left *.right *.first *.last *.page_up *.page_down *.toggle *.complete
    chart.far_* chart.follow chart.hide chart.move_* chart.refer chart.reset chart.zoom_*
    chart.average chart.axis chart.band chart.scale chart.traces
    compare.drawn compare.whole main.metric* view.metric* columns.pin columns.reset
    pane.* files.* spec.way log.wrap log.next_run log.run_before run.copy specs.command
    specs.discard spec.command
""".split()

TWINS = {  # actions of the app, and the commands that do the same; `|` where any of them does
    "chart.write": "compare --output",
    "compare.baseline": "compare --baseline",
    "compare.export": "compare --output",
    "compare.*level*": "compare --level",
    "compare.split": "compare --json",
    "compare.test": "compare --test",
    "enqueue.yes": "run --detach",
    "evaluate.tickets": "evaluate --with --level",
    "export.*": "ticket export",
    "log.*": "logs --follow --lines",
    "main.archived": "list --archived",
    "main.columns": "list --columns",
    "main.compare": "compare",
    "main.constant": "list --columns",
    "main.experiment": "list --filter",
    "main.filter": "list --filter",
    "main.*level*": "show --json",
    "main.new": "run",
    "main.sort": "list --sort",
    "main.trash": "trash --list",
    "note.save": "note",
    "queue.down": "exchange",
    "queue.hold": "hold | release",
    "queue.less": "priority",
    "queue.more": "priority",
    "queue.new": "run",
    "queue.up": "exchange",
    "run.archive": "archive --undo",
    "run.clone": "run",
    "run.evaluate": "evaluate --with",
    "run.go_on": "run",
    "run.note": "note",
    "run.page": "mlflow",
    "run.pause": "pause",
    "run.rename": "rename",
    "run.resume": "resume | retry --force",
    "run.stop": "cancel",
    "run.tags": "tag",
    "run.throw": "trash",
    "specs.copy": "new",
    "specs.new": "new",
    "specs.queue": "run --detach --dry-run",
    "specs.save": "new",
    "tags.add": "tag",
    "tags.remove": "tag --remove",
    "tickets.control": "control",
    "tickets.export": "ticket export",
    "tickets.filter": "ticket list --filter",
    "tickets.open": "show",
    "tickets.overlap": "ticket overlap",
    "tickets.reverse": "ticket list --sort",
    "tickets.sort": "ticket list --sort",
    "tickets.verify": "ticket verify",
    "tickets.which": "ticket list --winning",
    "trash.empty": "trash --empty",
    "trash.remove": "trash --empty",
    "trash.restore": "trash --restore",
    "view.*level*": "show --json",
}

# Without an action: what the app does by itself, and what is done once, for scripts or beside it.
BESIDE = """
    check plan schema search best worth report extend metrics sync gc doctor serve limit
    queue
    ticket-import data-list data-get data-inspect
""".split()


def actions():
    return {one.id for node in (LthApp, *bindings.classes()) for one in bindings.own(node)}


def twins():
    """Each command that is named above, and its options."""
    for said in TWINS.values():
        for one in said.split(" | "):
            words = one.split()
            yield (
                [word for word in words if word[0] != "-"],
                {word for word in words if word[0] == "-"},
            )


def every(command, *names):
    """All commands below a group, by their words."""
    if isinstance(command, typer.core.TyperGroup):
        return {
            key: one
            for name in command.commands
            for key, one in every(command.commands[name], *names, name).items()
        }
    return {names: command}


def test_every_action_has_a_command_or_is_about_the_screen():
    known = [*SCREEN, *TWINS]
    left = {one for one in actions() if not any(fnmatch(one, known) for known in known)}
    assert not left, "name their commands in TWINS, or say in SCREEN that they need none"
    unused = [one for one in known if not any(fnmatch(action, one) for action in actions())]
    assert not unused, "no action is called so any more"


def test_these_commands_exist_and_the_app_lacks_no_other():
    commands = every(typer.main.get_command(tree()))
    named = set()
    for words, options in twins():
        command = commands[tuple(words)]
        assert options <= {word for one in command.params for word in one.opts}, words
        named.add("-".join(words))
    assert {"-".join(words) for words in commands} - named == {*BESIDE}
