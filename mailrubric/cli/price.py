"""``mailrubric price``: what each vendor costs at a volume, over many volumes, and from where on one is cheaper."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailrubric.cli import options
from mailrubric.cli.terminal import Usage, print_json, print_table, print_title, say

if TYPE_CHECKING:
    from decimal import Decimal

    from mailrubric.catalogue.models import Vendor
    from mailrubric.price import Cost, Need, Offer


def price(
    vendors: options.Vendors = None,
    volume: Annotated[
        int | None,
        typer.Option("--volume", metavar="N", min=0, help="Messages a month, such as 100000.", show_default=False),
    ] = None,
    users: Annotated[
        int | None,
        typer.Option(
            "--users", metavar="N", min=1, help="Mailboxes, for plans sold by the mailbox.", show_default=False
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            metavar="NAME[=N]",
            help="An option and how many: dedicated_ip=2. Repeatable.",
            show_default=False,
        ),
    ] = None,
    monthly: Annotated[
        bool,
        typer.Option(
            "--monthly", help="Leave out prices that are to be had only by paying a year ahead.", show_default=False
        ),
    ] = False,
    currency: Annotated[str, typer.Option("--currency", metavar="CODE", help="Only plans in this currency.")] = "USD",
    curve: Annotated[
        bool, typer.Option("--curve", help="Prices from 1,000 to 10 million messages a month.", show_default=False)
    ] = False,
    break_even: Annotated[
        bool,
        typer.Option(
            "--break-even", help="With two vendors: from which volume on is which cheaper.", show_default=False
        ),
    ] = False,
    category: options.Category = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """What vendors cost a month at your volume, computed from the plans of their profiles."""
    if (volume is not None or users is not None) + curve + break_even != 1:
        raise Usage("say what is needed: --volume N or --users N, or ask for --curve or --break-even")
    currency = currency.upper()
    chosen = _vendors(workspace, vendors or (), category or ())
    from mailrubric.price import Need

    with _meaningful():
        need = Need(volume or 0, users or 0, _options(option or ()), ahead=not monthly)
    if break_even:
        _break_even(chosen, vendors or (), need, currency, json)
    elif curve:
        _curve(chosen, need, currency, json)
    else:
        if not vendors:
            chosen = [vendor for vendor in chosen if any(plan.per_user == bool(users) for plan in vendor.plans)]
        _at(chosen, need, currency, json)


def _vendors(workspace: Path | None, vendors: Sequence[str], categories: Sequence[str]) -> list[Vendor]:
    from mailrubric.cli.catalogue import choose, read_catalogue
    from mailrubric.cli.workspace import open_workspace

    catalogue = read_catalogue(open_workspace(workspace))
    named = [catalogue.vendors[name] for name in choose(catalogue, vendors, categories)]
    return named if vendors else [vendor for vendor in named if vendor.plans]


def _options(words: Sequence[str]) -> dict[str, int]:
    found = {}
    for word in words:
        name, separator, count = word.partition("=")
        if not name or (separator and not count.isdecimal()):
            raise Usage(f"--option: expected NAME or NAME=N such as dedicated_ip=2, got {word}")
        found[name] = int(count) if separator else 1
    return found


@contextlib.contextmanager
def _meaningful() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise Usage(str(error)) from error


def _at(vendors: Sequence[Vendor], need: Need, currency: str, json: bool) -> None:
    from mailrubric.price import offer

    volume, users, wanted = need.volume, need.users, dict(need.options)
    offers = sorted((offer(vendor, need, currency=currency) for vendor in vendors), key=_cheapest_first)
    if json:
        asked = {"volume": volume, "users": users, "options": wanted, "ahead": need.ahead, "currency": currency}
        print_json({**asked, "vendors": [_offer_json(each) for each in offers]})
        return
    with_options = "".join(f", {count} × {name}" for name, count in wanted.items())
    mailboxes = f"{users:,} mailbox{'es' if users > 1 else ''}" if users else ""
    messages = f"{volume:,} messages a month" if volume or not users else ""
    print_title(f"{' and '.join(each for each in (mailboxes, messages) if each)}{with_options}, in {currency}")
    print_table(
        ("id", "plan", "a month", "made of", "as of"),
        [
            (each.vendor, each.best.plan.name, money(each.best.amount), _parts(each.best), each.best.plan.as_of)
            if each.best is not None
            else (each.vendor, "", "unknown", each.why, "")
            for each in offers
        ],
        right=(2,),
        whole=(0, 2),
    )
    for each in offers:
        if each.best is not None and each.best.plan.note:
            say(f"{each.vendor}, {each.best.plan.name}: {each.best.plan.note}")
    if any(each.best is not None and not each.complete for each in offers):
        partly = ", ".join(each.vendor for each in offers if each.best is not None and not each.complete)
        say(f"Of {partly} the prices of some plans are not known at this volume; one of them might be cheaper.")


def _cheapest_first(offer: Offer) -> tuple[bool, Any, str]:
    known = offer.best is not None and offer.best.amount is not None
    return not known, offer.best.amount if offer.best is not None else 0, offer.vendor


def _parts(cost: Cost) -> str:
    parts = [f"{money(amount)} {name}" for name, amount in cost.parts if amount] or ["free of charge"]
    parts += [name for name, amount in cost.parts if not amount and name.endswith(" included")]
    if cost.plan.billing == "yearly":
        parts.append("paid yearly")
    return " + ".join(parts)


def money(amount: Decimal | None) -> str:
    """An amount with two decimals and thousands apart; more decimals where two would hide something."""
    if amount is None:
        return "unknown"
    shown = f"{amount:,.2f}"
    return shown if amount == round(amount, 2) else f"{amount:,.4f}"


def _offer_json(offer: Offer) -> dict[str, Any]:
    best = offer.best
    return {
        "id": offer.vendor,
        "amount": None if best is None or best.amount is None else float(best.amount),
        "plan": None if best is None else best.plan.name,
        "billing": None if best is None else best.plan.billing,
        "note": None if best is None else best.plan.note,
        "why": offer.why or None,
        "complete": offer.complete,
        "source": None if best is None else best.plan.source,
        "as_of": None if best is None else best.plan.as_of,
        "parts": [] if best is None else [{"name": name, "amount": float(amount)} for name, amount in best.parts],
    }


def _curve(vendors: Sequence[Vendor], need: Need, currency: str, json: bool) -> None:
    from mailrubric.price import CURVE_VOLUMES, curve

    curves = {vendor.id: curve(vendor, need=need, currency=currency) for vendor in vendors}
    if json:
        print_json(
            {
                "currency": currency,
                "volumes": list(CURVE_VOLUMES),
                "vendors": [
                    {"id": name, "amounts": [_offer_json(each)["amount"] for each in offers]}
                    for name, offers in curves.items()
                ],
            }
        )
        return
    shown = [volume for volume in CURVE_VOLUMES if str(volume)[0] == "1" or volume == 50_000]
    print_table(
        ("id", *(f"{volume:,}" for volume in shown)),
        [
            (
                name,
                *(
                    "–" if each.best is None else money(each.best.amount)
                    for volume, each in zip(CURVE_VOLUMES, offers, strict=True)
                    if volume in shown
                ),
            )
            for name, offers in curves.items()
        ],
        right=range(1, len(shown) + 1),
    )
    say(f"{currency} a month by messages a month; – where the profile's plans do not say.")


def _break_even(vendors: Sequence[Vendor], named: Sequence[str], need: Need, currency: str, json: bool) -> None:
    from mailrubric.price import LARGEST_VOLUME, break_even

    if len(set(named)) != 2:
        raise Usage("--break-even takes two vendors: mailrubric price A B --break-even")
    one, other = vendors
    found = break_even(one, other, need=need, currency=currency)
    if json:
        rows = [
            {
                "volume": each.volume,
                "cheaper": each.cheaper or None,
                "dearer": each.dearer or None,
                "equal": each.equal,
                "unknown": each.unknown,
            }
            for each in found
        ]
        print_json({"currency": currency, "up_to": LARGEST_VOLUME, "from": rows})
        return
    for each in found:
        say(f"from {each.volume:,} messages a month: {each.words()}")
