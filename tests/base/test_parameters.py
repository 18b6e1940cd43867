"""A parameter is declared once: name, default, constraint and documentation agree."""

import inspect
import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.metadata_routing import get_routing_for_object

import sklseq.recurrent
from sklseq._compat.sklearn import InvalidParameterError, fit_context
from sklseq.base import Estimator, attribute, choice, estimator, integer, other_default, param, real
from sklseq.preprocessing import PerStep


@estimator
class Shared(Estimator):
    """Parameters of several estimators."""

    width: int = param(3, "How wide.", integer(1, 9))
    rate: float = param(0.5, "How fast.", real(0, 1, "neither"))

    _attributes = {"shared_": attribute("int", "What all have.")}


@estimator
class Toy(Shared):
    """One line that says what it is.

    More about it.

    Examples
    --------
    >>> Toy().width
    3
    """

    kind: str = param("a", "Which of two.", choice("b", "a"))
    flag: bool = param(False, "Yes or no.", "boolean")
    cell: type = param(int, "A class.", type, None)
    random_state: object = param(None, "Seed.", "random_state")
    first: object = param(None, "Given without its name.", None, dict, positional=True)

    _attributes = {"own_": attribute("float", "What it has.")}

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        return self


@estimator
class Changed(Toy):
    """A toy with another default."""

    width: int = param(4, "How wide now.", integer(2))


@estimator
class Mixed(Shared):
    """A part of an estimator that has its parameters from `Shared`."""


@estimator
class Other(Shared):
    """Another part, with a default of its own."""

    width: int = other_default(Shared, "width", 5)


@estimator
class Both(Mixed, Other):
    """Made of the two."""


def test_a_default_is_that_of_the_class_attribute():
    assert Both.width == Both().width == 5
    assert [*inspect.signature(Both).parameters] == [*inspect.signature(Shared).parameters]


PUBLIC = [
    cls
    for cls in (getattr(sklseq.recurrent, name) for name in sklseq.recurrent.__all__)
    if issubclass(cls, Estimator)
]
ESTIMATORS = [*PUBLIC, PerStep, Toy, Changed, Both]


@pytest.fixture(params=ESTIMATORS, ids=lambda cls: cls.__name__)
def cls(request):
    return request.param


def sections(cls):
    """Text of each section of a numpydoc docstring."""
    parts = re.split(r"^([A-Z]\w+)\n-{3,}\n", inspect.cleandoc(cls.__doc__), flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def entries(section):
    """Type line and description of each entry, by name."""
    found = re.findall(r"^(\w+) : (.*)\n((?:    .*\n?|\n)+)", section, flags=re.MULTILINE)
    return {name: (kind, " ".join(text.split())) for name, kind, text in found}


def test_the_signature_is_what_get_params_gives(cls):
    signature = inspect.signature(cls).parameters
    assert {name: p.default for name, p in signature.items()} == cls().get_params(deep=False)
    assert set(cls._parameter_constraints) == set(signature)


def test_parameters_are_keyword_only_unless_declared_positional(cls):
    kinds = {p.name: p.kind for p in inspect.signature(cls).parameters.values()}
    positional = {
        name for name, kind in kinds.items() if kind is not inspect.Parameter.KEYWORD_ONLY
    }
    assert positional == {Toy: {"first"}, Changed: {"first"}, PerStep: {"transformer"}}.get(
        cls, set()
    )


def test_the_docstring_names_each_parameter_with_its_default(cls):
    documented = entries(sections(cls)["Parameters"])
    defaults = cls().get_params(deep=False)
    assert documented.keys() == defaults.keys()
    for name, default in defaults.items():
        kind, text = documented[name]
        assert kind.endswith(f", default={default!r}"), name
        assert text.endswith("."), name


def test_the_docstring_names_the_fitted_attributes(cls):
    documented = entries(sections(cls)["Attributes"])
    declared = {name for klass in cls.__mro__ for name in vars(klass).get("_attributes", {})}
    assert documented.keys() == declared
    assert all(name.endswith("_") for name in declared)


def test_the_docstring_keeps_its_other_sections_in_order(cls):
    names = list(sections(cls))
    assert names[:3] == ["", "Parameters", "Attributes"]
    assert [name for name in ("References", "Examples") if name in names] == names[3:]
    texts = [line for line in sections(cls)["Parameters"].splitlines() if line.startswith(" ")]
    assert all(len(line) <= 92 for line in texts)


def test_a_docstring_is_put_together_as_declared():
    assert sections(Toy)[""] == "One line that says what it is.\n\nMore about it.\n\n"
    assert ">>> Toy().width" in sections(Toy)["Examples"]
    documented = entries(sections(Toy)["Parameters"])
    assert documented["kind"] == ("{'a', 'b'}, default='a'", "Which of two.")
    assert documented["flag"] == ("bool, default=False", "Yes or no.")
    assert documented["random_state"][0] == "int, RandomState instance or None, default=None"
    assert "[1, 9]" in documented["width"][0]
    assert "(0" in documented["rate"][0]
    assert list(documented) == [
        "kind", "flag", "cell", "random_state", "first", "width", "rate",
    ]  # its own first  # fmt: skip


def test_a_subclass_changes_a_declaration_for_itself_alone():
    assert (Toy().width, Changed().width) == (3, 4)
    assert entries(sections(Changed)["Parameters"])["width"][1] == "How wide now."
    assert entries(sections(Toy)["Parameters"])["width"][1] == "How wide."
    Toy(width=1).fit([[1.0]])
    with pytest.raises(InvalidParameterError, match="'width'"):
        Changed(width=1).fit([[1.0]])


def test_parameters_pass_through_clone_and_repr(cls):
    changed = {"width": 7}
    if hasattr(cls(), "target"):
        changed = {"target": "sequence" if cls().target == "step" else "step"}
    model = cls(**changed)
    assert clone(model).get_params() == model.get_params()
    ((name, value),) = changed.items()
    assert f"{name}={value!r}" in repr(model)
    assert repr(cls()) == f"{cls.__name__}()"
    assert model.set_params(**cls().get_params(deep=False)).get_params() == cls().get_params()


def test_two_estimators_with_the_same_parameters_are_not_equal(cls):
    assert cls() != cls()
    assert len({cls(), cls()}) == 2


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("width", 0), ("width", 10), ("width", 2.5), ("width", None),
        ("rate", 0), ("rate", 1.0), ("rate", "fast"),
        ("kind", "c"), ("kind", None),
        ("flag", "yes"),
        ("cell", 3),
        ("first", []),
        ("random_state", "seed"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_name_and_value(name, wrong):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of Toy must be") as caught:
        Toy(**{name: wrong}).fit([[1.0]])
    assert repr(wrong) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("width", 1), ("width", 9), ("width", np.int64(5)),
        ("rate", 1e-9), ("rate", np.float32(0.5)),
        ("kind", "b"),
        ("flag", np.True_),
        ("cell", None), ("cell", dict),
        ("first", {}),
        ("random_state", 3), ("random_state", np.random.RandomState(0)),
    ],
)  # fmt: skip
def test_a_right_value_is_taken_as_it_is(name, right):
    model = Toy(**{name: right}).fit([[1.0]])
    assert getattr(model, name) is right


