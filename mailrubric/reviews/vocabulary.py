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
3 superb exceptionally amazing amazed awesome brilliant wonderful fantastic excellent terrific blown-away godsend
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
3 bliss marvellous marvelous magnificent exemplary impeccable immaculate spectacular sublime splendid spotless uncanny
2.5 effortless dreamy gorgeous elegant elegantly thrilled delighted overjoyed ecstatic unrivalled unrivaled
2.5 invaluable superior exceptional first-rate first-class world-class best-in-class top-tier well-thought-out pleasure
2 instantaneous swift swiftly brisk nimble responsive reassuring comforting hugely rewarding satisfying well-made
2 thoughtful thoughtfully clever cleverly neat neatly intelligently sensible sane coherent logical readable legible
2 self-explanatory foolproof maintained well-maintained battle-tested mature trouble-free worry-free ad-free untouched
2 grateful appreciate appreciated appreciative thankful thanks praise praised applause enjoyable enjoying enjoy
1.5 negligible unobtrusive unlimited included bundled free-of-charge discount evergreen frugal fairly honest honestly
1.5 saviour savior boost boosted boosts soared jumped climbed rose recovered restored caught spotted
-3 disgusting vile hideous unbearable intolerable insufferable inexcusable unforgivable shameful shameless laughable
-3 outraged furious enraged livid fuming appalled horrified disgusted insulted cheated conned swindled robbed stolen
-2.5 unaffordable infuriate aggravating exasperating exhausting demoralizing embarrassing mortifying humiliating
-2.5 amateurish careless negligent neglected clueless inept broken-down defective faulty dysfunctional unfixable
-2.5 unworkable impractical unreadable illegible incomprehensible nonsensical senseless brain-dead backwards backward
-2.5 toxic spammy dodgy sketchy suspiciously creepy intrusive invasive nagging nags pushy aggressive spammed
-2 abandoned unmaintained neglected stale deprecated obsolete archaic ancient primitive crude rudimentary half-baked
-2 undocumented unpatched unencrypted insecure leaked leaky exposed breached unsafe
-2 unanswered unresolved unread overdue belated delayed postponed stalled stalls choked choking crawls crawling
-2 gutted crippled removed downgraded paywalled nerfed ruined ruins ruin spoiled destroyed butchered wiped erased
-2 overcharged overbilled double-billed hidden-fees surcharge penalties penalty gouge gouged milking
-2 downhill deteriorated declining declined tanked plummeted collapsed nosedived worsened worsening regressed regression
-1.5 tricky quirky quirks patchy spotty sporadic sporadically choppy jerky flimsy fragile brittle shaky wobbly thin
-1.5 bland boring dull tired tiresome repetitive redundant needless needlessly unnecessarily unnecessary pain grief
-1.5 caveat drawback drawbacks downside downsides shortcoming shortcomings weakness weaknesses gripe gripes niggle
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
_BOX: Final = r"(?:spam|junk|promotions?)"
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
    r"\b(?:can(?:'t|not| not)|couldn't|could not|wouldn't|don't know how) (?:\w+ ){0,4}?(?:live|run|work|"
    r"manage|do|be|imagine \w+) (?:\w+ ){0,3}?without\b|"
    r"\bhow (?:did|have) (?:we|i) (?:ever )?(?:manage\w*|live\w*|work\w*|surviv\w*)\b|\bwhy did(?:n't|"
    r" not) (?:i|we) (?:switch|move|find|try|do)\b|"
    r"\b(?:should|wish|would) (?:i |we )?(?:have|had|'d) (?:switched|moved|done|found|started|tried|"
    r"signed) (?:\w+ ){0,4}?(?:sooner|earlier|years ago|long ago|before)\b|"
    r"\bnever (?:going|looking|looked|look) back\b|\bhere to stay\b|\bwill (?:stay|renew|continue|"
    r"keep using|be staying)\b|\bwon't (?:go|be going) (?:back|anywhere)\b|"
    r"\bwhat more (?:could|can|do)\b|\bwhat's not to (?:like|love)\b|\bno (?:need to look|"
    r"reason to (?:leave|switch|look))\b|\b(?:bravo|chapeau|wow|hurray|hooray|yay|woohoo|cheers to|"
    r"shout-?out)\b",
    r"\bfinally,? (?:an?|some|somebody|someone|something|off|done|got|found|added|fixed|works?|working|"
    r"there|has|have|gets?|arriv\w+|trust)\b|, finally\b|\bat last\b|"
    r"\b(?:lived?|lives|living) up to\b|\b(?:exceed|surpass|beat|blew|blown|"
    r"knocked)\w* (?:\w+ ){0,3}?(?:expectations?|away|socks|out of the park)\b|\bmoney well spent\b|"
    r"\bworth (?:paying|its|having|switching|a try|checking|looking|recommending|double)\b|\bpay(?:s|"
    r"ing)? (?:for itself|off)\b|\bpaid (?:for itself|off)\b|\bi'd pay (?:double|more|twice)\b|"
    r"\bhappy to pay\b|\bhappily pay\w*\b",
    r"\b(?:a|an|the) (?:\w+ )?(?:joy|delight|pleasure|blessing|gift|dream|treat|relief|winner|gem|bargain|"
    r"steal|lifesaver|godsend|keeper|must[- ]have|marvel|masterpiece|star|hero|beauty|rarity|revelation)\b",
    r"\b(?:cut|slash|reduc|halv|shrank|lower|drop|fell|went down|decreas)\w* (?:\w+ ){0,4}?(?:bounces?|"
    r"bounce rate|complaints?|costs?|spend|spending|budget|bill|support load|unsubscribes|churn|workload)\b|"
    r"\b(?:bounces?|bounce rates?|complaints?|complaint rates?|unsubscribes|costs?|tickets|"
    r"churn) (?:\w+ ){0,3}?(?:dropped|halved|fell|went down|vanished|disappeared|shrank|down)\b|"
    r"\b(?:open|click|delivery|inbox|conversion|reply|response)[- ]?(?:through )?(?:rates?|placement|"
    r"s)? (?:\w+ ){0,3}?(?:up|rose|jumped|improved|climbed|doubled|tripled|increased|soared|recovered|"
    r"best)\b|\b(?:revenue|sales|clicks|sign-?ups|conversions|opens) (?:\w+ ){0,3}?(?:up|rose|grew|doubled|"
    r"increased|climbed|improved)\b",
    r"\b(?:takes?|took|done|finished|ready|live|out|set ?up|setup|there|in|within|"
    r"under) (?:(?!more|longer|over|every|only)\w+ ){0,3}?"
    r"(?:(?:few|couple of|two|three|five|ten|fifteen|twenty|thirty|\d+) )?(?:seconds|"
    r"minutes)\b(?! (?:to load|to open|late|after|per|each|apart|for each|later|before|until|of downtime))|"
    r"\b(?:in|within|took|takes|under) (?:just |only |about |less than )?(?:an|one|a single|half an|"
    r"the) (?:afternoon|morning|hour|evening|lunch break)\b|\bthe same (?:day|evening|hour|night|"
    r"afternoon)\b|\bby (?:lunch|breakfast|morning)\b|\bovernight without\b|\bon the (?:first (?:try|"
    r"attempt|go)|minute)\b|\b(?:straight|right) away\b|\bat once\b|\bfirst (?:try|attempt|go)\b",
    r"\b(?:stopped|no longer|don't|never|without) (?:\w+ ){0,2}?(?:worry\w*|worries|think\w* about (?:it|"
    r"email|mail)|babysit\w*|fiddl\w*|fear\w*|guess\w*|struggl\w*)\b|\bforget (?:it|that it) (?:exists|"
    r"is there|was)\b|\bsleep (?:soundly|tight|like)\b|\bone less thing\b|\bstress-free\b|\bworry-free\b|"
    r"\bhassle-free\b|\bcarefree\b|"
    r"\b(?:nothing|no one|nobody|none of \w+|not one|never) (?:\w+ ){0,3}?(?:gets? lost|got lost|is lost|"
    r"was lost|were lost|lost|complain\w*|noticed|breaks|broke|went wrong|goes wrong|goes to (?:spam|junk)|"
    r"in (?:spam|junk)|missing|bad to say)\b",
    r"\b(?:not|never|hasn't|haven't|without) (?:\w+ ){0,2}?(?:a single|one|any|a) (?:\w+ ){0,2}?(?:outage|"
    r"downtime|incident|problem|issue|complaint|crash|bug|bounce|hiccup|failure|error|lost message|"
    r"minute of)\b|\bno (?:incidents?|surprises|drama|nonsense|silly|hidden|asterisks|fuss|lock-in|strings|"
    r"catch|spam|junk|more (?:junk|spam|bounces|problems|issues|errors|complaints|crashes))\b|"
    r"\bzero (?:lost|bounces|spam|complaints|maintenance|crashes|errors|config\w*)\b",
    r"\b(?:patient|kind|friendly|polite|courteous|competent|attentive|knowledgeable|pleasant|caring|"
    r"wonderful|lovely|great|amazing|fantastic|superb|excellent|brilliant|outstanding|awesome|terrific|"
    r"responsive|quick|helpful) (?:\w+ ){0,2}?(?:support|staff|people|team|folks|service|help|devs?|"
    r"developers?|community|guys|crew|reps?|agents?|maintainers?)\b|"
    r"\b(?:support|staff|people|team|folks|service|devs?|developers?|community|guys|crew|reps?|agents?|"
    r"maintainers?) (?:\w+ )?(?:is|are|was|were|has been|have been) (?:\w+ ){0,2}?(?:patient|kind|friendly|"
    r"polite|courteous|competent|attentive|knowledgeable|pleasant|caring|wonderful|lovely|great|amazing|"
    r"fantastic|superb|excellent|brilliant|outstanding|awesome|terrific|responsive|quick|helpful|fast|good|"
    r"top)\b|"
    r"\b(?:developers?|devs?|they|team) (?:really |actually )?(?:listen|care|reply|respond|deliver)s?\b|"
    r"\bgot my money back\b|\bhad my money back\b|\bcredited (?:us|me|the)\b|"
    r"\bwithout being asked\b|\bproactively\b|\bfixed (?:it |the \w+ |my \w+ )?(?:within|in|the same|straight|right|"
    r"overnight)\b",
    r"\b(?:everything|all|it all) (?:just |simply )?(?:works|worked|arrives|arrived|gets through|is there|"
    r"is where|goes through|went through|lands|in one (?:place|screen))\b|\bwhere (?:you'd|i'd|"
    r"one would) expect\b|\b(?:does|do|did) (?:its|the|their) (?:thing|job|work)\b|\bno training\b|"
    r"\bneeds? no (?:manual|training|attention|explanation)\b|\b(?:even|finally) (?:my|"
    r"our) (?:\w+ )?(?:mother|mum|mom|dad|father|grand\w+|parents|boss|intern|wife|husband|kids|ceo)\b|"
    r"\b(?:anyone|anybody|everyone|normal people) (?:on the team )?can\b",
    r"\b(?:has|have|had) (?:been running|stayed (?:up|stable|off|clear)|held up|been (?:up|stable|solid|"
    r"flawless|reliable|"
    r"great|fantastic|excellent|perfect|wonderful|a pleasure|painless|smooth)) (?:\w+ ){0,4}?\b|\b(?:years?|"
    r"months) (?:\w+ ){0,3}?(?:without|and (?:counting|still|never|not)|no (?:issues|problems|"
    r"complaints))\b|\bstill (?:a fan|going strong|happy|love|the best|loving)\b|"
    r"\blong[- ]?time (?:happy )?(?:customer|user|fan)\b",
    r"\b(?:in a heartbeat|without (?:a )?(?:doubt|hesitation|fail|interruption|fuss|effort|error|flaw|"
    r"complaint|a care)|well (?:thought|designed|made|done|written|documented|worth|organi[sz]ed|built|"
    r"maintained|integrated|supported)|couldn't (?:be|have been) (?:\w+ ){0,2}?(?:simpler|easier|better|"
    r"happier|faster|smoother|more)|could not (?:be|have been) (?:simpler|easier|better|happier|faster)|"
    r"not any ?more problems|saved (?:our|my|the) (?:day|campaign|business|christmas|bacon|launch|"
    r"\w+ campaign)|to the rescue|makes? (?:life|work|my life|our lives|everything|it|managing \w+|"
    r"my day) (?:\w+ )?(?:easy|easier|simple|simpler|better)|takes? (?:good |great )?care of|took (?:good |"
    r"great )?care of|feels? (?:good|great|safe|secure|fast|solid|right|at home)|good to (?:have|know)|"
    r"glad (?:i|we|to|that)|proud to|respect(?:s|ed)? (?:its|their|my|our) (?:users|privacy|customers)|"
    r"cares? about (?:its|their|my|our|the) (?:users|privacy|customers)|listens? to|goes the extra|"
    r"went the extra|extra mile|first class|state of the art|up to date|ahead of (?:the|its)|"
    r"fits? (?:perfectly|our|my|like)|suits? (?:us|me|our|my)|meets? (?:all|our|my|every)|covers? (?:all|"
    r"everything)|all (?:i|we|you) (?:need|want|could)|everything (?:i|we|you) (?:need|want|could|was|"
    r"were)\w*|easy peasy|piece of cake|like a (?:charm|dream|clock|breeze|pro)|as easy as|"
    r"nothing comes close|no comparison|favou?rite|number one|top (?:notch|class|marks|service|product)|"
    r"made (?:my|our) (?:day|life)|on the first (?:attempt|try)|i(?:'m| am) (?:\w+ )?(?:impressed|delighted|"
    r"thrilled|pleased|satisfied|happy|amazed|grateful|a fan|glad)|we(?:'re| are|"
    r" were) (?:\w+ )?(?:impressed|delighted|thrilled|pleased|satisfied|happy|amazed|grateful|glad)|"
    r"enjoy (?:using|the|working|how|it)|appreciate (?:the|that|how|their)|impressed (?:by|with)|blown away|"
    r"big fan|hat tip|respect[.!])\b",
    r"\b(?:consistently|reliably|always|every time) (?:\w+ ){0,2}?(?:above|over|on time|fast|up|works?|"
    r"deliver\w*|arriv\w*|reach\w*|available|helpful|answers?|there|great|good|excellent|finds?|solves?)\b|"
    r"\b(?:9\d(?:[.,]\d+)?|100) ?(?:%|percent|per cent) (?:\w+ ){0,2}?(?:inbox|delivered|deliver\w+|uptime|"
    r"satisfied|inboxing|placement)\b|\b(?:arriv|deliver)\w* (?:reliably|instantly|immediately|on time|"
    r"at once|within seconds|in seconds|promptly|without)\b|\b(?:support|service|team|they|"
    r"staff) (?:\w+ ){0,2}?(?:went|goes|go) (?:above|out of|the extra)\b|\b(?:cheaper|faster|better|easier|"
    r"simpler|nicer|quicker|cleaner|smoother|friendlier|more (?:reliable|stable|intuitive|powerful|flexible|"
    r"affordable|useful)) than (?:the|any|all|our|my|other|others|what|before|ever|most|anything|expected|"
    r"competitors)\b",
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
    r"logging|asks?|asking|issues|problems|bugs|fail\w*|break\w*)|keeps? (?:\w+ )?(?:crash\w*|logg\w*|ask\w*|"
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
    r"\b(?:thanks for nothing|oh great|oh wonderful|great, (?:another|now|so)|so much for|good luck (?:with|"
    r"getting|finding|reaching|trying)|what's the point|how hard can|how (?:can|could) (?:anyone|a company|"
    r"they)|in this day and age|you'd think|i wish i (?:was|were) (?:joking|kidding)|you have to be kidding|"
    r"are you (?:kidding|serious)|unbelievable|un-?f\w+|wtf|smh|facepalm|yikes|ugh+|meh|grr+|argh+|sigh|"
    r"lol no|pick your poison|let that sink in|says it all|speaks for itself|enough said)\b|\bseriously\?|"
    r"\breally\?|\bwhy\?!|\?\?+|!\?|\?!",
    r"\b(?:anything but|far from|nowhere near|nothing like|less than|not (?:exactly|particularly|very|"
    r"really|so|too|at all|even|remotely|yet)) (?:an? |the )?(?:reliable|stable|easy|intuitive|fast|quick|"
    r"cheap|helpful|friendly|useful|usable|good|great|happy|clear|simple|impressed|pleased|satisfied|ready|"
    r"secure|honest|professional|responsive|acceptable|worth|ideal|convenient|polished|production|working|"
    r"true|guaranteed)\b|\b(?:unaffordable|insulting|insult|disgust\w*|shameful|shameless|laughable|"
    r"inexcusable|unforgivable|mortifying|embarrassing|toxic|criminal|brutal|bloodbath|odyssey|swamp|maze|"
    r"labyrinth|minefield|circus|black hole|dumpster fire|train wreck|trainwreck|house of cards|"
    r"afterthought|half-baked|half-hearted|gimmick|overhyped|vapou?rware|abandonware|bloatware|crawls|"
    r"crawling|hobbyist|amateur\w*|clueless|careless|negligent|robotic|scripted)\b",
    r"\b(?:takes?|took|taking|needs?|takes up) (?:\w+ ){0,4}?(?:(?:\d+|ten|twenty|thirty|forty|fifty|"
    r"several) (?:seconds|minutes) (?:to (?:load|open|send|start|search|show)|late)|hours|days|weeks|months|"
    r"years|forever|ages|all (?:morning|day|night|afternoon)|the whole (?:morning|day|afternoon|weekend)|"
    r"half a (?:minute|day))\b|\b(?:hours|days|weeks|minutes) late\b|\bfor (?:days|weeks|months|ages)\b|"
    r"\b(?:\d+|two|three|four|five|six|seven|eight|nine|ten|several|many) (?:days|weeks|months) (?:for|to|"
    r"later|without|and (?:still|no|counting|nothing))\b|\bstill (?:nothing|waiting|no|isn't|not|doesn't|"
    r"won't|can't|open|going when)\b|\bas we speak\b",
    r"\b(?:every|each|most|half|any) (?:single )?(?:time|day|week|other (?:day|week|night|tuesday|month|"
    r"update)|monday|morning|update|release|upgrade) (?:\w+ ){0,4}?(?:break|broke|crash|fail|down|bug|slow|"
    r"lost|again|spin|wrong|log)\w*|\b(?:\. |^|, )again[.!]|\b(?:third|fourth|fifth|second|umpteenth|"
    r"nth) (?:time|outage|incident|price|ticket)\b|\bonce again\b|\byet another\b|\bday after day\b|"
    r"\btwice (?:this|in a|a (?:day|week|month))\b",
    r"\b(?:asked|requested|called|wrote|emailed|contacted|reported|tried|begged|"
    r"chased) (?:\w+ ){0,3}?(?:\d+|two|three|four|five|six|eleven|ten|several|many|multiple|countless|"
    r"repeatedly|again and again) ?(?:times)?\b|\b(?:no|without|zero|never (?:a|any|an|got|received|had)|"
    r"not (?:a|one|even)) (?:\w+ )?(?:answer|answers|reply|replies|response|solution|solutions|help|apology|"
    r"refund|explanation|callback|call back|fix|clue|idea)\b|\bclosed (?:my|the|our|as|without)\b|"
    r"\b(?:ticket|thread|issue|bug|case) (?:\w+ ){0,2}?(?:closed|ignored|open since|stale|unanswered|"
    r"untouched)\b|\bopen since\b|\bnobody (?:cares|home|knows|there|answers|reads|can)\b|\bno one (?:cares|"
    r"knows|there|answers|reads|can)\b|\bwall\b|\bsilence\b|\bradio silence\b|\bghosted\b|"
    r"\bgoes? unanswered\b|\bstonewalled\b|\bshrug\w*\b|\bclueless\b|\bdon't (?:listen|care|bother|know)\b|"
    r"\bdoesn't (?:listen|care|know)\b",
    r"\b(?:removed|dropped|killed|gutted|discontinued|retired|hid|hidden|crippled|ruined|destroyed|"
    r"butchered|broke|took away|taken away|moved) (?:\w+ ){0,3}?(?:feature|features|option|button|plan|tier|"
    r"support|free|widget|imap|api|view|only|everything|it)\b|\bused to (?:be|work|have|get)\b(?! (?:a|an|"
    r"the) \w+ (?:at|for|in))|\bbring (?:it |the old \w* ?)?back\b|\bgive (?:us|me) (?:\w+ ){0,3}?back\b|"
    r"\bwhere (?:did|is|has) (?:the|my|all) (?:\w+ ){0,3}?(?:go|gone)\b|\bno (?:way|option|"
    r"possibility) to\b|\bno (?:search|undo|autosave|folders|audit|two-factor|2fa|phone|documentation|docs|"
    r"api|calendar|rules|roles|export|dark|filters|bounce)\b|\bcan(?:'t|not) (?:even|export|find|undo|copy|"
    r"search|sort|log|get|send|receive|open|connect|change|delete|attach|select|switch|turn|downgrade|"
    r"cancel|do|see|use|rely|trust|reach)\b|\bcouldn't (?:even|get|find|log|send|open|work out|figure|"
    r"connect|import)\b|\bunable to\b|\bimpossible to\b|\bwon't (?:even|let|open|load|send|sync|connect|"
    r"start|work|update|stop)\b|\b(?:is|are|was|were) (?:a |an )?(?:\w+ )?(?:missing|broken|useless|"
    r"outdated|unusable|unreadable|incomplete|lacking|limited to|absent)\b",
    r"\b(?:cost|costs|pay|paying|charge[sd]?|charging|bill(?:s|ed)?|invoice) (?:\w+ ){0,4}?(?:extra|"
    r"more than|a fortune|an arm|too much|twice|double|for nothing|for (?:unsubscribed|inactive|duplicate|"
    r"contacts|features)|without|anyway|after|again|enterprise)\b|\badd-ons?\b.{0,30}\b(?:everything|every|"
    r"three|separate|pay)\b|\b(?:everything|every little thing|basic\w*) (?:\w+ ){0,4}?(?:extra|add-on|cost|"
    r"paid|upgrade)\b|\b(?:only|unless you|if you) pay\b|\bbait and switch\b|\bcash (?:cow|grab)\b|"
    r"\bmoney grab\b|\bmilk(?:ing|ed)?\b|\bripped off\b|\bhostage\b|\brobbery\b|\bgreed\w*\b|"
    r"\bno refund\w*\b|\brefuse[sd]? (?:\w+ ){0,3}?refund\b|\blawyer\b|\bsmall claims\b|\b(?:one|"
    r"1)[- ]?star\b|\bwant(?:ed)? (?:my|our) money\b|\bnot worth\b|\bfor what (?:it|they|"
    r"you)\b.{0,20}\bcharge\b",
    r"\b(?:vanish|disappear|evaporat|bounc)\w*(?:,| without| into| for no| randomly)|\b(?:lost|losing|"
    r"lose) (?:\w+ ){0,3}?(?:days?|hours?|week|client|clients|thousand|patience|trust|faith|confidence|"
    r"interest)\b|\b(?:locked|shut|kicked|frozen|thrown) (?:\w+ )?out\b|\b(?:ate|eats|wiped|mangled|"
    r"corrupted|destroyed|erased|nuked) (?:\w+ ){0,2}?(?:my|our|the|a|all|everything|it)\b|\b(?:sent|sends|"
    r"arriv\w+|charged|billed|deliver\w+) (?:\w+ ){0,3}?(?:twice|two times|three times|duplicate\w*|"
    r"the wrong|to the wrong)\b|\bdown (?:again|for|twice|every|all|half|most|since|during)\b|\b(?:times|"
    r"timing) out\b|\bgone (?:down|wrong|missing|bad|downhill|within)\b|\bwent (?:wrong|downhill|dark|"
    r"missing|south|out of)\b|\b(?:never|not) (?:\w+ ){0,3}?(?:arriv\w*|show\w* up|went out|go out|came|"
    r"come through|deliver\w*|reach\w*)\b|\brefus(?:e|es|ed|ing) (?:us|me|our|my|to|everything|mail|them)\b|"
    r"\bblock(?:ed|s|ing) (?:us|me|our|my|legitimate|half|everything|for)\b|\bburn(?:ed|t|s)? (?:our|my|the|"
    r"through)\b|\btreat(?:ed|s)? (?:us|me) like\b|\btold to\b|\btold (?:me|us) (?:to|it|that|they)\b|"
    r"\bblam(?:e|ed|es|ing)\b|\bgave up\b|\bgiven up\b|\bmade (?:me|us) (?:leave|switch|cancel|cry|angry)\b|"
    r"\bhad to (?:leave|switch|cancel|fight|call|beg|chase|hire|rebuild|redo|restore)\b",
    r"\b(?:hate|hates|hated|loathe|despise|detest|dread) (?:it|this|that|the|them|how|their|using|my|"
    r"every)\b|\bmakes? (?:me|us|you) want to\b|\b(?:wits' end|last nerve|tearing my hair|banging my head|"
    r"throw (?:the|my) (?:laptop|phone|computer)|want my (?:money|weekend\w*|life|time)|save yourself|"
    r"stay with whatever|wouldn't wish|don't depend|don't rely|do not rely|can't be trusted|"
    r"cannot be trusted|never trust|lost all trust|goodbye|good riddance|moving on|packing (?:our|my) bags|"
    r"i'm (?:out|done|leaving)|we're (?:out|done|leaving)|deleted (?:the app|my account|it)|deinstalled|"
    r"switched back|shop(?:ping)? around|wrong one|wrong choice|worst (?:decision|choice|experience|\w+)|"
    r"big letdown|total (?:letdown|waste|mess|disaster|failure)|complete (?:waste|mess|disaster|failure|"
    r"joke)|absolute (?:joke|mess|garbage|nightmare|disaster|waste))\b",
    r"\b(?:wide berth|in circles|going round in circles|run around in circles|unavailable|out of order|"
    r"no longer (?:trust|work\w*|possible|recommend|use|supported by|able|available|usable|worth|the case|"
    r"happy)|(?:was|were|been|is|are) (?:removed|ignored|rejected again|abandoned|dropped|gutted|broken|"
    r"destroyed|ruined|empty|wiped|deleted|never|lost|disconnected|misled|lied to|cheated|overcharged|"
    r"scammed|locked out)|as advertised\?|than (?:was |is )?advertised|not what was (?:promised|advertised)|"
    r"doesn't do what|don't do what|didn't do what|false advertising|lied (?:to|about)|lies|liars|dishonest|"
    r"doubts? about|concern(?:s|ed)? about|worr(?:y|ied|ies) about|afraid (?:of|to)|scared|gave (?:me|"
    r"us) (?:headaches?|grief|trouble|nothing)|not (?:their|our) (?:problem|fault)|your (?:problem|fault)|"
    r"badly (?:designed|written|documented|implemented|made|needs|translated|broken)|poorly (?:designed|"
    r"written|documented|implemented|made|translated|tested|supported)|lacks? (?:\w+ ){0,2}?(?:basic|"
    r"important|essential|many|some|key|the|features?|support|documentation|proper)|lacking|"
    r"few(?:er)? features|half (?:of )?(?:the|our|my|its) (?:\w+ ){0,2}?(?:don't|doesn't|isn't|aren't|never|"
    r"gone|missing|bounced|lost|wrong|broken)|doesn't (?:even |really |always )?(?:have|do|allow|support|"
    r"let|seem|offer|include|understand|match|render|remember|help|respect|recogni[sz]e)|don't (?:even |"
    r"really |always )?(?:have|do|allow|support|let|offer|include|understand|match|render|help|respect|"
    r"work)|never (?:match|again|works?|worked|seen (?:such|a worse)|use|recommend|trust|on time|"
    r"there when)|not (?:user[- ]?friendly|reliable|working|intuitive|possible|worth|recommended|happy|good|"
    r"great|acceptable|useful|helpful|usable|professional|trustworthy|secure|stable)|destroyed|ruined|"
    r"overloaded|hopelessly|way too|far too|much too|too (?:many|much|few|little|small|big|late|long|often|"
    r"hard|slow|limited|complicated|expensive|buggy|basic|aggressive|strict)|more bugs|full of bugs|"
    r"so many (?:bugs|problems|issues|errors|ads)|lots of (?:bugs|problems|issues|errors)|a lot of (?:bugs|"
    r"problems|issues|errors|trouble)|several (?:bugs|problems|issues)|a bug|bugs|battery hog|"
    r"drains? (?:the |my )?battery|hog|spies|spying|tracks? (?:me|you|us)|shared (?:our|my) (?:data|details|"
    r"addresses)|sold (?:our|my) (?:data|address|details)|sells? (?:our|my|your)|without (?:asking|"
    r"permission|consent|telling|informing|notice|warning))\b",
    r"\b(?:slower|worse|uglier|buggier|harder|clunkier|more (?:expensive|complicated|confusing|difficult|"
    r"cumbersome|limited)|less (?:reliable|stable|intuitive|useful|flexible|helpful)) (?:than|with|every|"
    r"and|since|now|to)\b|\b(?:don't|do not|didn't|doesn't|did not|does not) (?:like|love|enjoy|recommend|"
    r"trust|understand|see the point|get why|want|care)\b|\bdislik\w*\b|\b(?:who|why) (?:would|did|do|does|"
    r"on earth|the hell|in the world) (?:\w+ ){0,2}?(?:you|they|anyone|it) (?:\w+ )?(?:remove|change|move|"
    r"hide|break|need|want|take|drop|kill|do|design)\b|\bplease (?:fix|bring|stop|give us|change it back|"
    r"undo|revert)\b|\bfix (?:it|this|your|the)\b|\bwhat (?:a|the) (?:mess|joke|shame|pain|hell|disaster|"
    r"disgrace|waste|nightmare|disappointment|letdown|heck)\b|\bno way\b|\bno,? thanks?(?: you)?\b|"
    r"\bhard pass\b|\bnope\b|\bshame on\b|\bworst\b|\bawful\w*|\bhorribl[ey]|\bterribl[ey]|\bcrap\b",
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
    r"\b(?:anyone|anybody|somebody) (?:here|else|know|have|using|with|tried|seen|dealt|got)\b|"
    r"\b(?:i suggest|i'd like|we'd need|we need|would be welcome|would be handy|would be useful|"
    r"needs? an option|pls add|please add|need a|any chance|vote for|requesting|suggestion|let us|"
    r"can we have|in advance|for any pointers|what am i (?:missing|doing wrong)|thanks in advance|no idea|"
    r"depends on|not sure|no opinion|we'll see|time will tell|report back|as far as i know|iirc|afaik|"
    r"i think it depends)\b|\b(?:error|exception|typeerror|timeouterror|traceback|code|returns?|raises?|"
    r"throws?) (?:\w+ )?(?:\d{3}|code|says|when i|is thrown|below)\b|\b(?:i get|i'm getting|getting|"
    r"got) (?:a|an|the) (?:\w+ )?(?:error|exception|\d{3}|timeout)\b",
)
"""Patterns of questions, requests and plain statements."""

