"""Where the documentation of the package stands."""

__all__ = ["page_template"]


def page_template() -> str:
    """The address of the page of an estimator, with places for its module and its name.

    It is that of the site which the package names as its documentation (``Documentation`` among
    its URLs), and empty where it names none: the HTML view then has no link.
    """
    # Not at the top, where a stored file could ask for it by the name of this module.
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        urls = metadata("sklseq").get_all("Project-URL") or []
    except PackageNotFoundError:  # run from a checkout that is not installed
        return ""
    for label, _, address in (url.partition(", ") for url in urls):
        if label == "Documentation":
            return address.rstrip("/") + "/generated/{estimator_module}.{estimator_name}.html"
    return ""
