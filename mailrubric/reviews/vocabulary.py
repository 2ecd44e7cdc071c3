"""What words mean when people talk about mail software and services.

General sentiment lexicons were rated without a subject: there "support", "free", "secure", "like" and "share" are
praise and "spam", "block", "error" and "drop" are blame, while "slow", "outage", "intuitive", "overpriced" and
"unreliable" are missing. About mail products "spam" and "support" are topics, and "it landed in spam" is blame. The
valences stand on VADER's scale from -4 to 4.
"""

from __future__ import annotations

from typing import Final

_VALENCES: Final = """
0 support supports supported supporting spam spammer spammers free freely share shared shares sharing secure security
0 securely trust alert alerts block blocks blocking reject rejects number numbers important importance interest
0 interested like please yes no top natural credit credits solution solutions value values join joined welcome greet
0 care create created creates creating creative active engage engaged engagement certain commit committed agree
0 play natural demand want friend friends legal risk risks threat threats attack attacks abuse phishing virus malware
0 warning warnings warn error errors limited restrict restricted drop cancel cut charge charges charged dump kill kills
0 killed die dead negative positive pretty kind sure help helping opportunity opportunities gain gains grant granted
0 grants protect protected protection prevent prevented prevents reward rewards promise popular share accept accepts
0 accepted accepting admin approve approved contact contacts deliver original intelligence energy number challenge
0 challenges matter matters miss exposed vulnerability vulnerabilities critical emergency lost loss leave forget hide
0 ignore ignored ignores conflict conflicts defer deferred suppress suppressed suppression complaint complaints dispute
0 pressure hell hesitate strength strengths chance chances special increase increased increases defined define
0 confidential confidentiality sensitive alone straight true truth party parties resolve determine determined
0 hope hoping hoped save saves saved saving clear clearly well mandatory reach authority
3 flawless flawlessly rock-solid bulletproof unbeatable gem lifesaver superb stellar phenomenal outstanding exceptional
3 exceptionally amazing amazed awesome brilliant wonderful fantastic excellent terrific blown-away godsend
2.5 intuitive seamless seamlessly effortless effortlessly polished delightful breeze slick snappy frictionless
2.5 dependable trustworthy top-notch bargain no-brainer pleasantly superb unmatched speedy lightning blazing rocks
2.2 reliable reliably painless painlessly smooth smoothly user-friendly affordable straightforward responsive attentive
2.2 knowledgeable courteous patient reasonable reasonably well-documented well-designed versatile refreshing stable
2 fast faster fastest quick quickly instant instantly promptly prompt rapid rapidly robust sturdy solid simple simpler
2 simplest simplicity easy easily easier uncluttered lightweight comprehensive thorough powerful flexible customizable
2 cheap cheaper inexpensive economical transparent consistent consistently worked works handy convenient conveniently
2 generous tidy crisp sleek modern concise accurate accurately fixed solved resolved pleased improved improvement
2 helpful helped relief thankfully kudos hats-off worth worthwhile recommend recommended recommending satisfied happier
1.5 saver saves upgrade decent capable proactive organized organised noticeable steady steadily smarter
-3.5 scam scammers scammed garbage atrocious appalling horrendous abysmal abomination trash disgrace disgraceful ripoff
-3.5 rip-off awful horrible terrible horrid dreadful unacceptable outrageous disastrous catastrophe fiasco shambles
-3 nightmare useless unusable worthless incompetent incompetence pathetic infuriating infuriated maddening hopeless
-3 unreliable untrustworthy deceptive dishonest misleading predatory extortion extortionate bait-and-switch shady
-2.8 clunky buggy bug-ridden glitchy laggy sluggish janky flaky unresponsive overpriced unhelpful rude dismissive
-2.8 bloated cumbersome convoluted counterintuitive unintuitive unprofessional botched shoddy crappy gutted lousy
-2.5 crash crashes crashed crashing freezes freezing outage outages downtime broke breaks breaking broken
-2.5 painful painfully frustrating frustrated frustration annoying annoyance annoyed tedious laborious confusing
-2.5 disappointing disappointed disappointment regret regretted fed-up ditched abandoned abandoning gave-up rant
-2.5 expensive pricey costly exorbitant steep unjustified greedy gouging ransom nickel-and-dimed
-2 slow slower slowly slowest lag lags bug bugs glitch glitches hiccups erratic erratically intermittently intermittent
-2 outdated dated antiquated archaic messy cluttered clutter mess ugly awkward awkwardly fiddly finicky hassle headache
-2 headaches struggle struggled struggling suffer suffers suffered stuck hang hangs hung silently mysteriously
-2 inconsistent inconsistently unstable unpredictable unclear vague cryptic obscure opaque misled canned boilerplate
-2 undelivered undeliverable vanished vanishes vanish disappeared disappears disappearing corrupted corrupt mangled
-2 mangles mangle garbled breaks corrupts duplicates locked throttled blacklisted blocklisted suspended terminated
-2 banned deactivated lacking lacks lack missing poor poorly weak worse worst failed fails fail failing failure failures
-2 unfortunately sadly beware avoid complain complained complaining complains apologise excuse excuses ignored nowhere
-2 hostile arbitrary arbitrarily unexplained unannounced unwarranted unfair unfairly absurd ridiculous ridiculously
-2 impossible inexcusable pointless pointlessly bothersome sloppy wonky subpar mediocre underwhelming lackluster
-1.5 problem problems issue issues trouble troubles delay delays delayed late wrong wrongly unable cannot refused
-1.5 difficult difficulty hard harder limiting limitation limitations rigid inflexible bare-bones barebones
-1.5 forced forces hidden creeping hiked hike crept ballooned doubled tripled skyrocketed noisy overkill overwhelming
""".strip().splitlines()


