from __future__ import annotations

import pytest

from mailrubric.reviews.collectors.mentions import about, mentions


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("We left Postmark.", "Postmark", True),
        ("postmark's support", "Postmark", True),
        ("(Postmark, SES)", "Postmark", True),
        ("use postmarkapp for it", "Postmark", False),
        ("a postmark-like stamp", "Postmark", False),
        ("see https://postmark.com/x", "Postmark", False),
        ("me@mail.com", "mail.com", False),
        ("gmail.com", "mail.com", False),
        ("I have a mail.com account", "mail.com", True),
        ("mail.com.", "mail.com", True),
        ("mail-com", "mail.com", False),
        ("Amazon SES rocks", "Amazon SES", True),
        ("C++ mail", "C++", True),
        ("", "Postmark", False),
    ],
)
def test_a_name_is_a_word_of_its_own(text, name, found):
    assert mentions(text, [name]) is found


def test_a_name_in_just_these_letters():
    assert mentions("then Resend failed", ["Resend"], exact=True)
    assert not mentions("please resend it", ["Resend"], exact=True)
    assert not mentions("anything", [])


def test_context_tells_a_company_from_a_word():
    assert not about("A loop of Loops", ["Loops"], None)
    assert about("Loops for our newsletter", ["Loops"], None)
    assert about("Loops is great", ["Loops"], None, setting="Ask HN: email tools")
    assert not about("Loops is great", ["Loops"], None, setting="Ask HN: mailman games")
    assert about("Loops is great", ["Loops"], ())
    assert about("Loops onboarding flows", ["Loops"], ["onboarding"])
    assert not about("Loops for our newsletter", ["Loops"], ["onboarding"])
    assert not about("our newsletter", ["Loops"], None)
