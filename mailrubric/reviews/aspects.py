"""What about a mail product a text praises or blames: aspects, each with the sentiment of the clauses that speak of it.

Aspects are found by patterns for their words and by weights of all words of a clause, learned from labelled texts:
what is only implied ("four days and no answer") has no word of its own. The sentiment is the classifier's, of the
clause, and of its sentence too unless that sets its clauses against each other. How often either is wrong is measured
(docs/sentiment-model.md), and shares of aspects are published only after correction by that measurement
(:mod:`mailrubric.reviews.correction`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

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

DETECTED: Final = -1.1
"""Log-odds from which on an aspect counts as spoken of (0.25): a missed mention is lost, a wrong one is corrected."""

_SIDES: Final = {language.PROS: 1, language.CONS: -1, language.NEITHER: 0}
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
        r"\b(?:without (?:any |a |much )?(?:help|training|developers?|manual|asking|explanation)|(?:don't|"
        r"no) need (?:a |any )?"
        r"(?:developers?|manual|training|explanation)|my (?:\w+ )?(?:mother|mum|mom|dad|father|grand\w+|parents)|"
        r"quick ?start|instructions|walk-?through|(?:three|two|four|five|six|several|many|few(?:er)?|"
        r"\d+) (?:clicks|levels|steps|"
        r"screens|pages)|find (?:my|your|the|his|our|one's) way|get(?:ting)? (?:the hang|lost|started)|hang of it|"
        r"understand (?:how|it|the|this)|makes no sense|nowhere to be found|live in an? (?:hour|evening|afternoon|day)|"
        r"(?:a|one) (?:single )?(?:switch|click|command)|usable|in plain (?:words|english)|laid out|cheat sheet)\b",
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
        r"\b(?:(?:mail|e?mails|messages|newsletters?|codes|receipts|everything|nothing|which|they|"
        r"it) (?:\w+ )?(?:arrives?|arrived|"
        r"gets? (?:there|through|delivered)|got (?:there|through))|arrives? (?:not|never|always)|(?:primary|"
        r"main|promotions) (?:tab|inbox)|"
        r"(?:doesn't|don't|didn't|never|not) (?:\w+ )?(?:arrive|reach|come|came|receive[ds]?|gets? (?:the|our|"
        r"my) mail)|"
        r"never (?:got|get|received)|inbox(?:ing)? rates?|inbox placement|placement|postmaster|listed (?:at|on)|"
        r"blocks? from|"
        r"sender score|neighbou?rs|warm(?:ed|ing)? up|warm-up|delivered)\b",
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
        r"\b(?:(?:an|the|any|first|no|clear|useful|quick|your|their|my) (?:answer|reply|response)|repl(?:y|ies|"
        r"ied)|answers|"
        r"respond(?:ed|s)?|got back to|getting back|wrote back|came back to|hung up|(?:they|developers?|"
        r"team) listen(?:s|ed)?|"
        r"kept (?:us|me) (?:posted|informed)|communicated|going silent|went silent|silence|waiting (?:for|"
        r"on) (?:a|an|their|any) "
        r"(?:reply|answer|response|fix)|(?:wrote|written|writing|reach(?:ed|ing)?(?: out)?) to (?:them|"
        r"the developers?|support|"
        r"somebody|anyone|a human)|(?:sales|onboarding|success|compliance|abuse|technical) (?:team|engineer|"
        r"specialist|person|people|"
        r"call|manager)|nobody (?:there|cares|picks up|reads|looks)|picks? up|24/7|robot|bot)\b",
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
        r"\b(?:\d+[- ]a[- ](?:month|year)|a (?:month|year) for|free (?:up to|of charge|plan)|pric(?:y|ey|ier)|"
        r"costs us|dearer|"
        r"half (?:of )?the (?:price|cost|money)|per (?:thousand|message|contact|seat|domain)|invoices?|tiers?|"
        r"refunds?|billing|quota)\b",
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
        r"\b(?:lost (?:\w+ ){0,4}(?:mail|e?mails|messages|months|days|years|drafts?)|delivered twice|"
        r"duplicat\w+|closes? (?:by itself|alone|itself)|(?:not|never|none|didn't) (?:\w+ )?(?:sent|go out|went out)|"
        r"no drops|dropp?(?:ed|s|ing) (?:connections?|messages|mails?|the connection|sessions)|disconnects?|"
        r"maintenance|never let (?:us|me) down|"
        r"falls? over|fell over|fall over|(?:goes|went|was|is) dark|offline|(?:ate|eats) (?:my|our|a)|"
        r"has (?:simply )?always been there|"
        r"for (?:\w+ )?years (?:now )?without|(?:five|six|seven|eight|ten|\d+) ?(?:00|hundred)? errors?|5xx|500s|"
        r"stopp?(?:ed|s) (?:working|syncing|firing|sending)|breaking changes|back ?ups?|restor(?:e|ed|ing))\b",
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
        r"\b(?:builder|drag a block|campaigns? builder|journeys?|heat ?maps?|a/b|sub-?accounts?|delegation|"
        r"suppression list|"
        r"preference cent(?:er|re)|can't (?:even )?(?:schedule|segment|export|sort|filter|print)|"
        r"dynamic content|swipe|notifications?|"
        r"plenty of (?:functions|options|features)|feature-(?:rich|wise)|bare|spartan|limited|basic|"
        r"everything (?:we|i) need(?:ed)?)\b",
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
        r"\b(?:zap(?:s|ier)|make\.com|hubspot|pipedrive|woocommerce|magento|prestashop|laravel|django|rails|"
        r"typescript|gem|"
        r"event stream|events|metadata|openapi|swagger|curl|environment variable|drop-in|syncs? (?:both ways|"
        r"with)|clients?)\b",
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
        r"\b(?:second factor|authenticator|audits?|auditors?|dpa|subprocessors?|data residency|"
        r"hosted in (?:europe|the eu|switzerland)|"
        r"(?:was|got|been) (?:compromised|hijacked)|compromised|roles and permissions|pen(?:etration)? tests?|"
        r"transparency report|"
        r"read (?:my|our|your) mail|credentials? (?:in|were)|keys? (?:in plain|never|can't)|spoofed|scim|disclosure)\b",
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
        r"\b(?:(?:\d+|half a|a|one|two|three|ten|twenty|thirty|few)[- ](?:minutes?|seconds?|"
        r"hours?)(?:[- ](?:delay|splash|wait))|"
        r"(?:out|away|done|sent) (?:\w+ ){0,3}in (?:\d+|\w+) (?:minutes|seconds)|half an? (?:minute|hour) to|"
        r"(?:arrive|arrives|arrived|come|comes|came) (?:\w+ ){0,2}(?:after|in|within) (?:\d+|\w+|"
        r"a few) (?:seconds|minutes|hours)|"
        r"takes? (?:ages|forever|an eternity|its time|a while|a minute|half a minute)|used to take|"
        r"time[- ]?outs?|stutters?|"
        r"per second|milliseconds?|in a blink|(?:at|within) (?:once|a second)|spinner|backlog|lags?)\b",
    ),
}
_SUPPORT_AS_VERB: Final = re.compile(
    r"\b(?:does|do|did|will|can|could|would|should)(?: \w+){1,3} support\b"
    r"|\b(?:they|it|we|you|i|that|which|to|not|also|now|doesn't|don't|didn't|won't|can't) support\b"
    r"|\badd support\b"
)
_COMPILED: Final = {name: re.compile("|".join(f"(?:{each})" for each in parts)) for name, parts in _PATTERNS.items()}

_CERTAIN: Final = {
    "ease_of_use": re.compile(
        r"\b(?:easy|easier|simple|hard|difficult) to (?:use|navigate|set up|learn|understand)\b"
        r"|\b(?:user[- ]friendly|intuitive|learning curve|ease of use)\b"
    ),
    "deliverability": re.compile(
        r"\b(?:deliverab\w+|inbox placement|blacklist\w*)\b"
        r"|\b(?:land|end|go)(?:s|es|ed|ing)? (?:up )?(?:straight )?(?:in|into|to) (?:the )?(?:spam|junk)\b"
        r"|\b(?:e?mails?|messages|newsletters?) (?:\w+ )?bounced?\b"
    ),
    "support": re.compile(
        r"\b(?:nobody|no one) (?:ever |even )?(?:answer(?:s|ed)?|repli(?:es|ed)|respond(?:s|ed)?)\b(?! twice)"
        r"|\bcustomer (?:service|support|care)\b|\b(?:account|customer success) managers?\b"
        r"|\bsupport (?:is|was|has been|never|answer\w*|repl\w+|respon\w+|ignor\w+)\b"
    ),
    "price": re.compile(
        r"\b(?:overpriced|too expensive|affordable|pric(?:e|es|ing) (?:is|are|was|were|went|doubled))\b"
    ),
    "integration": re.compile(r"\bintegrat\w+"),
}
"""Words that say an aspect whatever else is said: on the training texts at least nine in ten that have them speak of it
(of "nobody answers", which few have, three in five)."""

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
_SINGULAR: Final = (
    "is|isn't|was|wasn't|has|hasn't|does|doesn't|goes|gets|makes|keeps|takes|lets|arrives|ends up|fails|responds|"
    "stays|comes|gives|seems|becomes|remains|loses"
)
_OTHER_VERBS: Final = (
    "are|aren't|were|weren't|have|haven't|had|hadn't|do|don't|did|didn't|can|can't|cannot|could|couldn't|will|won't|"
    "would|wouldn't|never|always|just|go|went|get|got|make|made|keep|kept|take|took|let|arrive|arrived|end up|ended|"
    "fail|failed|respond|responded|stay|stayed|come|came|give|gave|seem|become|became|remain|lose|lost|land|landed|"
    "broke|crashed|bounced|replied|answered|helped|worked|loaded|ran|stopped|tripled|doubled|happened|needed|loved|"
    "hated|liked|found|said|told"
)
_VERB_OR_NOUN: Final = (
    "bounce|land|crash|break|work|help|load|reply|answer|cost|look|feel|need|run|vanish|disappear|freeze|fall|drop"
)
_VERB_OR_NOUNS: Final = (
    "bounces|lands|crashes|breaks|works|helps|loads|replies|answers|costs|looks|feels|needs|runs|falls|drops|freezes|"
    "cares"
)
_SUBJECT_WORD: Final = (
    rf"(?!(?:{_SINGULAR}|{_OTHER_VERBS}|that|which|"
    r"who|whose|where|when|how|why|what|if|whether|to|with|for|from|in|on|at|by|and|or|as|than|so|because|but|until|"
    r"once|after|before|like|about|into|though|also|still|then|now|not|really|even|only)\b)[\w'%-]+\s+"
)
_PRONOUN: Final = (
    r"(?:it|he|she|they|we|i|you|nobody|no one|everyone|everybody|everything|nothing|someone|somebody|this|there)\s+"
)
_OWN_SUBJECT: Final = re.compile(
    rf"(?:{_SUBJECT_WORD}){{1,4}}?(?:{_SINGULAR}|{_OTHER_VERBS})\b"
    rf"|{_PRONOUN}(?:{_OTHER_VERBS}|{_VERB_OR_NOUN}|{_VERB_OR_NOUNS}|love|like|hate|wish|use|want|pay)\b"
    rf"|(?:the|their|our|my|its|his|her|your|every|each|this|that)\s+(?:{_SUBJECT_WORD}){{1,2}}?(?:{_VERB_OR_NOUNS})\b"
    rf"|(?:{_SUBJECT_WORD}){{0,3}}?[\w-]{{2,}}s\s+(?:{_VERB_OR_NOUN})\b",
    re.I,
)
"""How a clause begins that has a subject and a verb of its own. Words that are as often nouns ("answers", "bounce")
count as verbs after a pronoun, after a noun with its article, or in the plural after one in the plural."""
_AFTER_COMMA: Final = re.compile(
    r"(?:\w+\s+){0,4}(?:is|are|was|were|isn't|aren't|wasn't|has|have|had|does|doesn't|do|don't|did|didn't|can|can't|"
    r"could|will|won't|works?|takes?|took|costs?|goes|went|gets|got|makes?|keeps?|needs?|looks?|feels?|never|lets?)\b",
    re.I,
)
_SAYS: Final = re.compile(
    rf"\b(?:{_SINGULAR}|{_OTHER_VERBS}|{_VERB_OR_NOUN}|{_VERB_OR_NOUNS}|love|like|hate|wish|use|uses|want|pay|"
    r"to\s+\w+|it's|they're|that's|i'm|we're)\b",
    re.I,
)
_CUTS: Final = re.compile(
    r"[.!?;:\n…]+(?:\s+|$)|\s[-–—]+\s|—|,?\s*\b(?:but|however|although|though|whereas|while|yet|except that|"
    r"unfortunately|sadly|on the one hand|otherwise)\b,?\s*|,\s+on the other(?: hand)?\b(?!,)\s*"
)
_JOINTS: Final = re.compile(r",\s+(?:and\s+)?|\band\s+", re.I)
_CONTRASTS: Final = re.compile(
    r"\b(?:but|however|although|though|yet|except|unfortunately|sadly|while|whereas|otherwise|on the other)\b", re.I
)
_REACH: Final = 300
"""Characters of a clause that are looked at again at each of its commas: else a long list would cost its square."""
_OPPOSED: Final = 1.0
"""Valence (-4 to 4 a word) from which on two parts of a sentence count as set against each other."""
_GAP: Final = re.compile(r"[^\S\n]{2,}")
_SENTENCES: Final = re.compile(r"(?<=[.!?…])\s+|\n+")


class Mention(NamedTuple):
    """An aspect in a clause of a sentence. ``side``: 1 under a heading for likes, -1 under one for dislikes, or 0.
    ``contrast``: whether the sentence sets its clauses against each other, so that it is no witness for any of them."""

    aspect: str
    clause: str
    sentence: str
    side: int
    contrast: bool


def mentions(text: str) -> list[Mention]:
    """Every clause of a text that speaks of an aspect, in order; a clause may speak of several."""
    return mentions_by(sentiment.model(), text)


def mentions_by(current: sentiment.Model, text: str) -> list[Mention]:
    """:func:`mentions` with a model of one's own.

    Whether a sentence speaks of an aspect is judged clause by clause, from all words and from the patterns that fit:
    in the best of them it has to be likely enough, or named beyond doubt. It is then found in every clause in which a
    pattern fits, or where none does in that best one.
    """
    found: list[Mention] = []
    count = 0
    for sentence, side in sentences(text):
        parts = clauses(sentence)[: _MOST_CLAUSES - count]
        count += len(parts)
        if not parts:
            continue
        named = [detect(clause) for clause in parts]
        odds = np.array(
            [
                current.evidence(clause) + current.detector_intercept + _hits([names]) @ current.detector_patterns
                for clause, names in zip(parts, named, strict=True)
            ]
        )
        certain = {
            aspect for clause, names in zip(parts, named, strict=True) for aspect in names if _sure(aspect, clause)
        }
        spoken = [
            aspect for place, aspect in enumerate(ASPECTS) if aspect in certain or odds[:, place].max() >= DETECTED
        ]
        for aspect in spoken:
            if not any(aspect in names for names in named):
                named[int(odds[:, ASPECTS.index(aspect)].argmax())].append(aspect)
        contrast = opposed(sentence, parts)
        found.extend(
            Mention(aspect, clause, sentence, side, contrast)
            for clause, names in zip(parts, named, strict=True)
            for aspect in ASPECTS
            if aspect in names and aspect in spoken
        )
    return found


def _sure(aspect: str, clause: str) -> bool:
    return aspect in _CERTAIN and _CERTAIN[aspect].search(clause.lower()) is not None


def clauses(sentence: str) -> list[str]:
    """The clauses of a sentence that is clean, in order; what parts them is left out.

    Marks and words of contrast always part. "And" and commas do where what stands before says something and what
    follows has a subject and a verb of its own ("support is slow | and emails bounce", but not "support and delivery
    are slow"), or where the words before and after are of opposite valence ("great editor | awful support").
    """
    found: list[str] = []
    for piece in _CUTS.split(sentence):
        start = 0
        joints = list(_JOINTS.finditer(piece))
        for place, joint in enumerate(joints):
            before = piece[max(start, joint.start() - _REACH) : joint.start()]
            after = joint.end()
            until = joints[place + 1].start() if place + 1 < len(joints) else len(piece)
            if before.strip(" ,") and _parted(before, joint[0][0] == ",", piece, after, until):
                found.append(piece[start : joint.start()].rstrip(" ,"))
                start = after
        found.append(piece[start:])
    return [clause for clause in found if clause.strip()]


def _parted(before: str, comma: bool, piece: str, after: int, until: int) -> bool:
    if _OWN_SUBJECT.match(piece, after) or (comma and _AFTER_COMMA.match(piece, after)):
        return _SAYS.search(before) is not None or language.valence(before) != 0
    return _against([language.valence(before), language.valence(piece[after:until])])


def _against(valences: Sequence[float]) -> bool:
    return min(valences) <= -_OPPOSED and max(valences) >= _OPPOSED


def opposed(sentence: str, parts: Sequence[str]) -> bool:
    """Whether a sentence sets its clauses against each other, by a word for it or by their words' valences."""
    if len(parts) < 2:
        return False
    return _CONTRASTS.search(sentence) is not None or _against([language.valence(clause) for clause in parts])


def sentences(text: str) -> list[tuple[str, int]]:
    """The sentences of a text once clean, each with its side (see :class:`Mention`); headings are none."""
    found: list[tuple[str, int]] = []
    side = 0
    for sentence in _SENTENCES.split(_GAP.sub(" ", language.clean(text))):
        heading = sentence.strip(" .")
        if heading in _SIDES:
            side = _SIDES[heading]
        elif sentence.strip():
            found.append((sentence, side))
    return found


def hits(sentence: str) -> NDArray[np.float64]:
    """For each aspect 1 where its pattern fits in some clause of a sentence, else 0."""
    return _hits([detect(clause) for clause in clauses(sentence)])


def _hits(named: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    return np.array([float(any(aspect in names for names in named)) for aspect in ASPECTS])


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
        spoken = mentions_by(current, text)
        if not spoken:
            found.append({})
            continue
        found.append(labelled(spoken, inputs(current, spoken), current.aspect_label))
    return found


def labelled(spoken: Sequence[Mention], rows: NDArray[np.float64], weights: NDArray[np.float64]) -> dict[str, str]:
    """Aspect → label, from what each mention is judged by (:func:`inputs`, mentions × 10) and the weights (10 × 3)."""
    chances = sentiment.probabilities((rows[:, :, np.newaxis] * weights).sum(axis=1), 1.0)
    total = {aspect: np.zeros(3) for aspect in ASPECTS if any(each.aspect == aspect for each in spoken)}
    for each, chance in zip(spoken, chances, strict=True):
        total[each.aspect] += chance
    return {aspect: sentiment.LABELS[int(row.round(6).argmax())] for aspect, row in total.items()}


def inputs(current: sentiment.Model, spoken: Sequence[Mention]) -> NDArray[np.float64]:
    """What the label of each mention is judged by: mentions × 10. The scores of its clause and of its sentence
    (positive, neutral, negative each; none of a sentence that sets its clauses against each other), whether it stands
    in such a sentence, under likes, under dislikes, and 1."""
    parts = sorted({part for each in spoken for part in (each.clause, each.sentence)})
    scores = dict(zip(parts, current.scores(parts), strict=True))
    return np.array(
        [
            [
                *scores[each.clause],
                *(np.zeros(3) if each.contrast else scores[each.sentence]),
                float(each.contrast),
                float(each.side > 0),
                float(each.side < 0),
                1.0,
            ]
            for each in spoken
        ]
    )


def __getattr__(name: str) -> Any:
    # As in mailrubric.reviews.sentiment: measured, shipped with the model, read when asked for.
    if name == "CONFUSION":
        return sentiment.model().aspect_confusion
    raise AttributeError(name)
