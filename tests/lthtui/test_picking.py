"""Choosing columns one by one."""

from lthtui import columns
from lthtui.fields import Field
from lthtui.picking import Picking


def picked(text):
    return Picking(columns.parse(text))


def names(picking):
    return " ".join(one.field.name + "!" * one.pinned for one in picking.headings)


def at(name):
    return Field.parse(name)


def test_a_column_is_added_at_the_right_and_taken_away():
    picking = picked("name,val").toggled(at("best(a/loss)"))
    assert names(picking) == "name val best(a/loss)"
    assert names(picking.toggled(at("val"))) == "name best(a/loss)"
    assert picking.toggled(at("name")) == picking


def test_columns_move_no_further_than_the_ends():
    picking = picked("name,val,test")
    assert names(picking.moved(at("test"), -1)) == "name test val"
    assert names(picking.moved(at("val"), 5)) == "name test val"
    assert names(picking.moved(at("val"), -5)) == "val name test"
    assert names(picking.moved(at("name"), -1)) == "name val test"
    assert picking.moved(at("seed"), 1) == picking


def test_pinned_columns_go_left_behind_each_other():
    picking = picked("name,val,test,seed").pinned(at("seed"))
    assert names(picking) == "name seed! val test"
    picking = picking.pinned(at("test"))
    assert names(picking) == "name seed! test! val"
    assert names(picking.pinned(at("seed"))) == "name seed test! val"
    assert picking.pinned(at("name")) == picking == picking.pinned(at("eta"))
    assert names(picked("val,name").pinned(at("val"))) == "name val!"
