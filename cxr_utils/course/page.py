"""A lesson as an HTML page whose pictures can be read out."""

from nbconvert import HTMLExporter
from nbformat import NotebookNode

# nbconvert's template in the look of JupyterLab leaves out what pictures say of themselves.
_TEMPLATE = """
{%- extends 'lab/index.html.j2' -%}
{%- block data_png scoped %}
<div class="jp-RenderedImage jp-OutputArea-output {{ extra_class }}">
{%- set alt = output | get_metadata('alt', 'image/png') %}
<img src="data:image/png;base64,{{ output.data['image/png'] | escape_html }}"
{%- if alt is not none %} alt="{{ alt | escape_html }}"{% endif %}>
</div>
{%- endblock data_png %}
"""


def html_page(notebook: NotebookNode) -> str:
    """The notebook with its outputs as one page.

    Args:
        notebook: executed; pictures carry their description as `alt` in the metadata of the output.

    Returns:
        HTML, pictures inside.

    Example:
        >>> from nbformat.v4 import new_code_cell, new_notebook, new_output
        >>> picture = new_output("display_data", {"image/png": "AAAA"}, metadata={"image/png": {"alt": "A heart."}})
        >>> 'alt="A heart."' in html_page(new_notebook(cells=[new_code_cell("draw()", outputs=[picture])]))
        True
    """
    exporter = HTMLExporter()
    exporter.raw_template = _TEMPLATE
    return exporter.from_notebook_node(notebook)[0]
