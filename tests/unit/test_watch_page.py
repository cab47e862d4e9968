"""The page's files, and the report made of them."""

import json
import re
import subprocess
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bulkput.watch.page import assets, report

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "bulkput" / "watch" / "static"
HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>\u2028&amp;</body>"


class Elements(HTMLParser):
    """Every element with its attributes and its text, as a browser's parser splits them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(("", {}, ""))

    def handle_data(self, data: str) -> None:
        if self.found:
            tag, attributes, text = self.found[-1]
            self.found[-1] = (tag, attributes, text + data)

    def named(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attributes, text) for name, attributes, text in self.found if name == tag]


def test_a_report_is_one_file_with_its_numbers_and_nothing_to_load() -> None:
    """Names that look like the end of a script are data; the same numbers come out."""
    numbers = {"name": HOSTILE, "count": 7}
    text = report(numbers)
    elements = Elements(text)
    scripts = elements.named("script")
    assert len(scripts) == 4 and not any("src" in attributes for attributes, _ in scripts)
    assert [json.loads(body) for attributes, body in scripts if attributes.get("id") == "numbers"] == [numbers]
    assert elements.named("img") == []
    loaded = [attributes.get("href") or "" for attributes, _ in elements.named("link")]
    assert loaded == ["data:,"]
    assert "@import" not in text and "url(" not in text and text.count("</body>") == 1


def test_the_policy_of_a_report_has_the_hash_of_each_script_and_style() -> None:
    """No other one can run."""
    elements = Elements(report({"name": HOSTILE}))
    ((meta, _),) = [each for each in elements.named("meta") if each[0].get("http-equiv")]
    policy = meta["content"] or ""
    inline = [body for attributes, body in elements.named("script") if "type" not in attributes]
    inline += [body for _, body in elements.named("style")]
    hashes = {f"'sha256-{b64encode(sha256(body.encode()).digest()).decode()}'" for body in inline}
    assert hashes == set(re.findall(r"'sha256-[^']+'", policy))
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy


def test_the_page_has_no_inline_script_or_style() -> None:
    """Its policy would not let them run; what it loads is among the files that are served."""
    served = assets()
    elements = Elements(served["/"].content.decode())
    assert all(not body.strip() for _, body in elements.named("script"))
    assert elements.named("style") == []
    assert [
        name for _, attributes, _ in elements.found for name in attributes if name.startswith("on") or name == "style"
    ] == []
    loaded = [attributes["src"] for attributes, _ in elements.named("script")]
    loaded += [attributes["href"] for attributes, _ in elements.named("link")]
    assert {f"/{name}" for name in loaded} == set(served) - {"/"}


@pytest.mark.parametrize("name", ["page.js", "charts.js"])
def test_no_script_of_the_page_makes_html_of_text(name: str) -> None:
    """Texts are set by textContent."""
    text = (STATIC / name).read_text()
    for made in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert made not in text


def test_uplot_is_the_version_that_the_script_names_with_its_licence() -> None:
    """scripts/uplot: it fails for any other byte"""
    subprocess.run([ROOT / "scripts" / "uplot"], check=True, timeout=20)
    version = re.search(r"^VERSION=(\S+)$", (ROOT / "scripts" / "uplot").read_text(), re.MULTILINE)
    assert version and f"(v{version[1]})" in (STATIC / "uplot" / "uPlot.iife.min.js").read_text()[:200]
    assert "MIT License" in (STATIC / "uplot" / "LICENSE").read_text()
