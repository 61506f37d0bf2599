"""The HTML pages of a server: one to try the model, and one that documents its interface. They load nothing else."""

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
LIMITS = {  # of JSON schemas, as they are shown
    **{"minimum": "from {}", "exclusiveMinimum": "above {}", "maximum": "to {}", "exclusiveMaximum": "below {}"},
    **{"minLength": "at least {} characters", "maxLength": "at most {} characters"},
    **{"minItems": "at least {}", "maxItems": "at most {}", "default": "default {}"},
}


def try_page(folder: Path, *, title: str, about: str) -> HTMLResponse:
    """The page of a model, with form.html and script.js of `folder`."""
    script = (folder / "script.js").read_text(encoding="utf-8")
    form = (folder / "form.html").read_text(encoding="utf-8")
    return _page("page.html.j2", script=script, title=title, about=about, form=Markup(form))  # noqa: S704  our own file


def docs_page(schema: dict[str, Any]) -> HTMLResponse:
    """The page of an OpenAPI `schema`."""
    title = schema["info"]["title"]
    return _page("docs.html.j2", script="", title=f"{title}: interface", operations=list(_operations(schema)))


def _page(template: str, *, script: str, **values: Any) -> HTMLResponse:
    """The page, with a policy that allows its own style and script only, by their digests."""
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    page = ENVIRONMENT.get_template(template).render(
        style=Markup(style),  # noqa: S704  our own files
        script=Markup(script),  # noqa: S704
        **values,
    )
    policy = {
        "default-src": "'none'",
        "style-src": _digest(style),
        "script-src": _digest(script),
        "img-src": "blob: data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    text = "; ".join(f"{name} {value}" for name, value in policy.items())
    return HTMLResponse(page, headers={"Content-Security-Policy": text})


def _digest(source: str) -> str:
    """As a browser computes it, for Content-Security-Policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _operations(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            files = [kind for kind, body in content.items() if body["schema"].get("format") == "binary"]
            bodies = [
                {"kinds": [kind], "fields": list(_fields(schema, body["schema"]))}
                for kind, body in content.items()
                if kind not in files
            ]
            answer = operation["responses"]["200"].get("content", {}).get("application/json", {}).get("schema", {})
            yield {
                "method": method.upper(),
                "path": path,
                "description": operation.get("description", operation["summary"]),
                "bodies": [*bodies, *([{"kinds": files, "fields": []}] if files else [])],
                "answer": list(_fields(schema, answer)),
            }


def _resolve(schema: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    name = found.get("$ref", "").rpartition("/")[2]
    return schema["components"]["schemas"][name] if name else found


def _fields(schema: dict[str, Any], body: dict[str, Any], prefix: str = "") -> Iterator[dict[str, str]]:
    """Name, type and limits of the properties of an object, and of the objects in its lists."""
    for name, found in _resolve(schema, body).get("properties", {}).items():
        choices = [one for one in found.get("anyOf", [found]) if one.get("type") != "null"]
        merged = {**found, **choices[0]}
        items = _resolve(schema, merged.get("items", {}))
        kind = merged.get("type", "object")
        limits = [text.format(_shown(merged[key])) for key, text in LIMITS.items() if merged.get(key) is not None]
        of = f" of {items['type']}" if "type" in items else ""
        yield {"name": f"{prefix}{name}", "kind": f"{kind}{of}", "limits": ", ".join(limits)}
        if "properties" in items:
            yield from _fields(schema, items, f"{prefix}{name}[].")


def _shown(value: Any) -> str:
    return f"{value:,.12g}" if isinstance(value, float) else json.dumps(value)
