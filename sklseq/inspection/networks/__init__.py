"""Inside fitted recurrent and recursive networks: gradients, Jacobians, gates, graphs."""