def _words() -> dict[str, float]:
    found: dict[str, float] = {}
    for line in _VALENCES:
        value, *words = line.split()
        found.update(dict.fromkeys(words, float(value)))
    return found


WORDS: Final[dict[str, float]] = _words()
"""Valences that replace or complete the general lexicon's; the words at 0 are topics here, and what is said with them
decides."""

_IT: Final = r"(?:\w+ ){0,3}?"
_BOX: Final = r"(?:spam|junk|trash|promotions?|clutter|quarantine)"
_MAIL: Final = (
    r"(?:e?-?mails?|messages?|newsletters?|campaigns?|confirmations?|receipts?|invoices?|sends?|mailings?|resets?)"
)

PRAISE: Final[tuple[str, ...]] = (
    rf"(?:reach(?:es|ed|ing)?|hits?|hitting|land(?:s|ed|ing)?|arriv(?:e|es|ed|ing)|makes? it|made it|gets?|got|"
    rf"getting|delivered|going|goes?|went) {_IT}(?:primary )?inbox(?:es)?\b",
    r"\bout of (?:the )?(?:spam|junk)\b",
    r"(?:zero|no|without(?: any| a)?|not a single|never any|hardly any|minimal) (?:\w+ )?(?:downtime|outages?|"
    r"issues?|problems?|hassles?|complaints?|trouble|bugs?|hiccups?|surprises?|bounces?|hidden (?:fees|costs)|"
    r"learning curve|drama|fuss|interruptions?|data loss|crash(?:es)?|lag|delays?|regrets?|bloat|ads|nonsense|"
    r"headaches?|glitch(?:es)?|brainer)\b",
    rf"(?:spam|junk|phishing) (?:filter|filtering|blocking|protection|detection)s? (?:is |are |has been |does |"
    rf"do |really |actually |just |simply |{_IT})?(?:work|great|good|excellent|superb|best|catch|effective|"
    rf"impressive|top|stellar|fantastic|solid|spot|strong)\w*",
    r"(?:catch|caught|stop|stopp|block|filter|keep|kept)(?:e?s|ed|ing)? (?:\w+ ){0,4}(?:spam|junk|phishing|"
    r"scams?|malware)\b",
    r"\b(?:works?|working|worked|works?) (?:\w+ )?(?:great|well|fine|perfectly|flawlessly|beautifully|"
    r"as (?:advertised|expected|described|intended|promised)|like a charm|out of the box|reliably|wonders|"
    r"every time|first time|right away|nicely|smoothly|brilliantly)\b",
    r"\bjust works?\b|\bjust worked\b|\bset and forget\b|\bset it and forget\b|"
    r"\bdoes (?:exactly )?what it (?:says|promises|should)\b|\bdoes the job\b|\bgets? the job done\b",
    r"\b(?:up|up and running|running|live|set up|configured|sending|done|migrated|sorted) (?:\w+ )?(?:in|within|"
    r"under) (?:\w+ )?(?:\w+ )?(?:minutes?|hours?|an afternoon|a day|an hour|seconds|no time)\b|\bin no time\b|"
    r"\bwithin minutes\b|\bin under (?:a|an|one|two|five|ten|\d+) (?:minutes?|hours?|seconds?)\b",
    r"\b(?:answer|repl|respond|response|resolv|fix|solv|sort|got back|came back)\w*(?: \w+){0,5} (?:within|in|"
    r"in under|under) (?:\w+ ){0,3}(?:minutes?|hours?|the hour|an hour|seconds)\b",
    r"\b(?:highly|definitely|strongly|would|happily|can|absolutely|wholeheartedly|easily) recommend\w*\b",
    r"\b(?:worth (?:every|the|it|each)|good value|great value|value for (?:the )?money|fair(?:ly)? pric\w*|"
    r"pric\w+ (?:is|are|was|seems?) (?:\w+ )?(?:fair|great|good|reasonable|right|unbeatable|low|competitive)|"
    r"bang for (?:the|your) buck|sav(?:ed|es|ing) (?:us|me) (?:\w+ ){0,4}(?:money|hours?|time|days|fortune|"
    r"a lot|dollars|budget)|half the (?:price|cost)|fraction of the (?:price|cost)|generous free|"
    r"costs? (?:us )?(?:almost nothing|peanuts|pennies|less))\b",
    r"\b(?:went up|open rates? (?:\w+ ){0,3}(?:up|rose|jumped|improved|climbed|doubled)|"
    r"improv\w+ (?:\w+ )?deliverability|deliverability (?:is|has been|was|got|went) (?:\w+ )?(?:great|excellent|"
    r"good|better|up|superb|stellar|rock|solid|top|fantastic|outstanding|impressive)\w*)\b",
    r"\b(?:never|not once|hasn't|haven't|didn't|doesn't) (?:\w+ ){0,3}?(?:let (?:us|me) down|look(?:ed)? back|"
    r"fail(?:ed)?|gone down|went down|go(?:ne)? down|regret(?:ted)?|miss(?:ed)? a beat|lost (?:a|one|any)|"
    r"lose (?:a|one|any)|had (?:a|any|an|one) (?:\w+ )?(?:issues?|problems?|outages?|complaints?)|crash(?:ed)?|"
    r"bounced?|land(?:ed)? in|skip(?:ped)? a beat|disappoint(?:ed)?|dropped?)\b",
    r"\b(?:no complaints|can't complain|cannot complain|could not be happier|couldn't be happier|"
    r"nothing (?:but praise|to complain)|best (?:decision|thing|move|email|mail|tool|support|service|client|"
    r"choice|value|in class)|game[- ]changer|life[- ]?saver|second to none|above and beyond|hats off|thumbs up|"
    r"two thumbs|five stars|5 ?stars?|5/5|10/10|love (?:it|this|the|how|that)|keep up|well done|great job|"
    r"good job|nice work|rock solid|rock-solid|a joy|a pleasure|pleasure to|joy to|a breeze|piece of cake|"
    r"walk in the park|peace of mind|sleep (?:\w+ )?(?:better|well|at night)|fell in love|happy (?:with|"
    r"customer|user)|thank you|thanks (?:a lot|so much|to)|so much better|far better|much better|way better|"
    r"much easier|much faster|huge improvement|pleasant surprise|pleasantly surprised|exceeded|beats|"
    r"outperforms?|miles ahead|head and shoulders|night and day|gold standard|spot on|on point|no[- ]brainer|"
    r"to the point|ticks? (?:all|every)|exactly what (?:i|we) (?:need|want|was|were)\w*|as promised|ahead of|"
    r"delivers on|without (?:a )?(?:hitch|fuss|a single)|not a single (?:\w+ )?(?:lost|bounced|missed|message|"
    r"email|mail|outage|complaint|one)|every (?:single )?(?:message|email|mail) (?:arriv|got|deliver|reach)\w*|"
    r"all (?:arrived|delivered|went through)|stay(?:s|ed)? (?:up|out of (?:the|your|our|my) way)|rescued|"
    r"saved (?:us|me|our|my)|knew (?:exactly )?what|real (?:human|person|people|engineer)s?|actual (?:human|"
    r"person|people|engineer)s?|walked (?:me|us) through|stayed (?:on|with)|took the time|"
    r"went out of their way)\b",
    r"\b(?:easy|simple|straightforward|quick|painless|effortless|intuitive|pleasant|clean|fast) (?:to|and|"
    r"enough|interface|setup|set[- ]?up|migration|onboarding|editor|ui|integration|install\w*|docs|"
    r"documentation|api)\b",
    r"\b(?:super|very|really|so|incredibly|extremely|insanely|surprisingly|remarkably|pretty|dead|"
    r"ridiculously) (?:easy|simple|quick|fast|helpful|responsive|reliable|stable|smooth|intuitive|useful|"
    r"affordable|cheap|straightforward|happy|pleased|impressed|friendly|clean|nice|good|generous|solid|handy)\b",
    r"\b(?:docs|documentation|guides?|tutorials?) (?:is|are|was|were) (?:\w+ )?(?:clear|excellent|great|good|"
    r"superb|thorough|top|stellar|fantastic|helpful|complete|well)\b",
    r"(?:❤|😍|👍|🎉|🙌|🥰|😊|💯|🚀|⭐|👏|💪|😀|😁|🔥)",
)
"""Patterns that are praise about a mail product, matched in lower-case text; a negation before turns them round."""

