"""What about a mail product a text praises or blames: aspects, each with the sentiment of the clauses that speak of it.

Aspects are found by patterns in each clause, because the words for them are few and known; the sentiment is the
classifier's, of the clause in its sentence. How often either is wrong is measured (docs/sentiment-model.md), and shares
of aspects are published only after correction by that measurement (:mod:`mailrubric.reviews.correction`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from mailrubric.reviews import language, sentiment

ASPECTS: Final = (
    "ease_of_use",
    "deliverability",
    "support",
    "price",
    "reliability",
    "features",
    "integration",
    "security",
    "speed",
)

CLAUSE_WEIGHT: Final = 0.75
"""Of the clause's scores; the rest is its sentence's. A clause alone is often too short to be understood."""

_MOST_CLAUSES: Final = 120

_TECHNICAL: Final = (
    r"smtp|imap|pop3?|jmap|dkim|dmarc|spf|arc|bimi|mta-sts|tls|oauth\d?|saml|sso|ldap|2fa|totp|passkeys?|"
    r"webauthn|caldav|"
    r"carddav|exchange|activesync|webhooks?|api|html|amp|css|markdown|utf-?8|unicode|emoji|rtl|ipv6|ipv4|docker|"
    r"linux|"
    r"windows|mac(?:os)?|ios|android|mobile|python|php|ruby|java|go|node|\.net|multiple|several|custom|dark|"
    r"rich|plain|"
    r"right-to-left|languages?|attachments?|aliases|catch-?all|templates?|segments?|tags?|a/b|scheduled|push|"
    r"calendars?|"
    r"subaccounts?|sub-accounts?|dedicated|inbound|threads?|threading|filters|sieve|pgp|s/mime|encryption|"
    r"offline|gdpr"
)
_HUMAN_SUPPORT: Final = (
    r"(?<!not )(?<!n't )(?<!to )(?<!can )(?<!will )(?<!does )(?<!do )(?<!should )(?<!would )(?<!could )(?<!native )"
    rf"(?<!built-in )(?<!first-class )\bsupport\b(?! (?:for|"
    rf"of) (?:{_TECHNICAL})\b)(?! for \w+ing\b)(?! (?:{_TECHNICAL})\b)"
)

_PATTERNS: Final[dict[str, tuple[str, ...]]] = {
    "ease_of_use": (
        r"\b(?:easy|easier|easiest|easily|ease of|simple|simpler|simplest|simplicity|intuitive\w*|unintuitive|"
        r"user[- ]?friendly|"
        r"straightforward|effortless\w*|learning curve|confus\w+|complicated|convoluted|cumbersome|clunky|"
        r"clumsy|fiddly|"
        r"cluttered|uncluttered|usab\w+|usability|unusable|hard to (?:use|find|learn|navigate|understand|set|"
        r"figure|configure|read)|"
        r"self-explanatory|beginner\w*|non-technical|drag[- ]and[- ]drop|a breeze|painless)\b",
        r"\b(?:interface|ui|ux|gui|dashboard|layout|navigation|navigate|menus?|redesign|screens?|onboarding|wizard|"
        r"learn(?:ed|ing)? (?:it|how|to use)|figure (?:it )?out|figuring|clicks?|buttons? (?:are|is) hidden|buried|"
        r"set[- ]?up (?:is|was|took|took|takes|process|in|within|wizard)|setup|to set up|set (?:it|"
        r"everything|this|up) up|"
        r"up and running|"
        r"documentation|docs|tutorials?|knowledge base|guides?)\b",
        r"\b(?:migrat(?:e|ed|ing|ion)\b(?! guide)|moved (?:the|our|my) (?:whole )?(?:office|team|family|"
        r"company)|no training|training|needs? (?:the|a|no) manual|manual|no designer|not technical|"
        r"not a technical person|hard(?:er)? to|maze|hidden (?:functions?|settings?|menus?)|"
        r"can't find (?:anything|where|the)|well thought[- ]out|badly designed|beautiful(?:ly)? design\w*|"
        r"design is|new (?:layout|design|look|interface)|everything is where|scattered|leads you)\b",
    ),
    "deliverability": (
        r"\b(?:deliverab\w+|delivery rates?|delivered rates?|inbox placement|inbox(?:ing)? rates?|open rates?|"
        r"bounce[ds]?|bounce rates?|"
        r"bouncing|soft bounces?|hard bounces?|blacklist\w*|blocklist\w*|denylist\w*|sender reputation|(?:ip|"
        r"domain|sending) reputation|reputation|"
        r"(?:shared|dedicated) ips?|ip pools?|warm(?:ing|ed)?[- ]?up|seed tests?|spam (?:complaints?|score|"
        r"traps?)|feedback loops?)\b",
        r"\b(?:land|end|go|goes|going|went|gone|get|gets|got|getting|dump|deliver|sent|send|flag|mark|treat|"
        r"fall|straight|route|filter|sort|junk|"
        r"arriv|put|hit|reach|make|made)\w*(?: \w+){0,6}? (?:inbox(?:es)?|spam(?: folders?)?|junk(?: folders?|"
        r" mail)?|promotions(?: tab)?)\b"
        r"(?! (?:filter|protection|detection))",
        r"\b(?:in|into|to|as|out of) (?:the |their |everyone's |people's |customers' )?(?:spam|"
        r"junk)\b(?! (?:filter|protection))|\bspam folders?\b",
        r"\b(?:e?mails?|messages?|newsletters?|campaigns?|receipts?|resets?|confirmations?|invoices?|"
        r"mailings?)(?: \w+){0,4}? "
        r"(?:never|not|didn't|don't|doesn't|failed to|fail to|always|actually|all|reliably|"
        r"finally)(?: \w+){0,2}? (?:arriv\w+|reach\w*|deliver\w*|"
        r"get(?:s|ting)? (?:there|through)|got (?:there|through)|show\w* up|turn\w* up)\b",
        r"\b(?:undelivered|undeliverable|rejected by|deferred by|blocked by|refused by|junked)\b",
        r"\b(?:complaint rates?|junk(?! (?:in|a day|gets|mail filter))|greylist\w*|throttl\w*|defer(?:red|s|"
        r"rals?)|dmarc|spf|dkim|warm-up|seed (?:addresses|mailboxes|list)|dedicated ip|get(?:s|"
        r"ting)? through|gets? delivered|delivers? (?:well|reliably|more|mail)|delivery (?:is|was|has|to|"
        r"problems?|issues?)|mail (?:actually )?arrives|never arrives?|reach (?:customers|people|us)|"
        r"treated as spam|on (?:a|three|several|two|some) lists?|refused? (?:us|everything)|"
        r"rejects? (?:about|half|our|most))\b",
    ),
    "support": (
        _HUMAN_SUPPORT,
        r"\b(?:customer (?:service|care|support|success)|help ?desk|tickets?|live chat|support (?:team|staff|"
        r"agents?|reps?|engineers?|people|person|"
        r"tickets?|chat|desk|forum|email|line)|(?:account|success) managers?|reps?\b|representatives?|agents?|"
        r"chat ?bots?|"
        r"canned (?:answers?|responses?|repl\w+)|real (?:human|person|people)|actual human|on hold|phone line|"
        r"hotline|"
        r"(?:they|he|she|staff|team|guys|folks|engineers?) (?:\w+ )?(?:answered|replied|responded|helped|walked|"
        r"ignored|got back|came back|explained|"
        r"stayed|apologi[sz]ed|jumped)|nobody (?:answers?|replie[sd]|respond\w*|cares|picks)|no one (?:answers?|"
        r"replie[sd]|respond\w*|cares)|"
        r"contact(?:ed|ing)? (?:them|support)|response times?|helpful staff|reply from|answers? (?:from|within)|"
        r"(?:the )?(?:people|person|guy|woman|lady|man|engineer) (?:who|that|on|in) (?:\w+ )?(?:helped|answered|"
        r"chat|the other))\b",
        r"\b(?:consultant|community|maintainers?|forum|call(?:ed)? (?:me|us|back)|call back|phone (?:number|"
        r"support)|the chat|in the chat|chat (?:answered|closes|is|was|walked|helped)|devs? (?:replied|"
        r"replies|listen|answer\w*|fixed|mailed)|developers? (?:listen|don't listen|reply|replied|answer\w*|"
        r"respond\w*)|wrote (?:to them|\d times|three times|twice)|mailed them|asked for help|help (?:from|"
        r"pages)|answered by|answered (?:my|all|every|our|within|the)|no answer|no reply|compliance team|"
        r"their team|the team (?:is|was|behind)|nobody (?:home|there|knows|answers)|treated (?:us|me|like)|"
        r"told to|passed around|the people (?:are|answering|who))\b",
    ),
    "price": (
        r"\b(?:pric(?:e|es|ed|ey|ing|ier)|cost(?:s|ly|ing)?|cheap(?:er|est)?|expensive|affordab\w+|overpriced|"
        r"inexpensive|bill(?:s|ed|ing)?|"
        r"invoice[sd]? (?:us|me|for|was|is|doubled|jumped)|overage\w*|fees?|charg(?:e|es|ed|ing) (?:me|us|my|"
        r"our|you|for|twice|extra|per|again|double|full|by|\W?\d)|"
        r"charged|refund\w*|subscriptions?|free (?:tier|plan|version|trial|account|allowance|quota|forever)|"
        r"(?:starter|paid|pro|premium|enterprise|basic|annual|monthly|yearly|cheapest|lowest|higher|bigger|"
        r"entry|business) (?:plans?|tiers?)|"
        r"value for(?: the)? money|good value|great value|worth (?:the|every|what) (?:money|penny|cent|price|"
        r"we pay|it costs)|money|dollars?|euros?|"
        r"per (?:user|month|seat|mailbox|contact|subscriber|thousand|email|message)|a month|budget|renewal|"
        r"discounts?|paywall\w*|pay(?:ing|s)? (?:for|extra|more|less|the|by|per)|paid (?:for|extra|a)|"
        r"nickel|bargain|rip-?off|penny|pennies|peanuts|cents?|upsell\w*|contract)\b",
        r"[$€£]\s?\d|\b\d+ ?(?:usd|eur|gbp|bucks|dollars|euros|cents)\b",
        r"\b(?:bucks|free (?:for|to)|paid (?:edition|version|plan)|pro version|add-ons?|downgrad\w+|"
        r"upgrad(?:e|ing) to (?:a|the) (?:higher|paid|bigger)|saved us|cheaply|greedy|licen[cs]e|we pay|"
        r"you pay|i pay|sold separately)\b",
    ),
    "reliability": (
        r"\b(?:reliab\w+|unreliab\w+|uptime|downtime|outages?|stable|stability|unstable|instability|"
        r"rock[- ]solid|dependab\w+|crash\w*|"
        r"bug(?:s|gy)?|glitch\w*|robust|flaky|intermittent\w*|incidents?|status page|maintenance windows?|"
        r"hiccups?|breaks?|broke|broken|"
        r"stopp(?:ed|s) (?:working|syncing|sending|receiving|delivering)|freez(?:e|es|ing)|froze|hangs?|hung|"
        r"(?:service|server|site|app|system|platform|api|relay|webmail|it|they|was|were|is|are|been|go(?:es|"
        r"ne)?|went|never|whole thing) (?:\w+ )?(?:down|offline|unreachable|unavailable)|"
        r"los(?:t|es|ing) (?:\w+ ){0,2}?(?:e?mails?|messages?|data|drafts?|contacts?|subscribers?|mailbox)|"
        r"data loss|"
        r"just works|works every time|never (?:fails|failed|missed|had (?:a|any|an) (?:\w+ )?(?:problem|issue|"
        r"outage))|set and forget|without a hitch|"
        r"(?:account|domain|sending|mailbox|service|access)s? (?:\w+ ){0,3}?(?:suspended|terminated|banned|"
        r"disabled|locked|closed|deactivated|frozen)|"
        r"suspend(?:ed|s)? (?:our|my|the|us|me)|suspension|locked (?:me|us) out|locked out|sync(?:s|ed|"
        r"ing)? (?:\w+ )?(?:fails?|stops?|breaks?|errors?|issues?|problems?)|"
        r"error(?:s)? (?:\d|every|all|again|when|after)|fails? (?:to|silently|randomly|half)|failed (?:to|again|"
        r"twice|silently)|duplicated? (?:e?mails?|messages?|sends?))\b",
        r"\b(?:lost (?:\w+ ){0,2}(?:receipts|orders|sign-?ups|mail)|suspended|locked (?:our|my) account|"
        r"account was (?:blocked|closed|locked)|blocked (?:our|my) account|shut down|terminated|"
        r"arrives? twice|sent (?:\w+ ){0,2}twice|twice or never|didn't go out|went out on the minute|"
        r"never been down|unavailable|not syncing|sync (?:is )?broken|won't open|can't send|"
        r"stopped (?:receiving|working)|without interruption|interruptions?|failover|redundan\w+|sla|"
        r"times? out|timing out|no longer trust|survived|nothing gets lost|(?:has|have) (?:run|"
        r"been running)|runs smoothly|logging me out|logs (?:me|everybody) out|stuck|ate (?:a|my)|wiped|"
        r"deleted my|vanish\w*|disappear\w*)\b",
    ),
    "features": (
        r"\b(?:features?|functionality|functions?|automations?|workflows?|segment(?:s|ation|ing)?|templates?|"
        r"editor|a/b test\w*|split test\w*|"
        r"analytics|reports?|reporting|statistics|stats|scheduling|schedule[ds]?|personali[sz]ation|merge tags?|"
        r"landing pages?|forms|surveys|"
        r"aliases|catch-?all|calendars?|search|filters?|rules|folders|labels|dark mode|snooze|undo send|"
        r"shared mailbox(?:es)?|distribution lists?|"
        r"mailing lists?|signatures?|widgets?|themes?|customi[sz](?:ation|able|e)|options|capabilities|missing|"
        r"lacks?|lacking|"
        r"suppression lists?|event logs?|activity (?:log|feed)|message history|retention|archiv\w+|"
        r"spam filter\w*|autoresponders?|drip|"
        r"preview|spell ?check\w*|bulk actions?|import\w*|export\w*|quota|storage|multi-?lingual|translations?)\b",
        rf"\b(?:support for|supports?|supported|supporting|support of|native support|doesn't support|"
        rf"does not support) (?:\w+ )?(?:{_TECHNICAL})\b",
        r"\b(?:option (?:to|for)|possible to|inbound|parsing|streams|suppression|undo|tags?|widgets?|tablet|"
        r"swipe\w*|snooze|unified inbox|attachments?|two accounts|multiple (?:accounts|domains)|"
        r"logs? (?:let|disappear|are|kept)|preference cent(?:er|re)|dynamic content|landing|ads\b|"
        r"basic things|what (?:i|we) (?:need|was looking for)|doesn't (?:have|do|offer)|can do|can't do|"
        r"limit of|no way to|there is no|rules?|read receipts|dark theme|plain text|merge)\b",
    ),
    "integration": (
        r"\b(?:integrat\w+|apis?|sdks?|webhooks?|plug-?ins?|add-?ons?|connectors?|endpoints?|rest|graphql|"
        r"client librar(?:y|ies)|librar(?:y|ies)|"
        r"wrappers?|crm|cms|smtp relay|relay|hooks?|zapier|wordpress|shopify|slack|salesforce|erp|e-?commerce|"
        r"our (?:stack|app|application|backend|codebase|shop)|"
        r"connect(?:s|ed|ing)? (?:\w+ )?(?:to|with)|hooked (?:it )?up|drop-in|single sign-on|ldap|active directory|"
        r"sandbox|rate limits?|payloads?|json|works with (?:my|our|any|every|all))\b",
        r"\b(?:imap(?! index)|pop3|caldav|carddav|activesync|exchange|desktop client|mail client|"
        r"outgoing (?:port|server)|smtp (?:server|credentials|connection|password|host)|starttls|port \d+|"
        r"works with|work account|client (?:swallows|library)|code|script|python|php|node(?:mailer)?|ruby|"
        r"rust|golang|java|kotlin|terraform|ansible|helm|docker|autodiscover\w*|plugin)\b",
    ),
    "security": (
        r"\b(?:secur\w+|insecur\w+|encrypt\w+|unencrypted|2fa|mfa|two[- ]factor|multi[- ]factor|passkeys?|"
        r"phish\w*|hack(?:ed|ers?|ing)?|breach\w*|"
        r"leak(?:ed|s|ing)?|privacy|private|gdpr|hipaa|soc ?2|iso ?27001|compliance|compliant|data protection|"
        r"malware|virus(?:es)?|ransomware|"
        r"vulnerabilit\w+|exploits?|cve|audit(?:s|ed)? logs?|audit trail|pgp|gpg|s/mime|end-to-end|"
        r"zero[- ]access|zero[- ]knowledge|spoof\w*|impersonat\w+|"
        r"mta-sts|tls|certificates?|api keys?|scoped keys|ip allow-?list|trackers?|tracking pixels?|sell(?:s|"
        r"ing)? (?:my|our|your) data|"
        r"account takeover|brute[- ]force|suspicious log\w+|data cent(?:er|re)s?|sso|saml|passwords? (?:in|"
        r"stored|were|leak\w*)|plain ?text passwords?)\b",
        r"\b(?:trackers?|tracking|scan(?:s|ned|ning)? (?:my|our|messages|mail)|reads? my mail|audits?|"
        r"permissions|unpatched|hole|personal data|share[sd]? (?:our|my) data|sold my|sell my|my data|"
        r"our data|data is stored|servers? (?:are|is) in|hosted in|totp|security keys?|hardware keys?|"
        r"app passwords?|oauth tokens?|penetration test|jurisdiction|privately|spies|consent|"
        r"somebody else's)\b",
    ),
    "speed": (
        r"(?<!support )\b(?:slow|slower|slowest|slowly|slowness|sluggish\w*|lag(?:s|gy|ging)?|laggy|latency|"
        r"speed(?:y|ier|s)?|snappy|snappier|"
        r"lightning|blazing\w*|instant(?:ly|aneous\w*)?|near-instant|performan(?:ce|t)|load(?:s|ing)? (?:times?|"
        r"forever|slowly|fast|quickly|instantly|in)|"
        r"takes? (?:\w+ ){0,2}?(?:forever|ages|minutes|seconds|an eternity|so long|too long) to|throughput|"
        r"time[- ]?outs?|timing out|timed out|"
        r"queue[sd]?|queued up|delayed|delays?|within (?:\w+ )?(?:milli)?seconds|"
        r"in (?:\w+ )?(?:\w+ )?(?:milli)?seconds|milliseconds|"
        r"messages? (?:an|per) (?:hour|second|minute)|spins?|spinner|spinning|real[- ]time|fast|faster|fastest|"
        r"quick|quicker|quickly|rapid|rapidly|"
        r"(?:arriv|deliver)\w* (?:\w+ )?(?:hours|minutes|late)|hours late|minutes late)\b",
        r"\b(?:took|takes) (?:\w+ ){0,3}?(?:hours|afternoon|morning|minutes|seconds)\b(?! to (?:answer|"
        r"reply|respond|get|set))|\b(?:out|done|gone|shows? up|arrives?) (?:\w+ )?(?:in|within|"
        r"after) (?:\w+ ){0,2}?(?:minutes|seconds|hours)\b|\b(?:instantaneous|immediate|immediately|crawls?|"
        r"crawling|push|before (?:i|my|the)|day late|days? later|per second|a second|dial-up|batches|"
        r"indexing)\b",
    ),
}
_SUPPORT_AS_VERB: Final = re.compile(
    r"\b(?:does|do|did|will|can|could|would|should)(?: \w+){1,3} support\b"
    r"|\b(?:they|it|we|you|i|that|which|to|not|also|now|doesn't|don't|didn't|won't|can't) support\b"
    r"|\badd support\b"
)
_COMPILED: Final = {name: re.compile("|".join(f"(?:{each})" for each in parts)) for name, parts in _PATTERNS.items()}

_OF_SUPPORT: Final = re.compile(
    r"\b(?:fast|faster|quick|quicker|quickly|slow|slowly|slower|instant|instantly|delayed|prompt|"
    r"within \w+ (?:minutes|seconds)|in (?:\w+ )?(?:\w+ )?seconds)\b"
    r"(?: \w+){0,4}? (?:support|repl\w+|answer\w*|respon\w+|service|staff|help|agents?|tickets?|chat)\b"
    r"|\b(?:support|repl\w+|answer\w*|respon\w+|staff|service|tickets?|chat|agents?|team)\b(?: \w+){0,5}? "
    r"(?:fast|faster|quick|quicker|quickly|slow|slowly|slower|instant|instantly|delayed|prompt|within|in)\b"
)
_EASE_QUICK: Final = re.compile(
    r"\b(?:fast|quick|quickly|quicker|faster)\b(?: \w+){0,3}? (?:setup|set up|set-up|start|learn|onboard\w*|"
    r"to get)\b"
)
_CLAUSES: Final = re.compile(
    r"[.!?;:\n…]+(?:\s+|$)|\s[-–—]+\s|,?\s*\b(?:but|however|although|though|whereas|while|yet|except that|"
    r"on the other hand|otherwise)\b,?\s*"
    r"|,\s+(?:and\s+)?(?=(?:\w+\s+){0,4}(?:is|are|was|were|isn't|aren't|wasn't|has|have|had|does|doesn't|do|"
    r"don't|did|didn't|can|can't|could|will|"
    r"won't|works?|takes?|took|costs?|goes|went|gets|got|makes?|keeps?|needs?|looks?|feels?|never|lets?)\b)"
    r"|\s+and\s+(?=(?:the|their|our|my|its)\s+(?:\w+\s+){1,3}(?:is|are|was|were|isn't|aren't|wasn't|has|have|"
    r"doesn't|works?|takes?|costs?|never)\b)"
)
_SENTENCES: Final = re.compile(r"(?<=[.!?…])\s+|\n+")


class Mention(NamedTuple):
    """An aspect in a clause of a sentence."""

    aspect: str
    clause: str
    sentence: str


def mentions(text: str) -> list[Mention]:
    """Every clause of a text that speaks of an aspect, in order; a clause may speak of several."""
    found: list[Mention] = []
    clauses = 0
    for sentence in _SENTENCES.split(language.clean(text)):
        for clause in _CLAUSES.split(sentence):
            if not clause or not clause.strip():
                continue
            clauses += 1
            if clauses > _MOST_CLAUSES:
                return found
            found.extend(Mention(aspect, clause, sentence) for aspect in detect(clause))
    return found


def detect(clause: str) -> list[str]:
    """The aspects that one clause speaks of, in the order of :data:`ASPECTS`."""
    lower = _SUPPORT_AS_VERB.sub(" supports", clause.lower())
    found = [aspect for aspect in ASPECTS if _COMPILED[aspect].search(lower)]
    # Quick help is good support and quick installation is ease of use; neither says that the product is fast.
    if "speed" in found and (_OF_SUPPORT.search(lower) or _EASE_QUICK.search(lower)):
        found.remove("speed")
    return found


def aspects(texts: Sequence[str]) -> list[dict[str, str]]:
    """For each text, in order, the aspects it speaks of and how: aspect → ``positive``, ``neutral`` or ``negative``.

    An aspect that several clauses speak of gets the label of their mean probabilities. Like
    :func:`mailrubric.reviews.sentiment.classify` it has an answer for any text, and each text is judged alone.
    """
    return aspects_by(sentiment.model(), texts)


def aspects_by(current: sentiment.Model, texts: Sequence[str]) -> list[dict[str, str]]:
    """:func:`aspects` with a model of one's own, as the measurement of the shipped one needs it."""
    found: list[dict[str, str]] = []
    for text in texts:
        spoken = mentions(text)
        if not spoken:
            found.append({})
            continue
        parts = sorted({part for each in spoken for part in (each.clause, each.sentence)})
        scores = dict(zip(parts, current.scores(parts), strict=True))
        of: dict[str, list[Any]] = {}
        for each in spoken:
            blended = CLAUSE_WEIGHT * scores[each.clause] + (1 - CLAUSE_WEIGHT) * scores[each.sentence]
            of.setdefault(each.aspect, []).append(blended)
        labels: dict[str, str] = {}
        for aspect in ASPECTS:
            if aspect in of:
                mean = sum(sentiment.probabilities(row[None, :], current.temperature)[0] for row in of[aspect])
                labels[aspect] = sentiment.LABELS[int(mean.round(6).argmax())]
        found.append(labels)
    return found


def __getattr__(name: str) -> Any:
    # As in mailrubric.reviews.sentiment: measured, shipped with the model, read when asked for.
    if name == "CONFUSION":
        return sentiment.model().aspect_confusion
    raise AttributeError(name)
