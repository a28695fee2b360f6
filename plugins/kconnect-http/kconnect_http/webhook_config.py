"""The keys of WebhookSource."""

from __future__ import annotations

import re
import ssl
from typing import Annotated, Final, Literal

from kconnect import HIGH, LOW, Config, ConfigError, Password, Range, key
from kconnect.bounds import allowed_path
from kconnect.config import NonEmptyString, Type
from kconnect.security.key_stores import KeyStoreError, read_certificates, read_key
from kconnect.security.tls import set_key, trust
from kconnect_http.pointer import pointer
from kconnect_http.route import Route, TopicTemplate
from kconnect_http.signature import Verifier
from kconnect_http.tls import Store

LISTENER = "Listener"
SENDERS = "Senders"
RECORDS = "Records"
DELIVERY = "Delivery"

_HEADER: Final = re.compile(r"[A-Za-z0-9-]+")


class WebhookSourceConfig(Config):
    host: Annotated[str, NonEmptyString()] = key(
        name="webhook.host",
        default="127.0.0.1",
        importance=HIGH,
        group=LISTENER,
        doc="The address to listen on; 0.0.0.0 is every one of this machine.",
    )
    port: Annotated[int, Range(1, 65535)] = key(
        name="webhook.port", importance=HIGH, group=LISTENER, doc="The port to listen on."
    )
    paths: list[str] = key(
        name="webhook.paths",
        default=["/"],
        importance=HIGH,
        group=LISTENER,
        doc="The paths that take webhooks; {name} stands for any one step of a path.",
    )
    methods: list[Literal["POST", "PUT", "PATCH"]] = key(
        name="webhook.methods", default=["POST"], importance=LOW, group=LISTENER, doc="The methods that are taken."
    )
    keystore: Annotated[str, allowed_path] | None = key(
        name="webhook.ssl.keystore.location",
        default=None,
        group=LISTENER,
        doc="A file with the private key and certificate to speak TLS with: PEM, JKS or PKCS12. Plain HTTP without it.",
    )
    keystore_password: Password | None = key(
        name="webhook.ssl.keystore.password", default=None, group=LISTENER, doc="What opens it."
    )
    key_password: Password | None = key(
        name="webhook.ssl.key.password", default=None, importance=LOW, group=LISTENER, doc="What opens the key in it."
    )
    truststore: Annotated[str, allowed_path] | None = key(
        name="webhook.ssl.truststore.location",
        default=None,
        importance=LOW,
        group=LISTENER,
        doc="A file of authorities: who has no certificate of theirs is not let in.",
    )
    truststore_password: Password | None = key(
        name="webhook.ssl.truststore.password", default=None, importance=LOW, group=LISTENER, doc="What opens it."
    )
    auth_type: Literal["none", "token", "hmac", "github", "stripe"] = key(
        name="webhook.auth.type",
        default="none",
        importance=HIGH,
        group=SENDERS,
        doc="How senders show that they know webhook.secret: token by a header that is it, hmac by a signature of the "
        "body, github and stripe as these do.",
    )
    secret: Password | None = key(
        name="webhook.secret", default=None, importance=HIGH, group=SENDERS, doc="The secret."
    )
    previous_secret: Password | None = key(
        name="webhook.secret.previous",
        default=None,
        importance=LOW,
        group=SENDERS,
        doc="One that is taken as well, while senders change theirs.",
    )
    auth_header: str | None = key(
        name="webhook.auth.header",
        default=None,
        group=SENDERS,
        doc="The header with the token (Authorization, with or without Bearer) or signature (X-Signature).",
    )
    algorithm: Literal["sha1", "sha256", "sha512"] = key(
        name="webhook.hmac.algorithm", default="sha256", group=SENDERS, doc="The hash of hmac."
    )
    encoding: Literal["hex", "base64"] = key(
        name="webhook.hmac.encoding", default="hex", group=SENDERS, doc="How hmac's signature is written."
    )
    prefix: str = key(
        name="webhook.hmac.prefix",
        default="",
        group=SENDERS,
        doc="What stands before hmac's signature, such as sha256=.",
    )
    tolerance_s: Annotated[int, Range(1)] = key(
        name="webhook.stripe.tolerance.s",
        default=300,
        importance=LOW,
        group=SENDERS,
        doc="How old a signature of stripe may be, in s.",
    )
    topic: Annotated[str, NonEmptyString()] = key(
        importance=HIGH,
        group=RECORDS,
        doc="The topic; ${path.name} is a step of the path, ${header.name} a header of the request.",
    )
    format: Literal["json", "string", "bytes"] = key(
        name="webhook.format",
        default="json",
        group=RECORDS,
        doc="What values are; a body that is no JSON, or no text, is answered with 400.",
    )
    list_pointer: Annotated[str, pointer] | None = key(
        name="webhook.list.pointer",
        default=None,
        group=RECORDS,
        doc="A JSON pointer to an array in the body, each of whose items becomes a record; / is the body itself.",
    )
    key_pointer: Annotated[str, pointer] | None = key(
        name="webhook.key.pointer", default=None, group=RECORDS, doc="A JSON pointer, in a record's value, to its key."
    )
    key_header: str | None = key(
        name="webhook.key.header", default=None, group=RECORDS, doc="The header of the request that is the key."
    )
    headers: list[str] = key(
        name="webhook.headers", default=[], group=RECORDS, doc="Headers of the request that records get as theirs."
    )
    acknowledge: Literal["synced", "stored"] = key(
        name="webhook.acknowledge",
        default="synced",
        importance=HIGH,
        group=DELIVERY,
        doc="When 200 is answered: synced once the offset behind the record is stored, and all of it on the disk; "
        "stored once the log has acknowledged the record.",
    )
    timeout_ms: Annotated[int, Type.LONG, Range(1)] = key(
        name="webhook.timeout.ms",
        default=8000,
        group=DELIVERY,
        doc="After this time without that 503 is answered; the record may be there, and come again.",
    )
    max_bytes: Annotated[int, Range(1)] = key(
        name="webhook.max.bytes",
        default=750_000,
        group=DELIVERY,
        doc="A larger body is answered with 413; the log takes 1 MB, unless it is told otherwise.",
    )
    backlog: Annotated[int, Range(1)] = key(
        name="webhook.backlog.max",
        default=1000,
        group=DELIVERY,
        doc="So many webhooks wait for their answer at a time, and so many connections are open; more are answered "
        "with 503.",
    )
    backlog_bytes: Annotated[int, Type.LONG, Range(1)] = key(
        name="webhook.backlog.max.bytes",
        default=64 * 1024 * 1024,
        group=DELIVERY,
        doc="And no more bytes than this, all bodies together.",
    )
    retry_after_s: Annotated[int, Range(0)] = key(
        name="webhook.retry.after.s",
        default=5,
        importance=LOW,
        group=DELIVERY,
        doc="What senders are told with 503 of when to come again, in s.",
    )
    batch_size: Annotated[int, Range(1)] = key(
        name="batch.size", default=500, importance=LOW, group=DELIVERY, doc="The most records of one poll."
    )

    def _check(self) -> None:
        routes = self.routes()
        if not routes:
            raise ConfigError("names no path", key="webhook.paths", suggestion="such as /")
        TopicTemplate(self.topic, routes)
        if self.auth_type != "none" and (self.secret is None or not self.secret.value):
            raise ConfigError(f"is needed with webhook.auth.type={self.auth_type}", key="webhook.secret")
        if self.truststore and not self.keystore:
            raise ConfigError("certificates are shown by TLS alone", key="webhook.ssl.keystore.location")
        if self.format != "json":
            for name, value in (
                ("webhook.list.pointer", self.list_pointer),
                ("webhook.key.pointer", self.key_pointer),
            ):
                if value is not None:
                    raise ConfigError("is for webhook.format=json", key=name)
        if self.key_pointer is not None and self.key_header is not None:
            raise ConfigError("there is webhook.key.pointer already", key="webhook.key.header")
        for name, headers in (
            ("webhook.headers", self.headers),
            ("webhook.key.header", [self.key_header] if self.key_header is not None else []),
            ("webhook.auth.header", [self.auth_header] if self.auth_header is not None else []),
        ):
            for header in headers:
                if not _HEADER.fullmatch(header):
                    raise ConfigError(f"{header!r} is not the name of a header", key=name)

    def routes(self) -> list[Route]:
        return [Route(path) for path in self.paths]

    def verifier(self) -> Verifier:
        secrets = [secret for secret in (self.secret, self.previous_secret) if secret is not None and secret.value]
        match self.auth_type:
            case "github":
                return Verifier(kind="hmac", header="x-hub-signature-256", secrets=secrets, prefix="sha256=")
            case "stripe":
                return Verifier(
                    kind="stripe", header="stripe-signature", secrets=secrets, tolerance_s=float(self.tolerance_s)
                )
            case "hmac":
                return Verifier(
                    kind="hmac",
                    header=self.auth_header or "X-Signature",
                    secrets=secrets,
                    algorithm=self.algorithm,
                    prefix=self.prefix,
                    as_base64=self.encoding == "base64",
                )
            case kind:
                return Verifier(kind=kind, header=self.auth_header or "Authorization", secrets=secrets)

    def tls_context(self) -> ssl.SSLContext | None:
        """ConfigError for a store that cannot be used."""
        if not self.keystore:
            return None
        store = Store(
            name="webhook.ssl.keystore.location",
            location=self.keystore,
            password=self.keystore_password,
            key_password=self.key_password,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            set_key(context, read_key(store.read(), _value(self.keystore_password), _value(self.key_password)))
            if self.truststore:
                store = Store(name="webhook.ssl.truststore.location", location=self.truststore)
                trust(context, read_certificates(store.read(), _value(self.truststore_password)))
                context.verify_mode = ssl.CERT_REQUIRED
        except KeyStoreError as error:
            raise ConfigError(f"{store.location}: {error}", key=store.name) from error
        return context


def _value(password: Password | None) -> str | None:
    return None if password is None else password.value
