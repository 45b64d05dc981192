"""Proofs: every rule's examples are run, and what the rule claims to happen is measured.

Development only. ``python -m proofs`` writes ``docs/proofs.md``.
"""
