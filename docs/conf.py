"""Configuration of the documentation site; `make docs` builds it."""

import re
from importlib.metadata import version as installed_version

project = "sklseq"
author = "the sklseq developers"
copyright = "2026, the sklseq developers"
release = installed_version("sklseq")
version = release

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
html_title = f"sklseq {release}"
html_show_sourcelink = False

# A module's public names are its __all__, wherever they are defined.
autosummary_ignore_module_all = False
autosummary_imported_members = True
# autodoc documents the members; numpydoc would list them a second time.
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"\.py$",
    "abort_on_example_error": True,
    "show_memory": False,
}

REQUEST_METHOD = re.compile(r"set_\w+_request")


def skip_inherited(app, what, name, obj, skip, options):
    """Leave out what scikit-learn defines or adds: its own site documents it."""
    owner = getattr(obj, "fget", obj)  # a property is of the module of its function
    foreign = (getattr(owner, "__module__", None) or "").startswith("sklearn.")
    return True if foreign or REQUEST_METHOD.fullmatch(name) else None


def setup(app):
    """Connect the filter above."""
    app.connect("autodoc-skip-member", skip_inherited)