WRONG = {
    "solver": "newton", "learning_rate": 0, "lr_schedule": "linear", "max_epochs": 0,
    "batch_size": 0, "weight_decay": -1, "gradient_clip": 0, "gradient_clip_by": "sign",
    "early_stopping": "yes", "validation_fraction": 1.0, "n_iter_no_change": 0, "tol": -1,
    "warm_start": 2.5, "callbacks": 3, "dtype": "float16", "device": 0, "n_threads": 0,
    "random_state": "x", "verbose": -1, "target": "both", "hidden_size": 0, "num_layers": 0,
    "bidirectional": None, "dropout": 1.0, "pooling": "sum", "embedding_size": 0,
    "embedding": 1,
    "embedding_trainable": "yes",
    "tokenizer": 1,
    "lowercase": "yes",
    "context_as": "step",
    "skip_connections": "sum",
    "normalization": "group",
    "input_layer_sizes": 3,
    "output_layer_sizes": 3,
    "feedforward_activation": "sine",
    "init": "ones",
    "spectral_radius": -1,
    "forget_bias": "long",
    "tbptt_steps": 0,
    "time_parallel": "often",
    "graph": "often",
    "dropout_mask": "batch",
    "recurrent_dropout": 1.0,
    "zoneout": 1.0,
    "activation_penalty": -1,
    "temporal_activation_penalty": -1,
    "flow_regularizer": -1,
    "missing": "mean",
    "time_feature": 2.5,
    "image_shape": 8,
    "patch_size": 0,
    "teacher_forcing": 2,
    "teacher_forcing_schedule": "cosine",
    "cell_options": "share=0.5", "carry_state": "yes", "output": "words", "min_frequency": 0,
    "loss": "hinge", "quantile": 2.0, "calibration_steps": 0, "differences": -1,
    "seasonal_differences": -1, "season_length": 0, "scaling": "none", "strategy": "both",
    "horizon": 0, "residual": "yes", "window": 1,
    "cell": "quantum", "class_weight": "even", "transformer": 3,
}  # fmt: skip


@pytest.mark.parametrize("cls", [*PUBLIC, PerStep], ids=lambda cls: cls.__name__)
def test_every_parameter_of_the_house_refuses_a_wrong_value(cls):
    for name in cls().get_params(deep=False):
        with pytest.raises(
            InvalidParameterError, match=f"The '{name}' parameter of {cls.__name__}"
        ):
            cls(**{name: WRONG[name]}).fit(np.zeros((4, 2)), [0, 1, 0, 1])


def test_metadata_requests_are_as_scikit_learns():
    assert "fit" in str(get_routing_for_object(sklseq.recurrent.GRUClassifier()))


# A fit that fails leaves the estimator as it was


class Fragile(Estimator):
    def change_all(self):
        self.kept_ = "other"
        self.new_ = 1
        del self.dropped_

    def fitted(self):
        self.kept_, self.dropped_ = ["a"], 2
        return self


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_restores_every_attribute(error):
    model = Fragile().fitted()
    kept = model.kept_
    with pytest.raises(error), model._all_or_nothing():  # noqa: PT012
        model.change_all()
        raise error
    assert vars(model) == {"kept_": ["a"], "dropped_": 2}
    assert model.kept_ is kept


def test_without_a_failure_changes_stay():
    model = Fragile().fitted()
    with model._all_or_nothing():
        model.change_all()
    assert vars(model) == {"kept_": "other", "new_": 1}


def test_a_failure_leaves_running_callbacks_to_their_owner():
    model = Fragile().fitted()
    with pytest.raises(KeyError), model._all_or_nothing():  # noqa: PT012
        model._callback_fit_ctx = "running"
        model.new_ = 1
        raise KeyError
    assert model._callback_fit_ctx == "running"
    assert not hasattr(model, "new_")


def test_failures_nest():
    model = Fragile().fitted()
    with model._all_or_nothing():
        model.outer_ = 1
        with pytest.raises(KeyError), model._all_or_nothing():  # noqa: PT012
            model.inner_ = 1
            raise KeyError
    assert vars(model) == {"kept_": ["a"], "dropped_": 2, "outer_": 1}
