"""What keeps the house legible: few classes an estimator, short ways down, one meaning a name."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

import sklseq
from sklseq.utils import all_estimators

ROOT = Path(sklseq.__file__).parent
SOURCES = {path.relative_to(ROOT): path.read_text() for path in sorted(ROOT.rglob("*.py"))}
ESTIMATORS = dict(all_estimators())


def ours(cls):
    return [c for c in cls.__mro__ if c.__module__.startswith("sklseq.")]


@pytest.mark.parametrize("cls", ESTIMATORS.values(), ids=ESTIMATORS)
def test_an_estimator_has_few_classes(cls):
    names = [c.__name__ for c in ours(cls)]
    assert len(names) <= 6, names


def definitions(tree):
    """Names that a module defines, with the text of their definitions."""
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            yield node.name, ast.unparse(node)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((t.id, ast.unparse(node)) for t in targets if isinstance(t, ast.Name))


def test_a_public_name_has_one_meaning():
    places = defaultdict(dict)
    for path, text in SOURCES.items():
        for name, definition in definitions(ast.parse(text)):
            if not name.startswith("_"):
                places[name][definition] = str(path)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_class_is_cut_in_two():
    """A class with a single subclass is used for itself, too."""
    bases, text = defaultdict(set), "\n".join(SOURCES.values())
    for source in SOURCES.values():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                for base in node.bases:
                    if isinstance(base, ast.Name):
                        bases[base.id].add(node.name)
    defined = {
        name for source in SOURCES.values() for name in re.findall(r"^class (\w+)", source, re.M)
    }
    cut = []
    for name in defined & bases.keys():
        made = re.search(rf"(?<!class )\b{name}(\.of)?\(", text)
        named = re.search(
            rf"isinstance\([^)]*\b{name}\b|: type\[{name}\]|-> {name}\b|: {name}\b", text
        )
        # What overrides private methods of scikit-learn lies with its private names.
        apart = any(f"class {name}(" in SOURCES[p] for p in SOURCES if p.parts[0] == "_compat")
        exported = any(f'"{name}"' in SOURCES[p] for p in SOURCES if p.name == "__init__.py")
        if len(bases[name]) == 1 and not (made or named or apart or exported):
            cut.append((name, bases[name]))
    assert cut == []


def test_self_is_typed():
    assert [str(path) for path, text in SOURCES.items() if "self: Any" in text] == []


def test_nn_has_few_rooms():
    rooms = [p for p in (ROOT / "nn").iterdir() if p.name not in ("__init__.py", "__pycache__")]
    assert len(rooms) <= 10


PRIVATE = re.compile(
    r"""
    ^\s*(from|import)\s+(sklearn|torch|skorch|joblib|scipy|numpy)\S*\._        # import sklearn._x
    | ^\s*from\s+(sklearn|torch|skorch|joblib|scipy|numpy)\S*\s+import[^#]*\b_  # ... import _x
    | \b(sklearn|torch|skorch|joblib|scipy|np)(\.\w+)*\._[a-z]                  # torch._x
    | \bops\.aten\b
    | \b(_parameter_constraints|_init_callback_context)\b                      # of BaseEstimator
    """,
    re.VERBOSE,
)


def test_private_names_of_other_libraries_stand_in_one_place():
    assert PRIVATE.search("from sklearn.utils._x import y")
    assert PRIVATE.search("from sklearn.utils import a, _x")
    assert PRIVATE.search("torch._foreach_lerp_(")
    found = [
        f"{path}:{number}: {line.strip()}"
        for path, text in SOURCES.items()
        if path.parts[0] != "_compat"
        for number, line in enumerate(text.splitlines(), start=1)
        if PRIVATE.search(line)
    ]
    assert found == []


def test_noise_is_drawn_in_one_place():
    """By the generator of the CPU: see `nn/layers/randomness.py`."""
    drawn = re.compile(
        r"""
        \bcurrent_generator\b | Generator\(device | functional\.(alpha_|feature_)?dropout
        | \brand(n|int|perm)?(_like)?\([^)]*device=
        | torch\.(bernoulli|multinomial|normal|poisson)\(
        """,
        re.VERBOSE,
    )
    assert drawn.search("torch.rand(2, 3, generator=g, device=x.device)")
    found = [str(path) for path, text in SOURCES.items() if drawn.search(text)]
    # The loop repeats what was drawn, for a line search.
    assert set(found) == {"nn/layers/randomness.py", "training/net.py"}


def test_no_computation_touches_the_filters_of_warnings():
    """They belong to all threads: two fits at once would leave them changed."""
    found = [
        (str(path), function.name)
        for path, text in SOURCES.items()
        if path.parts[0] != "datasets"
        for function in ast.walk(ast.parse(text))
        if isinstance(function, ast.FunctionDef)
        and re.search(r"catch_warnings|simplefilter|filterwarnings", ast.unparse(function))
    ]
    assert found == []


def test_reservoirs_need_no_training_engine():
    code = """
import sys
import sklseq.reservoir
loaded = set(sys.modules)
assert not any(name.partition(".")[0] == "skorch" for name in loaded)
# torch.optim comes with torch; what makes optimizers of it does not.
assert not loaded & {"sklseq.training.engine", "sklseq.training.optimizers", "sklseq.parts.fit"}
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# -- depth ---------------------------------------------------------------------------------


def depth(function):
    """Most frames of ours on the stack while the innermost is one of nn or ridge."""
    deepest, path = 0, []
    nn = tuple(str(ROOT / room) for room in ("nn", "ridge"))

    def profile(frame, event, argument):
        nonlocal deepest, path
        if event != "call" or not frame.f_code.co_filename.startswith(nn):
            return
        files = []
        while frame is not None:
            if frame.f_code.co_filename.startswith(str(ROOT)):
                files.append(frame.f_code.co_qualname)
            frame = frame.f_back
        if len(files) > deepest:
            deepest, path = len(files), files

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(before)
    return deepest, path


def sequences():
    rng = np.random.default_rng(0)
    X = np.empty(12, dtype=object)
    X[:] = [rng.normal(size=(n, 2)) for n in rng.integers(2, 9, size=12)]
    return X, np.arange(12) % 2


def fit_gru():
    return ESTIMATORS["GRUClassifier"](max_epochs=2).fit(*sequences())


def fit_trees():
    trees = [("a", ("b",), ("c", ("a",))), ("c",), ("b", ("a",))] * 4
    return ESTIMATORS["RecursiveClassifier"](max_epochs=1).fit(trees, [0, 1, 1] * 4), trees


def depth_of(entry):
    X, y = sequences()
    if entry == "GRUClassifier.fit":
        return depth(fit_gru)
    if entry == "GRUClassifier.predict":
        model = fit_gru()
        return depth(lambda: model.predict(X))
    if entry == "VAE.fit":
        table = np.random.default_rng(0).normal(size=(40, 4))
        return depth(lambda: ESTIMATORS["VAE"](max_epochs=2).fit(table))
    if entry == "ESNRegressor.fit":
        return depth(lambda: ESTIMATORS["ESNRegressor"]().fit(X, y.astype(float)))
    model, trees = fit_trees()
    return depth(lambda: model.predict(trees))


@pytest.mark.filterwarnings("ignore:Posterior collapse")
@pytest.mark.parametrize(
    ("entry", "most"),
    [
        ("GRUClassifier.fit", 11),
        ("GRUClassifier.predict", 8),
        ("VAE.fit", 11),
        ("ESNRegressor.fit", 12),
        ("RecursiveClassifier.predict", 8),
    ],
)
def test_the_way_down_to_a_kernel_is_short(entry, most):
    found, path = depth_of(entry)
    assert found <= most, path


def test_every_module_says_what_it_is():
    without = [
        str(path) for path, text in SOURCES.items() if ast.get_docstring(ast.parse(text)) is None
    ]
    assert without == []


def test_files_stay_short():
    lines = {str(path): len(text.splitlines()) for path, text in SOURCES.items()}
    assert {path: n for path, n in lines.items() if n > 400} == {}
