"""Tables whose columns differ in kind."""
