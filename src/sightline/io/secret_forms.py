"""Forms of secrets in text: keys as services write them, and values under names that tell.

What a pattern's group `kept` matches stays; the rest of its match is hidden.
"""

import re

# Keys of well-known forms.
KEYS = re.compile(
    r"""
    -----BEGIN[ ][A-Z0-9 ]*PRIVATE[ ]KEY(?:[ ]BLOCK)?-----.*?
        (?:-----END[ ][A-Z0-9 ]*PRIVATE[ ]KEY(?:[ ]BLOCK)?-----|\Z)
    | (?<![^\W_])(?:  # at the begin of a word, or of a part of one
    PuTTY-User-Key-File-\d.*?(?:Private-MAC[^\n]*|\Z)
    | AGE-SECRET-KEY-1[A-Z0-9]{50,}
    | (?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b                       # AWS
    | gh[pousr]_\w{20,} | github_pat_\w{20,}                     # GitHub
    | gl(?:pat|rt|dt|cbt|ptt|ft|soat|imt|agent)-[\w-]{16,}           # GitLab
    | xox[a-z]-[\w-]{10,} | xapp-[\w-]{10,}                      # Slack
    | (?P<kept>hooks\.slack\.com/(?:services|workflows)/|discord(?:app)?\.com/api/webhooks/)[\w/-]+
    | AIza[\w-]{33,37}(?![\w-]) | ya29\.[\w.-]{10,} | GOCSPX-[\w-]{10,}   # Google
    | hf_[A-Za-z0-9]{20,} | api_org_[A-Za-z0-9]{20,}             # Hugging Face
    | sk-[\w-]{20,} | [sr]k_(?:live|test)_\w{16,}                # OpenAI, Anthropic, Stripe
    | gsk_\w{40,} | xai-\w{40,} | pplx-\w{40,}                 # Groq, xAI, Perplexity
    | eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*                           # JSON Web Tokens
    | npm_[A-Za-z0-9]{30,} | pypi-[\w-]{30,} | dckr_pat_[\w-]{16,} | rubygems_\w{40,}
    | SG\.[\w-]{16,}\.[\w-]{16,} | dapi[0-9a-f]{32}\b | dop_v1_[0-9a-f]{32,}
    | ntn_\w{30,} | nvapi-[\w-]{20,} | wandb_v\d_\w{20,} | r8_\w{30,}
    | hv[sbr]\.[\w-]{20,} | dp\.\w{2,6}\.\w{30,} | \w+\.atlasv1\.[\w-]{40,}  # vaults
    | shp(?:at|ss|ca|pa)_[0-9a-fA-F]{32} | sq0[a-z]{3}-[\w-]{22,} # Shopify, Square
    | gl(?:sa|c)_[\w+/=]{30,} | PMAK-[0-9a-f]{24}-[0-9a-f]{34} | NRAK-[A-Z0-9]{27}
    | ATATT3x[\w=-]{20,} | figd_[\w-]{30,} | lin_api_\w{30,} | \w{3}8Q~[\w.~-]{30,}
    | \d{8,10}:AA[\w-]{33} | [MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}  # Telegram, Discord
    | SK[0-9a-f]{32}\b | key-[0-9a-f]{32}\b                      # Twilio, Mailgun
    )
    """,
    re.VERBOSE | re.DOTALL,
)
# A value with a digit or a sign, as keys have them and words of code have not.
_KEY = r"""(?!\*\*\*)(?=[^\s"',;&]*[0-9+/=!@#$%^&*])[^\s"',;&]{6,}"""
# A password is any value but those that say that there is none, and kinds and calls of a program.
_WORD = r"""(?!\*\*\*|none\b|null\b|true\b|false\b|str\b|bytes\b)[^\s"',;&()\[\]]{4,}+(?![(\[])"""
_PASSWORD = r"(?:passw(?:or)?d|passphrase|pwd)"
_NAMED = r"""(?:token|secret(?:_\w+)?|credentials?|auth
    |(?:api|access|secret|private|signing|auth|encryption|account|master)[_-]?key|client-key-data)"""
_ASSIGNS = r"""["']?\s*[=:]\s*["']?"""
# NAME=VALUE, NAME: VALUE and "NAME": "VALUE" of such names; also as options and as headers.
ASSIGNED = tuple(
    re.compile(form, re.VERBOSE | re.IGNORECASE)
    for form in (
        rf"(?P<kept>(?<![\w.-])(?:[\w.-]*[_.-])?{_NAMED}{_ASSIGNS}){_KEY}",
        rf"(?P<kept>\b[a-z]+(?-i:Token|Secret|(?:Api|Access|Private|Auth)Key){_ASSIGNS}){_KEY}",
        rf"(?P<kept>\b(?:aws_?session_?token|shared_?access_?signature){_ASSIGNS}){_KEY}",
        rf"(?P<kept>(?<![\w.-])[\w.-]*{_PASSWORD}{_ASSIGNS}){_KEY}",
        # A word, where no code stands beside it: NAME=WORD, NAME: WORD, or one in quotation marks.
        rf"""(?P<kept>(?<![\w.-])[\w.-]*{_PASSWORD}["']?(?:=|:[ ]?)){_WORD}""",
        rf"""(?P<kept>(?<![\w.-])[\w.-]*{_PASSWORD}["']?\s*[=:]\s*(?P<mark>["']))
             (?!\*\*\*)[^"'\n]{{4,}}(?=(?P=mark))""",
        rf"""(?P<kept>(?<![\w-])(?:--?[\w-]*(?:{_PASSWORD}|{_NAMED})|password)[ ]+["']?){_KEY}""",
        r"""(?P<kept>(?<!\S)(?:-u|--user)[ =]["']?[\w.@-]+:)(?!\*\*\*|\d+(?!\S))[^\s"']{4,}""",
        r"(?P<kept>\bmysql(?:dump|admin)?\b[^\n]*?\s-p)(?!\*\*\*)[^\s\"']{4,}",
        r"""(?P<kept>\bAuthorization["']?\s*[=:]\s*["']?(?:\w+[ ]+)?)(?!\*\*\*)[^\s"']{8,}""",
        r"""(?P<kept>\b(?:Set-)?Cookie["']?:\s*["']?)(?!\*\*\*)[^"'\n]{8,}""",
        r"""(?P<kept>["'](?:key|auth)["']\s*:\s*["'])(?:[0-9a-f]{32,}|[\w+/]{16,}=)[^"']*""",
        r"(?P<kept>[?&](?:key|auth|pwd|pass)=)(?!\*\*\*)[^&\s\"'<>]{6,}",
        r"(?P<kept>\b(?:Bearer|Basic|SSWS)[\s:]+)[\w.~+/=-]{16,}",
    )
)
