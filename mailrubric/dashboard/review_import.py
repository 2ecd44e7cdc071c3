"""Reading in a file of reviews, as ``mailrubric reviews import`` does: upload, look at what would be read, import."""

from __future__ import annotations

import datetime
import itertools
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import streamlit as st

from mailrubric.dashboard.state import View
from mailrubric.dashboard.text import plain
from mailrubric.evidence.store import StoreError
from mailrubric.reviews.columns import ColumnError
from mailrubric.reviews.importing import SKIPS, ReviewFile, inspect
from mailrubric.reviews.review import Review
from mailrubric.reviews.rows import Unreadable
from mailrubric.reviews.summary import refresh
from mailrubric.reviews.values import DateOrder

_LARGEST_MEGABYTES = 20
_SHOWN = 5
_AT_ONCE = 5_000
_ORDERS: dict[str, DateOrder] = {"the day": "day_first", "the month": "month_first"}


@st.fragment
def form(current: View, about: str = "") -> None:
    """Draw the form. ``about``: the vendor that is chosen to begin with. What the last import did stands below it
    until another file is chosen."""
    done: tuple[int, str] = st.session_state.get("reviews_imported", (0, ""))
    options = current.everyone
    with st.container(horizontal=True):
        vendor = st.selectbox(
            "Whom are they about?",
            options,
            options.index(about) if about in options else None,  # a guess would put reviews to the wrong vendor
            format_func=current.name,
            placeholder="Choose a vendor",
            key=f"import_vendor_{about}",
        )
        source = st.text_input(
            "Where do they stand?",
            key="import_source",
            placeholder="as the file tells",
            help="A name such as g2, capterra or our-survey, in small letters; needed when the columns do not tell.",
        )
    upload = st.file_uploader(
        "File with one review a row (CSV, JSON, JSON lines or XLSX)",
        type=["csv", "tsv", "txt", "json", "jsonl", "ndjson", "xlsx"],
        max_upload_size=_LARGEST_MEGABYTES,
        key=f"import_file_{done[0]}",  # a new one after each import, so that the file is gone from it
        help="Names of columns are recognised. Larger files are read by mailrubric reviews import on the command line.",
    )
    if upload is None and done[1]:
        st.success(done[1], icon=":material/task_alt:")
    if upload is None:
        return
    if vendor is None:
        st.info("Choose above whom the reviews are about.")
        return
    source = source.strip()
    if source and not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", source):
        st.error("The place is written in at most 40 small letters, digits, - and _.")
        return
    with tempfile.TemporaryDirectory(prefix="mailrubric-") as folder:
        # Never by the name it came with.
        path = Path(folder) / "upload"
        path.write_bytes(upload.getvalue())
        try:
            said = _read(current, vendor, path, source)
        except (ColumnError, Unreadable) as error:
            st.error(plain(error), title="This file cannot be read as reviews", icon=":material/error:")
            if "--" in str(error):
                st.caption(
                    f"Options such as these has the command line: `mailrubric reviews import FILE --vendor {vendor}`."
                )
        except StoreError as error:
            st.error(plain(error), title="The reviews could not be stored", icon=":material/error:")
        else:
            if said:
                st.session_state["reviews_imported"] = (done[0] + 1, said)
                st.rerun(scope="app")


def _read(current: View, vendor: str, path: Path, source: str) -> str:
    """Show what the file holds; what was done with it, when the button was pressed."""
    found = inspect(path, source=source)
    sheet = found.table.sheet
    if found.table.others:
        sheet = st.selectbox("Sheet of the workbook", [sheet, *found.table.others])
        if sheet != found.table.sheet:
            found = inspect(path, source=source, sheet=sheet)
    if found.found.dates_ambiguous:
        first = st.segmented_control("In the dates, what comes first?", list(_ORDERS), key="import_dates")
        if first is not None:
            found = inspect(path, source=source, date_order=_ORDERS[first], sheet=sheet)
    preview, count = _preview(found.reviews(vendor))
    _shown(found, preview, count)
    if not found.source:
        st.info("The columns do not tell which site the reviews are from: name it above.")
    if not st.button(
        f"Import {count:,} reviews of {plain(current.name(vendor))}",
        type="primary",
        icon=":material/upload:",
        disabled=not count or not found.source,
    ):
        return ""
    with st.spinner("Storing, and summing up all reviews anew…"):
        new = 0
        reviews = found.reviews(vendor)
        while some := list(itertools.islice(reviews, _AT_ONCE)):
            new += current.store.add_reviews(some)
        changed = refresh(current.store, datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    return (
        f"{count:,} reviews of {plain(current.name(vendor))} from {plain(found.source)} read: {new:,} new, "
        f"{count - new:,} stored before. {changed:,} figures changed, of whichever vendor."
    )


def _preview(reviews: Iterator[Review]) -> tuple[list[Review], int]:
    first = list(itertools.islice(reviews, _SHOWN))
    return first, len(first) + sum(1 for _ in reviews)


def _shown(found: ReviewFile, preview: list[Review], count: int) -> None:
    named = "; ".join(f"{field} from {', '.join(names)}" for field, names in found.columns.named.items())
    st.markdown(
        f"**{found.table.format.upper()}, {plain(found.columns.export.title)}**: {count:,} reviews in "
        f"{found.found.rows:,} rows. Read: {plain(named, 600)}."
    )
    if found.columns.unused:
        st.caption(f"Not read: {plain(', '.join(found.columns.unused), 400)}")
    for note in found.found.notes:
        st.warning(plain(note))
    left_out = [f"{number:,} {SKIPS[reason]}" for reason, number in found.skipped.counts.most_common()]
    left_out += [f"{number:,} values of {field} are not readable" for field, number in found.found.unread.items()]
    if left_out:
        st.warning("\n".join(f"- {plain(each)}" for each in left_out), title="Rows and values that are left out")
    if found.cut_short:
        st.warning("The file is cut short: what is missing at its end cannot be read.")
    if not preview:
        return
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "Written": each.written,
                    "Stars": each.rating,
                    "Title": each.title[:200],
                    "Text": each.text[:500],
                    "Source": each.source,
                }
                for each in preview
            ]
        ),
        hide_index=True,
        placeholder="",
        column_config={
            "Stars": st.column_config.NumberColumn(format="%.3g"),
            "Text": st.column_config.TextColumn(width="large"),
        },
        alt="The first reviews of the file as they would be stored",
    )
    st.caption("The first reviews as they would be stored. Nothing is stored before you press the button.")
