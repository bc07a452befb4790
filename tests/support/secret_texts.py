"""Made-up secrets of many kinds, each in a text as it is found; in pieces, for scanners of code."""

from __future__ import annotations

A = "aB3" * 20


def _block(kind: str) -> str:
    return f"-----BEGIN {kind}-----\n+MIIEv{A}\n+{A}\n-----END {kind}-----"


# Kind to a text, and the part of it that may not be seen.
SECRETS = {
    "uri": ("postgresql://bob:hunter2@db/x", "hunter2"),
    "signed": ("https://h/x.tar?X-Amz-Signature=" + "ab12" * 8, "ab12ab12"),
    "azure": ("AccountName=a;AccountKey=" + A + "==;EndpointSuffix=x", A),
    "sas": ("https://h/c?sv=2022&sig=" + A, A),
    "aws": ("AKIA" + "ABCD1234EFGH5678", "ABCD1234EFGH5678"),
    "aws_secret": ("aws_secret_access_key = " + A[:40], A[:40]),
    "github": ("ghp_" + A[:36], A[:36]),
    "in_a_name": ("runs_of_ghp_" + A[:36], A[:36]),
    "github_fine": ("github_pat_" + A[:40], A[:40]),
    "gitlab": ("glpat-" + A[:20], A[:20]),
    "slack": ("xoxb-" + "123456789012-" + A[:24], A[:24]),
    "slack_hook": ("https://hooks.slack.com/services/T000/B000/" + A[:24], A[:24]),
    "gcp": ("AIza" + "Sy" + A[:33], A[:33]),
    "gcp_oauth": ("ya29." + A[:40], A[:40]),
    "huggingface": ("hf_" + A[:34], A[:34]),
    "openai": ("sk-proj-" + A[:40], A[:40]),
    "anthropic": ("sk-ant-api03-" + A[:40], A[:40]),
    "stripe": ("sk_" + "live_" + A[:24], A[:24]),
    "jwt": ("eyJ" + A[:20] + ".eyJ" + A[:30] + "." + A[:20], A[:20]),
    "bearer": ("Authorization: Bearer " + A[:30], A[:30]),
    "npm": ("npm_" + A[:36], A[:36]),
    "pypi": ("pypi-" + A[:40], A[:40]),
    "rsa": (_block("RSA " + "PRIVATE KEY"), A),
    "pgp": (_block("PGP " + "PRIVATE KEY BLOCK"), A),
    "password": ('password: "hunter2!"', "hunter2"),
    "client_secret": ("client_secret=" + A[:20], A[:20]),
    "word": ("PGPASSWORD=hunterword", "hunterword"),
    "dsn": ("host=db user=u password=hunterword dbname=x", "hunterword"),
    "odbc": ("uid=sa;pwd=hunter2secret;", "hunter2secret"),
    "passphrase": ("passphrase: correcthorse", "correcthorse"),
    "option": ("mysql --password hunter2secret -u x", "hunter2secret"),
    "option_key": ("x --api-key abcdef123456", "abcdef123456"),
    "curl": ("curl -u user:hunter2pass x", "hunter2pass"),
    "netrc": ("machine h login u password hunter2secret", "hunter2secret"),
    "header": ("X-Api-Key: " + A[:16], A[:16]),
    "private_token": ("PRIVATE-TOKEN: " + A[:20], A[:20]),
    "authorization": ("Authorization: token " + A[:20], A[:20]),
    "token": ("token: " + A[:30], A[:30]),
    "of_mlflow": ("MLFLOW_TRACKING_TOKEN=" + A[:20], A[:20]),
    "access_key": ("access_key=" + A[:20], A[:20]),
    "camel": ("accessToken=" + A[:20], A[:20]),
    "runner": ("glrt-" + A[:20], A[:20]),
    "age": ("AGE-SECRET-KEY-1" + "Q2" * 29, "Q2" * 29),
    "vault": ("hvs." + A[:30], A[:30]),
    "groq": ("gsk_" + A[:50], A[:50]),
    "shopify": ("shpat_" + "0a" * 16, "0a" * 16),
    "telegram": ("123456789:AA" + A[:33], A[:33]),
    "twilio": ("SK" + "0a" * 16, "0a" * 16),
    "atlassian": ("ATATT3x" + A[:40], A[:40]),
    "putty": ("PuTTY-User-Key-File-2: rsa\n" + A + "\nPrivate-MAC: 0a", A),
    "discord_hook": ("https://discord.com/api/webhooks/1234567/" + A, A),
    "kubernetes": ("client-key-data: " + A, A),
    "notion": ("ntn_" + A[:40], A[:40]),
    "okta": ("SSWS " + A[:40], A[:40]),
    "secret_name": ("export SECRET_SAUCE=hunter2word", "hunter2word"),
    "mysql": ("mysql -u x -phunter2word db", "hunter2word"),
    "signed_key": ("https://h/x?key=" + A[:20], A[:20]),
}
