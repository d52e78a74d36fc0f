"""Lists by position: a page, and where the next one starts."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

ItemT = TypeVar("ItemT", bound=BaseModel)

LIMIT_MAX = 500

After = Annotated[int, Query(ge=0, description="Items after this position; `next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Items of a page at most.")]


class Page(BaseModel, Generic[ItemT]):
    """Some items in order of position; ``next`` is null on the last page."""

    items: list[ItemT]
    next: int | None


def page(item: type[ItemT], rows: list[dict[str, Any]], limit: int) -> Page[ItemT]:
    """The page that these rows make; ask for one row more than the limit."""
    items = [item.model_validate(row) for row in rows[:limit]]
    more = len(rows) > limit
    model: type[Page[ItemT]] = Page[item]  # type: ignore[valid-type]
    return model(items=items, next=rows[limit - 1]["position"] if more else None)