BLAME: Final[tuple[str, ...]] = (
    rf"(?:land|end|go|goes|going|went|gone|get|gets|getting|got|dump|deliver|sent|send|sends|sort|route|flag|"
    rf"mark|treat|fall|drop|put|puts|straight|directly|file|move)(?:s|es|ed|ing|ged|ping|"
    rf"up)? (?:\w+ ){{0,5}}?(?:in|into|to|as|up in|inside) (?:\w+ ){{0,2}}?{_BOX}\b",
    rf"\b{_BOX} (?:folder|box)s? (?:again|every|all the|constantly|instead|anyway)\b|\bstraight to {_BOX}\b|"
    rf"\bin(?:to)? (?:the |everyone's |their |people's |customers' )?{_BOX}(?: folder)?\b",
    r"\b(?:full|flood(?:ed)?|drown(?:ing|ed)?|riddled|loads|tons|lots|tsunami|buried) (?:of|with|in|"
    r"by) (?:\w+ )?(?:spam|junk|ads|bugs|adverts?|errors)\b",
    rf"(?:spam|junk|phishing) (?:filter|filtering|protection|detection)s? (?:is |are |has been |does |do |lets? |"
    rf"{_IT})?(?:useless|bad|terrible|awful|poor|a joke|weak|miss|fail|broken|too aggressive|aggressive|"
    rf"non-existent|nonexistent|hopeless|eats?|swallow)\w*",
    r"\b(?:went|goes|go|going|gone|been|was|were|is|are) (?:\w+ ){0,3}?(?:down|offline|unavailable|unreachable|"
    r"dark)\b(?: for| again| twice| during| on| every| half| most| all|,|\.|$)",
    r"\b(?:blacklist|block-?list|blocklist|deny-?list)(?:ed|s)?\b|\bshared ips? (?:\w+ ){0,3}(?:reputation|"
    r"listed|blocked|burned|dirty|bad|poor|terrible)",
    r"\b(?:account|domain|mailbox|access|service|sending|workspace|list)s? (?:\w+ ){0,4}?(?:suspended|"
    r"terminated|banned|disabled|locked|closed|deactivated|frozen|blocked|cut off|shut down|paused|deleted)\b|"
    r"\b(?:suspend|terminat|bann|disabl|lock|clos|deactivat|block|froze|paus|delet|shut)(?:e|ed|s|"
    r"ing)? (?:down )?(?:my|our|the|us|me|out) (?:\w+ )?(?:account|domain|mailbox|access|out|without|down|"
    r"service)\b|\b(?:suspended|banned|terminated|locked out|kicked off) (?:\w+ ){0,3}(?:without|for no|with no|"
    r"no reason|overnight|out of)",
    r"\b(?:without|no|zero|not even a|with no|nor any) (?:any |a |an |prior |advance |single |"
    r"further )?(?:warning|notice|explanation|reply|response|answer|reason|apology|refund|recourse|help|"
    r"communication|heads-up|appeal|human|way to (?:contact|reach|talk|appeal|export|undo|turn|disable|"
    r"cancel))\b",
    r"\b(?:never|not|nobody|no one|hasn't|haven't|didn't|doesn't|don't|won't|did not|does not|"
    r"yet to) (?:\w+ ){0,3}?(?:answer|repl|respond|heard back|hear back|got back|get back|arriv|deliver|work|"
    r"show(?:s|ed)? up|sync|load|open|connect|receiv|refund|fix|resolv|help|care|recommend|come back|came back|"
    r"recover|let me|let us|render|save|update|reach)\w*",
    r"\b(?:stopp?(?:ed|s)|quit|ceased) (?:\w+ ){0,2}?(?:work|sync|send|receiv|deliver|load|respond|arriv|notify|"
    r"updat|connect)\w*",
    r"\b(?:still|been) (?:waiting|no (?:reply|answer|response|fix|refund)|broken|not (?:fixed|resolved|working)|"
    r"unresolved|down)\b|\bwait(?:ed|ing)? (?:\w+ ){0,3}?(?:days?|weeks?|months?|hours|forever|ages)\b",
    r"\b(?:takes?|took|taking) (?:\w+ ){0,3}?(?:days|weeks|months|hours|forever|ages|minutes to load|"
    r"an eternity|too long)\b|\b(?:days|weeks|months|hours) (?:to|before|without|until|later|for a|"
    r"of back and forth) (?:\w+ ){0,2}?(?:get|answer|reply|respond|resolv|fix|hear|an? (?:reply|answer|"
    r"response)|any|nothing|arriv)\w*",
    r"\b(?:lost|loses|losing|lose|deleted|deletes|wiped|eats|ate|swallow(?:s|ed)|drop(?:s|"
    r"ped)) (?:\w+ ){0,3}?(?:e?-?mails?|messages?|data|drafts?|contacts?|subscribers?|customers?|money|work|"
    r"folders?|attachments?|templates?|history|everything|revenue|sales|half|mail)\b",
    r"\b(?:too|way too|far too|so|over|insanely|absurdly|ridiculously|painfully|extremely|really|"
    r"very) (?:expensive|pricey|slow|complicated|complex|limited|restrictive|aggressive|confusing|basic|buggy|"
    r"clunky|steep|high|much money|rigid|frustrating|annoying|bad|poor|difficult|hard|heavy|bloated|"
    r"many (?:clicks|bugs|steps|ads|emails|issues|limitations|problems))\b",
    r"\b(?:price|prices|pricing|bill|cost|costs|fee|fees|subscription|plan|rate|invoice|charge|"
    r"renewal)s? (?:\w+ ){0,4}?(?:doubled|tripled|quadrupled|hike[sd]?|increase[sd]?|jumped|skyrocket\w*|"
    r"went up|gone up|goes up|crept|ballooned|exploded|creep\w*|climb\w*|adds? up|too high|insane|crazy|"
    r"outrageous|ridiculous|through the roof|steep|higher|raised)\b|\b(?:doubled|tripled|raised|hiked|jacked up|"
    r"increased) (?:the |our |their |my |its )?(?:price|prices|pricing|bill|cost|costs|rates?|fees?)\b|"
    r"\bprice (?:hike|increase)s?\b|\bhidden (?:fees?|costs?|charges?)\b|\b(?:kept|keep|keeps|still|double|over|"
    r"continue[sd]? to|wrongly) charg(?:ed|ing|es|e)\b|\bcharged (?:me|us|my|our|twice|for|again|after|full)\b",
    r"\b(?:waste of|don't (?:bother|buy|use|waste|trust|sign|recommend)|do not (?:bother|buy|use|waste|trust|"
    r"sign|recommend)|stay away|steer clear|avoid (?:at|this|like|them)|run away|look elsewhere|think twice|"
    r"buyer beware|never again|wouldn't recommend|would not recommend|can(?:'t|not) recommend|(?:switched|"
    r"switching|moved|moving|migrated|migrating) away|looking for (?:an )?alternatives?|looking elsewhere|"
    r"cancell?(?:ed|ing) (?:my|our|the|after|because|it)|unsubscribed|uninstall(?:ed|ing)?|gave up|giving up|"
    r"give up|had enough|fed up|last straw|left (?:them|for|because|after)|leaving|jumped ship|going back to|"
    r"went back to|want my money|refund me|let (?:us|me) down|lets (?:you|us|me) down|letdown|let-down|"
    r"falls? short|fell short|not worth|isn't worth|overrated|used to (?:be (?:good|great|reliable|fast|"
    r"the best|better|free|simple)|love|work|like)|downhill|got worse|gets worse|getting worse|getting slower|"
    r"worse (?:with|than|every|and|since|now)|one star|1 ?star|1/5|0/10|zero stars|0 stars|2/10|thumbs down|"
    r"what a (?:joke|mess|shame|pain|disaster|waste)|a joke|a pain|a nightmare|a mess|a disaster|a chore|a slog|"
    r"a gamble|a lottery|hit[- ]or[- ]miss|pain in|pulling (?:my|our) hair|drives? (?:me|us) (?:crazy|mad|nuts|"
    r"insane)|wish (?:i|we) (?:had|hadn't|never|could go)|(?:i|we) regret|big mistake|deal[- ]?breaker|"
    r"show[- ]?stopper|red flag|not happy|not impressed|unimpressed|not acceptable|not good enough|no good|"
    r"not great|nothing but (?:trouble|problems|issues)|constant(?:ly)? (?:\w+ )?(?:error|errors|crash\w*|logs?|"
    r"logging|asks?|asking|issues|problems|bugs|fail\w*|break\w*)|keeps? (?:\w+ )?(?:crash\w*|log\w*|ask\w*|"
    r"fail\w*|break\w*|freez\w*|disconnect\w*|los\w*|bounc\w*|reject\w*|timing|forget\w*|showing|spinning|"
    r"popping|duplicat\w*|going|dropping|sending me)|every (?:update|release|upgrade) (?:breaks?|broke|makes?|"
    r"brings?)|(?:after|since) the (?:last|latest|recent|new) (?:update|release|upgrade|redesign)|"
    r"who (?:thought|tests|designed)|how is (?:this|that) (?:still|even|acceptable)|in 20\d\d[?!]|"
    r"copy[- ]?(?:and[- ]?)?paste(?:d)? (?:answers?|repl\w+|responses?)|run-?around|passed (?:around|from|me|"
    r"us)|blam(?:e|es|ed|ing) (?:us|me|my|our|the)|chat ?bots?|held hostage|vendor lock|locked in|lock-in|"
    r"paywalls?|behind (?:a |the )?(?:paywall|higher|enterprise|premium)|nickel[- ]and[- ]dim\w*|upsell\w*)\b",
    rf"\b(?:{_MAIL}|delivery|deliveries) (?:\w+ ){{0,4}}?(?:bounced?|delayed|rejected|disappear\w*|vanish\w*|"
    rf"missing|lost|throttled|late|never|stuck|blocked|undelivered|dropped|deferred|duplicated|"
    rf"arriv\w+ (?:\w+ )?late)\b",
    r"\b(?:open rates?|deliverability|reputation|inbox placement|quality|support|performance|reliability|"
    r"service) (?:\w+ ){0,4}?(?:dropped|fell|tanked|plummeted|collapsed|suffered|is (?:a joke|terrible|awful|"
    r"bad|poor|horrible|abysmal|gone|non-?existent)|went (?:down|downhill)|declined|sank|halved|deteriorat\w*|"
    r"slipped|nosedived)\b",
    r"\b(?:hours?|days?|weeks?|afternoon|weekend|night) (?:\w+ )?(?:fighting|debugging|wrestling|trying|wasted|"
    r"lost|chasing|on hold|figuring)\b|\b(?:wasted|lost|spent) (?:\w+ ){0,3}?(?:hours|days|weeks|weekend|"
    r"afternoon|evening)\b|\b(?:fight|fighting|wrestl\w+|battl\w+) (?:with )?(?:the|their|its|this)\b",
    r"(?:😡|👎|😠|🤬|😤|💔|😞|😢|😭|🙄|🤮|😒|💩|☹)",
)
"""Patterns that are blame about a mail product, used like those of praise."""

