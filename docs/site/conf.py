"""Settings of Sphinx for the course's site; `build.py` calls it."""

import re

from reference import rooms

import cxr_utils

project = "Judging chest X-rays"
author = "the authors of the course"
copyright = "the authors of the course; MIT licence. For teaching, never for diagnosis"
version = release = cxr_utils.__version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
exclude_patterns = [".doctrees", "README.md"]  # its parts are included elsewhere
default_role = "code"

# Lessons: what is saved is shown.
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"
myst_enable_extensions = ["html_image"]
myst_heading_anchors = 3  # links to headings work as they do in JupyterLab and on GitHub

# Reference: rooms hand on names that lie in files of theirs.
autosummary_generate = False
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
add_module_names = False
toc_object_entries = False

html_theme = "pydata_sphinx_theme"
html_title = project
html_favicon = "icon.svg"
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system has it
html_static_path = ["style.css"]
html_css_files = ["style.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


_PUBLIC = {room.__name__: set(room.__all__) for room in rooms().values()}
_NAME = re.compile(r"(?<![`:])`(\w+)((?:\.\w+)*)`(?!`)")
_COLON = "\N{MODIFIER LETTER COLON}"  # napoleon takes what stands before a colon for a type


def keep_colons(app, what, name, thing, options, lines):
    """What a function returns is told in sentences, and a colon in one is no end of a type."""
    for number, line in enumerate(lines[1:], 1):
        if lines[number - 1].strip() in ("Returns:", "Yields:"):
            lines[number] = line.replace(":", _COLON)


def link_names(app, what, name, thing, options, lines):
    """A public name in single backticks leads to what the reference says of it, first of all in its own room."""
    own = ".".join(name.split(".")[:2])

    def link(found):
        for room in (own, *_PUBLIC):
            if found[1] in _PUBLIC.get(room, ()):
                return f":py:obj:`{found[1]}{found[2]} <{room}.{found[1]}{found[2]}>`"
        return found[0]

    lines[:] = [line.replace(_COLON, ":") for line in lines]
    lines[:] = [line if line.lstrip().startswith((">>>", "...")) else _NAME.sub(link, line) for line in lines]


def setup(app):
    app.connect("autodoc-process-docstring", keep_colons, priority=100)  # before napoleon
    app.connect("autodoc-process-docstring", link_names, priority=900)  # after napoleon
