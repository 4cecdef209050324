"""The job templates of the service (api-facts 1.6): which types there are, and what may stand in `spec`.

What an item's `spec` may hold is the parameters of the template of the step's type. The service takes the type HDK_UPGRADE
for one of its templates, whose own type is another.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from runner.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.model import Json, JsonObject

_KNOWN_AS = {"HDK_UPGRADE": "ASCEND_SOFTWARE_UPGRADE"}
_ANY_FLAVOR = "GENERIC"
# Matching takes time by the length of the text, which a pattern may make far more of.
_LONGEST_MATCHED = 1_000
_SECRET = re.compile(r"passw|passwd|pwd|secret|token|private_?key|credential", re.IGNORECASE)


class JobParameter(NamedTuple):
    """A key of `spec`. `default` None: there is none, so it must be given. `pattern` None: any text."""

    name: str
    description: str
    default: str | None
    pattern: str | None
    is_shown: bool


class JobTemplate(NamedTuple):
    """A template: `flavor` is the kind of servers that it is for, such as ASCEND_SNT9B; None: the service does not say."""

    id: str
    name: str
    type: str
    description: str
    flavor: str | None
    parameters: Sequence[JobParameter]

    @property
    def by_name(self) -> Mapping[str, JobParameter]:
        """The parameters by name."""
        return {parameter.name: parameter for parameter in self.parameters}


class UnfitValue(NamedTuple):
    """What is wrong with a value of `spec`, or that it is missing."""

    key: str
    message: str
    hint: str = ""


def read_template(row: JsonObject) -> JobTemplate:
    """A template as the service lists it, or as it was saved; what is missing, or no text, is empty."""
    listed = row.get("params")
    params = listed if isinstance(listed, list) else []
    return JobTemplate(
        _text(row.get("id")),
        _text(row.get("name")),
        _text(row.get("type")),
        _text(row.get("description")),
        _text(row.get("flavor_type")) or None,
        tuple(_parameter(param) for param in params if isinstance(param, dict) and _text(param.get("name"))),
    )


def _parameter(param: JsonObject) -> JobParameter:
    name, default = _text(param.get("name")), _text(param.get("value"))
    shown = "***" if default and _SECRET.search(name) else default
    visible = _text(param.get("visible")).lower() != "false"
    return JobParameter(
        name, _text(param.get("description")), shown or None, _text(param.get("regex")) or None, visible
    )


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def as_row(template: JobTemplate) -> JsonObject:
    """The template as `read_template` takes it, for a file."""
    params = [
        {
            "name": one.name,
            "description": one.description,
            "value": one.default or "",
            "visible": "true" if one.is_shown else "false",
            "regex": one.pattern or "",
        }
        for one in template.parameters
    ]
    own = {"id": template.id, "name": template.name, "type": template.type, "description": template.description}
    return own | {"flavor_type": template.flavor or "", "params": params}


def of_type(templates: Sequence[JobTemplate], kind: str) -> list[JobTemplate]:
    """The templates of a step's type; several may be for different flavors."""
    own = [template for template in templates if template.type == kind]
    return own or [template for template in templates if template.type == _KNOWN_AS.get(kind)]


def nearest_type(templates: Sequence[JobTemplate], kind: str) -> str:
    """Advice for a type that there is not."""
    known = sorted({template.type for template in templates})
    return did_you_mean(kind, known) or f"there are {', '.join(known)}"


def unfit_values(template: JobTemplate, spec: Mapping[str, str]) -> list[UnfitValue]:
    """What the template does not take of the values of one item; references to secrets must not be among them."""
    known = template.by_name
    found = []
    for key, value in spec.items():
        if key not in known:
            hint = did_you_mean(key, known) if known else ""
            found.append(UnfitValue(key, f"the template {template.name} has no parameter `{key}`", hint))
        elif (pattern := known[key].pattern) and fits(pattern, value) is False:
            found.append(UnfitValue(key, f"{value!r} does not match the template's pattern {pattern}"))
    return found


def missing_parameters(template: JobTemplate, given: Sequence[str]) -> list[UnfitValue]:
    """The parameters without a default that no item gives."""
    names = [one.name for one in template.parameters if one.default is None and one.is_shown and one.name not in given]
    return [UnfitValue(name, f"the template {template.name} asks for `{name}`, and no item gives it") for name in names]


def fits(pattern: str, value: str) -> bool | None:
    """Whether a whole value matches; None: that cannot be told here, as for a pattern of another language."""
    if len(value) > _LONGEST_MATCHED:
        return None
    try:
        return re.fullmatch(pattern, value) is not None
    except (re.error, RecursionError, OverflowError):
        return None


def is_for(template: JobTemplate, flavor: str, templates: Sequence[JobTemplate]) -> bool:
    """Whether servers of a flavor may be meant: not, if its name has in it what another template is for, and not this one.

    How the two kinds of names go together is not documented; what cannot be told is taken to fit.
    """
    own = _chip(template.flavor)
    if own is None:
        return True
    chips = {chip for one in templates if (chip := _chip(one.flavor))}
    named = {chip for chip in chips if chip in flavor.upper()}
    return not named or own in named


def _chip(flavor: str | None) -> str | None:
    chip = (flavor or "").upper().rpartition("_")[2]
    return None if chip in {"", _ANY_FLAVOR} else chip
