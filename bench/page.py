"""A report as Markdown and as one HTML page that needs nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { text-align: left; padding: .25rem .8rem; border-bottom: 1px solid #ddd }
th { background: #f4f4f4 }
code { background: #f4f4f4; padding: 0 .2rem }
svg { max-width: 100%; height: auto }
"""


@dataclass(frozen=True)
class Table:
    """A head and rows of texts."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> list[str]:
        """Return the lines of the table."""
        line = [f"| {' | '.join(row)} |" for row in (self.head, ["---"] * len(self.head), *self.rows)]
        line[1] = line[1].replace(" --- ", "---")
        return line

    def html(self) -> list[str]:
        """Return the lines of the table."""
        head = "".join(f"<th>{_inline(cell)}</th>" for cell in self.head)
        rows = ["".join(f"<td>{_inline(cell)}</td>" for cell in row) for row in self.rows]
        return ["<table>", f"<tr>{head}</tr>", *(f"<tr>{row}</tr>" for row in rows), "</table>"]


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, a table and a chart (file name and SVG); each but the heading may be missing."""

    title: str
    paragraphs: Sequence[str] = ()
    table: Table | None = None
    charts: dict[str, str] = field(default_factory=dict)


def markdown(title: str, sections: Sequence[Section]) -> str:
    """Return the report as Markdown; charts are files beside it."""
    lines = [f"# {title}"]
    for section in sections:
        lines += ["", f"## {section.title}"] if section.title else []
        for paragraph in section.paragraphs:
            lines += ["", paragraph]
        if section.table:
            lines += ["", *section.table.markdown()]
        for name in section.charts:
            lines += ["", f"![{section.title}]({name})"]
    return "\n".join(lines) + "\n"


def html(title: str, sections: Sequence[Section]) -> str:
    """Return the report as one page; charts are in it."""
    body = [f"<h1>{escape(title)}</h1>"]
    for section in sections:
        body += [f"<h2>{escape(section.title)}</h2>"] if section.title else []
        body += [f"<p>{_inline(paragraph)}</p>" for paragraph in section.paragraphs]
        body += section.table.html() if section.table else []
        body += section.charts.values()
    head = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
    view = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    return "\n".join([head + view, f"<style>{STYLE}</style></head><body>", *body, "</body></html>"]) + "\n"


def _inline(text: str) -> str:
    """Return a text with its code spans and bold words as HTML."""
    parts = escape(text).split("`")
    coded = "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
    bold = coded.split("**")
    return "".join(f"<b>{part}</b>" if number % 2 else part for number, part in enumerate(bold))
