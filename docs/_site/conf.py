"""How Sphinx builds the site. `build.py` calls it on a folder that it has filled."""

import tomllib
from pathlib import Path

project = "Qwicket"
version = release = tomllib.loads((Path(__file__).parent / "pyproject.toml").read_text("utf-8"))[
    "project"
]["version"]
language = "en"
extensions = ["myst_parser"]
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline", "deflist"]
myst_links_external_new_tab = False
templates_path = ["templates"]
html_theme = "furo"
html_title = f"Qwicket {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_favicon = "static/icon.svg"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0b6e6e",
        "color-brand-content": "#0b6e6e",
        "color-background-primary": "#fcfcfa",
        "color-background-secondary": "#f3f6f5",
        "font-stack": "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
        "font-stack--monospace": "ui-monospace, 'SF Mono', 'DejaVu Sans Mono', Menlo, monospace",
    },
    "dark_css_variables": {
        "color-brand-primary": "#5cc6be",
        "color-brand-content": "#5cc6be",
        "color-background-primary": "#12181a",
        "color-background-secondary": "#192124",
    },
}
