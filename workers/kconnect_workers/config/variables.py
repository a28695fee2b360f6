"""Variables of config providers in a worker's own config: `${provider:path:key}`."""

from __future__ import annotations

from collections.abc import Mapping


def resolved(props: Mapping[str, str], worker_props: Mapping[str, str]) -> Mapping[str, str]:
    """`props` with the variables of the providers of `worker_props` replaced, for the worker's own use. ConfigError for
    one that has no value."""
    if "config.providers" not in worker_props:
        return props
    from kconnect.plugins import Plugins
    from kconnect.providers import ConfigTransformer

    transformer = ConfigTransformer.from_props(worker_props, Plugins.discover())
    try:
        return transformer.transform(props).props
    finally:
        transformer.close()
