"""The words on the pages. Each file in `words/` holds `{"key": {"zh-CN": ..., "en": ...}}`: both languages, side by side.

A key is `page.name`; `{name}` in a text is filled in. Kinds, phases and levels have their words in `pipelines.wording`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pipelines.errors import GatewatchError
from pipelines.wording import Language, known_keys, word

LANGUAGES: Final[tuple[Language, ...]] = ("zh-CN", "en")
FOLDER: Final = Path(__file__).with_name("words")


class Words:
    """Read once, at the start. Raises GatewatchError: a key is there twice, or lacks a language."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._texts: dict[Language, dict[str, str]] = {language: {} for language in LANGUAGES}
        for path in sorted(folder.glob("*.json")):
            entries: dict[str, dict[str, str]] = json.loads(path.read_text("utf-8"))
            for key, texts in entries.items():
                if set(texts) != set(LANGUAGES) or not all(texts.values()):
                    raise GatewatchError(f"{path.name}: {key} needs a text in each of {', '.join(LANGUAGES)}")
                if key in self._texts["en"]:
                    raise GatewatchError(f"{path.name}: {key} is there twice")
                for language in LANGUAGES:
                    self._texts[language][key] = texts[language]

    def keys(self, language: Language) -> frozenset[str]:
        return frozenset(self._texts[language])

    def text(self, language: Language, key: str, **values: object) -> str:
        """Raises KeyError for a key that is nowhere: a page may not show a name of the code."""
        texts = self._texts[language]
        if key in texts:
            found = texts[key]
        elif key in known_keys(language):
            found = word(language, key)
        else:
            raise KeyError(key)
        for name, value in values.items():
            found = found.replace(f"{{{name}}}", str(value))
        return found

    def starting_with(self, language: Language, prefixes: tuple[str, ...]) -> Mapping[str, str]:
        """What a page's scripts need: texts whose key begins with one of `prefixes`."""
        named = {key: word(language, key) for key in known_keys(language) if key.startswith(prefixes)}
        return named | {key: text for key, text in self._texts[language].items() if key.startswith(prefixes)}


def language_of(text: str | None, otherwise: Language) -> Language:
    """`text` if it is a language of ours."""
    return next((language for language in LANGUAGES if language == text), otherwise)
