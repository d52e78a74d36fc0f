"""Statements that make data sets inside the server."""