BALANCE: Final[tuple[str, ...]] = (
    r"\bon the (?:other|plus|down|minus|up) ?(?:hand|side)\b|\bon (?:the )?one hand\b|\bto be fair\b|\bthat said\b|"
    r"\bhaving said that\b|\bthen again\b|\bcredit where\b|\b(?:mixed (?:feelings|bag|experience|results)|"
    r"hit (?:or|and) miss|ups and downs|so-so|middle of the road|in the middle|neither|jury is|jury's|"
    r"pros and cons|trade-?offs?|two sides|could be better|could be worse|your call|your mileage|no strong feelings)\b",
    r"\b(?:just|only) wish\b|\bi(?:'d| would)? wish\b|\bif only\b|\bwould be (?:perfect|even better|ideal)\b|"
    r"\b(?:only|one|main|biggest|single) (?:thing|downside|drawback|complaint|issue|gripe|problem|catch|minus|"
    r"negative|concern|snag|caveat)\b|\b(?:shame|pity) (?:that|the|about)\b|\bleaves? (?:much|a lot|something) to be\b",
    r"\b(?:3|three)[ -]?stars?\b|\b3 ?(?:/|out of) ?5\b|\b[56] ?(?:/|out of) ?10\b|\b(?:decent|average|okay|ok|"
    r"alright|all right|not bad|passable|adequate|acceptable|tolerable|good enough|nothing special|fair enough|"
    r"does the job|mediocre|fine)\b",
    r"\b(?:perhaps|maybe|almost|a (?:bit|little)|somewhat|rather|slightly) (?:too )?(?:\w+)\b",
)
"""What somebody says who sees two sides or has no strong opinion."""
