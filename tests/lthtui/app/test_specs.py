"""What a user sees and does in the place of specs."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from rundirs import FakeRun, populate
from textual.widgets import Static

import engine.sparsifiers
from engine import registry
from engine.errors import UsageError
from lthtui import yamlfile
from lthtui.app import READ
from lthtui.desk import Wish
from lthtui.screens import specs as module
from lthtui.screens.confirm import ConfirmScreen
from lthtui.screens.enqueue import EnqueueScreen
from lthtui.screens.main import MainScreen
from lthtui.screens.naming import NameScreen
from lthtui.screens.specs import SpecsScreen
from lthtui.widgets.editor import SpecEditor
from lthtui.widgets.form import FormView
from lthtui.widgets.grid import Grid
from lthtui.widgets.problems import ProblemLine
from lthtui.widgets.speclist import SpecList

from .conftest import SPEC, StubDesk, screen


@pytest.fixture
def opened(running, specs, monkeypatch):
    """Opens the app in the place of specs, at the first of them."""
    monkeypatch.setattr(module, "PAUSE", 0.02)

    @asynccontextmanager
    async def open_specs(size=(120, 40), desk=None):
        async with running(size=size, desk=desk) as pilot:
            await pilot.press("n")
            await pilot.settle(lambda: checked(pilot))
            yield pilot

    return open_specs


def checked(pilot):
    """Whether all that was typed has been looked at."""
    shown = next(one for one in pilot.app.screen_stack if isinstance(one, SpecsScreen))
    found = shown.prospect
    return found is not None and found.text == shown.query_one(SpecEditor).text


def text(pilot):
    return pilot.app.screen.query_one(SpecEditor).text


def toasts(pilot):
    return [one.message for one in pilot.app._notifications]


def words(pilot):
    """What the form says of the field that its cursor is on."""
    return str(pilot.app.screen.query_one("#about", Static).content)


def fields(pilot):
    """Rows of the form by field."""
    return {row.key: row for row in pilot.app.screen.query_one("#knobs", Grid).rows}


def add(pilot, more=""):
    """Type at the end of the text."""
    editor = pilot.app.screen.query_one(SpecEditor)
    editor.focus()
    editor.move_cursor(editor.document.end)
    editor.insert(more)


async def to_field(pilot, key):
    """Put the cursor of the form on a field."""
    form = pilot.app.screen.query_one(FormView)
    form.focus()
    form.query_one(Grid).select(key)
    await pilot.settle()


async def test_an_error_is_fixed_and_the_runs_are_queued(opened, specs, root):
    desk = StubDesk(root)
    async with opened(desk=desk) as pilot:
        await pilot.press("down")
        await pilot.settle(lambda: "did you mean" in screen(pilot.app))
        assert "◀ unknown model" in screen(pilot.app)
        assert "✗ 2:8 unknown model" in screen(pilot.app) and "✗1" in screen(pilot.app)
        await pilot.press("f5")
        await pilot.settle(lambda: toasts(pilot))
        assert "cannot be queued: unknown model" in toasts(pilot)[0] and desk.asked == []
        await pilot.press("f3")
        await pilot.settle()
        editor = pilot.app.focused
        assert isinstance(editor, SpecEditor) and editor.cursor_location == (1, 7)
        await pilot.press("end", "backspace", "0")
        await pilot.settle(lambda: checked(pilot))
        assert "◀" not in screen(pilot.app) and "specs/wrong.yaml (modified)" in screen(pilot.app)
        assert "200 training, 300 validation, 797 test" in screen(pilot.app)
        await pilot.press("f5")
        await pilot.settle(lambda: isinstance(pilot.app.screen, EnqueueScreen))
        assert (specs / "wrong.yaml").read_text() == SPEC
        assert "Queue 3 runs of specs/wrong.yaml?" in screen(pilot.app)
        await pilot.press("y")
        await pilot.settle(lambda: desk.asked)
        assert desk.asked == [("submit", "specs/wrong.yaml", Wish())]
        assert "3 runs queued" in toasts(pilot)


async def test_queueing_asks_when_and_takes_no_for_an_answer(opened, root):
    runs = populate(root)
    desk = StubDesk(root)
    async with opened(desk=desk) as pilot:
        await pilot.press("f5")
        await pilot.settle(lambda: isinstance(pilot.app.screen, EnqueueScreen))
        await pilot.press("enter")
        await pilot.settle(lambda: isinstance(pilot.app.screen, SpecsScreen))
        assert desk.asked == []
        await pilot.press("f5")
        await pilot.settle(lambda: isinstance(pilot.app.screen, EnqueueScreen))
        dialog = pilot.app.screen
        dialog.query_one("#priority").value = "3"
        await pilot.settle(lambda: "hold      [ ] until it is released" in screen(pilot.app))
        dialog.query_one("#hold").focus()
        await pilot.press("space")
        await pilot.settle(lambda: "hold      [x] until it is released" in screen(pilot.app))
        dialog.query_one("#after").value = runs["imp-s2"].run_id
        await pilot.press("y")
        await pilot.settle(lambda: desk.asked)
        assert desk.asked[0][2] == Wish(3, True, (runs["imp-s2"].run_id,))


async def test_another_sparsifier_is_chosen_by_the_form(opened):
    async with opened() as pilot:
        await to_field(pilot, "sparsifier")
        assert "rewind" in screen(pilot.app)
        await pilot.press("enter")
        await pilot.settle()
        assert "rigl" in screen(pilot.app)
        options = pilot.app.focused
        options.highlighted = [str(one.prompt) for one in options.options].index("rigl")
        await pilot.press("enter")
        await pilot.settle(lambda: checked(pilot) and "sparsifier.alpha" in fields(pilot))
        assert text(pilot) == SPEC + "sparsifier: rigl\n"
        assert "sparsifier.rewind" not in fields(pilot)
        assert "rigl on digits with resnet20" in screen(pilot.app)
        await to_field(pilot, "sparsifier.density")
        await pilot.press("enter", *"0.1, 0.05", "enter")
        await pilot.settle(lambda: checked(pilot) and "6 runs" in screen(pilot.app))
        found = yamlfile.parse(text(pilot), "x").data
        assert found["vary"] == {"sparsifier.density": [0.1, 0.05]}
        assert "6 runs: 2 variants × 3 seeds" in screen(pilot.app)
        await pilot.press("backspace")
        await pilot.settle(lambda: checked(pilot) and "6 runs" not in screen(pilot.app))
        assert text(pilot) == SPEC + "sparsifier: rigl\n"


async def test_what_is_typed_fills_the_form_and_can_be_undone(opened):
    async with opened() as pilot:
        await to_field(pilot, "model.width")
        await pilot.press("enter", "4", "enter")
        await pilot.settle(lambda: checked(pilot))
        assert "model: {name: resnet20, width: 4}" in text(pilot)
        editor = pilot.app.screen.query_one(SpecEditor)
        editor.undo()
        await pilot.settle(lambda: checked(pilot))
        assert text(pilot) == SPEC
        add(pilot, "select")
        await pilot.press(*":", "enter", *"level: last")
        await pilot.settle(lambda: checked(pilot))
        assert text(pilot) == SPEC + "select:\n  level: last"
        await to_field(pilot, "select.level")
        assert "select.level: the best sparse level" in screen(pilot.app)
        assert [cell.text for cell in fields(pilot)["select.level"].cells] == ["level", "last"]
        assert fields(pilot)["select.level"].cells[1].tone == "name"


async def test_a_field_that_the_text_cannot_take_is_said(opened):
    async with opened() as pilot:
        await to_field(pilot, "train.epochs")
        await pilot.press("enter", "[", "enter")
        await pilot.settle(lambda: toasts(pilot))
        assert "a bracket is never closed" in toasts(pilot)[0] and text(pilot) == SPEC


async def test_a_run_is_cloned_and_what_changed_is_shown(running, root, specs):
    run = FakeRun(root, "old", 3, train={"epochs": 4}).start().train(6).end()
    async with running() as pilot:
        await pilot.press("C")
        await pilot.settle(lambda: isinstance(pilot.app.screen, NameScreen))
        assert f"Clone {run.run_id} as" in screen(pilot.app)
        await pilot.press("enter")
        await pilot.settle(lambda: isinstance(pilot.app.screen, SpecsScreen) and checked(pilot))
        assert f"as {run.run_id}" in screen(pilot.app) and "seeds:" in text(pilot)
        assert "1 finished already" in screen(pilot.app)
        await to_field(pilot, "train.epochs")
        await pilot.press("enter", "backspace", "9", "enter")
        await pilot.settle(lambda: checked(pilot) and "changed from" in screen(pilot.app))
        assert "train.epochs  4 → 9" in screen(pilot.app)
        assert not (specs / "old.yaml").exists()
        await pilot.press("f2")
        await pilot.settle(lambda: (specs / "old.yaml").exists())
        assert (specs / "old.yaml").read_text() == text(pilot)


async def test_a_clone_outlives_a_name_that_is_none(running, root, specs):
    FakeRun(root, "old").start()
    async with running() as pilot:
        await pilot.press("C")
        await pilot.settle(lambda: isinstance(pilot.app.screen, NameScreen))
        await pilot.press("o", "space", "d", "enter")
        await pilot.settle(lambda: toasts(pilot) and isinstance(pilot.app.screen, NameScreen))
        assert "a name consists of" in toasts(pilot)[-1] and " o d " in screen(pilot.app)
        await pilot.press("d", "enter")
        await pilot.settle(lambda: "specs/d.yaml (modified)" in screen(pilot.app))


async def test_a_clone_is_in_view_and_escape_leads_back(running, root, specs):
    populate(root)
    async with running(size=(80, 24)) as pilot:
        for answer in ("enter", "escape"):
            await pilot.press("end", "C")
            await pilot.settle(lambda: isinstance(pilot.app.screen, NameScreen))
            await pilot.press(answer)
            await pilot.settle()
            if answer == "enter":
                assert "specs/digits-imp.yaml (modified)" in screen(pilot.app)
                assert isinstance(pilot.app.focused, SpecEditor)
                assert toasts(pilot)[-1].endswith("esc goes back to runs")
                await pilot.press("escape")
                await pilot.settle()
            assert isinstance(pilot.app.screen, MainScreen)
        await pilot.press("5", "escape")
        await pilot.settle()
        assert isinstance(pilot.app.screen, SpecsScreen)  # no longer: it was left


async def test_a_group_is_trained_from_the_ticket_of_each_seed_and_says_so(
    running, root, monkeypatch
):
    for seed in (0, 1):
        FakeRun(root, "imp", seed, levels=1, top=1).start().train(2).end()
    desk = StubDesk(root)
    monkeypatch.setattr(desk.specs, "clone", lambda *asked: ("again", SPEC))
    async with running(desk=desk) as pilot:
        for key, asked in (
            ("C", "-s0 and 1 other seed as"),
            ("U", "-s0:best and 1 other seed, each from its own, as"),
        ):
            await pilot.press("home", key)
            await pilot.settle(lambda: isinstance(pilot.app.screen, NameScreen))
            assert str(pilot.app.screen.query_one("#question", Static).content).endswith(asked)
            await pilot.press("escape")
            await pilot.settle(lambda: isinstance(pilot.app.screen, MainScreen))


async def test_why_nothing_can_be_queued_is_told_whole(running, specs):
    (specs / "good.yaml").write_text("model: resnet18\ndata: {name: isic2018, root: nowhere}\n")
    async with running(size=(80, 24), toasts=True) as pilot:
        await pilot.press("n")
        await pilot.settle(lambda: pilot.app.screen.prospect)
        await pilot.press("f5")
        await pilot.settle(lambda: "above" in screen(pilot.app))  # its last word
        (toast,) = pilot.app._notifications
        assert "data.root nowhere is no folder" in screen(pilot.app)
        assert "✗" not in fields(pilot)["data"].cells[1].text  # which is nobody's mistake
        assert toast.timeout == len(toast.message) / READ > 10


async def test_what_cannot_be_cloned_is_said_where_it_was_asked(running, root, monkeypatch):
    FakeRun(root, "old").start()
    desk = StubDesk(root)

    def clone(*asked):
        raise UsageError("its spec is gone")

    monkeypatch.setattr(desk.specs, "clone", clone)
    async with running(desk=desk) as pilot:
        await pilot.press("C")
        await pilot.settle(lambda: isinstance(pilot.app.screen, MainScreen) and toasts(pilot))
        assert toasts(pilot) == ["its spec is gone"]


async def test_what_changed_on_disk_is_not_written_over(opened, specs):
    async with opened() as pilot:
        add(pilot, "keep: [all]")
        await pilot.settle(lambda: checked(pilot))
        (specs / "good.yaml").write_text(SPEC + "# theirs\n")
        await pilot.press("f2")
        await pilot.settle(lambda: isinstance(pilot.app.screen, ConfirmScreen))
        assert "specs/good.yaml changed on disk" in screen(pilot.app)
        await pilot.press("n")
        await pilot.settle()
        assert text(pilot) == SPEC + "keep: [all]"
        assert (specs / "good.yaml").read_text() == SPEC + "# theirs\n"
        await pilot.press("f2")
        await pilot.settle(lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("y")
        await pilot.settle(lambda: checked(pilot))
        assert text(pilot) == SPEC + "# theirs\n"
        assert "modified" not in screen(pilot.app)


async def test_a_file_that_others_change_is_shown_anew_unless_something_was_typed(opened, specs):
    async with opened() as pilot:
        (specs / "good.yaml").write_text(SPEC + "keep: [all]\n")
        await pilot.press("r")
        await pilot.settle(lambda: "keep: [all]" in text(pilot))
        add(pilot)
        await pilot.press("#", "escape")
        (specs / "good.yaml").write_text(SPEC)
        await pilot.press("r")
        await pilot.settle()
        assert text(pilot) == SPEC + "keep: [all]\n#"


async def test_what_was_typed_survives_other_files_and_places_and_is_asked_about(opened, specs):
    async with opened() as pilot:
        add(pilot, "keep: [all]")
        await pilot.press("escape")
        await pilot.settle()
        assert "good*" in screen(pilot.app)
        await pilot.press("down")
        await pilot.settle(lambda: "resnet2O" in text(pilot))
        await pilot.press("1")
        await pilot.settle()
        assert isinstance(pilot.app.screen, MainScreen)
        await pilot.press("n", "up")
        await pilot.settle(lambda: "keep: [all]" in text(pilot))
        await pilot.press("q")
        await pilot.settle(lambda: isinstance(pilot.app.screen, ConfirmScreen))
        assert "Quit without saving specs/good.yaml?" in screen(pilot.app)
        await pilot.press("n")
        await pilot.settle()
        assert pilot.app.return_code is None
        await pilot.press("s")
        await pilot.settle(lambda: "good*" not in screen(pilot.app))
        await pilot.press("q")
        await pilot.pause()
        assert pilot.app.return_code == 0
    assert (specs / "good.yaml").read_text() == SPEC + "keep: [all]"


async def test_a_spec_is_begun_from_a_template_or_a_copy(opened, specs):
    async with opened() as pilot:
        await pilot.press("n", *"fresh", "enter")
        await pilot.settle(lambda: "# name:" in text(pilot) and checked(pilot))
        assert "fresh*" in screen(pilot.app) and not (specs / "fresh.yaml").exists()
        await pilot.press("f2")
        await pilot.settle(lambda: (specs / "fresh.yaml").exists())
        await pilot.press("escape", "c")
        await pilot.settle(lambda: isinstance(pilot.app.screen, NameScreen))
        await pilot.press("enter")
        await pilot.settle(lambda: "fresh-2*" in screen(pilot.app))
        await pilot.press("escape", "n", *"../x", "enter")
        await pilot.settle(lambda: toasts(pilot))
        assert "a name consists of" in toasts(pilot)[-1]


async def test_what_is_begun_comes_to_the_front_of_a_narrow_terminal(opened):
    async with opened(size=(80, 24)) as pilot:
        for keys in (("n", *"fresh", "enter"), ("c", "enter")):
            await pilot.press(*keys[:1])
            await pilot.settle(lambda: isinstance(pilot.app.screen, NameScreen))
            await pilot.press(*keys[1:])
            await pilot.settle(lambda: isinstance(pilot.app.focused, SpecEditor))
            assert "(modified)" in screen(pilot.app)
            await pilot.press("escape")
            await pilot.settle(lambda: isinstance(pilot.app.focused, SpecList))


async def test_files_say_what_they_ask_for_before_anybody_turns_to_them(opened, specs):
    (specs / "search.yaml").write_text(SPEC + "search: {over: {sparsifier.rate: [0.1, 0.4]}}\n")
    (specs / "unreadable.yaml").write_bytes(b"\xff")
    elsewhere = SPEC.replace("{name: digits", "{name: cifar10, root: nowhere")
    (specs / "absent.yaml").write_text(elsewhere)
    (specs / "both.yaml").write_text(elsewhere + "vary: {data.name: [cifar10, cifar11]}\n")
    async with opened() as pilot:
        files = pilot.app.screen.query_one(SpecList)
        await pilot.settle(lambda: all(row.cells[1].text for row in files.rows))
        told = {row.key[6:-5]: row.cells[1] for row in files.rows}
        assert {name: cell.text for name, cell in told.items()} == {
            "absent": "no data",
            "both": "✗2",
            "good": "3",
            "search": "search",
            "unreadable": "✗1",
            "wrong": "✗1",
        }
        assert (told["absent"].tone, told["wrong"].tone, toasts(pilot)) == ("dim", "failed", [])
        files.select("specs/absent.yaml")
        await pilot.settle(lambda: "◌ no data: 1:" in screen(pilot.app))
        plan = str(pilot.app.screen.query_one("#lines").content)
        assert "looked for data_batch" in plan and "cifar" in plan and "✗" not in plan
        (specs / "wrong.yaml").write_text(SPEC)
        await pilot.press("r")
        await pilot.settle(lambda: files.rows[-1].cells[1].text == "3")


async def test_a_new_spec_takes_no_name_that_is_taken(opened, specs):
    async with opened() as pilot:
        await pilot.press("n", *"good", "enter")
        await pilot.settle(lambda: toasts(pilot))
        assert toasts(pilot) == ["specs/good.yaml exists already"]
        await pilot.settle(lambda: isinstance(pilot.app.screen, NameScreen))
        await pilot.press(*"new", "enter")
        await pilot.settle(lambda: "new*" in screen(pilot.app))
        (specs / "new.yaml").write_text("theirs: 1")
        await pilot.press("f2")
        await pilot.settle(lambda: isinstance(pilot.app.screen, ConfirmScreen))
        assert (specs / "new.yaml").read_text() == "theirs: 1"


async def test_a_copy_outlives_a_name_that_is_taken(opened):
    async with opened() as pilot:
        await pilot.press("c")
        await pilot.settle(lambda: isinstance(pilot.app.screen, NameScreen))
        await pilot.press(*"wrong", "enter")
        await pilot.settle(lambda: toasts(pilot) and isinstance(pilot.app.screen, NameScreen))
        await pilot.press("end", "2", "enter")
        await pilot.settle(lambda: "specs/wrong2.yaml (modified)" in screen(pilot.app))
        assert text(pilot) == SPEC


async def test_a_draft_is_discarded_after_asking(opened, specs):
    async with opened() as pilot:
        await pilot.press("n", *"fresh", "enter")
        await pilot.settle(lambda: "fresh*" in screen(pilot.app) and checked(pilot))
        await pilot.press("escape", "delete")
        await pilot.settle(lambda: "It was never saved" in screen(pilot.app))
        await pilot.press("n")
        await pilot.settle(lambda: "fresh*" in screen(pilot.app))
        await pilot.press("delete", "y")
        await pilot.settle(lambda: "fresh" not in screen(pilot.app) and text(pilot) == SPEC)
        add(pilot, "keep: [all]")
        await pilot.settle(lambda: "good*" in screen(pilot.app))
        await pilot.press("escape", "delete", "y")
        await pilot.settle(lambda: "good*" not in screen(pilot.app) and text(pilot) == SPEC)
        assert (specs / "good.yaml").read_text() == SPEC
        await pilot.press("delete")
        await pilot.settle()
        assert isinstance(pilot.app.screen, SpecsScreen)  # there is nothing to discard


async def test_the_editor_shows_lines_from_their_beginning_where_it_can(opened):
    async with opened(size=(80, 24)) as pilot:
        add(pilot, "# " + "long " * 40)
        await pilot.settle()
        editor = pilot.app.focused
        await pilot.press("end")
        await pilot.settle(lambda: editor.scroll_x > 0)
        await pilot.press("up", "home", "right")
        await pilot.settle(lambda: editor.scroll_x == 0)
        await pilot.press("ctrl+end")
        await pilot.settle(lambda: editor.scroll_x > 0)
        assert editor.cursor_location == editor.document.end
        await pilot.press("ctrl+home")
        await pilot.settle(lambda: editor.cursor_location == (0, 0) and editor.scroll_x == 0)
        await pilot.press("ctrl+end")
        await pilot.settle(lambda: editor.scroll_x > 0)
        editor.put("short: 1")
        await pilot.settle(lambda: editor.scroll_x == 0)


async def test_the_last_draft_leaves_an_empty_editor(opened, specs):
    async with opened() as pilot:
        await pilot.press("n", *"only", "enter")
        await pilot.settle(lambda: "only*" in screen(pilot.app) and checked(pilot))
        for file in specs.iterdir():
            file.unlink()
        await pilot.press("escape", "delete", "y")
        await pilot.settle(lambda: "no spec here" in screen(pilot.app))
        assert text(pilot) == "" and "only" not in screen(pilot.app)


async def test_the_plan_knows_what_was_just_queued(opened):
    async with opened() as pilot:
        looked = []
        pilot.app.screen.check = lambda: looked.append("again")
        pilot.app.screen._send("specs/good.yaml", Wish())
        await pilot.settle(lambda: looked == ["again"])


async def test_the_command_is_copied(opened):
    async with opened() as pilot:
        await to_field(pilot, "train.epochs")
        await pilot.press("enter", "9", "enter")
        await pilot.settle(lambda: checked(pilot))
        await pilot.press("y")
        await pilot.settle(lambda: toasts(pilot))
        assert pilot.app.clipboard == "lthtui run specs/good.yaml train.epochs=9"


async def test_a_narrow_terminal_shows_one_pane_at_a_time(opened):
    async with opened() as pilot:
        await pilot.resize_terminal(80, 24)
        panes = [
            pilot.app.screen.query_one(f"#{name}") for name in ("specs", "editor", "form", "plan")
        ]
        for shown in (0, 1, 2, 3, 0):
            await pilot.settle()
            assert [pane.is_on_screen for pane in panes] == [at == shown for at in range(4)]
            assert panes[shown].has_focus_within
            await pilot.press("tab")
        await pilot.resize_terminal(200, 60)
        await pilot.settle()
        assert all(pane.is_on_screen for pane in panes)


async def test_no_text_breaks_the_screen(opened, specs):
    odd = [
        "",
        "a",
        "\t",
        "model: 3",
        "- x",
        "a: &b 1",
        "'",
        "\x1b[31m: 2",
        "é: [1, {b: ]",
        "vary: 3",
    ]
    async with opened() as pilot:
        editor = pilot.app.screen.query_one(SpecEditor)
        for one in odd:
            editor.text = one
            await pilot.settle(lambda: checked(pilot))
        assert not [one for one in pilot.app._notifications if one.severity == "error"]
        assert "\x1b" not in screen(pilot.app)


async def test_what_is_wrong_where_the_cursor_is_can_be_read_whole_in_a_narrow_terminal(
    opened, specs
):
    (specs / "good.yaml").write_text(SPEC + "train: {learning_rate: 0.1}\nepochs: 9\n")
    async with opened(size=(80, 24)) as pilot:
        line = pilot.app.screen.query_one(ProblemLine)
        assert not line.is_on_screen
        await pilot.press("enter")
        await pilot.settle(lambda: line.is_on_screen)
        said = " ".join(screen(pilot.app).split())
        assert "1 of 2 ✗ 4:9 unknown field 'learning_rate'; known: epochs, batch_size" in said
        assert "evaluate, multiplier" in said  # its last words, of a third line
        await pilot.click(ProblemLine)
        await pilot.press("f3")
        await pilot.settle()
        assert "2 of 2 ✗ 5:1 unknown field 'epochs'; did you" in screen(pilot.app)
        await pilot.press("tab")
        await pilot.settle()
        assert not line.is_on_screen


async def test_the_form_marks_what_is_wrong_and_leads_there(opened, specs):
    wrong = "train: {epochs: 0, momentum: 0.9}\nvary: {sparsifier.rate: [0.1, 2]}\n"
    (specs / "good.yaml").write_text(SPEC + wrong)
    async with opened(size=(80, 24)) as pilot:
        form = pilot.app.screen.query_one(FormView)
        await to_field(pilot, "train")
        await pilot.press("left")
        await to_field(pilot, "data")
        cells = {key: row.cells[1].text for key, row in fields(pilot).items()}
        assert {key: cells[key] for key in cells if "✗" in cells[key]} == {
            "sparsifier.rate": "✗ 2: 0.1, 2",
            "train": "✗ ",
        }
        await pilot.press("f3")
        await pilot.settle()
        assert form.query_one(Grid).cursor == "sparsifier.rate"
        assert "✗ 5:31 must be below 1, found 2" in screen(pilot.app)
        await pilot.press("f3")
        await pilot.settle()
        assert "unknown field 'momentum'; did you mean train.optimizer" in screen(pilot.app)
        await pilot.press("f3")
        await pilot.settle()
        assert form.query_one(Grid).cursor == "train.epochs" and form.has_focus_within
        await pilot.press("enter", "3", "enter")
        await pilot.settle(lambda: checked(pilot))
        assert "✗" not in fields(pilot)["train.epochs"].cells[1].text


async def test_what_cannot_be_read_is_said_in_its_place_and_nothing_else_is_queued(opened, specs):
    (specs / "odd.yaml").write_bytes(b"name: gr\xfcn\n")
    async with opened(size=(200, 60)) as pilot:
        good = text(pilot)
        await pilot.press("down")
        await pilot.settle(
            lambda: "odd.yaml:1: not UTF-8 text; save it as UTF-8" in screen(pilot.app)
        )
        assert text(pilot) == "" and not fields(pilot)
        await pilot.press("f5")
        await pilot.settle(lambda: toasts(pilot))
        assert "cannot be queued: specs/odd.yaml:1: not UTF-8" in toasts(pilot)[-1]
        await pilot.press("enter", "x", "escape", "up")
        await pilot.settle(lambda: checked(pilot))
        assert text(pilot) == good


async def test_a_line_with_a_problem_is_on_the_same_paper_as_others(opened, specs):
    (specs / "good.yaml").write_text(SPEC + "zzz: 1\n")
    async with opened() as pilot:
        editor = pilot.app.screen.query_one(SpecEditor)
        plain, wrong = (editor.render_line(line) for line in (2, 3))
        assert "◀ unknown field" in wrong.text and wrong.cell_length == editor.size.width
        papers = {one.style.bgcolor for one in wrong if "◀" in one.text or not one.text.strip()}
        assert papers == {[*plain][-1].style.bgcolor}


async def test_what_is_shown_first_can_be_run_without_images(opened, specs):
    (specs / "quickstart.yaml").write_text(SPEC)
    (specs / "good.yaml").write_bytes(b"\xff")
    (specs / "paper").mkdir()
    (specs / "paper" / "a.yaml").write_text(SPEC)
    async with opened() as pilot:
        files = pilot.app.screen.query_one(SpecList)
        assert [row.cells[0].text for row in files.rows] == ["good", "quickstart", "wrong", "a"]
        assert files.cursor == "specs/quickstart.yaml" and "3 runs" in screen(pilot.app)
        await pilot.press("up")
        await pilot.settle(lambda: "not UTF-8" in screen(pilot.app))
        await pilot.press("r")
        await pilot.settle()
        assert files.cursor == "specs/good.yaml"


async def test_the_fields_of_another_file_are_not_shown_for_one_without_any(opened, specs):
    async with opened() as pilot:
        assert "data" in fields(pilot)
        add(pilot, "'")
        await pilot.settle(lambda: checked(pilot))
        assert "data" in fields(pilot) and pilot.app.screen.query_one(FormView).has_class("-stale")
        (specs / "wrong.yaml").write_text("- a\n")
        await pilot.press("escape", "down")
        await pilot.settle(lambda: checked(pilot))
        assert not fields(pilot)


PLUGIN = """
'''Prunes by throwing dice.'''

