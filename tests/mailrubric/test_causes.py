import pytest

from mailrubric.causes import EXPLANATIONS, explain, short
from probes.model import Cause


def test_every_cause_of_a_probe_and_of_scoring_is_explained():
    assert set(EXPLANATIONS) == {cause.value for cause in Cause} | {
        "no_evidence",
        "no_document",
        "outdated",
        "empty_answer",
        "not_installed",
        "too_few_reviews",
        "unscored",
        "unfinished",
        "incomplete_answers",
        "offline",
        "key_missing",
        "key_revoked",
        "key_unusable",
        "signature_expired",
        "signature_malformed",
        "message_cut",
        "no_trusted_results",
        "not_stated",
        "kind_unknown",
        "field_missing",
        "too_few",
        "zone_unknown",
        "not_told",
        "not_recorded",
        "not_tried",
        "undecided",
    }


@pytest.mark.parametrize("cause", sorted(EXPLANATIONS))
def test_sentence_and_advice_are_whole_distinct_sentences(cause):
    words = explain(cause)
    for text in (words.sentence, words.advice):
        assert text[0].isupper()
        assert text.endswith(".")
    assert words.sentence != words.advice
    assert [other for other in EXPLANATIONS if explain(other).sentence == words.sentence] == [cause]


def test_local_faults_are_not_laid_at_the_servers_door():
    for cause in (Cause.PORT_BLOCKED_LOCALLY, Cause.NO_IPV6_LOCALLY, Cause.TLS_CLIENT_UNSUPPORTED):
        assert "Says nothing about the server" in explain(cause).advice


def test_a_cause_from_the_future_is_named_and_not_guessed():
    words = explain("carrier_pigeon_lost")
    assert "carrier pigeon lost" in words.sentence
    assert words.advice


def test_short_words_keep_the_fields_spelling():
    assert short("dns_nxdomain") == "DNS NXDOMAIN"
    assert short("no_ipv6_locally") == "no IPv6 locally"
    assert short("tls_alert") == "TLS alert"
