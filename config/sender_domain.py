"""What the DNS says of the domain that mail comes from: SPF, DKIM, DMARC, MX and the reverse name.

RFC 7208, RFC 6376, RFC 7489. Each finding says what to publish where something is missing.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator

from django.conf import settings

from config.dns_records import Records
from mailer.dkim import SigningKey, signer_for
from papers.health import Finding, Level

# RFC 7208, section 4.6.4.
MOST_LOOKUPS = 10
_ASKS = re.compile(r"[+\-~?]?(?:include:|a(?:[:/]|$)|mx(?:[:/]|$)|ptr(?::|$)|exists:)|redirect=", re.IGNORECASE)
_TARGET = re.compile(r"(?:include:|redirect=)([^\s/]+)", re.IGNORECASE)
# Under which names mail services have their DKIM keys published, where the names are the same for everybody.
_SELECTORS = {
    "brevo": ["brevo1", "brevo2", "mail"],
    "mailersend": ["mlsend2", "mlsend"],
    "mailjet": ["mailjet"],
    "mailtrap": ["rwmt1", "rwmt2"],
    "resend": ["resend"],
    "mailgun": ["mailo", "k1", "mta", "s1", "pic"],
    "postmark": ["pm"],
}
_INCLUDES = {
    "brevo": "include:spf.brevo.com",
    "mailgun": "include:mailgun.org",
    "mailjet": "include:spf.mailjet.com",
    "mailersend": "include:_spf.mailersend.net",
    "postmark": "include:spf.mtasv.net",
    "ses": "include:amazonses.com",
    "amazon_ses": "include:amazonses.com",
    "sparkpost": "include:sparkpostmail.com",
    "resend": "include:amazonses.com",
    "mailtrap": "include:_spf.smtp.mailtrap.live",
}


def check_spf(records: Records, domain: str) -> Iterator[Finding]:
    found = [text for text in records.texts(domain) if text.lower().split()[:1] == ["v=spf1"]]
    include = _INCLUDES.get(settings.EMAIL_PROVIDER, f"a:{settings.EMAIL_HOST}")
    publish = f'Publish a TXT record at {domain}: "v=spf1 {include} -all"'
    if not found:
        yield Finding(Level.ERROR, "spf", f"SPF: {domain} says nothing of who may send its mail.", publish)
        return
    if len(found) > 1:
        yield Finding(Level.ERROR, "spf", f"SPF: {domain} has {len(found)} records, so none counts.", "Keep one.")
        return
    words = found[0].lower().split()
    if "+all" in words or "all" in words:
        yield Finding(Level.ERROR, "spf", "SPF: the record lets everybody send.", "End it with -all or ~all.")
        return
    lookups = _count_lookups(records, found[0], seen={domain})
    if lookups > MOST_LOOKUPS:
        hint = "Remove what no longer sends: receivers give up after 10 and take the record for broken."
        yield Finding(Level.ERROR, "spf", f"SPF: the record needs {lookups} further look-ups.", hint)
        return
    if not any(word.endswith("all") or word.startswith("redirect=") for word in words):
        yield Finding(Level.WARNING, "spf", "SPF: the record does not say what of others.", "End it with -all or ~all.")
        return
    yield Finding(Level.OK, "spf", f"SPF: {found[0]}")


def _count_lookups(records: Records, text: str, *, seen: set[str]) -> int:
    words = text.split()[1:]
    count = sum(1 for word in words if _ASKS.match(word))
    for word in words:
        target = _TARGET.search(word)
        if target and target[1].lower() not in seen and count <= MOST_LOOKUPS:
            seen.add(target[1].lower())
            inner = [other for other in records.texts(target[1]) if other.lower().startswith("v=spf1")]
            count += _count_lookups(records, inner[0], seen=seen) if inner else 0
    return count


def check_dkim(records: Records, domain: str) -> Iterator[Finding]:
    signer = signer_for(settings.DKIM_DOMAIN, settings.DKIM_KEYS) if settings.EMAIL_PROVIDER == "smtp" else None
    for key in signer.keys if signer else ():
        yield _check_key(records, settings.DKIM_DOMAIN, key)
    if signer:
        if not _are_aligned(settings.DKIM_DOMAIN, domain):
            says = f"DKIM: signatures are for {settings.DKIM_DOMAIN}, which is not the sender's domain {domain}."
            yield Finding(Level.ERROR, "dkim", says, "Set DKIM_DOMAIN to the domain of DEFAULT_FROM_EMAIL.")
        return
    if settings.EMAIL_PROVIDER == "smtp":
        says = "DKIM: nothing here signs; the mail server must."
        yield Finding(Level.WARNING, "dkim", says, "If it does not: manage.py make_dkim_key, and set DKIM_KEY_FILE.")
        return
    selectors = _SELECTORS.get(settings.EMAIL_PROVIDER, [])
    published = [name for name in selectors if records.texts(f"{name}._domainkey.{domain}")]
    if published:
        yield Finding(Level.OK, "dkim", f"DKIM: a key is published as {published[0]}._domainkey.{domain}.")
    else:
        says = f"DKIM: no key of {settings.EMAIL_PROVIDER} was found under the names it is known to use."
        hint = f"Look at the domain's page there, publish the records it shows for {domain}, and let it check them."
        yield Finding(Level.WARNING, "dkim", says, hint)


def _check_key(records: Records, domain: str, key: SigningKey) -> Finding:
    name = f"{key.selector}._domainkey.{domain}"
    wanted = key.record()
    publish = f'Publish a TXT record at {name}: "{wanted}"'
    found = [_tags(text) for text in records.texts(name)]
    if not found:
        return Finding(Level.ERROR, "dkim", f"DKIM: no key is published at {name}.", publish)
    if len(found) > 1:
        return Finding(Level.ERROR, "dkim", f"DKIM: {name} has {len(found)} records.", "Keep one.")
    if found[0].get("p", "") != _tags(wanted)["p"] or found[0].get("k", "rsa") != _tags(wanted)["k"]:
        return Finding(Level.ERROR, "dkim", f"DKIM: another key is published at {name} than signs here.", publish)
    if getattr(key.private, "key_size", 2048) < 2048:
        hint = "Make a new one under a new selector: manage.py make_dkim_key."
        return Finding(Level.WARNING, "dkim", "DKIM: the RSA key is shorter than 2048 bits.", hint)
    return Finding(Level.OK, "dkim", f"DKIM: the key at {name} is the one that signs here ({key.algorithm}).")


def check_dmarc(records: Records, domain: str) -> Iterator[Finding]:
    # A policy of a parent domain holds for its children (RFC 7489, section 6.6.3).
    labels = domain.split(".")
    parents = [".".join(labels[start:]) for start in range(max(1, len(labels) - 1))]
    for name in parents:
        found = [_tags(text) for text in records.texts(f"_dmarc.{name}") if text.lower().startswith("v=dmarc1")]
        if not found:
            continue
        policy = found[0].get("sp" if name != domain and "sp" in found[0] else "p", "")
        if len(found) > 1 or policy not in {"none", "quarantine", "reject"}:
            hint = "Keep one record, with p=none, p=quarantine or p=reject."
            yield Finding(Level.ERROR, "dmarc", f"DMARC: the record at _dmarc.{name} cannot be read.", hint)
        else:
            yield Finding(Level.OK, "dmarc", f"DMARC: _dmarc.{name} says p={policy}.")
        return
    hint = f'Publish a TXT record at _dmarc.{domain}: "v=DMARC1; p=none; rua=mailto:{settings.OWNER_EMAIL}"'
    yield Finding(Level.ERROR, "dmarc", f"DMARC: {domain} has no policy.", hint)


def check_mx(records: Records, domain: str) -> Iterator[Finding]:
    servers = records.mail_servers(domain)
    if [mx.host for mx in servers] == ["."]:
        hint = "Senders that take no mail are not believed: publish an MX record."
        yield Finding(Level.ERROR, "mx", f"MX: {domain} says that it takes no mail.", hint)
    elif servers:
        yield Finding(Level.OK, "mx", f"MX: mail to {domain} goes to {servers[0].host.rstrip('.')}.")
    elif records.addresses(domain):
        says = f"MX: {domain} has none, so replies and bounces go to its own address."
        yield Finding(Level.WARNING, "mx", says, "Publish an MX record if no mail server listens there.")
    else:
        hint = f"Publish an MX record at {domain}; replies and bounces must come from somewhere to somebody."
        yield Finding(Level.ERROR, "mx", f"MX: nobody takes mail for {domain}.", hint)


def check_reverse(records: Records, domain: str) -> Iterator[Finding]:
    """The name of the address that mail comes from must lead back to it. Of a mail service that is its own affair."""
    if settings.EMAIL_PROVIDER != "smtp":
        return
    host = settings.EMAIL_HOST
    addresses = [host] if _is_address(host) else records.addresses(host)
    public = [address for address in addresses if ipaddress.ip_address(address).is_global]
    if not public:
        says = f"Reverse DNS: {host} is no public address, so what receivers see cannot be looked up from here."
        yield Finding(Level.WARNING, "reverse dns", says, "See that the server's public address has a name of its own.")
    for address in public:
        names = records.names_of(address)
        if any(address in records.addresses(name) for name in names):
            yield Finding(Level.OK, "reverse dns", f"Reverse DNS: {address} is {names[0]}, and back.")
        else:
            says = f"Reverse DNS: {address} has no name that leads back to it."
            hint = f"Ask whoever gave you the address to name it {host}; many receivers refuse mail from the nameless."
            yield Finding(Level.ERROR, "reverse dns", says, hint)


def _are_aligned(one: str, other: str) -> bool:
    """Relaxed alignment, as far as it shows without a list of public suffixes: the same, or one above the other."""
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _tags(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(";") if "=" in part]
    return {name.strip().lower(): "".join(value.split()) for name, _, value in pairs}


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


CHECKS: dict[str, Callable[[Records, str], Iterator[Finding]]] = {
    "spf": check_spf,
    "dkim": check_dkim,
    "dmarc": check_dmarc,
    "mx": check_mx,
    "reverse dns": check_reverse,
}