from pydantic import Field

from engine.sparsifiers import random


class Settings(random.Settings):
    sides: int = Field(6, ge=2, le=20, description="of the dice")


class Sparsifier(random.Sparsifier):
    pass
"""


async def test_a_setting_that_the_app_has_never_heard_of_is_in_the_form(
    opened, specs, tmp_path, monkeypatch
):
    (tmp_path / "dice.py").write_text(PLUGIN)
    found = [*engine.sparsifiers.__path__, str(tmp_path)]
    monkeypatch.setattr(engine.sparsifiers, "__path__", found)
    registry.names.cache_clear()
    try:
        (specs / "good.yaml").write_text(SPEC + "sparsifier: {name: dice, density: 0.5}\n")
        async with opened() as pilot:
            await to_field(pilot, "sparsifier.sides")
            assert "sparsifier.sides: of the dice [at least 2, at most 20]" in words(pilot)
            await pilot.press("enter", *"21", "enter")
            await pilot.settle(lambda: checked(pilot) and "✗" in screen(pilot.app))
            assert "sparsifier: {name: dice, density: 0.5, sides: 21}" in text(pilot)
            assert fields(pilot)["sparsifier.sides"].cells[1].text == "✗ 21"
            assert "must be at most 20, found 21" in words(pilot)
    finally:
        registry.names.cache_clear()
