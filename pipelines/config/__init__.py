"""The configuration: what YAML may say, what is wrong with it, and the rules that come of it."""

from pipelines.config.loader import LoadedConfig, load

__all__ = ["LoadedConfig", "load"]
