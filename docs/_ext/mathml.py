"""Renders formulas as MathML, which browsers draw themselves: no script and no other server."""

from docutils import nodes
from latex2mathml.converter import convert


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
