"""Builds 835 files for tests: envelopes with right counts around the segments of a body."""

HEADER = (
    "BPR*I*{total}*C*ACH*CCP*01*999999992*DA*1*1999999999**01*999988880*DA*2*20260312|TRN*1*T1*1999999999"
)
PARTIES = "N1*PR*LOCAL HEALTH PLAN|N1*PE*CARETRAIL*XX*1234567893"
ISA = "ISA*00*{0}*00*{0}*ZZ*PAYER          *ZZ*CLINIC         *260312*0800*^*00501*000000905*0*P*:"


def an_835(body: str, total: str, end: str = "~\n", header: str = HEADER) -> bytes:
    """A whole file; `body` is written with | between segments, LX and PLB included."""
    rows = ["ST*835*0001", *header.format(total=total).split("|"), *PARTIES.split("|"), *body.split("|")]
    rows.append(f"SE*{len(rows) + 1}*0001")
    envelope = [
        ISA.format(" " * 10),
        "GS*HP*PAYER*CLINIC*20260312*0800*905*X*005010X221A1",
        *rows,
        "GE*1*905",
        "IEA*1*000000905",
    ]
    return "".join(row + end for row in envelope).encode()


DAY = "SVC*HC:H0015*400*300**1|DTM*472*20260302|CAS*CO*45*80|CAS*PR*3*20"
THREE_DAYS = f"LX*1|CLP*C1*1*1200*900*60*12*P1|{DAY}|{DAY}|{DAY}"
WITHHELD = "PLB*1234567893*20261231*WO:R9*50"
