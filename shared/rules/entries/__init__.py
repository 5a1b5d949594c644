"""The entries of the registry, a module a family; each holds its functions and their kernels.

A module ends with `ENTRIES`, what a rule can name, and `PARTS`, what only other entries use
(their names begin with an underscore). registry.py puts them together.
"""
