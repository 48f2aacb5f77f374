"""Finding texts by what somebody typed."""

from __future__ import annotations

import time

from lthtui.finding import match


def ranked(query, *texts):
    found = {text: match(query, text) for text in texts}
    return sorted((text for text in texts if found[text]), key=lambda text: -found[text].score)


def test_whole_words_come_before_parts_and_parts_before_scattered_letters():
    texts = ("p-a-u-s-e", "unpausable", "Pause", "Resume")
    assert ranked("pause", *texts) == ["Pause", "unpausable", "p-a-u-s-e"]


def test_all_words_must_be_there_in_any_order_and_case():
    assert match("S3 imp", "isic-imp-s3").offsets == (5, 6, 7, 9, 10)
    assert match("imp s4", "isic-imp-s3") is None
    assert match("", "isic") is None


def test_letters_whose_lower_case_is_longer_keep_their_places():
    assert match("x", "İİx").offsets == (2,)


def test_a_long_text_of_one_letter_takes_no_longer_than_another():
    began = time.process_time()
    match("a" * 200 + "b", "a" * 100_000)
    assert time.process_time() - began < 5  # all ways to choose 200 of them would take for ever
