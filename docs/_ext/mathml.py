"""Renders formulas as MathML, which browsers draw themselves: no script and no other server."""

import re

from docutils import nodes
from latex2mathml import converter
from sphinx.util.logging import getLogger

LOGGER = getLogger(__name__)
FUNCTION = re.compile(r"\\(log|exp|tanh|sin|cos|det)(?![a-zA-Z])(?!\s*[(\[_^])")


def convert(formula, **how):
    """MathML of a formula of TeX; a function stands apart from its argument."""
    result = converter.convert(FUNCTION.sub(r"\\\1\,", formula), **how)
    if unknown := re.search(r">(\\[a-zA-Z]+)<", result):
        LOGGER.warning("%s is not known to MathML, in the formula %s", unknown[1], formula)
    return result


def _visit_inline(self, node):
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _visit_block(self, node):
    lines = [line for line in node.astext().split("\n\n") if line.strip()]
    self.body.append(self.starttag(node, "div", CLASS="math"))
    self.body.extend(convert(line.strip(), display="block") for line in lines)
    self.body.append("</div>")
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
