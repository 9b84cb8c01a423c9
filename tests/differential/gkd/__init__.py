"""Differential tester: one sequence of operations, two servers, every byte compared."""
