"""Tags of samplers, which imbalanced-learn looks for beside those of scikit-learn."""

from dataclasses import dataclass, field, fields
from typing import Any

from sklearn.utils import InputTags, Tags

__all__ = ["sampler_tags"]


@dataclass
class _InputTags(InputTags):
    dataframe: bool = True


@dataclass
class _OfSampler:
    sample_indices: bool = False


@dataclass
class _Tags(Tags):
    sampler_tags: _OfSampler = field(default_factory=_OfSampler)


def sampler_tags(tags: Tags, **input_tags: bool) -> Tags:
    """Tags of scikit-learn as those of a sampler that takes DataFrames.

    Parameters
    ----------
    tags : Tags
    **input_tags : bool
        Set in addition.
    """
    known: dict[str, Any] = {f.name: getattr(tags, f.name) for f in fields(tags)}
    of_input = {f.name: getattr(tags.input_tags, f.name) for f in fields(tags.input_tags)}
    inputs = _InputTags(**of_input | input_tags)
    return _Tags(**known | {"estimator_type": "sampler", "input_tags": inputs})
