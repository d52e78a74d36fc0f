"""What the proxy loses was carried out: consumers' transactions, and clients' commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from chassis.database import Database, connect
from chassis.group import PostgresStore
from chassis.postgres import Appender
from chassis.store import Origin
from tests.chassis.test_store import TABLES, commit
from tests.faults.proxy import Proxy
from tests.faults.wire import APPEND, COMMIT

pytestmark = pytest.mark.servers


@pytest.fixture
async def proxy(database: str) -> AsyncIterator[Proxy]:
    """Before the database of a store."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLES)
    place = conninfo_to_dict(database)
    found = Proxy(f"{place['host']}/.s.PGSQL.{place.get('port', 5432)}")
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
def past(proxy: Proxy, database: str) -> str:
    """The database's address through the proxy."""
    return make_conninfo(database, host="127.0.0.1", port=proxy.port, sslmode="disable", gssencmode="disable")


async def test_the_answer_to_a_command_is_lost_and_it_is_carried_out_once(proxy: Proxy, past: str) -> None:
    origin = Origin("intake")
    async with Database(past) as database, PostgresStore(database, Appender(origin, 1)) as store:
        for number in range(1, 4):
            await store.append(commit())  # later ones name a statement that was prepared before
            proxy.to_lose = Counter({APPEND: 1, COMMIT: 1})
            answer = await store.append(commit(digest=b"x"))
            assert proxy.to_lose[APPEND] == 0
            assert answer.repeated, "its first answer came through"
            assert await store.head() == 2 * number


async def test_an_append_within_a_transaction_is_lost_with_the_end_of_that_alone(
    proxy: Proxy, past: str, database: str
) -> None:
    proxy.to_lose = Counter({APPEND: 1, COMMIT: 1})
    connection = await connect(past)

    async def write() -> None:
        async with connection.transaction():
            await connection.execute("create table kept as select %s as said", ("append_commits",))
            await connection.execute("select 'append_commits'", prepare=True)

    with pytest.raises(psycopg.OperationalError):
        await write()
    assert proxy.to_lose == {APPEND: 1, COMMIT: 0}
    with psycopg.connect(database) as direct:
        assert direct.execute("select said from kept").fetchall() == [("append_commits",)]
