"""The picture of the rooms, drawn from its Mermaid text: rooms from top to bottom, each import an arc beside them.

Mermaid itself would weigh more than the page may, and needs a script for what never changes.
"""

import re
from html import escape

_BOX = re.compile(r'(\w+)\["<b>\w+</b><br>(.*?)"\]')
_ARROW = re.compile(r"^\s*(\w+)\s*-->\s*(.+)$", re.MULTILINE)
WIDTH, HEIGHT, STEP, MARGIN = 270, 46, 66, 2  # of a box, and from one box to the next; the unit is about a pixel


def rooms_svg(mermaid: str) -> str:
    """A flow chart whose boxes stand in an order in which all arrows run downward, as one block of HTML.

    Args:
        mermaid: lines `name["<b>name</b><br>what it is for"]` and `name --> name & name`.
    """
    rooms = dict(_BOX.findall(mermaid))
    imports = {start: [end.strip() for end in ends.split("&")] for start, ends in _ARROW.findall(mermaid)}
    place = {room: MARGIN + STEP * number for number, room in enumerate(rooms)}
    arcs = [_arc(place[start], place[end]) for start, ends in imports.items() for end in ends]
    size = f"{WIDTH + 6 * MARGIN + _bulge(max(place.values()))} {STEP * len(rooms)}"
    told = "; ".join(f"{start} imports {', '.join(ends)}" for start, ends in imports.items())
    return "\n".join(
        [
            f'<svg class="rooms" viewBox="0 0 {size}" role="img" aria-label="{escape(told)}">',
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0 0 L8 4 L0 8 Z"/></marker></defs>',
            *(_box(room, what, place[room]) for room, what in rooms.items()),
            *arcs,
            "</svg>\n",
        ]
    )


def _box(room: str, what: str, top: int) -> str:
    return (
        f'<rect x="{MARGIN}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f'<text x="14" y="{top + 19}" class="room">{escape(room)}</text>'
        f'<text x="14" y="{top + 36}">{escape(what)}</text>'
    )


def _arc(start: int, end: int) -> str:
    """From the lower half of one box to the upper half of another; the farther, the wider and the lower it arrives."""
    share = _bulge(end - start) / _bulge(9 * STEP)
    y, side = start + HEIGHT * (0.9 - 0.4 * share), WIDTH + MARGIN
    to = end + HEIGHT * (0.1 + 0.4 * share)
    far = side + _bulge(end - start) * 1.25
    return f'<path class="arc" d="M{side} {y:.0f} C{far:.0f} {y:.0f} {far:.0f} {to:.0f} {side + 3} {to:.0f}"/>'


def _bulge(distance: int) -> int:
    return 12 + distance // 4
