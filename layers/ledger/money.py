"""Owns amounts: integers of minor units, and the currencies of ISO 4217."""

from typing import Annotated

from pydantic import AfterValidator, Field
from typing_extensions import TypeAliasType

MAX_AMOUNT = 10**12
"""The largest amount of one operation, in minor units."""
MAX_POSTING = 10**18
"""The largest movement: a settlement adds up many operations."""
MAX_BALANCE = 10**15
"""No new operation may credit an account beyond this; what was accepted before is given all the same."""

# ISO 4217, list one (current currencies) without funds, metals and test codes; the rest have 2 decimals.
_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY"
        " COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF"
        " IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR"
        " MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG"
        " SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES"
        " WST XCD XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
}
DECIMALS = {code: decimals for decimals, codes in _DECIMALS.items() for code in codes.split()}
"""Currency code -> decimals of its minor unit."""


def _known(code: str) -> str:
    if code not in DECIMALS:
        raise ValueError("is not a current ISO 4217 currency code, such as USD")
    return code


# A named type, so that the OpenAPI document tells its 155 codes once.
Currency = TypeAliasType(
    "Currency",
    Annotated[
        str,
        AfterValidator(_known),
        Field(
            description="A current currency of ISO 4217.",
            examples=["GBP"],
            json_schema_extra={"enum": sorted(DECIMALS)},
        ),
    ],
)
Amount = Annotated[
    int, Field(ge=1, le=MAX_AMOUNT, description="Minor units of the currency.", examples=[1250])
]


def written(amount: int, currency: str) -> str:
    """An amount as people write it, such as `12.50 GBP`."""
    decimals = DECIMALS[currency]
    whole, fraction = divmod(abs(amount), 10**decimals)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}{f'.{fraction:0{decimals}}' if decimals else ''} {currency}"
