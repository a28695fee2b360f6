"""Keys of other HTTP connectors that are not covered: refused by name, unless set to what happens anyway."""

from __future__ import annotations

from collections.abc import Mapping

from kconnect.config import ConfigValue

_CASTORM = "com.github.castorm.kafka.connect"

CONFLUENT: Mapping[str, tuple[str, ...]] = {
    "http.proxy.host": (),
    "http.proxy.port": ("0",),
    "http.proxy.user": (),
    "http.proxy.password": (),
    "oauth2.client.headers": (),
    "oauth2.jwt.enabled": ("false",),
    "report.errors.as": ("error_string", "http_response"),
    "reporter.error.topic.name": (),
    "reporter.result.topic.name": (),
    "https.ssl.protocol": ("tls", "tlsv1.2", "tlsv1.3"),
}
CASTORM: Mapping[str, tuple[str, ...]] = {
    "http.timer": (
        f"{_CASTORM}.timer.adaptableintervaltimer",
        f"{_CASTORM}.timer.fixedintervaltimer",
    ),
    "http.request.factory": (f"{_CASTORM}.http.request.template.templatehttprequestfactory",),
    "http.request.template.factory": (
        f"{_CASTORM}.http.request.template.freemarker.backwardscompatiblefreemarkertemplatefactory",
        f"{_CASTORM}.http.request.template.freemarker.freemarkertemplatefactory",
    ),
    "http.client": (f"{_CASTORM}.http.client.okhttp.okhttpclient",),
    "http.client.proxy.host": (),
    "http.client.proxy.username": (),
    "http.client.proxy.password": (),
    "http.auth": (
        f"{_CASTORM}.http.auth.configurablehttpauthenticator",
        f"{_CASTORM}.http.auth.nonehttpauthenticator",
        f"{_CASTORM}.http.auth.basichttpauthenticator",
    ),
    "http.response.parser": (f"{_CASTORM}.http.response.policyhttpresponseparser",),
    "http.response.policy": (f"{_CASTORM}.http.response.statuscodehttpresponsepolicy",),
    "http.response.policy.parser": (f"{_CASTORM}.http.response.kvhttpresponseparser",),
    "http.response.record.parser": (f"{_CASTORM}.http.response.jackson.jacksonkvrecordhttpresponseparser",),
    "http.response.record.key.pointer": (),
    "http.response.record.timestamp.pointer": (),
    "http.response.record.timestamp.parser": (
        f"{_CASTORM}.http.response.timestamp.epochmillistimestampparser",
        f"{_CASTORM}.http.response.timestamp.epochmillisordelegatetimestampparser",
    ),
    "http.response.record.timestamp.parser.pattern": ("yyyy-mm-dd't'hh:mm:ss[.sss]x",),
    "http.response.record.timestamp.parser.regex": (),
    "http.response.record.timestamp.parser.zone": ("utc",),
    "http.record.schema.key.property.name": ("key",),
    "http.record.schema.value.property.name": ("value",),
    "http.record.sorter": (f"{_CASTORM}.http.record.orderdirectionsourcerecordsorter",),
    "http.record.filter.factory": (f"{_CASTORM}.http.record.offsetrecordfilterfactory",),
}
_INSTEAD: Mapping[str, str] = {
    "reporter.error.topic.name": "use errors.deadletterqueue.topic.name",
    "http.response.record.key.pointer": "name it in http.response.record.offset.pointer, as key=/pointer",
    "http.response.record.timestamp.pointer": "name it in http.response.record.offset.pointer, as timestamp=/pointer",
}


def refusals(keys: Mapping[str, tuple[str, ...]], props: Mapping[str, str]) -> list[ConfigValue]:
    """A value with an error for each key that asks for what is not done."""
    found = []
    for name in keys.keys() & props.keys():
        if props[name].strip().lower() not in ("", *keys[name]):
            advice = _INSTEAD.get(name) or "leave it out"
            found.append(ConfigValue(name, None, errors=[f"{name}: is not supported ({advice})"]))
    return sorted(found, key=lambda value: value.name)
