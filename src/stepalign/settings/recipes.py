"""Recipes: flat YAML files of settings, by path or by the name of a shipped one. A recipe may build on another:
`extends: base` takes that file's settings first, found beside the recipe or among the shipped ones; its own win.

    >>> read_recipe("micro")["critic"]
    'exact'
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from stepalign.core.errors import ConfigError, suggest

RECIPES = Path(__file__).parent / "recipes"
Recipe = dict[str, object]


def find_recipe(name: str) -> Path:
    """The file of a recipe given by path or by the name of a shipped one.

    Raises:
        ConfigError: neither exists.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = {str(p.relative_to(RECIPES).with_suffix("")): p for p in RECIPES.rglob("*.yaml")}
    if name in shipped:
        return shipped[name]
    raise ConfigError(f"no recipe '{name}': not a file{suggest(name, shipped)} (shipped recipes).")


def read_recipe(name: str) -> Recipe:
    """The flat mapping of a recipe, with what it extends.

    Raises:
        ConfigError: no such recipe, not YAML (with the line), not a mapping, or recipes that extend each other.
    """
    recipe, chain = _read_mapping(name), [find_recipe(name)]
    while "extends" in recipe:
        base = str(recipe.pop("extends"))
        beside = chain[-1].parent / f"{base.removesuffix('.yaml')}.yaml"
        path = beside if beside.is_file() else find_recipe(base)
        if path in chain:
            raise ConfigError(f"{path} extends itself by way of {name}. Take out one 'extends'.")
        chain.append(path)
        recipe = {**_read_mapping(str(path)), **recipe}
    return recipe


def _read_mapping(name: str) -> Recipe:
    import yaml

    path = find_recipe(name)
    try:
        recipe: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no YAML: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    if recipe is None:
        return {}
    if not isinstance(recipe, dict):
        raise ConfigError(f"{path}: got a {type(recipe).__name__}; expected a mapping of keys to values.")
    return cast("Recipe", recipe)
