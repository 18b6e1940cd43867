"""Configuration of the documentation site; `make docs` builds it."""

import inspect
import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

from docutils import nodes  # noqa: E402
from numpydoc.docscrape import NumpyDocString  # noqa: E402
from sklearn_inventory import write_inventory  # noqa: E402

from sklseq.base.estimator import Estimator  # noqa: E402

project = "sklseq"
author = "the sklseq developers"
copyright = "2026, the sklseq developers"
release = installed_version("sklseq")
version = release

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "myst_parser",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]

html_theme = "pydata_sphinx_theme"
html_title = "sklseq"
html_show_sourcelink = False
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "header_links_before_dropdown": 5,
    "navigation_with_keys": False,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc", "sg_download_links"],
    # Code without colors of its own for each token reads well on both backgrounds.
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_context = {"default_mode": "auto"}
html_sidebars = {"index": [], "install": [], "getting_started": [], "api": ["sidebar-nav-bs"]}
copybutton_prompt_text = ">>> |\\.\\.\\. |\\$ "
copybutton_prompt_is_regexp = True

# Signatures are names and defaults; types stand in the list of parameters.
autodoc_typehints = "none"
# A module's public names are its __all__, wherever they are defined.
autosummary_ignore_module_all = False
autosummary_imported_members = True
# The template of a class lists its methods.
numpydoc_show_class_members = False
# Code on pages runs (`sphinx -b doctest`); docstrings have their doctests run by pytest.
doctest_test_doctest_blocks = ""
# What pages write goes into a folder of its own.
doctest_global_setup = "import os, tempfile; os.chdir(tempfile.mkdtemp())"

# The site's own inventory where it can be reached, else one from the installed package.
write_inventory(HERE / "_build" / "sklearn.inv")
intersphinx_mapping = {
    "sklearn": ("https://scikit-learn.org/stable/", (None, "_build/sklearn.inv")),
}
intersphinx_timeout = 5

SECTIONS = [
    "first_steps",
    "sequences",
    "text",
    "trees",
    "forecasting",
    "images",
    "autoencoders",
    "generators",
    "inspection",
    "*",
]
# A page for each result of a benchmark, which includes its file.
for result in sorted((HERE.parent / "benchmarks" / "results").glob("*.md")):
    page = HERE / "benchmarks" / f"{result.stem}.rst"
    text = f".. include:: ../../benchmarks/results/{result.name}\n   :parser: myst_parser.sphinx_\n"
    if not page.exists() or page.read_text() != text:
        page.write_text(text)

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"\.py$",
    "abort_on_example_error": True,
    "show_memory": False,
    "write_computation_times": False,
    "doc_module": ("sklseq",),
    "backreferences_dir": "generated/backreferences",
    "nested_sections": True,
    "subsection_order": [s if s == "*" else f"../examples/{s}" for s in SECTIONS],
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_signature": False,
}

# In the pages of the gallery the HTML view of an estimator links to its page of this site.
Estimator._doc_link_template = "../../generated/{estimator_module}.{estimator_name}.html"
os.environ.setdefault("OMP_NUM_THREADS", "1")


def order_signature(app, what, name, obj, options, signature, returns):
    """Parameters of a class in the order of their list."""
    if what != "class" or not signature:
        return None
    listed = [p.name for p in NumpyDocString(inspect.getdoc(obj) or "")["Parameters"]]
    given = inspect.signature(obj).parameters
    if set(given) != set(listed) or any(p.default is p.empty for p in given.values()):
        return None
    positional = [n for n in listed if given[n].kind is given[n].POSITIONAL_OR_KEYWORD]
    named = [n for n in listed if n not in positional]
    shown = [*positional, *(["*"] if named else []), *named]
    words = (n if n == "*" else f"{n}={given[n].default!r}" for n in shown)
    return f"({', '.join(words)})", returns


def describe_thumbnails(app, doctree):
    """Alternative text for pictures of examples, which the gallery leaves empty."""
    for image in doctree.findall(nodes.image):
        if not image.get("alt") and "_thumb" in image["uri"]:
            example = Path(image["uri"]).name.removeprefix("sphx_glr_").split("_thumb")[0]
            image["alt"] = f"Picture of the example {example}"


def setup(app):
    """Connect the functions above."""
    app.connect("autodoc-process-signature", order_signature)
    app.connect("doctree-read", describe_thumbnails)