REQUEST: Final[tuple[str, ...]] = (
    r"\b(?:is|are|was) there (?:a|an|any|some)\b|\bhow (?:do|can|does|would|should|to|did|many|much|long|often|"
    r"is|are)\b|\b(?:does|do|did|can|could|has|have|is|will|would|should) (?:anyone|anybody|someone|it|they|"
    r"this|the|you|i|we|there|that)\b[^.!]{0,200}\?|^(?:what|where|which|when|who|why|any|anyone|looking for|"
    r"trying to|need to|i need|we need|i am trying|i'm trying|we're trying|i want to|we want to)\b",
    r"\b(?:would be (?:nice|great|good|useful|helpful|handy)|it'd be|please (?:add|consider|support|allow|make|"
    r"include|provide|bring)|feature request|i(?:'d| would) (?:like|love) (?:to see|an|a|to be able)|"
    r"could you (?:add|please|make|also)|any (?:plans?|chance|way|idea|tips|advice|eta|news|update)|"
    r"wish (?:list|it had|there (?:was|were)|it could|it supported)|\+1 for|on the roadmap|suggestion:|"
    r"request:)\b",
    r"\b(?:according to|documentation says|docs say|changelog|release notes|version \d|per month|per user|"
    r"supports? (?:smtp|imap|pop|dkim|oauth|tls|webhooks|arc|jmap|saml|sso)|the default|by default|is based in|"
    r"was founded|announced|released|available (?:in|on|for|as)|comes? in|starts? at|includes? \d|up to \d|"
    r"located|configured? (?:the|to|with)|set (?:the|it|up) (?:to|the)|we (?:use|currently use|send|are using|"
    r"run|have)|i (?:use|am using|run|have)|consists of|is written in|listens on|port \d+)\b",
)
"""Patterns of questions, requests and plain statements."""
