"""``mailrubric reviews summary``: what the stored reviews of a vendor say together, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailrubric.cli import options
from mailrubric.cli.terminal import Failure, print_json, print_table, print_title, say

if TYPE_CHECKING:
    from mailrubric.reviews.summary import Quotation, VendorSummary

_QUARTERS = 12
"""The newest are printed; --json has all."""
_BURSTS = 6
"""The largest are printed."""


def summary(
    vendor: options.Vendor,
    as_of: options.AsOf = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """What people say about a vendor: rating, sentiment and aspects with their intervals, trend, what counts less."""
    from mailrubric.cli.catalogue import choose, nothing_stored, parse_as_of, read_catalogue, store_of
    from mailrubric.cli.workspace import open_workspace

    opened = open_workspace(workspace)
    catalogue = read_catalogue(opened)
    choose(catalogue, (vendor,))
    time = parse_as_of(as_of)
    missing = Failure(
        f"no review of {vendor} is stored; read some in with mailrubric reviews import FILE --vendor {vendor}", 3
    )
    if nothing_stored(opened):
        raise missing
    with store_of(opened) as store:
        stored = store.reviews()
        if not any(review.vendor == vendor for review in stored):
            raise missing
        from mailrubric.reviews.reading import keeping
        from mailrubric.reviews.summary import quotations, summarise, to_json

        reader = keeping(store)
        found = summarise(stored, time, reader)[vendor]
        if json:
            print_json(to_json(found, reader))
            return
        quoted = quotations(found, reader)
    _show(catalogue.vendors[vendor].name, found, quoted)


def _show(name: str, found: VendorSummary, quoted: tuple[Quotation, ...]) -> None:
    from mailrubric.reviews.metrics import ASPECTS

    dates = f", {found.first[:10]} to {found.last[:10]}" if found.first else ""
    print_title(f"{name}: {found.reviews:,} reviews, {len(found.counted):,} of them count{dates}")
    titles = {"reviews.rating": "star rating", "reviews.sentiment": "positive texts"}
    titles |= {f"reviews.{aspect}": f"pleased with {words}" for aspect, words in ASPECTS.items()}
    print_table(
        ("", "value", "95 % interval", "reviews", "worth", ""),
        [
            (
                titles[figure.metric],
                figure.words(figure.value),
                "" if figure.cause else figure.range_words(),
                f"{figure.n:,}",
                f"{figure.effective:.0f}",
                figure.detail if figure.cause else "",
            )
            for figure in found.figures
        ],
        right=(1, 3, 4),
        whole=(0, 1, 2),
    )
    say("Worth: as how many reviews of today they count, by age and bursts.")
    for figure in (found.rating, found.sentiment):
        if not figure.cause:
            say(f"{titles[figure.metric][0].upper()}{titles[figure.metric][1:]}: {figure.detail}.")
    say()
    print_table(
        ("source", "reviews", "count", "stars", "mean", "texts", "share of the rating", "from", "to"),
        [
            (
                each.name,
                f"{each.reviews:,}",
                f"{each.counted:,}",
                f"{each.rated:,}",
                "" if each.mean is None else f"{each.mean:.2f}",
                f"{each.texts:,}",
                "" if each.weight is None else f"{100 * each.weight:.0f} %",
                each.first[:10],
                each.last[:10],
            )
            for each in found.sources
        ],
        right=(1, 2, 3, 4, 5, 6),
        whole=(0,),
    )
    if found.trend:
        say()
        print_table(
            ("quarter", "reviews", "mean stars", "95 % interval", "positive", "neutral", "negative"),
            [
                (
                    each.name,
                    f"{each.reviews:,}",
                    "" if each.mean is None else f"{each.mean:.2f}",
                    "" if each.low is None or each.high is None else f"{each.low:.2f} to {each.high:.2f}",
                    f"{each.positive:,}",
                    f"{each.neutral:,}",
                    f"{each.negative:,}",
                )
                for each in found.trend[-_QUARTERS:]
            ],
            right=(1, 2, 4, 5, 6),
        )
    _discounted(found)
    for each in quoted:
        stars = "" if each.rating is None else f", {each.rating:g} star{'' if each.rating == 1 else 's'}"
        where = ", ".join(part for part in (each.source + stars, each.written[:10], each.url) if part)
        say(f"{each.label}, {ASPECTS.get(each.aspect, 'on the whole')}: “{each.text}” ({where})")


def _discounted(found: VendorSummary) -> None:
    if not found.discounts:
        return
    say()
    say("What counts less:")
    for each in found.discounts:
        counted = (
            "" if each.counted == each.count else f", counted as {each.counted:g}" if each.counted else ", left out"
        )
        say(f"  {each.count:,} {each.words}{counted}")
    largest = sorted(found.bursts, key=lambda burst: (burst.counted - burst.count, burst.week, burst.source))
    for burst in largest[:_BURSTS]:
        say(
            f"  week of {burst.week} at {burst.source}: {burst.count:,} reviews, usually {burst.expected:g}, "
            f"counted as {burst.counted:g}"
        )
    if largest[_BURSTS:]:
        say(f"  and {len(largest) - _BURSTS} smaller bursts (--json lists all)")
    say()
