"""The structure of reports, as parsers that are not ours see it, without the texts in it: shape.py
DIRECTORY. Prints JSON. What a text can change here, it can do to a reader."""

import html.parser
import json
import pathlib
import subprocess
import sys
import xml.etree.ElementTree

UNSAFE = {*range(0x00, 0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0), *range(0x200B, 0x2010),
          *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF, 0x2028, 0x2029}
# Browsers treat these as code or style, whatever is in them.
NO_TEXT = ("script", "style")


class Tags(html.parser.HTMLParser):
    """Every tag with the names of its attributes; and where texts of the test stand."""

    def __init__(self):
        super().__init__()
        self.shape, self.open, self.bare = [], [], []

    def handle_starttag(self, tag, attributes):
        self.shape.append([tag, sorted(name for name, _ in attributes)])
        for name, value in attributes:
            if name.startswith("on") or name in ("href", "src") and value != "data:,":
                self.bare.append(f"{tag} {name}={value}")
        if tag not in ("meta", "link", "input", "br", "rect", "path", "line"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        self.shape.append(["/" + tag])
        while self.open and self.open.pop() != tag:
            pass

    def handle_comment(self, data):
        self.shape.append(["<!-- -->"])

    def handle_data(self, data):
        quoted = {"code", "pre", "title", "text", "ins", "del", *NO_TEXT}
        if "EVIL" in data and not quoted.intersection(self.open):
            self.bare.append(data.strip())


def of_html(text):
    tags = Tags()
    tags.feed(text)
    tags.close()
    return {"tags": tags.shape, "bare": tags.bare}


def of_markdown(path):
    render = ["cmark-gfm", "--unsafe", "-e", "table", "-e", "autolink", "-e", "strikethrough", path]
    return of_html(subprocess.run(render, capture_output=True, text=True, check=True).stdout)


def of_json(value):
    if isinstance(value, dict):
        return {key: of_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [of_json(inner) for inner in value]
    return type(value).__name__


def of_xml(element):
    return [element.tag, sorted(element.attrib), [of_xml(inner) for inner in element]]


def of(path):
    text = path.read_text()
    unsafe = sorted({hex(ord(c)) for c in text if ord(c) in UNSAFE})
    if path.suffix in (".json", ".sarif"):
        shape = of_json(json.loads(text))
    elif path.suffix == ".xml":
        shape = of_xml(xml.etree.ElementTree.fromstring(text))
    elif path.suffix == ".md":
        shape = of_markdown(path)
    elif path.suffix == ".html":
        shape = of_html(text)
    else:
        shape = [line.split("::")[1].split(" ")[0] for line in text.splitlines()]
    return {"unsafe": unsafe, "shape": shape}


paths = sorted(path for path in pathlib.Path(sys.argv[1]).iterdir() if path.is_file())
print(json.dumps({path.name: of(path) for path in paths}))
