"""The HTML view of an estimator links to its page, where the site is known."""

from importlib import import_module, metadata

import pytest

from sklseq.base.documentation import page_template
from sklseq.base.estimator import Estimator
from sklseq.utils import all_estimators


@pytest.mark.parametrize(("name", "cls"), all_estimators())
def test_html_view_links_to_the_page_of_the_public_name(name, cls, monkeypatch):
    monkeypatch.setattr(
        Estimator, "_doc_link_template", "https://docs/{estimator_module}.{estimator_name}.html"
    )
    if not issubclass(cls, Estimator):
        pytest.skip("not one of the base class")
    link = cls()._get_doc_link()
    module = link.removeprefix("https://docs/").removesuffix(f".{name}.html")
    assert getattr(import_module(module), name) is cls
    assert module.count(".") == 1
    assert link in cls()._repr_html_()


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        (["Source, https://code"], ""),
        (
            ["Source, https://code", "Documentation, https://site/stable/"],
            "https://site/stable/generated/{estimator_module}.{estimator_name}.html",
        ),
        (None, ""),
    ],
)
def test_address_is_that_of_the_package(urls, expected, monkeypatch):
    class Metadata:
        def get_all(self, key):
            return urls

    monkeypatch.setattr("importlib.metadata.metadata", lambda name: Metadata())
    assert page_template() == expected


def test_no_address_without_an_installed_package(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.metadata", missing)
    assert page_template() == ""
