"""Servers that somebody else runs: where one cannot be reached or used, a word on which and why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cli.problem import Problem

SERVER = (
    "Services need PostgreSQL 17 or later, and databases in UTF8: `caretrail migrate` "
    "makes those that are missing. Dump one in another encoding, and restore it into one that is made with "
    "encoding 'UTF8' template template0."
)


@contextmanager
def reached(postgres: str = "CARETRAIL_POSTGRES_URL is an administrator's address") -> Iterator[None]:
    """Turn into a problem: what clients of PostgreSQL and Kafka raise, missing jars, another home's keys,
    a server that cannot be worked on.

    Raises Problem.
    """
    import psycopg
    from confluent_kafka import KafkaException

    from deploy.local.jars import JarAltered, JarMissing
    from deploy.master import ADVICE, OtherMasterKey
    from deploy.migration import Unusable
    from keystore.keys import BadMaster

    try:
        yield
    except (JarAltered, JarMissing) as error:
        raise Problem(
            str(error),
            advice="See that this machine reaches a repository of Java packages, or copy that folder "
            "from one where a stack was started before.",
        ) from None
    except BadMaster as error:
        raise Problem(str(error)) from None
    except Unusable as error:
        raise Problem(str(error), advice=SERVER) from None
    except OtherMasterKey as error:
        raise Problem(str(error), advice=ADVICE) from None
    except (psycopg.OperationalError, psycopg.errors.InsufficientPrivilege) as error:
        raise Problem(
            "PostgreSQL cannot be used",
            str(error).strip().partition("\n")[0],
            advice=f"See that {postgres} of a server that runs.",
        ) from None
    except psycopg.ProgrammingError as error:
        if error.sqlstate:  # the server's word on a statement, no fault of the address
            raise
        raise Problem(
            "CARETRAIL_POSTGRES_URL cannot be read as an address",
            advice="Write it as postgresql://user:password@host:5432/postgres.",
        ) from None
    except KafkaException as error:
        raise Problem(
            "Kafka cannot be used",
            error.args[0].str(),
            advice="See that CARETRAIL_KAFKA_BOOTSTRAP is the address of a broker that runs.",
        ) from None
