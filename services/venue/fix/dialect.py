"""Tags and values of Deribit's FIX dialect beside those of the session; how numbers are written.

Sources: the venue reference, section 3; names are the standard's, or Deribit's for 5000 and above.
"""

from functools import lru_cache

from shared.fix.codec import FixError
from shared.fix.tags import REASON_INCORRECT_FORMAT
from shared.messages.market import Instrument

AVG_PX = 6
CL_ORD_ID = 11
CUM_QTY = 14
CURRENCY = 15
EXEC_ID = 17
EXEC_INST = 18
LAST_PX = 31
LAST_QTY = 32
ORDER_ID = 37
ORDER_QTY = 38
ORD_STATUS = 39
ORD_TYPE = 40
ORIG_CL_ORD_ID = 41
PRICE = 44
SECURITY_ID = 48
SIDE = 54
SYMBOL = 55
TIME_IN_FORCE = 59
TRANSACT_TIME = 60
VALID_UNTIL_TIME = 62
CXL_REJ_REASON = 102
ORD_REJ_REASON = 103
QUOTE_ID = 117
BID_PX = 132
OFFER_PX = 133
BID_SIZE = 134
OFFER_SIZE = 135
NO_RELATED_SYM = 146
EXEC_TYPE = 150
LEAVES_QTY = 151
SECURITY_TYPE = 167
PUT_OR_CALL = 201
STRIKE_PRICE = 202
CONTRACT_MULTIPLIER = 231
MD_REQ_ID = 262
SUBSCRIPTION_REQUEST_TYPE = 263
MARKET_DEPTH = 264
NO_MD_ENTRY_TYPES = 267
NO_MD_ENTRIES = 268
MD_ENTRY_TYPE = 269
MD_ENTRY_PX = 270
MD_ENTRY_SIZE = 271
MD_REQ_REJ_REASON = 281
NO_QUOTE_ENTRIES = 295
NO_QUOTE_SETS = 296
QUOTE_STATUS = 297
QUOTE_CANCEL_TYPE = 298
QUOTE_ENTRY_ID = 299
QUOTE_REJECT_REASON = 300
QUOTE_SET_ID = 302
TOT_NO_QUOTE_ENTRIES = 304
SECURITY_REQ_ID = 320
SECURITY_RESPONSE_ID = 322
QUOTE_ENTRY_REJECT_REASON = 368
BUSINESS_REJECT_REF_ID = 379
CXL_REJ_RESPONSE_TO = 434
MASS_CANCEL_REQUEST_TYPE = 530
MASS_CANCEL_RESPONSE = 531
MASS_CANCEL_REJECT_REASON = 532
TOTAL_AFFECTED_ORDERS = 533
MATURITY_DATE = 541
SECURITY_LIST_REQUEST_TYPE = 559
SECURITY_REQUEST_RESULT = 560
MIN_TRADE_VOL = 562
MASS_STATUS_REQ_ID = 584
MASS_STATUS_REQ_TYPE = 585
NO_POSITIONS = 702
LONG_QTY = 704
SHORT_QTY = 705
POS_REQ_ID = 710
POS_REQ_TYPE = 724
POS_REQ_RESULT = 728
SETTL_PRICE = 730
QTY_TYPE = 854
UNDERLYING_END_PRICE = 883
TOT_NUM_REPORTS = 911
USER_REQUEST_ID = 923
USER_REQUEST_TYPE = 924
USER_STATUS = 926
STRIKE_CURRENCY = 947
MIN_PRICE_INCREMENT = 969
QUOTE_MSG_ID = 1166
QUOTE_ENTRY_STATUS = 1167
NO_TICK_RULES = 1205
START_TICK_PRICE_RANGE = 1206
TICK_INCREMENT = 1208
NO_FILLS = 1362
FILL_EXEC_ID = 1363
FILL_PX = 1364
FILL_QTY = 1365
FILL_LIQUIDITY = 1443

SECONDARY_CURRENCY = 5544
MM_PROTECTION = 9008
MMP_GROUP = 9019
QUOTE_ENTRY_TYPE = 9020
FREEZE_QUOTES = 9031
MIN_DELTA = 9032
MAX_DELTA = 9033
MMP_QUANTITY = 20110
MMP_DELTA = 20111
MMP_FROZEN_S = 20112
MMP_REQUEST_ID = 20114
MMP_INTERVAL_S = 20116
MMP_APPLIED = 20117
MMP_VEGA = 20118
MMP_MAX_QUOTE_QUANTITY = 20119
USER_EQUITY = 100001
USER_BALANCE = 100002
USER_INITIAL_MARGIN = 100003
USER_MAINTENANCE_MARGIN = 100004
LABEL = 100010
ADVANCED_ORDER_TYPE = 100012
MARK_PRICE = 100090

SIDES = ("1", "2")  # buy, sell
UNITS = "0"  # QtyType; contracts are the default
# QuoteEntryType and QuoteEntryStatus of a MassQuoteAck.
ENTRY_ORDER, ENTRY_TRADE, ENTRY_ERROR = 0, 1, 2
STATUS_REJECTED, STATUS_CANCELLED, STATUS_CANCELLED_MMP = 5, 17, 18
STATUS_REPLACED, STATUS_FILLED, STATUS_OPEN = 19, 20, 21


@lru_cache(maxsize=65_536)
def decimal_e8(value: int) -> str:
    """Returns the exact decimal of a whole number of 1e-8."""
    whole, rest = divmod(abs(value), 100_000_000)
    text = f"{whole}.{rest:08d}".rstrip("0").rstrip(".") if rest else str(whole)
    return f"-{text}" if value < 0 else text


def price_text(instrument: Instrument, ticks: int) -> str:
    return decimal_e8(ticks * instrument.tick_e8)


def quantity_text(instrument: Instrument, lots: int) -> str:
    """Returns lots as contracts: coins of an option, lots of a future."""
    if instrument.kind != "option":
        return str(lots)
    return decimal_e8(lots * instrument.lot_e8)


def amount_of(instrument: Instrument, quantity: float) -> float:
    """Returns the amount (coins, or USD) of a number of contracts."""
    return quantity if instrument.kind == "option" else quantity * instrument.lot_e8 / 1e8


@lru_cache(maxsize=65_536)
def number_of(text: str, tag: int) -> float:
    """Returns a plain decimal; no exponent, no sign but a minus, as the standard has it."""
    digits = text.removeprefix("-").replace(".", "", 1)
    if not digits.isascii() or not digits.isdigit() or len(digits) > 24:
        raise FixError(REASON_INCORRECT_FORMAT, "must be a decimal", tag)
    return float(text)
