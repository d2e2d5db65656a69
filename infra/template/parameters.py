"""What is chosen when the stack is made, and what follows from the stage."""

from infra.template.words import HAS_EMAIL, IS_PRODUCTION, Value, ref

PRODUCTION = "prod"
STAGE_PATTERN = "^[a-z][a-z0-9-]{0,15}$"
"""As `chassis.config` has it."""
URL_PATTERN = "^https?://[^ ]+$"
RETENTION_DAYS = (30, 90, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)

PARAMETERS: dict[str, Value] = {
    "Stage": {
        "Type": "String",
        "Default": "dev",
        "AllowedPattern": STAGE_PATTERN,
        "Description": f"Part of every name; {PRODUCTION} has protected tables and larger throttles.",
    },
    "AcquirerUrl": {
        "Type": "String",
        "AllowedPattern": URL_PATTERN,
        "Description": "The acquirer that authorizes and captures card payments.",
    },
    "BankUrl": {
        "Type": "String",
        "AllowedPattern": URL_PATTERN,
        "Description": "The bank that pays out.",
    },
    "AlarmEmail": {
        "Type": "String",
        "Default": "",
        "Description": "Who is told of alarms; the topic is an output, for whatever else should be.",
    },
    "LogRetentionDays": {
        "Type": "Number",
        "Default": 365,
        "AllowedValues": list(RETENTION_DAYS),
        "Description": "How long logs are kept; PCI DSS asks for a year.",
    },
}

CONDITIONS: dict[str, Value] = {
    IS_PRODUCTION: {"Fn::Equals": [ref("Stage"), PRODUCTION]},
    HAS_EMAIL: {"Fn::Not": [{"Fn::Equals": [ref("AlarmEmail"), ""]}]},
}
