from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode

from mailrubric.lab.nameserver import Zone

LONG = Zone([("long.lab.test", "TXT", f'"{number:03} {"x" * 200}"') for number in range(10)])


def test_an_answer_that_is_too_long_for_udp_is_cut_and_marked() -> None:
    for query, limit in (
        (dns.message.make_query("long.lab.test", "TXT"), 512),
        (dns.message.make_query("long.lab.test", "TXT", use_edns=True, payload=4096), 1232),
    ):
        cut = LONG.answer_wire(query.to_wire(), udp=True)
        assert cut is not None
        assert len(cut) <= limit
        message = dns.message.from_wire(cut)
        assert message.flags & dns.flags.TC
        assert message.answer == []
        whole = LONG.answer_wire(query.to_wire(), udp=False)
        assert whole is not None
        assert len(dns.message.from_wire(whole).answer[0]) == 10


def test_aliases_in_a_circle_end() -> None:
    zone = Zone([("a.lab.test", "CNAME", "b.lab.test."), ("b.lab.test", "CNAME", "a.lab.test.")])
    answer = zone.answer(dns.message.make_query("a.lab.test", "A"))
    assert answer.rcode() == dns.rcode.NOERROR


def test_an_alias_to_nowhere_is_nxdomain_with_the_alias_shown() -> None:
    zone = Zone([("a.lab.test", "CNAME", "gone.lab.test.")])
    answer = zone.answer(dns.message.make_query("a.lab.test", "A"))
    assert answer.rcode() == dns.rcode.NXDOMAIN
    assert str(answer.answer[0][0]) == "gone.lab.test."


def test_answers_are_never_answered() -> None:
    query = dns.message.make_query("long.lab.test", "TXT")
    assert LONG.answer_wire(dns.message.make_response(query).to_wire(), udp=True) is None
