"""The few shapes that the pictures of how-it-works.md are made of."""

from html import escape

# Each kind of thing has one colour in all the pictures: (line and text, fill).
CHILD = ("#1d4ed8", "#dbeafe")
HOST = ("#b45309", "#ffedd5")
SHARED = ("#047857", "#d1fae5")
DISPLAY = ("#6d28d9", "#ede9fe")
BAD = ("#b91c1c", "#fee2e2")
PLAIN = ("#334155", "#f1f5f9")
KINDS = {"child": CHILD, "host": HOST, "shared": SHARED, "display": DISPLAY, "bad": BAD, "plain": PLAIN}
INK = "#0f172a"
SOFT = "#475569"
WIDTH = 960
SANS = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def number(value):
    """A coordinate without needless digits."""
    return f"{value:.1f}".removesuffix(".0")


class Picture:
    """An SVG that is put together shape by shape, on a white ground of its own."""

    def __init__(self, height, title, description):
        self.height = height
        self.title = title
        self.description = description
        self.shapes = []

    def rect(self, x, y, w, h, kind="plain", radius=6, dashed=False, fill=None, width=1.5):
        line, ground = KINDS[kind]
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.shapes.append(
            f'<rect x="{number(x)}" y="{number(y)}" width="{number(w)}" height="{number(h)}" rx="{radius}" '
            f'fill="{fill or ground}" stroke="{line}" stroke-width="{width}"{dash}/>'
        )

    def text(self, x, y, content, size=15, anchor="start", bold=False, fill=INK, mono=False):
        """Text by its baseline; a list is one line each."""
        lines = content if isinstance(content, list) else [content]
        weight = ' font-weight="600"' if bold else ""
        family = f' font-family="{MONO}"' if mono else ""
        for index, part in enumerate(lines):
            self.shapes.append(
                f'<text x="{number(x)}" y="{number(y + index * size * 1.3)}" font-size="{size}" '
                f'text-anchor="{anchor}" fill="{fill}"{weight}{family}>{escape(part)}</text>'
            )

    def box(self, x, y, w, h, kind, label, size=15, bold=False, **rest):
        """A rectangle with its label in the middle."""
        lines = label if isinstance(label, list) else [label]
        self.rect(x, y, w, h, kind, **rest)
        top = y + h / 2 + size * 0.36 - (len(lines) - 1) * size * 0.65
        self.text(x + w / 2, top, lines, size, "middle", bold, KINDS[kind][0])

    def line(self, points, kind="plain", dashed=False, width=2, head=True, tail=False):
        """A line through points, with an arrow's head at its end."""
        dash = ' stroke-dasharray="6 4"' if dashed else ""
        marks = (f' marker-end="url(#{kind})"' if head else "") + (f' marker-start="url(#{kind})"' if tail else "")
        path = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self.shapes.append(
            f'<polyline points="{path}" fill="none" stroke="{KINDS[kind][0]}" stroke-width="{width}"{dash}{marks}/>'
        )

    def curve(self, path, kind="plain", dashed=False):
        """A curved arrow, as an SVG path."""
        dash = ' stroke-dasharray="6 4"' if dashed else ""
        self.shapes.append(
            f'<path d="{path}" fill="none" stroke="{KINDS[kind][0]}" stroke-width="2"{dash} marker-end="url(#{kind})"/>'
        )

    def dot(self, x, y, kind, radius=5):
        self.shapes.append(f'<circle cx="{number(x)}" cy="{number(y)}" r="{radius}" fill="{KINDS[kind][0]}"/>')

    def cross(self, x, y, size=7):
        """Where something goes wrong or ends."""
        for slope in (1, -1):
            self.line([(x - size, y - size * slope), (x + size, y + size * slope)], "bad", width=3, head=False)

    def svg(self):
        marks = "\n".join(
            f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" '
            f'markerUnits="userSpaceOnUse" orient="auto-start-reverse"><path d="M0,0 L10,5 L0,10 z" fill="{line}"/></marker>'
            for name, (line, _) in KINDS.items()
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}" '
            f'height="{self.height}" role="img" aria-labelledby="title description" font-family="{SANS}">\n'
            f'<title id="title">{escape(self.title)}</title>\n<desc id="description">{escape(self.description)}</desc>\n'
            f"<defs>\n{marks}\n</defs>\n"
            f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{self.height - 1}" rx="10" fill="#ffffff" stroke="#cbd5e1"/>\n'
            + "\n".join(self.shapes)
            + "\n</svg>\n"
        )
