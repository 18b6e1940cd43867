"""Displays and diagnostics of fitted estimators."""

from sklseq.inspection.displays.attention import AttentionDisplay
from sklseq.inspection.displays.density import DensityDisplay
from sklseq.inspection.displays.forecast import ForecastDisplay
from sklseq.inspection.displays.gate_activation import GateActivationDisplay
from sklseq.inspection.displays.gradient_flow import GradientFlowDisplay
from sklseq.inspection.displays.jacobian_spectrum import JacobianSpectrumDisplay
from sklseq.inspection.displays.kl_per_unit import KLPerUnitDisplay
from sklseq.inspection.displays.latent_space import LatentSpaceDisplay
from sklseq.inspection.displays.latent_traversal import LatentTraversalDisplay
from sklseq.inspection.displays.mode_coverage import ModeCoverageDisplay
from sklseq.inspection.displays.reconstruction import ReconstructionDisplay
from sklseq.inspection.displays.reservoir import ReservoirDisplay
from sklseq.inspection.displays.step_importance import StepImportanceDisplay
from sklseq.inspection.displays.training_curve import TrainingCurveDisplay
from sklseq.inspection.displays.tree import TreeDisplay
from sklseq.inspection.displays.unfolded_graph import UnfoldedGraphDisplay
from sklseq.inspection.latent.modes import density_grid, mode_coverage
from sklseq.inspection.latent.posterior import kl_per_unit
from sklseq.inspection.latent.space import latent_projection, latent_traversal, reconstructions
from sklseq.inspection.networks.gates import gate_activations
from sklseq.inspection.networks.gradients import gradient_flow
from sklseq.inspection.networks.graph import (
    UnfoldedArc,
    UnfoldedGraph,
    UnfoldedNode,
    unfolded_graph,
)
from sklseq.inspection.networks.jacobians import state_jacobians
from sklseq.inspection.networks.trees import subtree_predictions
from sklseq.inspection.reservoirs.dynamics import (
    echo_state_index,
    jacobian_eigenvalues,
    largest_lyapunov_exponent,
)
from sklseq.inspection.reservoirs.memory_capacity import linear_memory_capacity, memory_capacity
from sklseq.inspection.reservoirs.states import reservoir_spectrum, reservoir_states
from sklseq.inspection.sequences.importance import step_importance
from sklseq.inspection.sequences.permutation import sequence_permutation_importance

__all__ = [
    "AttentionDisplay",
    "DensityDisplay",
    "ForecastDisplay",
    "GateActivationDisplay",
    "GradientFlowDisplay",
    "JacobianSpectrumDisplay",
    "KLPerUnitDisplay",
    "LatentSpaceDisplay",
    "LatentTraversalDisplay",
    "ModeCoverageDisplay",
    "ReconstructionDisplay",
    "ReservoirDisplay",
    "StepImportanceDisplay",
    "TrainingCurveDisplay",
    "TreeDisplay",
    "UnfoldedArc",
    "UnfoldedGraph",
    "UnfoldedGraphDisplay",
    "UnfoldedNode",
    "density_grid",
    "echo_state_index",
    "gate_activations",
    "gradient_flow",
    "jacobian_eigenvalues",
    "kl_per_unit",
    "largest_lyapunov_exponent",
    "latent_projection",
    "latent_traversal",
    "linear_memory_capacity",
    "memory_capacity",
    "mode_coverage",
    "reconstructions",
    "reservoir_spectrum",
    "reservoir_states",
    "sequence_permutation_importance",
    "state_jacobians",
    "step_importance",
    "subtree_predictions",
    "unfolded_graph",
]
